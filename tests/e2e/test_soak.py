"""A day in a minute: many requests and connections later, nothing has grown."""

import os
import time
from pathlib import Path

import pytest

from drill import LOAD
from world.deadline import wait_until

REQUESTS, CONNECTIONS = 200_000, 10_000


def memory(pid):
    """Private memory of a process in KiB."""
    fields = dict(line.split(":", 1) for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()[1:])
    return int(fields["Pss"].split()[0])


def descriptors(pid):
    return len(os.listdir(f"/proc/{pid}/fd"))


def soak(world, builds, requests, connections):
    outcome, cgroup = world.run([builds.go / "load", f"{LOAD[0]}:{LOAD[1]}", f"soak={requests}", f"connections={connections}"],
                                captured=True, label="soak", timeout=280)
    assert outcome.status == 0 and outcome.stderr == "", outcome.stderr[-1000:]
    done, failed, milliseconds = map(int, outcome.stdout.split())
    return done, failed, milliseconds / 1000


@pytest.mark.limit(300)
def test_after_200000_requests_and_10000_connections_nothing_has_grown(lunard, world, builds):
    gateway = lunard.gateway_pid()
    base = descriptors(gateway)
    rounds, begin = [], time.monotonic()
    for _ in range(4):
        done, failed, _ = soak(world, builds, REQUESTS // 4, CONNECTIONS // 4)
        assert (done, failed) == (REQUESTS // 4, 0)
        rounds.append(memory(gateway))
    seconds = time.monotonic() - begin
    wait_until(lambda: descriptors(gateway) <= base + 80, 70, lambda: f"{descriptors(gateway)} descriptors, {base} at first")
    print(f"FIGURE: soak: {REQUESTS} requests on {CONNECTIONS} connections in {seconds:.1f} s ({REQUESTS / seconds:.0f}/s); "
          f"gateway PSS after each quarter {rounds} KiB, descriptors {base} -> {descriptors(gateway)} (pool of idle provider connections)")
    half_closed = lambda: world.host.run("ss", "-Htan", "state", "close-wait").stdout
    wait_until(lambda: half_closed() == "", 10, half_closed)
    # the first quarter fills pools and free lists
    assert rounds[3] - rounds[1] < 0.03 * rounds[1]
    assert lunard.gateway_pid() == gateway


@pytest.mark.limit(120)
def test_ten_thousand_connections_that_only_connect_leave_nothing(lunard, world, builds):
    gateway = lunard.gateway_pid()
    before = descriptors(gateway)
    script = "import socket\nfor _ in range(10000): socket.create_connection(('%s', %d)).close()" % LOAD
    begin = time.monotonic()
    outcome, _ = world.run(["/usr/bin/python3", "-c", script], captured=True, timeout=100)
    assert outcome.status == 0, outcome.stderr
    wait_until(lambda: descriptors(gateway) <= before + 64, 30, lambda: f"{descriptors(gateway)} descriptors, {before} before")
    print(f"FIGURE: 10000 connects and closes in {time.monotonic() - begin:.1f} s")
    assert world.host.run("ss", "-Htan", "state", "close-wait").stdout == ""
