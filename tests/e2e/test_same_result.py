"""A captured program cannot tell that it is captured: same cases, direct and through the gateway."""

from urllib.parse import urlsplit

import pytest

from clients import CLIENTS
from world.deadline import wait_until

PAIRS = [(client, case) for client in CLIENTS for case in client.cases()]
GOOD = ("a plain answer", "the source address over IPv4", "the source address over IPv6", "a body of 8 MiB", "nginx: a file", "TLS: a file")


def name_of(pair):
    return f"{pair[0].name}: {pair[1].name}"


@pytest.mark.limit(300)
@pytest.mark.parametrize("client", CLIENTS, ids=lambda client: client.name)
def test_each_client_really_works_without_lunar(matrix, client):
    seen = matrix.direct(client).seen
    failed = [name for name in GOOD if "error" in seen[name] or seen[name].get("exitcode") or seen[name].get("exit")]
    assert not failed
    sizes = {name: seen[name]["body"]["size"] for name in ("a body of 8 MiB", "nginx: a file", "TLS: a file")}
    assert sizes == {"a body of 8 MiB": 8388608, "nginx: a file": 1 << 20, "TLS: a file": 1 << 20}


def gateway_lines(lunard, matrix, client, case):
    """The lines of the access log that this case of the captured run left."""
    url = urlsplit(case.url)
    port = 443 if url.scheme == "https" else 80
    own_names = {url.hostname, f"{url.hostname}:{port}"}
    wanted = ("TUNNEL", "") if url.scheme == "https" else (case.method, url.path)

    def matches(line):
        return line["host"] in own_names and line["method"] == wanted[0] and (wanted[0] == "TUNNEL" or line["path"] == wanted[1])

    def found():
        return [line for line in lunard.lines_of(matrix.captured(client).cgroup) if matches(line)]

    return wait_until(found, 3, lambda: f"{case.method} {case.url} in the access log")


@pytest.mark.limit(300)
@pytest.mark.parametrize("pair", PAIRS, ids=name_of)
def test_a_client_sees_the_same_captured_as_direct_and_was_in_the_gateway(lunard, matrix, pair):
    client, case = pair
    direct = matrix.direct(client).seen[case.name]
    captured = matrix.captured(client).seen[case.name]
    assert captured == direct
    if not case.direct_only:
        assert {line["mode"] for line in gateway_lines(lunard, matrix, client, case)} == {"transparent"}


@pytest.mark.limit(300)
@pytest.mark.parametrize("client", CLIENTS, ids=lambda client: client.name)
def test_the_direct_run_did_not_go_through_the_gateway(lunard, matrix, client):
    assert lunard.lines_of(matrix.direct(client).cgroup) == []
    assert len(lunard.lines_of(matrix.captured(client).cgroup)) >= len(client.cases()) // 2
