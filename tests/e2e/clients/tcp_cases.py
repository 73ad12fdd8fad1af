"""Programs and conversations that are not plain HTTP requests; one observation a line.

Usage: tcp_cases.py [CASE...]
"""

import asyncio
import hashlib
import json
import os
import re
import smtplib
import socket
import ssl
import struct
import subprocess
import sys
import tempfile
import time

import websockets

CASES = {}


def case(name):
    def register(function):
        CASES[name] = function
        return function
    return register


def connect(host, port, timeout=10):
    return socket.create_connection((host, port), timeout)


def read_all(connection, limit=1 << 26):
    """Everything until the end or an error, and which."""
    got, end = bytearray(), "close"
    try:
        while len(got) < limit and (piece := connection.recv(1 << 16)):
            got += piece
    except OSError as error:
        end = type(error).__name__
    return bytes(got), end


def converse(host, port, data, half_close=False):
    with connect(host, port) as connection:
        connection.sendall(data)
        if half_close:
            connection.shutdown(socket.SHUT_WR)
        got, end = read_all(connection)
        return {"bytes": got.decode("latin-1"), "end": end}


def program(*argv, input=None):
    done = subprocess.run(argv, capture_output=True, text=True, timeout=60, input=input)
    return {"exit": done.returncode, "stdout": done.stdout, "stderr": done.stderr}


def http(*requests):
    return "".join(requests).encode()


@case("SMTP: the server greets first")
def smtp():
    with smtplib.SMTP("mail.example.com", 25, timeout=10) as client:
        greeting = client.ehlo("tester.example.com")
        sent = client.sendmail("a@example.com", ["b@example.com"], "Subject: x\r\n\r\n" + "text\r\n" * 100)
        return {"greeting": greeting[1].decode(), "refused": sent, "features": client.esmtp_features}


@case("a banner and a close without a word from the client")
def banner():
    with connect("mail.example.com", 13) as connection:
        got, end = read_all(connection)
        return {"bytes": got.decode(), "end": end}


@case("echo of 3 MB and a half-close")
def echo():
    data = os.urandom(1 << 10) * 3000
    with connect("mail.example.com", 7) as connection:
        got, received = hashlib.sha256(), 0
        connection.setblocking(False)

        async def send(loop):
            await loop.sock_sendall(connection, data)
            connection.shutdown(socket.SHUT_WR)

        async def talk():
            nonlocal received
            loop = asyncio.get_running_loop()
            sending = asyncio.create_task(send(loop))
            while piece := await loop.sock_recv(connection, 1 << 16):
                got.update(piece)
                received += len(piece)
            await sending

        asyncio.run(talk())
        return {"size": received, "same": got.digest() == hashlib.sha256(data + b"end\n").digest()}


@case("half-close without a byte")
def half_close_at_once():
    return converse("mail.example.com", 7, b"", half_close=True)


@case("HTTP request with a half-close behind it")
def http_half_close():
    return converse("raw.example.com", 80, http("GET /slow/300 HTTP/1.1\r\nHost: raw.example.com\r\n\r\n"), half_close=True)


@case("a reset after the first byte")
def reset_after_byte():
    return converse("mail.example.com", 9, b"x")


@case("a reset before any byte")
def reset_at_once():
    try:
        connection = connect("mail.example.com", 11)
    except ConnectionResetError as error:  # so early that connecting has seen it
        return {"bytes": "", "end": type(error).__name__}
    with connection:
        got, end = read_all(connection)
        return {"bytes": got.decode(), "end": end}


@case("a reset by the client reaches the server's view")
def client_reset():
    connection = connect("mail.example.com", 7)
    connection.sendall(b"hello")
    got = connection.recv(5)
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    connection.close()
    return {"bytes": got.decode()}


@case("a server that never reads makes the client wait")
def back_pressure():
    with connect("mail.example.com", 26) as connection:
        connection.settimeout(1)
        sent = 0
        try:
            while sent < 1 << 28:
                sent += connection.send(b"z" * 65536)
        except TimeoutError:
            return {"blocked before 64 MiB": sent < 1 << 26}
        return {"blocked before 64 MiB": False}


@case("getpeername and getsockname")
def names():
    with connect("mail.example.com", 37) as connection:
        peer = connection.getpeername()[:2]
        own = connection.getsockname()[0]
        got, _ = read_all(connection)
        return {"peer": peer, "own": own, "seen by the server": got.decode().strip()}


@case("getpeername over IPv4")
def names4():
    with connect("198.18.1.5", 37) as connection:
        return {"peer": connection.getpeername(), "own": connection.getsockname()[0], "seen": read_all(connection)[0].decode()}


@case("a v4-mapped IPv6 socket")
def mapped():
    with socket.socket(socket.AF_INET6) as connection:
        connection.settimeout(10)
        connection.connect(("::ffff:198.18.1.5", 37))
        return {"peer": connection.getpeername()[:2], "own": connection.getsockname()[0], "seen": read_all(connection)[0].decode()}


@case("a non-blocking connect")
def non_blocking():
    import select
    with socket.socket() as connection:
        connection.setblocking(False)
        number = connection.connect_ex(("198.18.1.5", 13))
        ready = select.select([], [connection], [], 5)[1]
        error = connection.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
        connection.settimeout(5)
        return {"errno": number, "ready": len(ready), "so_error": error, "bytes": read_all(connection)[0].decode()}


@case("TCP fast open")
def fast_open():
    with socket.socket() as connection:
        sent = connection.sendto(b"ping", 0x20000000, ("198.18.1.5", 7))  # MSG_FASTOPEN
        connection.settimeout(10)
        connection.shutdown(socket.SHUT_WR)
        return {"sent": sent, "bytes": read_all(connection)[0].decode()}


@case("Redis")
def redis():
    script = "set e2e:key value\nget e2e:key\nincr e2e:counter\nlpush e2e:list a b c\nlrange e2e:list 0 -1\ndel e2e:key e2e:counter e2e:list\nnosuch\n"
    return program("redis-cli", "-h", "store.example.com", input=script)


@case("Redis pipelining of 10000 commands")
def redis_pipeline():
    with connect("store.example.com", 6379) as connection:
        connection.sendall(b"PING\r\n" * 10000 + b"QUIT\r\n")
        got, end = read_all(connection)
        return {"pongs": got.count(b"+PONG"), "ok": got.endswith(b"+OK\r\n"), "end": end}


@case("PostgreSQL")
def postgres():
    sql = ("create temp table t (n int, s text); insert into t select n, repeat('x', 100) from generate_series(1, 20000) n; "
           "select count(*), sum(n), sum(length(s)) from t; select inet_client_addr();")
    return program("psql", "-h", "store.example.com", "-U", "postgres", "-At", "-c", sql)


@case("PostgreSQL: an error and its code")
def postgres_error():
    return program("psql", "-h", "store.example.com", "-U", "postgres", "-At", "-c", "select 1/0")


@case("git: clone, commit and push over smart HTTP")
def git_smart():
    with tempfile.TemporaryDirectory() as directory:
        script = f"""
            git clone -q http://git.example.com:81/project.git {directory}/clone && cd {directory}/clone && git log --format=%T%s &&
            git config user.email t@example.com && git config user.name t &&
            git checkout -q -b branch-$$ && seq 50000 > new && git add new && git commit -q -m new && git push -q origin HEAD &&
            git ls-remote -q origin | grep -c branch- | sed 's/.*/pushed/' && git push -q origin :branch-$$ && cat file* | sha256sum
        """
        return program("sh", "-ec", script)


@case("git: clone over dumb HTTP")
def git_dumb():
    with tempfile.TemporaryDirectory() as directory:
        return program("sh", "-ec", f"git clone -q http://nginx.example.com/dumb.git {directory}/c && cd {directory}/c && git log --format=%T%s && cat file* | sha256sum")


def websocket_talk(url, opened=lambda connection: None, **options):
    async def talk():
        async with websockets.connect(url, max_size=1 << 24, **options) as connection:
            opened(connection)
            seen = []
            for message in ("text", b"\x00\x01binary", "x" * (1 << 20), ""):
                await connection.send(message)
                back = await connection.recv()
                seen.append([type(back).__name__, len(back), back == message])
            await asyncio.wait_for(await connection.ping(), 5)
            await connection.close(4321, "as agreed")
            return {"echoes": seen, "code": connection.close_code, "reason": connection.close_reason,
                    "upgrade": connection.response_headers.get("Upgrade")}
    return asyncio.run(talk())


@case("WebSocket: text, binary, ping, a megabyte, close code")
def websocket():
    return websocket_talk("ws://python.example.com/ws")


@case("a protocol after 101")
def switched():
    return converse("raw.example.com", 80, http("GET /switch HTTP/1.1\r\nHost: raw.example.com\r\nConnection: Upgrade\r\nUpgrade: shout\r\n\r\n",
                                               "quiet words"), half_close=True)


@case("five pipelined requests are answered in order")
def pipelined():
    paths = ("/slow/200", "/hello", "/bytes/10", "/chunked", "/close")
    return converse("raw.example.com", 80, http(*(f"GET {path} HTTP/1.1\r\nHost: raw.example.com\r\n\r\n" for path in paths)))


@case("a request that comes byte by byte")
def byte_by_byte():
    with connect("raw.example.com", 80) as connection:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for byte in http("GET /head HTTP/1.1\r\nHost: raw.example.com\r\nX-Slow:  spaces  kept \r\nConnection: close\r\n\r\n"):
            connection.send(bytes([byte]))
            time.sleep(0.002)
        got, end = read_all(connection)
        return {"bytes": got.decode(), "end": end}


@case("a request of HTTP/1.0 without Host")
def http10():
    return converse("raw4.example.com", 80, http("GET /head HTTP/1.0\r\n\r\n"))


@case("HTTP/1.0 with keep-alive")
def http10_keep_alive():
    return converse("raw4.example.com", 80, http("GET /head HTTP/1.0\r\nConnection: keep-alive\r\n\r\n"))


@case("the head as sent: order, case, spaces, repetitions")
def odd_head():
    return converse("raw.example.com", 80, http("GET /head?x=%41&&y HTTP/1.1\r\nhOsT: raw.example.com\r\nB:2\r\nA:   1\r\nb: 3\r\n",
                                                "X-Empty:\r\nAccept: */*\r\nConnection: close\r\n\r\n"))


@case("a line that is not HTTP")
def not_http():
    return converse("mail.example.com", 7, b"STATUS of the server please\r\n", half_close=True)


@case("bytes that are neither text nor TLS")
def binary():
    return converse("mail.example.com", 7, bytes(range(256)) * 10, half_close=True)


@case("HTTP to a port that is not HTTP")
def http_to_echo():
    return converse("mail.example.com", 7, http("GET / HTTP/1.1\r\nHost: mail.example.com\r\n\r\n"), half_close=True)


@case("an ambiguous request: two lengths")
def two_lengths():
    return converse("raw.example.com", 80, http("POST /upload HTTP/1.1\r\nHost: raw.example.com\r\nContent-Length: 3\r\n",
                                                "Content-Length: 3\r\nConnection: close\r\n\r\nabc"))


@case("TLS: handshake, certificate, data, close")
def tls():
    context = ssl.create_default_context(cafile=os.environ["SSL_CERT_FILE"])
    context.set_alpn_protocols(["http/1.1"])
    with connect("nginx.example.com", 443) as plain, context.wrap_socket(plain, server_hostname="nginx.example.com") as connection:
        connection.sendall(http("GET /hello HTTP/1.1\r\nHost: nginx.example.com\r\nConnection: close\r\n\r\n"))
        got, end = read_all(connection)
        subject = dict(part[0] for part in connection.getpeercert()["subject"])
        return {"subject": subject, "alpn": connection.selected_alpn_protocol(), "version": connection.version(),
                "bytes": re.sub("Date: .*", "", got.decode()), "end": end}


@case("TLS: HTTP/2 by curl")
def http2():
    return program("curl", "-sS", "--http2", "--write-out", "%{http_version} %{response_code} %{remote_ip}", "https://nginx.example.com/hello")


@case("TLS: openssl without SNI")
def tls_without_sni():
    done = program("openssl", "s_client", "-noservername", "-connect", "198.18.1.4:443", "-CAfile", os.environ["SSL_CERT_FILE"], input="")
    return {"exit": done["exit"], "lines": [line for line in done["stdout"].splitlines() if line.startswith((" 0 s:", "Verify return", "subject=", "Verification"))]}


@case("the connection ends when the client closes while the server is silent")
def close_while_silent():
    with connect("raw.example.com", 80) as connection:
        connection.sendall(http("GET /silence HTTP/1.1\r\nHost: raw.example.com\r\n\r\n"))
        connection.settimeout(0.3)
        return {"end": read_all(connection)[1]}


def main():
    for name in sys.argv[1:] or CASES:
        try:
            seen = CASES[name]()
        except Exception as error:
            seen = {"error": type(error).__name__, "errno": getattr(error, "errno", None)}
        print(json.dumps({"name": name, **seen}), flush=True)


if __name__ == "__main__":
    main()
