"""A captured program cannot tell that its HTTP/2 is opened: same cases direct, passed through and intercepted, with three providers,
and flows act on those that are intercepted."""

import json
from urllib.parse import urlsplit

import pytest

from clients import captured, direct
from h2_cases import (CANNED, H2_CLIENTS, LIMITED, MARKED, PROVIDERS, REFUSED, WITH_FLOWS, H2Matrix, cases_of, is_h2, urls)
from tls_cases import status_of
from tls_interception import WAYS, opening_lunard, passed, requests_of, tunnels_of
from world.deadline import wait_until

FILES = {name: text for provider in PROVIDERS for name, text in provider.files().items()}
FLOW_NAMES = {case.name for case in WITH_FLOWS}
CALLS = [(client, provider, case) for client in H2_CLIENTS for provider in PROVIDERS for case in provider.cases(client)
         if case.name.split(": ")[1] not in FLOW_NAMES]
THROUGH = [name for name in WAYS if name != "direct"]
ASKED = len("X-Asked: by a flow\r\n")
each_client = pytest.mark.parametrize("client", H2_CLIENTS, ids=lambda client: client.name)
each_provider = pytest.mark.parametrize("provider", PROVIDERS, ids=lambda provider: provider.name)


@pytest.fixture(scope="module")
def lunard(world, request, h2_origins, tls_origins, local_authority):
    yield from opening_lunard(world, request, tls_origins, local_authority, files=FILES)


@pytest.fixture(scope="module")
def h2_matrix(world, lunard, told, builds):
    matrix = H2Matrix(world, told, builds, cases_of)
    for way in WAYS.values():
        matrix.start(way)
    yield matrix
    matrix.close()


def comparable(seen):
    """How much of an upload had been sent when it was refused, depends on who was scheduled."""
    return {key: value for key, value in seen.items() if key != "size_upload" or not seen["name"].endswith(REFUSED.name)}


def flow_statuses(run, provider):
    return [status_of(run.seen[provider.of(case).name]) for case in WITH_FLOWS]


@pytest.mark.limit(300)
@each_provider
@each_client
def test_each_client_works_over_http2_without_lunar(lunard, h2_matrix, client, provider):
    run = h2_matrix.direct(client)
    seen = {name.removeprefix(f"{provider.name}: "): one for name, one in run.seen.items() if name.startswith(f"{provider.name}: ")}
    failed = [name for name, one in seen.items() if ("error" in one or one.get("exitcode") or one.get("reset")) and "cut" not in name]
    assert not failed
    assert seen["a body of 8 MiB"]["body"]["size"] == 8388608
    assert all(seen[f"20 {what} at once"]["together"] for what in ("slow answers", "downloads"))
    assert flow_statuses(run, provider) == [200, 200, 200, 200]
    assert lunard.lines_of(run.cgroup) == []


@pytest.mark.limit(300)
@pytest.mark.parametrize("call", CALLS, ids=lambda call: f"{call[0].name}: {call[2].name}")
def test_a_client_sees_the_same_over_http2_as_direct(h2_matrix, call):
    client, _, case = call
    expected = comparable(h2_matrix.direct(client).seen[case.name])
    assert is_h2(expected)
    assert {name: comparable(h2_matrix.run(client, WAYS[name]).seen[case.name]) for name in THROUGH} == dict.fromkeys(THROUGH, expected)


@pytest.mark.limit(300)
@each_client
def test_every_request_of_http2_is_in_the_access_log(lunard, h2_matrix, client):
    run = h2_matrix.run(client, captured)
    parts = [(case.method, urlsplit(url)) for case in cases_of(client) for url in urls(case)]
    asked = {(method, url.hostname, url.path) for method, url in parts}

    def logged():
        return {line[:3] for line in requests_of(lunard, run.cgroup)}

    wait_until(lambda: asked <= logged(), 3, lambda: f"{asked - logged()} in the access log, which has {lunard.lines_of(run.cgroup)}")
    lines = lunard.lines_of(run.cgroup)
    assert {line["mode"] for line in lines} == {"transparent"}
    assert tunnels_of(lunard, run.cgroup) == []
    heads = [line for line in lines if line["method"] == "HEAD"]
    assert [line["status_code"] for line in heads] == [200] * len(PROVIDERS)
    assert {line["status_code"] for line in lines if line["path"].endswith("/status/404")} == {404}


@pytest.mark.limit(300)
@each_client
def test_http2_that_is_passed_through_is_seen_as_tunnels_alone(lunard, h2_matrix, client):
    run = h2_matrix.run(client, passed)
    assert requests_of(lunard, run.cgroup) == []
    assert set(tunnels_of(lunard, run.cgroup)) == {provider.host for provider in PROVIDERS}


@pytest.mark.limit(300)
@each_provider
@each_client
def test_flows_act_on_streams_that_are_intercepted_and_not_on_those_passed_through(h2_matrix, client, provider):
    opened, relayed, alone = (h2_matrix.run(client, way) for way in (captured, passed, direct))
    name = provider.of(MARKED).name

    def marked(run):
        return "x-marked" in json.dumps(run.seen[name]).lower(), run.seen[name]["body"]["size"] - alone.seen[name]["body"]["size"]

    assert (flow_statuses(opened, provider), marked(opened)) == ([418, 200, 200, 429], (True, ASKED))
    assert (flow_statuses(relayed, provider), marked(relayed)) == ([200, 200, 200, 200], (False, 0))
    assert all(is_h2(opened.seen[provider.of(case).name]) for case in (CANNED, MARKED, LIMITED))
