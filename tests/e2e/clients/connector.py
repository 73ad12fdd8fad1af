"""Connects where it is told to, and hands the connected sockets over: what the kernel does to connections of a cgroup then
happens to those of a test.

Usage: connector.py SOCKET

One JSON object a packet. Asked: {host, port}. Told: {} with the socket, or {error: NAME}.
"""

import json
import socket
import sys

LARGEST = 1 << 12


def main():
    link = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    link.connect(sys.argv[1])
    while packet := link.recv(LARGEST):
        asked = json.loads(packet)
        try:
            with socket.create_connection((asked["host"], asked["port"]), 5) as connected:
                socket.send_fds(link, [b"{}"], [connected.fileno()])
        except OSError as error:
            link.send(json.dumps({"error": type(error).__name__}).encode())


main()
