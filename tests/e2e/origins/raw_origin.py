"""A byte-exact HTTP origin: what it sends is written out, what it received it can show.

Usage: raw_origin.py PORT ADDRESS... [--tls=...]   (see server_tls.py)

The first part of the path names the behaviour; the rest are its arguments. Every answer is
framed by hand, so that a test can tell a byte that was altered on the way.
"""

import asyncio
import gzip
import hashlib
import json
import socket
import struct
import sys
import time
from functools import partial

from server_tls import take_tls

PATTERN = b"lunar-0123456789abcdefghijklmnopqrstuvwxyz\n" * 1524
LIMIT = 1 << 20


def pattern(size):
    """The first `size` bytes of the endlessly repeated pattern, in pieces."""
    while size > 0:
        yield PATTERN[:size]
        size -= len(PATTERN)


class Exchange:
    """One request and the connection that it came on."""

    def __init__(self, reader, writer, head):
        self.reader, self.writer, self.head = reader, writer, head
        lines = head.decode("latin-1").split("\r\n")
        self.method, self.target, self.version = lines[0].split(" ", 2)
        self.fields = [tuple(part.strip() for part in line.split(":", 1)) for line in lines[1:] if line]
        self.arguments = self.target.split("?")[0].strip("/").split("/")
        self.keep_alive = self.version == "HTTP/1.1" and self.field("connection", "").lower() != "close"
        self.body_read = False

    def field(self, name, default=None):
        return next((value for key, value in self.fields if key.lower() == name), default)

    async def raw(self, data):
        self.writer.write(data)
        await self.writer.drain()

    async def answer(self, body=b"", status="200 OK", fields=(), length=True):
        lines = [f"HTTP/1.1 {status}", *fields]
        if length:
            lines.append(f"Content-Length: {len(body)}")
        await self.raw("\r\n".join(lines).encode("latin-1") + b"\r\n\r\n" + (b"" if self.method == "HEAD" else body))

    async def body(self):
        """Yields the payload of the request, whatever its framing; reads it to its end."""
        self.body_read = True
        if self.field("expect", "").lower() == "100-continue":
            await self.raw(b"HTTP/1.1 100 Continue\r\n\r\n")
        if self.field("transfer-encoding", "").lower() == "chunked":
            while size := int((await self.reader.readline()).split(b";")[0], 16):
                yield await self.reader.readexactly(size)
                await self.reader.readexactly(2)
            while (await self.reader.readline()).strip():
                pass
            return
        left = int(self.field("content-length", "0"))
        while left:
            piece = await self.reader.read(min(left, LIMIT))
            if not piece:
                raise asyncio.IncompleteReadError(b"", left)
            left -= len(piece)
            yield piece

    def reset(self):
        connection = self.writer.get_extra_info("socket")
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.writer.transport.abort()
        self.keep_alive = False


async def hello(x):
    await x.answer(b"hello\n", fields=["Content-Type: text/plain"])


async def status(x, code):
    await x.answer(b"a status\n", f"{code} As Asked")


async def headers(x):
    await x.answer(b"see the head\n", fields=[
        "X-Repeat: first", "x-repeat: second", "Set-Cookie: a=1; Path=/", "Set-Cookie: b=2; Path=/",
        "X-oDD-cASe: KeptAsSent", "X-Empty:", "X-Comma: one, two", "X-Repeat: third", "x-lower: yes"])


async def head(x, *_):
    """The head exactly as it arrived."""
    await x.answer(x.head)


async def peer(x):
    await x.answer(x.writer.get_extra_info("peername")[0].encode() + b"\n")


async def send_bytes(x, size):
    await x.raw(f"HTTP/1.1 200 OK\r\nContent-Length: {size}\r\n\r\n".encode())
    if x.method != "HEAD":
        for piece in pattern(int(size)):
            await x.raw(piece)


async def chunked(x):
    await x.raw(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTrailer: X-Checksum, X-Later\r\n\r\n"
                b"5\r\nhello\r\n" b"10;note=\"kept\"\r\n0123456789abcdef\r\n" b"000001\r\n!\r\n"
                b"0\r\nX-Checksum: 4711\r\nX-Later: yes\r\n\r\n")


async def trailers(x):
    await x.raw(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTrailer: X-Checksum\r\n\r\n"
                b"5\r\nhello\r\n" b"10\r\n0123456789abcdef\r\n" b"0\r\nX-Checksum: 4711\r\n\r\n")


async def upload(x):
    digest, size, trouble = hashlib.sha256(), 0, None
    async for piece in x.body():
        digest.update(piece)
        size += len(piece)
    seen = {"size": size, "sha256": digest.hexdigest(), "expect": x.field("expect"), "method": x.method,
            "length": x.field("content-length"), "coding": x.field("transfer-encoding"), "type": x.field("content-type")}
    await x.answer(json.dumps(seen).encode() + b"\n")


async def reject(x):
    """A final answer although the body was not asked for."""
    x.keep_alive = False
    await x.answer(b"too large\n", "413 Content Too Large", ["Connection: close"])


async def early(x, code="200"):
    """Answers before the body has come, then reads it."""
    await x.answer(b"answered early\n", f"{code} OK")
    async for _ in x.body():
        pass


async def http10(x):
    x.keep_alive = False
    await x.raw(b"HTTP/1.0 200 OK\r\nContent-Type: text/plain\r\n\r\nuntil the end of the connection\n")


async def close(x):
    x.keep_alive = False
    await x.answer(b"the last one\n", fields=["Connection: close"])


async def close_mid(x):
    x.keep_alive = False
    await x.raw(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n" + b"x" * 100)


async def chunked_cut(x):
    x.keep_alive = False
    await x.raw(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n64\r\n" + b"x" * 100 + b"\r\n")


async def reset_mid(x):
    await x.raw(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n" + b"x" * 100)
    await asyncio.sleep(0.1)  # the client shall have read the bytes before the reset discards them
    x.reset()


async def reset_before(x):
    x.reset()


async def close_before(x):
    x.keep_alive = False


async def truncate(x):
    """A body up to the end of the connection, which comes without a close_notify where there is TLS."""
    x.keep_alive = False
    await x.raw(b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\n\r\nperhaps not all of it\n")
    x.writer.get_extra_info("socket").shutdown(socket.SHUT_WR)
    await x.reader.read()


async def malformed(x):
    x.keep_alive = False
    await x.raw(b"ICY 200 OK\r\nContent-Length: 3\r\n\r\nabc")


async def bad_length(x):
    x.keep_alive = False
    await x.raw(b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\nContent-Length: 7\r\n\r\nabcdefg")


async def slow(x, milliseconds, *_):
    await asyncio.sleep(int(milliseconds) / 1000)
    await x.answer(b"late\n")


async def silence(x, *_):
    """Says nothing until the client goes away."""
    x.keep_alive = False
    await x.reader.read()


async def no_content(x):
    await x.answer(status="204 No Content", fields=["X-Kept: yes"], length=False)


async def not_modified(x):
    await x.answer(status="304 Not Modified", fields=['ETag: "v1"'], length=False)


async def redirect(x):
    await x.answer(b"moved\n", "302 Found", ["Location: /hello"])


async def zipped(x):
    await x.answer(gzip.compress(b"the same text again " * 50, mtime=0), fields=["Content-Encoding: gzip"])


async def sse(x, count):
    await x.raw(b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n")
    for number in range(int(count)):
        if number:
            await asyncio.sleep(0.25)
        event = f"data: event {number}\n\n".encode()
        await x.raw(f"{len(event):x}\r\n".encode() + event + b"\r\n")
    await x.raw(b"0\r\n\r\n")


async def interim(x):
    await x.raw(b"HTTP/1.1 103 Early Hints\r\nLink: </style.css>; rel=preload\r\n\r\n")
    await x.answer(b"after a hint\n")


async def long_head(x):
    await x.answer(b"long head\n", fields=["X-Long: " + "v" * 30000])


async def switch(x):
    """101, then every byte comes back in upper case."""
    x.keep_alive = False
    await x.raw(b"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: shout\r\n\r\n")
    while piece := await x.reader.read(LIMIT):
        await x.raw(piece.upper())


HITS = {}


def hit(name):
    HITS[name] = HITS.get(name, 0) + 1
    return HITS[name]


async def counter(x, name, status="200"):
    """How often this name was asked for."""
    await x.answer(str(hit(name)).encode(), f"{status} Counted", ["Content-Type: text/plain"])


async def flaky(x, failures, name, *fields):
    """503 so many times, then 200 with how often it was asked; further arguments are fields as name:value."""
    count = hit(name)
    async for _ in x.body():
        pass
    await x.answer(str(count).encode(), "503 Not Yet" if count <= int(failures) else "200 OK", fields)


async def echo(x, *_):
    """What arrived, as JSON."""
    body = b"".join([piece async for piece in x.body()])
    seen = {"method": x.method, "target": x.target, "fields": x.fields, "body": body.decode("latin-1")}
    await x.answer(json.dumps(seen).encode(), fields=["Content-Type: application/json"])


async def remaining(x, left, seconds):
    """What a provider says of its own limit."""
    await x.answer(b"told\n", fields=[f"x-ratelimit-remaining: {left}", f"x-ratelimit-reset: {seconds}"])


async def completion(x, tokens, streamed="no", events="4"):
    """An answer of an LLM that says what it cost; streamed as events 250 ms apart."""
    async for _ in x.body():
        pass
    usage = {"usage": {"prompt_tokens": 1, "completion_tokens": int(tokens) - 1, "total_tokens": int(tokens)}}
    if streamed == "no":
        await x.answer(json.dumps({"choices": [], **usage}).encode(), fields=["Content-Type: application/json"])
        return
    x.keep_alive = False
    await x.raw(b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nConnection: close\r\n\r\n")
    for number in range(int(events)):
        await x.raw(b"data: " + json.dumps({"sent": time.monotonic(), "choices": [{"delta": {"content": str(number)}}]}).encode() + b"\n\n")
        await asyncio.sleep(0.25)
    await x.raw(b"data: " + json.dumps({"choices": [], **usage}).encode() + b"\n\ndata: [DONE]\n\n")


async def flood(x, megabytes):
    """Events of a stream as fast as they are read, and what they cost."""
    async for _ in x.body():
        pass
    x.keep_alive = False
    await x.raw(b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nConnection: close\r\n\r\n")
    event = b'data: {"choices":[{"delta":{"content":"' + b"lorem ipsum " * 80 + b'"}}]}\n\n'
    piece = event * 64
    for _ in range(int(megabytes) * 1_000_000 // len(piece)):
        await x.raw(piece)
    await x.raw(b'data: {"choices":[],"usage":{"prompt_tokens":1,"completion_tokens":6,"total_tokens":7}}\n\ndata: [DONE]\n\n')


BEHAVIOURS = {
    "counter": counter, "flaky": flaky, "echo": echo, "remaining": remaining, "completion": completion, "flood": flood,
    "hello": hello, "status": status, "headers": headers, "head": head, "peer": peer, "bytes": send_bytes,
    "chunked": chunked, "trailers": trailers, "upload": upload, "reject": reject, "early": early, "http10": http10, "close": close,
    "close-mid": close_mid, "chunked-cut": chunked_cut, "reset-mid": reset_mid, "reset-before": reset_before,
    "close-before": close_before, "malformed": malformed, "bad-length": bad_length, "slow": slow,
    "silence": silence, "no-content": no_content, "not-modified": not_modified, "redirect": redirect,
    "truncate": truncate, "zipped": zipped, "sse": sse, "interim": interim, "long-head": long_head, "switch": switch,
}


async def finish(writer, below):
    """Ends the connection; with TLS by close_notify and FIN at once, as most servers do. asyncio would wait for the client between them."""
    tls = writer.transport
    if tls is not below and not tls.is_closing():
        tls.set_write_buffer_limits(high=1, low=0)
        await writer.drain()
    writer.close()
    if tls is not below and not below.is_closing():
        below.write_eof()


async def serve(tls, reader, writer):
    below = writer.transport
    try:
        if tls:
            await writer.start_tls(tls)
        while True:
            try:
                first = await reader.readuntil(b"\r\n\r\n")
            except asyncio.IncompleteReadError:
                break
            exchange = Exchange(reader, writer, first)
            behaviour = BEHAVIOURS.get(exchange.arguments[0])
            if not behaviour:
                await exchange.answer(b"no such behaviour\n", "404 Not Found")
            else:
                await behaviour(exchange, *exchange.arguments[1:])
            if not exchange.body_read and exchange.keep_alive:
                async for _ in exchange.body():
                    pass
            if not exchange.keep_alive:
                break
        await finish(writer, below)
    except (OSError, asyncio.IncompleteReadError, asyncio.LimitOverrunError):
        writer.close()


async def main():
    tls, (port, *hosts) = take_tls(sys.argv[1:])
    server = await asyncio.start_server(partial(serve, tls), hosts, int(port), limit=LIMIT, backlog=1024)
    async with server:
        await server.serve_forever()


asyncio.run(main())
