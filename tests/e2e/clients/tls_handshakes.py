"""Ways to shake hands.

Usage: tls_handshakes.py [CASE...]
"""

import os
import socket
import ssl
import struct
import tempfile
import time

from tcp_cases import connect, read_all
from tls_client import ISSUERS, InMemory, case, converse, get, main, note_issuer, s_client, trusting


@case("a client of TLS 1.2 alone")
def tls12():
    return converse("tls.example.com", get("tls.example.com", "/close"), trusting(maximum_version=ssl.TLSVersion.TLSv1_2))


@case("a client of TLS 1.3 alone")
def tls13():
    return converse("tls.example.com", get("tls.example.com", "/close"), trusting(minimum_version=ssl.TLSVersion.TLSv1_3))


@case("a server with an intermediate authority, P-384 and TLS 1.3 alone")
def intermediate():
    return converse("ecdsa.example.com", get("ecdsa.example.com", "/hello", "Connection: close"))


def offering(*protocols):
    context = trusting()
    context.set_alpn_protocols(protocols)
    return context


@case("ALPN: the server takes http/1.1 of two")
def alpn():
    return converse("tls.example.com", get("tls.example.com", "/close"), offering("h2", "http/1.1"))


@case("ALPN: the server knows nothing of it")
def no_alpn():
    return converse("aio.example.com", get("aio.example.com", "/hello", "Connection: close"), offering("h2", "http/1.1"))


@case("ALPN: the server refuses all that is offered")
def alpn_refused():
    return converse("rsa.example.com", get("rsa.example.com", "/hello"), offering("lunar-test"))


def in_pieces(client, count):
    def send(hello):
        client.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        step = len(hello) // count + 1
        for at in range(0, len(hello), step):
            client.socket.sendall(hello[at:at + step])
            time.sleep(0.01)  # segments of their own, as from a slow network
    return send


def hello_in_pieces(count, context=None):
    with InMemory("tls.example.com", context) as client:
        client.shake_hands(in_pieces(client, count))
        client.send(get("tls.example.com", "/hello", "Connection: close"))
        got, end = client.read_all()
        return {"bytes": got.decode(), "end": end, "version": client.tls.version(), "alpn": client.tls.selected_alpn_protocol()}


@case("a ClientHello in seven segments")
def slow_hello():
    return hello_in_pieces(7)


@case("a ClientHello of 20 KB in forty segments")
def large_hello():
    return hello_in_pieces(40, offering("http/1.1", *(f"{number:0>200}" for number in range(100))))


def extension(kind, body=b""):
    return struct.pack(">HH", kind, len(body)) + body


def listed(size, values, body=">H"):
    """A vector of numbers with its length in `size`."""
    data = b"".join(struct.pack(body, value) for value in values)
    return struct.pack(size, len(data)) + data


def key_share(group, key):
    return struct.pack(">HH", group, len(key)) + key


def browser_hello(host, version):
    """As browsers write it: GREASE (RFC 8701) wherever it may stand, a post-quantum key share, GREASE of ECH."""
    name = host.encode()
    shares = key_share(0x3A3A, b"\0") + key_share(0x11EC, os.urandom(1216)) + key_share(29, os.urandom(32))
    extensions = b"".join([
        extension(0x2A2A), extension(0, struct.pack(">HBH", len(name) + 3, 0, len(name)) + name), extension(23),
        extension(0xFF01, b"\0"), extension(10, listed(">H", (0x3A3A, 0x11EC, 29, 23))), extension(11, b"\1\0"),
        extension(13, listed(">H", (0x0403, 0x0804, 0x0401, 0x0503))), extension(43, listed(">B", (0x4A4A, version))),
        extension(45, b"\1\1"), extension(51, struct.pack(">H", len(shares)) + shares), extension(27, listed(">B", (2,))),
        extension(16, b"\0\x0c\2h2\x08http/1.1"), extension(0xFE0D, b"\0\0\1\0\1\7\0\x20" + os.urandom(32) + b"\0\x90" + os.urandom(144)),
        extension(0x5A5A, b"\0")])
    body = struct.pack(">H", 0x0303) + os.urandom(32) + b"\x20" + os.urandom(32)
    body += listed(">H", (0x6A6A, 0x1301, 0xC02B)) + b"\1\0" + struct.pack(">H", len(extensions)) + extensions
    message = b"\1" + struct.pack(">I", len(body))[1:] + body
    return b"\x16\3\1" + struct.pack(">H", len(message)) + message


def clear_messages(connection, last):
    """(type, body) of the handshake messages up to type `last`; what is encrypted is not looked at."""
    incoming, pending, messages = connection.makefile("rb"), b"", []
    while not messages or messages[-1][0] != last:
        kind, _, size = struct.unpack(">BHH", incoming.read(5))
        record = incoming.read(size)
        if kind != 22:
            return [*messages, (f"record {kind}", record)]
        pending += record
        while len(pending) >= 4 and len(pending) >= 4 + (length := int.from_bytes(pending[1:4], "big")):
            messages.append((pending[0], pending[4:4 + length]))
            pending = pending[4 + length:]
    return messages


def server_flight(host, version, last):
    """Half a handshake with the hello of a browser. Whoever hangs up like this is taken for one who refuses the certificate."""
    with connect(host, 443) as connection:
        hello = browser_hello(host, version)
        for at in range(0, len(hello), 500):
            connection.sendall(hello[at:at + 500])
        messages = clear_messages(connection, last)
        ISSUERS.update(name for name in ("Lunar local CA", "Lunar end-to-end root") if any(name.encode() in body for _, body in messages))
        server_hello = messages[0][1]
        cipher = 35 + server_hello[34]  # behind the session's id
        return {"messages": [kind for kind, _ in messages], "cipher": server_hello[cipher:cipher + 2].hex()}


@case("a browser's ClientHello with GREASE and a post-quantum key share, TLS 1.2")
def browser12():
    return server_flight("unpinned.example.com", 0x0303, 14)


@case("a browser's ClientHello with GREASE and a post-quantum key share, TLS 1.3")
def browser13():
    return server_flight("pinned.example.com", 0x0304, 2)


@case("extensions that nobody knows")
def unknown_extensions():
    # GREASE (RFC 8701), and one from the middle of what is not assigned
    return s_client("-connect", "tls.example.com:443", "-verify_return_error", "-serverinfo", "2570,6682,39321", "-ign_eof",
                    input=get("tls.example.com", "/close").decode())


def without_sni(address):
    host, _, _ = address.rpartition(":")
    return s_client("-noservername", "-connect", address, "-verify_return_error", "-verify_ip", host.strip("[]"), "-ign_eof",
                    input=get(host, "/close").decode())


@case("no SNI: the certificate has the address (IPv4)")
def no_sni():
    return without_sni("198.18.2.1:443")


@case("no SNI: the certificate has the address (IPv6)")
def no_sni6():
    return without_sni("[2001:db8:2::1]:443")


def resumed(host, version):
    with tempfile.TemporaryDirectory() as directory:
        file, common = f"{directory}/session", ("-connect", f"{host}:443", "-servername", host, version, "-ign_eof")
        asked = get(host, "/hello", "Connection: close").decode()
        return {"first": s_client(*common, "-sess_out", file, input=asked), "then": s_client(*common, "-sess_in", file, input=asked)}


@case("a session of TLS 1.2 is resumed")
def resumed12():
    return resumed("rsa.example.com", "-tls1_2")


@case("a session of TLS 1.3 is resumed")
def resumed13():
    return resumed("tls.example.com", "-tls1_3")


@case("a session is resumed five times in a row")
def resumed_again():
    host, context = "rsa.example.com", trusting(maximum_version=ssl.TLSVersion.TLSv1_2)
    session, reused = None, []
    for _ in range(6):
        with connect(host, 443) as plain, context.wrap_socket(plain, server_hostname=host, session=session) as connection:
            note_issuer(connection)
            connection.sendall(get(host, "/hello", "Connection: close"))
            read_all(connection)
            reused.append(connection.session_reused)
            session = connection.session
    return {"reused": reused}


if __name__ == "__main__":
    main()
