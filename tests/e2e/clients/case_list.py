"""What the Python clients have in common: reading the case file, writing observations.

A case is one line: name, method, URL, header fields joined by U+001F, body size or "-", flags
joined by commas. An observation is one JSON object a line. All clients, in whatever language,
speak this.
"""

import hashlib
import json
import sys
import time
from dataclasses import dataclass

PATTERN = b"lunar-0123456789abcdefghijklmnopqrstuvwxyz\n"


@dataclass
class Case:
    name: str
    method: str
    url: str
    headers: dict
    body: bytes | None
    flags: set

    def flag(self, name, default=None):
        return next((flag.split("=")[1] for flag in self.flags if flag.startswith(f"{name}=")), default)

    @property
    def timeout(self):
        return float(self.flag("timeout", "10"))

    @property
    def times(self):
        """How many requests are to be under way at once; 0: it is one request."""
        return int(self.flag("times", "0"))


def pattern(size):
    return (PATTERN * (size // len(PATTERN) + 1))[:size]


def read_cases():
    for line in open(sys.argv[1], encoding="utf-8"):
        name, method, url, headers, body, flags = line.rstrip("\n").split("\t")
        fields = dict(field.split(": ", 1) for field in headers.split("\x1f") if field)
        yield Case(name, method, url, fields, None if body == "-" else pattern(int(body)), set(flags.split(",")))


def numbered(case):
    """The URL of each request of a case; {} stands for its number, which has two digits."""
    return [case.url.replace("{}", str(10 + number)) for number in range(max(1, case.times))]


def pieces(body, size=50000):
    """The body as an iterator of unknown length: clients send that chunked."""
    for start in range(0, len(body), size):
        yield body[start:start + size]


class Body:
    """Hash and length of what was received, and when its pieces came."""

    def __init__(self):
        self._digest, self.size, self._arrivals = hashlib.sha256(), 0, []

    def add(self, piece):
        self._digest.update(piece)
        self.size += len(piece)
        self._arrivals.append(time.monotonic())

    def seen(self, case):
        seen = {"size": self.size, "sha256": self._digest.hexdigest()}
        if "stream" in case.flags:
            seen["one by one"] = one_by_one(self._arrivals)
        return seen


def one_by_one(arrivals):
    """How many pieces came at least 150 ms after the one before."""
    return sum(later - earlier > 0.15 for earlier, later in zip(arrivals, arrivals[1:]))


def report(case, **seen):
    print(json.dumps({"name": case.name, **seen}), flush=True)


def error_class(error):
    """The error and what caused it, as types: texts may hold ports and times."""
    names = []
    while error is not None:
        names.append(type(error).__name__ + (f":{error.errno}" if getattr(error, "errno", None) else ""))
        error = getattr(error, "reason", None) if isinstance(getattr(error, "reason", None), BaseException) \
            else error.__cause__ or error.__context__
    return names
