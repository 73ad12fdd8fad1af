"""Connects where it is told to, and hands the connected sockets over: what the kernel does to connections of a cgroup then
happens to those of a test.

Usage: connector.py SOCKET

One JSON object a packet. Asked: {host, port, apart}: the last is whether it comes from an address of its own choice. Told: {} with the socket, or {error: NAME}.
"""

import json
import socket
import sys

LARGEST = 1 << 12


def connect(host, port, apart):
    if not apart:
        return socket.create_connection((host, port), 5)
    family, _, _, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
    with socket.socket(family, socket.SOCK_DGRAM) as asking:
        asking.connect(address)  # sends nothing, but chooses the address
        source = asking.getsockname()[0]
    return socket.create_connection(address[:2], 5, source_address=(source, 0))


def main():
    link = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    link.connect(sys.argv[1])
    while packet := link.recv(LARGEST):
        asked = json.loads(packet)
        try:
            with connect(**asked) as connected:
                socket.send_fds(link, [b"{}"], [connected.fileno()])
        except OSError as error:
            link.send(json.dumps({"error": type(error).__name__}).encode())


main()
