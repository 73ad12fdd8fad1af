"""Each transaction knows which program of which user, unit and cgroup it came from."""

import os
import sys

import pytest

URL = "http://raw.example.com/hello"


def run_in(world, lunard, cgroup_path, argv, env=None):
    """Runs a program in a given captured cgroup; its access log lines."""
    from world.cgroup import Cgroup
    from world.child import run
    cgroup = Cgroup(cgroup_path)
    outcome = run(argv, namespace=world.host, cgroup=cgroup, env=env)
    return outcome, lunard.lines_of(cgroup, at_least=1)


# Lives until its line is there: the file of a program that has ended can no longer be found out.
LASTING = [sys.executable, "-c",
           "import sys, urllib.request; urllib.request.urlopen('%s').read(); sys.stdin.read()" % URL]


def test_a_line_names_pid_comm_exe_uid_and_cgroup(lunard, world):
    client = world.start_client(LASTING, captured=True)
    [line] = lunard.lines_of(client.cgroup, at_least=1)
    assert client.finish() == 0
    process = line["process"]
    assert process["pid"] == client.pid
    assert process["comm"] == "python3"
    assert process["exe"] == os.path.realpath(sys.executable)
    assert process["uid"] == 0
    assert process["cgroup"] == client.cgroup.name


def test_the_uid_is_that_of_the_caller(lunard, world):
    client = world.start_client(["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", *LASTING], captured=True)
    [line] = lunard.lines_of(client.cgroup, at_least=1)
    assert client.finish() == 0
    assert line["process"]["uid"] == 65534
    assert line["process"]["exe"] == os.path.realpath(sys.executable)


def test_a_program_that_is_gone_already_is_still_named(lunard, world):
    outcome, cgroup = world.run(["sh", "-c", f"curl -sS {URL} & wait; curl -sS {URL}"], captured=True)
    lines = lunard.lines_of(cgroup, at_least=2)
    assert {line["process"]["comm"] for line in lines} == {"curl"}
    assert len({line["process"]["pid"] for line in lines}) == 2


def test_a_unit_is_recognised_by_its_cgroup(lunard, world):
    _, lines = run_in(world, lunard, world.captured.path / "system.slice/shop.service", ["curl", "-sS", URL])
    assert lines[0]["process"]["unit"] == "shop.service"
    assert lines[0]["consumer_tag"] == "shop.service"


def test_a_container_is_recognised_by_its_cgroup(lunard, world):
    name = "a1b2c3d4" * 8
    _, lines = run_in(world, lunard, world.captured.path / f"docker-{name}.scope", ["curl", "-sS", URL])
    assert lines[0]["process"]["container"].startswith(name[:12])


def test_an_explicit_consumer_tag_wins(lunard, world):
    _, lines = run_in(world, lunard, world.captured.path / "system.slice/tagged.service", ["curl", "-sS", "-H", "x-lunar-consumer-tag: team-a", URL])
    assert lines[0]["consumer_tag"] == "team-a"


@pytest.mark.parametrize("header", ["x-lunar-consumer-tag: t", "x-lunar-req-id: 1", "x-lunar-allow: false", "x-lunar-host: other.example.net"])
def test_lunar_headers_of_a_captured_program_never_reach_the_provider(lunard, world, header):
    outcome, _ = world.run(["curl", "-sS", "-H", header, "http://raw.example.com/head"], captured=True)
    assert "lunar" not in outcome.stdout.lower()
    assert outcome.stdout.startswith("GET /head HTTP/1.1\r\nHost: raw.example.com\r\n") or "Host: raw.example.com" in outcome.stdout


def test_a_line_counts_bytes_and_times(lunard, world):
    outcome, cgroup = world.run(["curl", "-sS", "-o", "/dev/null", "--data-binary", "x" * 1000, "http://raw.example.com/slow/300"], captured=True)
    [line] = lunard.lines_of(cgroup, at_least=1)
    assert (line["method"], line["status_code"], line["bytes_in"], line["bytes_out"]) == ("POST", 200, 1000, 5)
    assert 250 <= line["duration"] <= line["total_duration"] < 3000
    assert line["termination_state"] == "ok" and line["x_lunar_error"] is None


def test_no_query_string_is_ever_logged(lunard, world):
    _, cgroup = world.run(["curl", "-sS", f"{URL}?password=secret"], captured=True)
    [line] = lunard.lines_of(cgroup, at_least=1)
    assert "secret" not in lunard.access_log.read_text()
    assert line["path"] == "/hello"


@pytest.mark.parametrize("behaviour, state", [("close-mid", "provider_abort"), ("reset-mid", "provider_abort"), ("close-before", "provider_abort"),
                                              ("silence", "client_abort")])
def test_a_line_says_who_ended_the_exchange(lunard, world, behaviour, state):
    _, cgroup = world.run(["curl", "-sS", "-m", "0.5", f"http://raw.example.com/{behaviour}"], captured=True)
    [line] = lunard.lines_of(cgroup, at_least=1)
    assert line["termination_state"] == state
