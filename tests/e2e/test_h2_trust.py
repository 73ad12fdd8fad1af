"""Clients of HTTP/2 that do not take the gateway's certificate: they fail once, as they decide, and then work without it."""

import hashlib

import pytest

from clients import direct
from h2_cases import H2_CLIENTS, is_h2
from test_tls_trust import FORGED, der, words
from tls_cases import status_of
from tls_interception import (LOCAL, in_unit, issuer, look_at, opening_lunard, requests_of, run_as, shown_certificate,
                              tunnels_of, visiting)

CHOSEN = "chosen.example.com"  # as long as FORGED, so that texts with the name have the same length
JUDGES = [client for client in H2_CLIENTS if client.name != "nghttp"]  # which takes any certificate
# How those that can have a pin say that it is another certificate.
PINNED = {"Node http2": "another certificate than the pinned one", "Go net/http": "another certificate than the pinned one",
          "Java HttpClient": "AnotherCertificate"}
PINNING = [client for client in H2_CLIENTS if client.name in PINNED]
each_judge = pytest.mark.parametrize("client", JUDGES, ids=lambda client: client.name)
each_pinning = pytest.mark.parametrize("client", PINNING, ids=lambda client: client.name)


@pytest.fixture(scope="module")
def lunard(world, request, h2_origins, tls_origins, local_authority):
    yield from opening_lunard(world, request, tls_origins, local_authority)


@pytest.fixture
def visit(world, builds):
    return visiting(world, builds, CHOSEN)


@pytest.fixture(scope="module")
def pin(tls_origins):
    """What clients with a pin are started with: the certificate of the provider itself."""
    return (f"pin={hashlib.sha256(der(shown_certificate(tls_origins.certificate('h2').read_text()))).hexdigest()}",)


def assert_works_unopened(lunard, visited):
    """The provider was spoken to by HTTP/2, past us."""
    served, cgroup = visited
    assert status_of(served) == 200 and is_h2(served)
    assert (tunnels_of(lunard, cgroup), requests_of(lunard, cgroup)) == ([CHOSEN], [])


@each_judge
def test_a_client_without_the_local_authority_fails_as_with_any_stranger_and_then_works(lunard, visit, tls_origins, client):
    way = in_unit(f"{client.label.lower()}.service")
    refused, cgroup = visit(client, way, tls_origins.trust)
    stranger, _ = visit(client, direct, tls_origins.trust, FORGED)
    assert status_of(refused) == 0 and words(refused, CHOSEN) == words(stranger, FORGED)
    assert requests_of(lunard, cgroup, at_least=0) == []
    for _ in range(2):
        assert_works_unopened(lunard, visit(client, way, tls_origins.trust))


@each_judge
def test_a_client_with_the_local_authority_is_intercepted(lunard, visit, told, client):
    served, cgroup = visit(client, in_unit(f"told-{client.label.lower()}.service"), told)
    assert status_of(served) == 200 and is_h2(served)
    assert requests_of(lunard, cgroup) == [("GET", CHOSEN, "/hello", 200)]


@each_pinning
def test_a_client_with_a_pin_works_from_its_second_call_on(lunard, visit, told, pin, client):
    way = in_unit(f"pin-{client.label.lower()}.service")
    refused, cgroup = visit(client, way, told, flags=pin)
    assert status_of(refused) == 0 and refused["error"][-1].endswith(PINNED[client.name])
    assert requests_of(lunard, cgroup, at_least=0) == []
    assert_works_unopened(lunard, visit(client, way, told, flags=pin))


@each_pinning
def test_another_host_is_intercepted_still(lunard, visit, told, pin, client):
    way = in_unit(f"hosts-{client.label.lower()}.service")
    assert status_of(visit(client, way, told, flags=pin)[0]) == 0
    served, cgroup = visit(client, way, told, "nghttpx.example.com")
    assert status_of(served) == 200 and is_h2(served)
    assert requests_of(lunard, cgroup) == [("GET", "nghttpx.example.com", "/hello", 200)]


CONNECTS = """
const session = require('http2').connect(process.argv[1]);
session.on('remoteSettings', () => session.close());
session.on('error', (error) => { console.error(error.message); process.exitCode = 1; });
"""


def test_a_client_that_leaves_before_its_first_request_has_not_refused(lunard, world, visit, told):
    """It has sent the preface of HTTP/2, so it took the certificate."""
    way = in_unit("leaves.service")
    outcome, _ = run_as(world, way, ["node", "-e", CONNECTS, f"https://{CHOSEN}"], env=told.environment(), timeout=20)
    assert outcome.status == 0, outcome.stderr
    served, cgroup = visit(PINNING[0], way, told)
    assert status_of(served) == 200
    assert requests_of(lunard, cgroup) == [("GET", CHOSEN, "/hello", 200)]


@pytest.mark.parametrize("offered, chosen", [("h2,http/1.1", "h2"), ("http/1.1,h2", "h2"), ("h2", "h2"), ("http/1.1", "http/1.1")])
@pytest.mark.parametrize("host", [CHOSEN, "nghttpx.example.com", "haproxy.example.com"])
def test_a_client_is_answered_with_the_protocol_that_the_provider_chose(lunard, world, told, host, offered, chosen):
    """What openssl s_client says then is HTTP/1.1 in any case, and no matter here."""
    way = in_unit(f"alpn-{host}-{offered}.service".replace(",", "-").replace("/", "-"))
    expected = look_at(world, direct, host, "-alpn", offered)[1].stdout
    shown, outcome, _ = look_at(world, way, host, "-alpn", offered)
    assert f"ALPN protocol: {chosen}" in expected
    assert f"ALPN protocol: {chosen}" in outcome.stdout and LOCAL in issuer(shown)


def test_a_provider_without_http2_is_met_without_it(lunard, visit, told):
    [curl] = [client for client in JUDGES if client.name == "curl"]
    served, cgroup = visit(curl, in_unit("without.service"), told, "tls.example.com")
    assert (status_of(served), served["http_version"]) == (200, "1.1")
    assert requests_of(lunard, cgroup) == [("GET", "tls.example.com", "/hello", 200)]
