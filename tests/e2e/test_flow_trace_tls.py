"""Spans of flows to a collector that speaks TLS: who is believed, what is said of whoever is not, and what a reload changes."""

import json

import pytest

from flow_clients import call
from lunards import shared_lunard
from test_flows import flow
from trace_collector import SECURE_ENDPOINT, believing, secure_collector
from world.deadline import wait_until

ECHO, NAME = "http://raw.example.com/echo", "collector.example.com"
EXPORTER = {"trace_exporter": {"trace_exporter_id": "collector", "traces_endpoint": SECURE_ENDPOINT}}
FILES = {"flows/traced.yaml": flow("Traced", "raw.example.com/echo/*", {"Span": ("UserDefinedTraces", {"trace_exporter_id": "collector"})},
                                   [("start", "Span"), ("Span", "end")], [("start", "Span"), ("Span", "end")])}
INSIDE = "certs/collector-ca.pem"  # below the configuration root


@pytest.fixture(scope="module")
def collector(world, internet):
    with secure_collector(world, internet) as collector:
        yield collector


@pytest.fixture(scope="module")
def lunard(world, request, collector, internet):
    """It begins with an authority that the gateway can read at its start only."""
    yield from shared_lunard(world, request, settings={"exporters": {"flush": "100ms"}}, gateway_config={**EXPORTER, **believing(internet.ca)},
                             files={**FILES, INSIDE: internet.ca.read_text()})


def dropped(lunard):
    return lunard.metric("lunar_exporter_dropped_total", exporter="trace")


def load(lunard, config):
    lunard.write("gateway_config.yaml", json.dumps({**EXPORTER, **config}))
    outcome = lunard.lunarctl("flows", "load")
    assert outcome.status == 0, outcome


def new_connection(collector):
    collector.stop()
    collector.start()


def test_spans_go_to_an_https_collector_whose_authority_is_named(lunard, world, collector):
    url = f"{ECHO}/tls"
    assert call(world, url).status == 200
    span, = collector.await_spans(url)
    assert span["name"] == f"GET {url.removeprefix('http://')}"
    request = collector.requests()[-1]
    assert (request["path"], request["type"], request["tls"]) == ("/v1/traces", "application/json", "TLSv1.3")
    assert dropped(lunard) == 0 and "traces cannot be sent" not in lunard.log()


def test_what_the_gateway_can_no_longer_read_it_goes_on_with(lunard, world, collector, internet):
    url = f"{ECHO}/kept"
    load(lunard, believing(internet.ca))
    line, = (line for line in lunard.log().splitlines() if f"TLS towards {NAME} goes on with the files as they were" in line)
    assert str(internet.ca) in line and "`lunarctl restart` reads them again" in line
    new_connection(collector)
    assert call(world, url).status == 200
    collector.await_spans(url)


def test_a_reload_decides_whom_the_next_connection_believes(lunard, world, collector):
    refused, accepted, before = f"{ECHO}/refused", f"{ECHO}/accepted", dropped(lunard)
    load(lunard, {})
    new_connection(collector)
    assert [call(world, refused).status for _ in range(3)] == [200] * 3
    wait_until(lambda: dropped(lunard) == before + 3, 10, lambda: f"3 spans are dropped: {before} -> {dropped(lunard)}")
    complaint, = (line for line in lunard.log().splitlines() if f"traces cannot be sent to {SECURE_ENDPOINT}" in line)
    assert f"its certificate is not accepted: {NAME}: unable to get local issuer certificate" in complaint
    assert "`ca` in provider_tls of gateway_config.yaml" in complaint

    load(lunard, believing(INSIDE))
    assert call(world, accepted).status == 200
    collector.await_spans(accepted)
    assert collector.spans(refused) == [] and dropped(lunard) == before + 3
