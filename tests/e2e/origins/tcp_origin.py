"""Origins that do not speak HTTP, one port each, on every given address.

Usage: tcp_origin.py ADDRESS...

    7   echo: returns every byte; on the client's end of input sends "end" and closes
    9   resets every connection after its first byte
    11  resets at once
    13  sends one line and closes, without reading
    25  SMTP: greets first
    26  silent for the client and never reads
    37  answers the source address of the connection in one line and closes
"""

import asyncio
import socket
import struct
import sys


def reset(writer):
    connection = writer.get_extra_info("socket")
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    writer.transport.abort()


async def echo(reader, writer):
    while piece := await reader.read(1 << 16):
        writer.write(piece)
        await writer.drain()
    writer.write(b"end\n")


async def reset_after_byte(reader, writer):
    await reader.read(1)
    reset(writer)


async def reset_at_once(reader, writer):
    reset(writer)


async def line(reader, writer):
    writer.write(b"one line and no more\n")


async def smtp(reader, writer):
    answers = {b"EHLO": b"250-mail.example.com\r\n250 SIZE 1000000\r\n", b"MAIL": b"250 ok\r\n", b"RCPT": b"250 ok\r\n",
               b"DATA": b"354 go on\r\n", b"QUIT": b"221 bye\r\n"}
    writer.write(b"220 mail.example.com ESMTP\r\n")
    while command := await reader.readline():
        verb = command[:4].upper()
        writer.write(answers.get(verb, b"500 what\r\n"))
        if verb == b"DATA":
            size = 0
            while (text := await reader.readline()) and text != b".\r\n":
                size += len(text)
            writer.write(f"250 took {size} bytes\r\n".encode())
        if verb == b"QUIT":
            break
        await writer.drain()


async def never_reads(reader, writer):
    writer.transport.pause_reading()
    await asyncio.Event().wait()


async def source(reader, writer):
    writer.write(writer.get_extra_info("peername")[0].encode() + b"\n")


PORTS = {7: echo, 9: reset_after_byte, 11: reset_at_once, 13: line, 25: smtp, 26: never_reads, 37: source}


def closing(behaviour):
    async def serve(reader, writer):
        try:
            await behaviour(reader, writer)
            if not writer.is_closing():
                await writer.drain()
                writer.close()
        except ConnectionError:
            writer.transport.abort()
    return serve


async def main():
    servers = [await asyncio.start_server(closing(behaviour), sys.argv[1:], port) for port, behaviour in PORTS.items()]
    await asyncio.gather(*(server.serve_forever() for server in servers))


asyncio.run(main())
