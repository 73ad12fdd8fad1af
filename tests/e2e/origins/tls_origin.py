"""TLS servers that speak no HTTP, or have odd manners.

Usage: tls_origin.py STEM ROLE=ADDRESS...   (port 443; the certificate is STEM.pem, its key STEM.key)
"""

import socket
import struct
import sys
import threading
import time

from server_tls import server_context

PORT = 443
HELLO = b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 6\r\nConnection: close\r\n\r\nhello\n"
context = server_context(sys.argv[1])
first_comer = threading.Lock()


def opened(connection):
    return context.wrap_socket(connection, server_side=True)


def request_head(tls):
    head = b""
    while b"\r\n\r\n" not in head and (piece := tls.recv(1 << 16)):
        head += piece
    return head


def echo(connection):
    """Every byte comes back, and `end` when the client has said its last."""
    with opened(connection) as tls:
        while piece := tls.recv(1 << 16):
            tls.sendall(piece)
        tls.sendall(b"end\n")
        tls.unwrap()


def greeting(connection):
    """Speaks first, then answers each line until QUIT."""
    with opened(connection) as tls:
        tls.sendall(b"220 at your service\r\n")
        for line in tls.makefile("rb"):
            tls.sendall(b"250 " + line)
            if line.strip() == b"QUIT":
                break


def late(connection):
    """Answers after a while, whatever the client has ended by then."""
    with opened(connection) as tls:
        request_head(tls)
        time.sleep(0.3)
        tls.sendall(HELLO)
        tls.unwrap()


def resetting(connection):
    """Reads the ClientHello, and resets."""
    connection.recv(1 << 16)
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    connection.close()


def closing(connection):
    """Reads the ClientHello, and closes."""
    with connection:
        connection.recv(1 << 16)


def hanging(connection):
    """Leaves its first client without a ServerHello, and serves all others."""
    if first_comer.acquire(blocking=False):
        with connection:
            while connection.recv(1 << 16):
                pass
        return
    with opened(connection) as tls:
        if request_head(tls):
            tls.sendall(HELLO)


ROLES = {"echo": echo, "greeting": greeting, "late": late, "resetting": resetting, "closing": closing, "hanging": hanging}


def serve_one(role, connection):
    try:
        role(connection)
    except OSError as error:  # of TLS as well: the client went away
        print(f"{role.__name__}: {error}", file=sys.stderr, flush=True)


def serve(role, listener):
    while True:
        connection, _ = listener.accept()
        threading.Thread(target=serve_one, args=(role, connection), daemon=True).start()


def main():
    for word in sys.argv[2:]:
        role, address = word.split("=")
        listener = socket.create_server((address, PORT), backlog=128)
        threading.Thread(target=serve, args=(ROLES[role], listener), daemon=True).start()
    sys.stdin.read()


main()
