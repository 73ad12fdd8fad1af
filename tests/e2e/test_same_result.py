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


class GatewayLines:
    """Lines of the access log by client; read again only where a case is not among them yet."""

    def __init__(self, lunard, matrix):
        self.lunard, self.matrix, self.known = lunard, matrix, {}

    def of(self, client, matches):
        found = [line for line in self.known.get(client.name, []) if matches(line)]
        if not found:
            self.known[client.name] = self.lunard.lines_of(self.matrix.captured(client).cgroup)
            found = [line for line in self.known[client.name] if matches(line)]
        return found


@pytest.fixture(scope="module")
def gateway_lines(lunard, matrix):
    return GatewayLines(lunard, matrix)


def lines_of_case(gateway_lines, client, case):
    """The lines that this case of the captured run left."""
    url = urlsplit(case.url)
    port = 443 if url.scheme == "https" else 80
    own_names = {url.hostname, f"{url.hostname}:{port}"}
    wanted = ("TUNNEL", "") if url.scheme == "https" else (case.method, url.path)

    def matches(line):
        return line["host"] in own_names and line["method"] == wanted[0] and (wanted[0] == "TUNNEL" or line["path"] == wanted[1])

    def missing():
        alike = [line for line in gateway_lines.lunard.lines() if line["host"] in own_names or not line["host"]]
        return f"{case.method} {case.url} in the access log, where that host has {alike[-20:]}"

    return wait_until(lambda: gateway_lines.of(client, matches), 3, missing)


@pytest.mark.limit(300)
@pytest.mark.parametrize("pair", PAIRS, ids=name_of)
def test_a_client_sees_the_same_captured_as_direct_and_was_in_the_gateway(matrix, gateway_lines, pair):
    client, case = pair
    direct = matrix.direct(client).seen[case.name]
    captured = matrix.captured(client).seen[case.name]
    assert captured == direct
    if not case.direct_only:
        assert {line["mode"] for line in lines_of_case(gateway_lines, client, case)} == {"transparent"}


@pytest.mark.limit(300)
@pytest.mark.parametrize("client", CLIENTS, ids=lambda client: client.name)
def test_the_direct_run_did_not_go_through_the_gateway(lunard, matrix, client):
    assert lunard.lines_of(matrix.direct(client).cgroup) == []
    assert len(lunard.lines_of(matrix.captured(client).cgroup)) >= len(client.cases()) // 2
