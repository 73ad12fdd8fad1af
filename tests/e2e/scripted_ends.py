"""Both ends of scripted calls: a provider that answers as it is told, and captured programs that call it."""

import asyncio
import json
import re
import socket
import struct
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path

from world.addresses import NAMES

CALLER = Path(__file__).parent / "clients/flow_caller.py"
ADDRESSES = NAMES["scripted.example.com"]
PORTS = (80, 443, 8443)
UNREACHABLE = "unreachable"  # an answer: the provider resets, now and whenever it is asked again
LEFT = {"status": 0, "fields": [], "body": "", "at": 0.0}
PAUSE = 0.002


@dataclass
class Sent:
    """What reached the provider."""

    method: str
    url: str
    fields: list
    body: str


@dataclass
class Answer:
    status: int = 200
    fields: list = field(default_factory=list)
    body: str = ""


@dataclass
class Call:
    name: str
    link: socket.socket                          # to the program that calls
    answers: list = field(default_factory=list)  # of the provider, for the attempts to come
    repeats: bool = False                        # the last of them serves all further attempts
    sent: list = field(default_factory=list)     # one an attempt
    answered: int = 0
    begun: float = field(default_factory=time.monotonic)
    instant: float = 0.0                         # of its case, in seconds
    pid: int | None = None
    outcome: dict | None = None                  # what the client got; None: nothing yet

    def take_answer(self):
        """For the attempt that came last; None: not yet."""
        if not self.answers:
            return None
        stays = len(self.answers) == 1 and (self.repeats or self.answers[0] == UNREACHABLE)
        return self.answers[0] if stays else self.answers.pop(0)

    @property
    def at_provider(self):
        return len(self.sent) > self.answered


class Provider:
    """All names and ports of the addresses, in clear HTTP/1. A request names its call in User-Agent."""

    def __init__(self, world, loop, calls):
        self._calls = calls
        self.troubles = []  # requests of no call, and what is no request
        self._servers = [loop.run_until_complete(asyncio.start_server(self._serve, sock=_listener(world, address, port)))
                         for address in ADDRESSES for port in PORTS]

    def close(self):
        for server in self._servers:
            server.close()

    async def _serve(self, reader, writer):
        try:
            while await self._exchange(reader, writer):
                pass
        except (ConnectionError, asyncio.IncompleteReadError):
            pass  # a gateway that needs no answer, or a client that left
        except (ValueError, KeyError) as error:
            self.troubles.append(repr(error))
        writer.close()

    async def _exchange(self, reader, writer):
        """One request and its answer; whether the connection goes on."""
        first, *lines = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")[:-4].split("\r\n")
        method, target, _ = first.split(" ")
        fields = [tuple(part.strip() for part in line.split(":", 1)) for line in lines]
        known = {name.lower(): value for name, value in fields}
        body = await reader.readexactly(int(known.get("content-length", 0)))
        call = self._calls.get(known.get("user-agent"))
        if call is None:
            self.troubles.append(first)
            return False
        call.sent.append(Sent(method, f"http://{known['host']}{target}", fields, body.decode()))
        while (answer := call.take_answer()) is None:
            if reader.at_eof():
                return False  # as servers do whose client has gone
            await asyncio.sleep(PAUSE)
        call.answered += 1
        if answer == UNREACHABLE:
            writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            writer.transport.abort()
            return False
        writer.write(_bytes_of(answer, method))
        await writer.drain()
        return ("connection", "close") not in [(name.lower(), value) for name, value in answer.fields]


def _bytes_of(answer, method):
    body = answer.body.encode()
    lines = [f"HTTP/1.1 {answer.status} As Scripted", *(f"{name}: {value}" for name, value in answer.fields)]
    if answer.status not in (204, 304):
        lines.append(f"Content-Length: {len(body)}")
    has_body = method != "HEAD" and answer.status not in (204, 304)
    return "\r\n".join([*lines, "", ""]).encode() + (body if has_body else b"")


def _listener(world, address, port):
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    listener = world.net.socket(family)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    if family == socket.AF_INET6:
        listener.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
    listener.bind((address, port))
    return listener


class Callers:
    """Captured programs, one for each name and systemd unit that calls are to come from."""

    def __init__(self, world, loop, calls):
        self._world, self._loop, self._calls = world, loop, calls
        self._programs, self._links = [], {}
        path = world.directory / "callers.sock"
        self._server = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self._server.bind(str(path))
        self._server.listen()
        self._server.settimeout(10)

    def close(self):
        for link in self._links.values():
            self._loop.remove_reader(link)
            link.close()
        for program in self._programs:
            program.stop()
        self._server.close()

    def begin(self, request, name="caller", unit="callers"):
        """A call; `request` has method, url, fields and body (or None). The provider knows it by its User-Agent."""
        call = Call(f"call-{len(self._calls)}", self._link(name, unit))
        self._calls[call.name] = call
        scheme, host, port, target = split_url(request["url"])
        call.link.send(json.dumps({
            "call": call.name, "method": request["method"], "scheme": scheme, "host": host, "port": port, "target": target,
            "fields": [("User-Agent", call.name), *request["fields"]], "body": request["body"]}).encode())
        return call

    def leave(self, call):
        """Kills the program that calls."""
        call.link.send(json.dumps({"leave": call.name}).encode())
        call.outcome = LEFT

    def _link(self, name, unit):
        if (name, unit) not in self._links:
            argv = [sys.executable, CALLER, self._server.getsockname(), name]
            self._programs.append(self._world.start_in(self._world.host, self._world.captured.child(unit), argv))
            link, _ = self._server.accept()
            link.setblocking(False)
            self._loop.add_reader(link, self._read, link)
            self._links[name, unit] = link
        return self._links[name, unit]

    def _read(self, link):
        told = json.loads(link.recv(1 << 20))
        call = self._calls[told.pop("call")]
        if "pid" in told:
            call.pid = told["pid"]
        elif call.outcome is None:
            call.outcome = told


def split_url(url):
    """Scheme, host, port and target of `[scheme://]host[:port][/target]`."""
    scheme, host, port, target = re.fullmatch(r"(?:(https?)://)?\[?([^/\]]+?)\]?(?::(\d+))?(/.*)?", url).groups()
    scheme = scheme or "http"
    return scheme, host, int(port or {"http": 80, "https": 443}[scheme]), target or "/"
