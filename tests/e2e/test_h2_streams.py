"""Streams of HTTP/2 that are more than a request and its answer from where it was sent to."""

import json
from dataclasses import replace

import pytest

from clients import SOURCES, Place, captured, direct, observe
from h2_cases import H2_CLIENTS, PROVIDERS, REFUSED, is_h2
from test_flows import flow
from tls_cases import status_of
from tls_interception import WAYS, opening_lunard, requests_of, run_as

ENDPOINTS = {"nghttpx.example.com": True, "haproxy.example.com": True, "h2.example.com": False}  # whether WebSocket is offered
THROUGH = [name for name in WAYS if name != "direct"]
SENDING = [client for client in H2_CLIENTS if "refusal" in client.abilities]
AGAIN = 8


def leading(name, url, host):
    return flow(name, url, {"Lead": ("TransformAPICall", {"set": {"$.request.host": host, "$.request.path": "/head/led"}})},
                [("start", "Lead"), ("Lead", "end")])


FILES = {"flows/elsewhere.yaml": leading("Elsewhere", "nghttpx.example.com/led/elsewhere", "tls.example.com"),
         "flows/beside.yaml": leading("Beside", "nghttpx.example.com/led/beside", "haproxy.example.com"),
         "flows/clear.yaml": leading("Clear", "h2c.example.com/led/clear", "raw.example.com")}


@pytest.fixture(scope="module")
def lunard(world, request, h2_origins, tls_origins, local_authority):
    yield from opening_lunard(world, request, tls_origins, local_authority, files=FILES)


def websocket(world, told, way, host):
    argv = ["node", SOURCES / "node_h2_websocket.js", f"https://{host}/ws"]
    outcome, cgroup = run_as(world, way, argv, label="websocket", env=told.environment(), timeout=20)
    assert outcome.status == 0, outcome.stderr
    return json.loads(outcome.stdout), cgroup


@pytest.mark.parametrize("host", [host for host, offered in ENDPOINTS.items() if offered])
def test_a_websocket_in_a_stream_is_the_same_as_direct(lunard, world, told, host):
    expected, _ = websocket(world, told, direct, host)
    assert (expected["offered"], expected["status"], expected["code"]) == (True, 200, 1000)
    assert [same for _, _, same in expected["echoes"][:3]] == [True, True, True]
    runs = {name: websocket(world, told, WAYS[name], host) for name in THROUGH}
    assert {name: seen for name, (seen, _) in runs.items()} == dict.fromkeys(THROUGH, expected)
    assert requests_of(lunard, runs["intercepted"][1]) == [("GET", host, "/ws", 101)]


def test_websockets_are_not_offered_where_the_provider_does_not(lunard, world, told):
    [host] = [host for host, offered in ENDPOINTS.items() if not offered]
    assert {name: websocket(world, told, way, host)[0] for name, way in WAYS.items()} == dict.fromkeys(WAYS, {"echoes": [], "offered": False})


@pytest.mark.parametrize("url, host", [("https://nghttpx.example.com/led/elsewhere", "tls.example.com"),
                                       ("https://nghttpx.example.com/led/beside", "haproxy.example.com"),
                                       ("http://h2c.example.com/led/clear", "raw.example.com")])
def test_a_flow_leads_a_stream_to_another_host_by_http1(lunard, world, told, url, host):
    """The answer is the head as the origin got it."""
    way = ["--http2-prior-knowledge"] if url.startswith("http:") else ["--http2"]
    outcome, cgroup = run_as(world, captured, ["curl", "-sS", *way, "-w", "%{http_version} %{http_code}", url], env=told.environment())
    assert outcome.status == 0, outcome.stderr
    head = outcome.stdout.lower()
    assert head.startswith("get /head/led http/1.1\n") and f"\nhost: {host}\n" in head and head.endswith("\n\n2 200")
    assert [status for *_, status in requests_of(lunard, cgroup)] == [200]


@pytest.fixture
def refusals(world, builds, told):
    """Uploads of a client that are refused early by this provider, one after the other."""
    def run(client, provider, way):
        cases = [replace(provider.of(REFUSED), name=f"upload {number}", flags=("timeout=2",)) for number in range(AGAIN)]
        return observe(world, builds, client, cases, Place(way(world, client.label), told))

    return run


@pytest.mark.parametrize("provider", [provider for provider in PROVIDERS if REFUSED.name not in provider.lacks], ids=lambda provider: provider.name)
@pytest.mark.parametrize("client", SENDING, ids=lambda client: client.name)
def test_an_upload_that_is_refused_early_ends_with_the_refusal_every_time(lunard, refusals, client, provider):
    run = refusals(client, provider, captured)
    assert [(status_of(seen), seen["body"]["size"], is_h2(seen)) for seen in run.seen.values()] == [(413, len("answered early\n"), True)] * AGAIN
    assert [status for *_, status in requests_of(lunard, run.cgroup, AGAIN)] == [413] * AGAIN
