"""A name server that knows the names of addresses.py and answers NXDOMAIN for all others.

Usage: dns_origin.py ADDRESS NAME=ADDRESS[,ADDRESS]...
"""

import ipaddress
import socket
import struct
import sys

A, AAAA, NXDOMAIN = 1, 28, 3


def question(packet):
    """Name, type and length of the question section."""
    labels, at = [], 12
    while packet[at]:
        labels.append(packet[at + 1:at + 1 + packet[at]].decode())
        at += 1 + packet[at]
    kind = struct.unpack_from(">H", packet, at + 1)[0]
    return ".".join(labels).lower(), kind, at + 5 - 12


def answer(packet, names):
    name, kind, length = question(packet)
    addresses = [ipaddress.ip_address(text) for text in names.get(name, [])]
    wanted = [a.packed for a in addresses if {4: A, 6: AAAA}[a.version] == kind]
    code = 0 if addresses else NXDOMAIN
    head = packet[:2] + struct.pack(">HHHHH", 0x8580 | code, 1, len(wanted), 0, 0)
    records = b"".join(b"\xc0\x0c" + struct.pack(">HHIH", kind, 1, 1, len(data)) + data for data in wanted)
    return head + packet[12:12 + length] + records


def main():
    names = dict((name, addresses.split(",")) for name, addresses in (a.split("=") for a in sys.argv[2:]))
    server = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    server.bind((sys.argv[1], 53))
    while True:
        packet, client = server.recvfrom(4096)
        server.sendto(answer(packet, names), client)


main()
