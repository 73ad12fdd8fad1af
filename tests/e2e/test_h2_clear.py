"""HTTP/2 in clear by prior knowledge: the same captured as direct, and flows act."""

import json
from urllib.parse import urlsplit

import pytest

from h2_cases import CLEAR, MARKED, WITH_FLOWS, ClearMatrix, clear_cases_of, is_h2, urls
from lunards import shared_lunard
from tls_cases import status_of
from tls_interception import requests_of
from world.deadline import wait_until

CLIENTS = ClearMatrix.clients
FLOW_NAMES = {CLEAR.of(case).name for case in WITH_FLOWS}
CALLS = [(client, case) for client in CLIENTS for case in clear_cases_of(client) if case.name not in FLOW_NAMES]
each_client = pytest.mark.parametrize("client", CLIENTS, ids=lambda client: client.name)


@pytest.fixture(scope="module")
def lunard(world, request, h2_origins):
    yield from shared_lunard(world, request, files=CLEAR.files())


@pytest.fixture(scope="module")
def clear_matrix(world, lunard, tls_origins, builds):
    matrix = ClearMatrix(world, tls_origins.trust, builds, clear_cases_of)
    yield matrix
    matrix.close()


@pytest.mark.parametrize("call", CALLS, ids=lambda call: f"{call[0].name}: {call[1].name}")
def test_a_client_sees_the_same_in_clear_as_direct(clear_matrix, call):
    client, case = call
    expected = clear_matrix.direct(client).seen[case.name]
    assert is_h2(expected)
    assert clear_matrix.captured(client).seen[case.name] == expected


@each_client
def test_every_request_in_clear_is_in_the_access_log(lunard, clear_matrix, client):
    run = clear_matrix.captured(client)
    asked = {(case.method, "h2c.example.com", urlsplit(url).path) for case in clear_cases_of(client) for url in urls(case)}

    def logged():
        return {line[:3] for line in requests_of(lunard, run.cgroup)}

    wait_until(lambda: asked <= logged(), 3, lambda: f"{asked - logged()} in the access log, which has {lunard.lines_of(run.cgroup)}")
    assert {line["method"] for line in lunard.lines_of(run.cgroup)} == {"GET", "HEAD", "POST"}
    assert lunard.lines_of(clear_matrix.direct(client).cgroup) == []


@each_client
def test_flows_act_on_streams_in_clear(clear_matrix, client):
    name = CLEAR.of(MARKED).name

    def of(run):
        statuses = [status_of(run.seen[CLEAR.of(case).name]) for case in WITH_FLOWS]
        return statuses, "x-marked" in json.dumps(run.seen[name]).lower(), run.seen[name]["body"]["size"]

    size = of(clear_matrix.direct(client))[2]
    assert of(clear_matrix.direct(client)) == ([200, 200, 200, 200], False, size)
    assert of(clear_matrix.captured(client)) == ([418, 200, 200, 429], True, size + len("X-Asked: by a flow\r\n"))
