"""Conversations with the explicit proxy port, written out byte by byte."""

from dataclasses import dataclass

from world.lunard import PROXY


@dataclass
class Answer:
    status: int
    fields: dict
    body: bytes
    raw: bytes

    @property
    def error(self):
        return self.fields.get("x-lunar-error")


def parse(raw):
    head, _, body = raw.partition(b"\r\n\r\n")
    lines = head.decode("latin-1").split("\r\n")
    fields = {name.lower(): value for name, value in (line.split(": ", 1) for line in lines[1:] if ": " in line)}
    return Answer(int(lines[0].split()[1]), fields, body, raw)


def exchange(world, data, port=PROXY, timeout=10):
    """Sends bytes to a port of lunard and reads to the end of the connection."""
    with world.host.connect(("127.0.0.1", port), timeout) as connection:
        connection.sendall(data)
        raw = bytearray()
        while piece := connection.recv(1 << 16):
            raw += piece
    return bytes(raw)


def request(world, target, *fields, method="GET", body=b"", port=PROXY, timeout=10, close=True):
    """One request with exactly these fields, and the answer that the proxy gave."""
    lines = [f"{method} {target} HTTP/1.1", *fields, *(["Connection: close"] if close else [])]
    if body:
        lines.append(f"Content-Length: {len(body)}")
    return parse(exchange(world, "\r\n".join(lines).encode() + b"\r\n\r\n" + body, port, timeout))
