"""A captured program cannot tell that it is captured: same cases, direct and through the gateway."""

from urllib.parse import urlsplit

import pytest

from clients import CLIENTS

PAIRS = [(client, case) for client in CLIENTS for case in client.cases()]
GOOD = ("a plain answer", "the source address over IPv4", "the source address over IPv6", "a body of 8 MiB", "nginx: a file", "TLS: a file")


def name_of(pair):
    return f"{pair[0].name}: {pair[1].name}"


@pytest.mark.parametrize("client", CLIENTS, ids=lambda client: client.name)
def test_each_client_really_works_without_lunar(matrix, client):
    seen = matrix.direct(client).seen
    failed = [name for name in GOOD if "error" in seen[name] or seen[name].get("exitcode") or seen[name].get("exit")]
    assert not failed
    sizes = {name: seen[name]["body"]["size"] for name in ("a body of 8 MiB", "nginx: a file", "TLS: a file")}
    assert sizes == {"a body of 8 MiB": 8388608, "nginx: a file": 1 << 20, "TLS: a file": 1 << 20}


@pytest.mark.limit(200)
@pytest.mark.parametrize("pair", PAIRS, ids=name_of)
def test_a_client_sees_the_same_captured_as_direct(lunard, matrix, pair):
    client, case = pair
    direct = matrix.direct(client).seen[case.name]
    captured = matrix.captured(client).seen[case.name]
    assert captured == direct


@pytest.mark.limit(200)
@pytest.mark.parametrize("pair", [pair for pair in PAIRS if not pair[1].direct_only], ids=name_of)
def test_the_captured_request_went_through_the_gateway(lunard, matrix, pair):
    client, case = pair
    lines = lunard.lines_of(matrix.captured(client).cgroup, at_least=1)
    url = urlsplit(case.url)
    if url.scheme == "https":
        found = [line for line in lines if line["method"] == "TUNNEL" and line["host"].startswith(url.hostname)]
    else:
        found = [line for line in lines if (line["host"].split(":")[0], line["path"], line["method"]) == (url.hostname, url.path, case.method)]
    assert found, f"not among {sorted({(line['method'], line['host'], line['path']) for line in lines})}"
    assert {line["mode"] for line in found} == {"transparent"}


@pytest.mark.limit(200)
@pytest.mark.parametrize("client", CLIENTS, ids=lambda client: client.name)
def test_the_direct_run_did_not_go_through_the_gateway(lunard, matrix, client):
    assert lunard.lines_of(matrix.direct(client).cgroup) == []
    assert len(lunard.lines_of(matrix.captured(client).cgroup)) >= len(client.cases()) // 2
