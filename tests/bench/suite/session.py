"""Runs the rows over the gateways in interleaved rounds and keeps every single figure."""

import contextlib
import resource
import sys
import time

from . import http2
from . import peer as peers
from . import priority

MEMORY_SETTLES = 0.5  # seconds; a gateway may give buffers back a moment after the last answer
DESCRIPTORS_BESIDE = 1000  # what a gateway has open, or keeps in reserve, beside the connections
TOLERATED_DIRECT = 0.05  # of idle connections: a burst of connects may overflow to direct ones, by design
LEAST_CPU_PER_REQUEST = 2e-6  # seconds; less than the system calls alone cost
LEAST_CPU_PER_BYTE = 2e-11
LEAST_H2_REQUESTS = 30_000  # fewer are answered before all connections are there


class Session:
    def __init__(self, arena, build, gateways, rows, scale):
        self.arena = arena
        self.build = build
        self.gateways = gateways
        self.rows = [row for row in rows if not row.of_memory]
        self.memory_rows = [row for row in rows if row.of_memory]
        self.scale = scale
        self.samples = {}  # (row, gateway) -> a result per round, None where it was invalid
        self.invalid = []
        self.utilisation = {}  # (row, gateway) -> the lowest share of the gateway's core that was used

    def run(self, rounds, budget):
        begin = time.monotonic()
        with contextlib.ExitStack() as stack:
            self.peer = peers.Peer(self.arena, self.build / "tests/bench/bench_peer")
            stack.callback(self.peer.stop)
            if any(row.http2 for row in self.rows + self.memory_rows):
                self.http2 = http2.Http2(self.arena)
                stack.callback(self.http2.stop)
            self._measure_memory()
            done = self._measure_rounds(rounds, begin + budget) if self.rows else 0
        return done

    def _measure_rounds(self, rounds, end):
        done = 0
        with contextlib.ExitStack() as stack:
            for gateway in self._concerned(*self.rows):
                stack.callback(gateway.stop)
                self._start(gateway)
            longest = 0.0
            while done < rounds and (done == 0 or time.monotonic() + longest < end):
                start = time.monotonic()
                for row in self.rows:
                    self._measure_row(row, done)
                longest = max(longest, time.monotonic() - start)
                done += 1
                note(f"round {done} of {rounds}: {longest:.0f} s")
        return done

    def _concerned(self, *rows):
        return [gateway for gateway in self.gateways if any(gateway.tls == row.tls for row in rows)]

    def _peer_of(self, row):
        """The generator and origin of this row."""
        return self.http2 if row.http2 else self.peer

    def _start(self, gateway):
        """One that does not come up is out of the comparison, and makes the run a failed one; the others go on."""
        try:
            gateway.start()
        except RuntimeError as error:
            self.gateways.remove(gateway)
            self.invalid.append({"row": "start", "gateway": gateway.name, "errors": 1, "fault": str(error)})
            note(f"INVALID {error}")
        return gateway in self.gateways

    def _measure_row(self, row, turn):
        gateways = self._concerned(row)
        for i in range(len(gateways)):  # each round begins with another gateway
            gateway = gateways[(i + turn) % len(gateways)]
            self._warm_up(row, gateway)
            self._keep(row, gateway, self._order(row, gateway))

    def _measure_memory(self):
        for row in self.memory_rows:
            for gateway in [gateway for gateway in self._concerned(row) if gateway.name != "direct"]:
                try:
                    if self._start(gateway):
                        self._keep(row, gateway, self._idle(row, gateway))
                finally:
                    gateway.stop()
                self._peer_of(row).order("silence")
            note(f"{row.name} measured")

    def _warm_up(self, row, gateway):
        if row.warm_up is not None:
            peer = self._peer_of(row)
            peer.move_to(gateway.cgroup)
            peer.order(gateway=gateway.processes(), **row.warm_up, **gateway.connecting(row.warm_up["load"]))

    def _idle(self, row, gateway):
        """The growth of a gateway that is warm: what it allocates once for all is no matter of connections."""
        self._warm_up(row, gateway)
        before = gateway.memory()
        result = self._order(row, gateway)
        time.sleep(MEMORY_SETTLES)
        result |= {"memory_before": before, "memory_after": gateway.memory(),
                   "held": result["redirected"] if gateway.captures else result["requests"]}
        released = self._peer_of(row).order("release")
        result["errors"] = released["errors"]
        result["first_error"] = released["first_error"]
        return result

    def _order(self, row, gateway):
        peer = self._peer_of(row)
        peer.move_to(gateway.cgroup)
        order = {"gateway": gateway.processes(), **gateway.connecting(row.order["load"]), **row.order}
        for key in ("warm_up_ms", "measure_ms"):
            if key in order:
                order[key] = max(1, int(order[key] * self.scale))
        if row.of_memory:
            order["connections"] = self._affordable(order)
        if "body_size" in order:
            order["body_size"] = max(1 << 20, int(order["body_size"] * self.scale))
        if "requests" in order:
            order["requests"] = max(LEAST_H2_REQUESTS, int(order["requests"] * self.scale))
        light = order["load"] == "open"
        opened = gateway.opened() if row.http2 else 0
        with priority.real_time(order["gateway"]) if light else contextlib.nullcontext():
            result = peer.order(**order)
        if row.http2:  # generators that other rows do not have cannot see whether they were captured
            result["redirected"] = gateway.opened() - opened
        return result | {"body_size": order.get("body_size"), "connections": order.get("connections", 1)}

    def _affordable(self, order):
        """A connection through a gateway needs two descriptors there, and a pair needs two of the generator."""
        limit = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
        wanted = max(1, int(order["connections"] * self.scale))
        affordable = (limit - DESCRIPTORS_BESIDE) // 2
        if affordable < wanted:
            note(f"only {affordable} connections: the hard limit of open files is {limit}")
        return min(wanted, affordable)

    def _keep(self, row, gateway, result):
        fault = result["first_error"] if result["errors"] else routing_fault(gateway, result) or row.fault(result)
        if fault:
            self.invalid.append({"row": row.name, "gateway": gateway.name, "errors": result["errors"], "fault": fault})
            note(f"INVALID {row.name} {gateway.name}: {fault}")
        self.samples.setdefault((row.name, gateway.name), []).append(None if fault else result)
        share = result["gateway_cpu"] / result["seconds"]
        key = (row.name, gateway.name)
        self.utilisation[key] = min(share, self.utilisation.get(key, 1.0))


def routing_fault(gateway, result):
    """Figures of a gateway that the connections went around would be the best of all."""
    if gateway.name == "direct":
        return "direct connections were captured" if result["redirected"] > 0 else None
    tolerance = TOLERATED_DIRECT if "memory_after" in result else 0
    if gateway.captures and result["redirected"] < result["connections"] * (1 - tolerance):
        return f"only {result['redirected']} of {result['connections']} connections were captured"
    least = result["requests"] * (LEAST_CPU_PER_REQUEST + (result["body_size"] or 0) * LEAST_CPU_PER_BYTE)
    return "something else did the work" if result["gateway_cpu"] < least else None


def note(text):
    print(text, file=sys.stderr, flush=True)
