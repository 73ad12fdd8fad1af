"""HAR entries of a load that nobody can write down: the gateway's memory has an end, and every entry is accounted for."""

import os

import pytest

from drill import announce
from lunards import har_exporter, shared_lunard
from test_apply_flows import pss
from test_flows import flow
from test_soak import soak
from world.deadline import wait_until

ROUNDS, REQUESTS, CONNECTIONS = 4, 20_000, 100
SMALLEST_ENTRY = 1024  # bytes of the line alone
FILES = {"flows/recorded.yaml": flow("Recorded", "load.example.com/*", {"Record": ("HARCollector", {"exporter_id": "audit"})}, None, [("start", "Record"), ("Record", "end")])}


@pytest.fixture(scope="module")
def disk(har_folder):
    """The exporter's file is a pipe that is never read while there is load: it takes 64 KiB and no more."""
    path = har_folder / "audit.ndjson"
    os.mkfifo(path)
    path.chmod(0o666)
    reader = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
    yield reader
    os.close(reader)


@pytest.fixture(scope="module")
def lunard(world, internet, request, har_folder, disk):
    yield from shared_lunard(world, request, settings={"exporters": {"flush": "100ms"}}, files=FILES, gateway_config=har_exporter(har_folder))


def lost(lunard):
    return lunard.metric("lunar_exporter_dropped_total", exporter="file") + lunard.metric("lunar_flow_records_dropped_total", kind="har")


def everything_in(reader):
    parts = []
    try:
        while part := os.read(reader, 1 << 16):
            parts.append(part)
    except BlockingIOError:
        pass
    return b"".join(parts)


@pytest.mark.limit(100)
def test_har_entries_that_the_disk_does_not_take_cost_no_memory_and_are_all_counted(lunard, world, builds, disk):
    gateway, sizes, written = lunard.gateway_pid(), [pss(lunard.gateway_pid())], 0
    for _ in range(ROUNDS):
        done, failed, _ = soak(world, builds, REQUESTS, CONNECTIONS)
        assert (done, failed) == (REQUESTS, 0)
        sizes.append(pss(gateway))

    def accounted_for():
        nonlocal written
        lunard.control("POST", "/logs/flush")
        written += everything_in(disk).count(b"\n")
        return written + lost(lunard) == ROUNDS * REQUESTS

    wait_until(accounted_for, 10, lambda: f"{ROUNDS * REQUESTS} entries are accounted for: {written} written, {lost(lunard)} lost")
    announce(f"{ROUNDS * REQUESTS} HAR entries, of which the disk takes {written}", gateway_pss=f"{sizes} KiB")
    assert written > 0
    # Entries that were kept would be of at least this size each in every round.
    growth = [after - before for before, after in zip(sizes[1:], sizes[2:])]
    assert min(growth) < 0.5 * REQUESTS * SMALLEST_ENTRY / 1024
