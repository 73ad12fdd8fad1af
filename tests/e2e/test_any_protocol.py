"""Whatever speaks TCP behaves the same captured as direct, on any port."""

import json
import sys
from pathlib import Path

import pytest

from world.addresses import NAMES

PROGRAM = Path(__file__).parent / "clients/tcp_cases.py"


def names():
    source = PROGRAM.read_text().splitlines()
    return [line.split('"')[1] for line in source if line.startswith("@case(")]


class Runs:
    """All cases direct and captured, each mode run once."""

    def __init__(self, world, matrix):
        self.world, self.environment, self.done = world, matrix.environment(), {}

    def seen(self, captured):
        if captured not in self.done:
            outcome, cgroup = self.world.run([sys.executable, PROGRAM], captured=captured, env=self.environment, timeout=150, label="tcp")
            seen = {observation["name"]: observation for observation in map(json.loads, outcome.stdout.splitlines())}
            if len(seen) != len(names()):
                raise RuntimeError(f"ended after {len(seen)} cases: {outcome.stderr}")
            self.done[captured] = cgroup, seen
        return self.done[captured]


@pytest.fixture(scope="module")
def runs(lunard, world, matrix):
    return Runs(world, matrix)


@pytest.mark.limit(200)
@pytest.mark.parametrize("name", names())
def test_a_conversation_is_the_same_captured_as_direct(runs, name):
    direct, captured = runs.seen(False)[1][name], runs.seen(True)[1][name]
    assert captured == direct
    assert "error" not in direct


def tunnels(lunard, cgroup, name, port):
    """Lines of connections to this port of this host, by whichever of its addresses or names."""
    hosts = {name, *(f"[{address}]" if ":" in address else address for address in NAMES[name])}
    lines = [line for line in lunard.lines_of(cgroup, at_least=1) if line["method"] == "TUNNEL"]
    return [line for line in lines if line["url"] in {f"{host}:{port}" for host in hosts}]


@pytest.mark.parametrize("name, port", [("mail.example.com", 25), ("mail.example.com", 7), ("store.example.com", 6379),
                                        ("store.example.com", 5432), ("nginx.example.com", 443)])
def test_what_is_not_http_is_relayed_as_a_tunnel_through_the_gateway(runs, lunard, name, port):
    lines = tunnels(lunard, runs.seen(True)[0], name, port)
    assert lines
    assert all(line["bytes_out"] > 0 for line in lines if port in (25, 6379, 5432))


def test_the_direct_run_did_not_touch_the_gateway(runs, lunard):
    assert lunard.lines_of(runs.seen(False)[0]) == []


def test_the_bytes_of_a_tunnel_are_counted(runs, lunard):
    lines = tunnels(lunard, runs.seen(True)[0], "store.example.com", 6379)
    assert max(line["bytes_in"] for line in lines) == len(b"PING\r\n") * 10000 + len(b"QUIT\r\n")
