"""Steady load during a failure, and the figures that say what the clients felt."""

import os
import time
from dataclasses import dataclass

from world.addresses import NAMES
from world.deadline import wait_until

LOAD = (NAMES["load.example.com"][0], 80)


def now():
    return time.clock_gettime_ns(time.CLOCK_MONOTONIC)


@dataclass
class Operation:
    kind: str
    begin: int
    connect_ms: float | None
    total_ms: float
    failure: str | None

    @property
    def end(self):
        return self.begin + self.total_ms * 1e6


def parse(line):
    kind, begin, connect, total, failure = line.split()
    return Operation(kind, int(begin), int(connect) / 1000 if connect != "-1" else None, int(total) / 1000, None if failure == "-" else failure)


class Load:
    """New connections at a rate and kept ones beside them, from a captured cgroup."""

    def __init__(self, world, builds, *, fresh=200, kept=20, every=100, captured=True):
        argv = [builds.go / "load", f"{LOAD[0]}:{LOAD[1]}", f"fresh={fresh}", f"kept={kept}", f"every={every}"]
        self._client = world.start_client(argv, captured=captured, label="load", env={"GOGC": "400"})
        self._expected = fresh + kept * 1000 // every
        self.operations = []

    def finish(self):
        """Ends the load; all its operations in order of their start."""
        if self._client.poll() is None:
            status = self._client.finish(20)
            assert status == 0, self._client.log()[-2000:]
            self.operations = sorted(map(parse, self._client.log().splitlines()), key=lambda operation: operation.begin)
        return self.operations

    def __enter__(self):
        time.sleep(WARM_UP)
        return self

    def __exit__(self, *_):
        if self._client.poll() is None:
            self._client.stop()


# Long enough for every kept connection to exist and for the hook to have seen steady traffic.
WARM_UP = 1.0


@dataclass
class Figures:
    """What one kind of operation felt from one moment on."""

    operations: list

    @property
    def failures(self):
        return [operation for operation in self.operations if operation.failure]

    @property
    def worst_connect(self):
        return max((operation.connect_ms for operation in self.operations if operation.connect_ms is not None), default=0.0)

    @property
    def worst_total(self):
        return max((operation.total_ms for operation in self.operations), default=0.0)

    def causes(self):
        counted = {}
        for operation in self.failures:
            counted[operation.failure] = counted.get(operation.failure, 0) + 1
        return counted

    def __str__(self):
        return (f"{len(self.operations)} operations, {len(self.failures)} failed {self.causes() or ''}, worst connect {self.worst_connect:.1f} ms, "
                f"worst whole {self.worst_total:.1f} ms")


def felt(operations, kind, since, until=None):
    return Figures([operation for operation in operations if operation.kind == kind and since <= operation.begin and (until is None or operation.begin < until)])


def announce(name, **figures):
    print("FIGURE: " + name + ": " + "; ".join(f"{key.replace('_', ' ')} {value}" for key, value in figures.items()))


def await_captured_traffic(lunard, world, seconds):
    """Waits until new connections go through the gateway again; how long that took, in seconds."""
    begin = time.monotonic()

    def captured():
        _, cgroup = world.run(["curl", "-sS", "-m", "2", f"http://{LOAD[0]}/back"], captured=True, label="back")
        lines = [line for line in lunard.lines() if (line.get("process") or {}).get("cgroup") == cgroup.name]
        return bool(lines)

    def tried():
        try:
            return captured()
        except (OSError, KeyError):
            return False

    wait_until(tried, seconds, lambda: f"traffic is captured again\n{lunard.log()[-4000:]}")
    return time.monotonic() - begin


def ended(pid):
    return not os.path.exists(f"/proc/{pid}")
