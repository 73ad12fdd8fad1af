"""OTEL_EXPORTER_OTLP_TRACES_ENDPOINT: spans that the gateway makes of every attempt, whether or not flows are concerned."""

import json

import pytest

from flow_clients import call
from lunards import shared_lunard
from test_flows import flow
from trace_collector import SECURE_ENDPOINT, believing, secure_collector

RAW = "http://raw.example.com"
TRACED = flow("Traced", "raw.example.com/echo/*", {"Span": ("UserDefinedTraces", {"trace_exporter_id": "collector"})},
              [("start", "Span"), ("Span", "end")], [("start", "Span"), ("Span", "end")])


@pytest.fixture(scope="module")
def collector(world, internet):
    with secure_collector(world, internet) as collector:
        yield collector


@pytest.fixture(scope="module")
def lunard(world, internet, request, collector):
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", SECURE_ENDPOINT)
        yield from shared_lunard(world, request, settings={"exporters": {"flush": "100ms"}}, gateway_config=believing("ca.pem"),
                                 files={"ca.pem": internet.ca.read_text(), "flows/plain.yaml": flow("Plain", "raw.example.com/echo/own/*", {})})


def test_every_attempt_becomes_a_span_with_the_flows_that_it_went_through(lunard, world, collector):
    flows, none = f"{RAW}/echo/own/flows", f"{RAW}/status/404"
    assert call(world, f"{flows}?secret=1").status == 200
    assert call(world, none).status == 404
    span, = collector.await_spans(flows)
    attributes = span["attributes"]
    assert (span["name"], span["kind"], span["status"]) == (f"GET {flows.removeprefix('http://')}", 3, {})
    assert (attributes["http.status_code"], attributes["lunar.flows"], attributes["lunar.attempt"]) == ("200", "Plain", "0")
    assert 0 <= float(attributes["lunar.provider_latency"]) <= float(attributes["latency"])
    assert "parentSpanId" not in span and int(span["traceId"], 16) != 0
    error, = collector.await_spans(none)
    assert error["status"] == {"code": 2} and "lunar.flows" not in error["attributes"]
    assert "secret" not in json.dumps(collector.requests())
    assert lunard.metric("lunar_exporter_dropped_total", exporter="own_trace") == 0


def test_where_the_spans_of_flows_go_to_the_same_collector_flows_choose_what_is_told(lunard, world, collector):
    other, chosen = f"{RAW}/status/201", f"{RAW}/echo/chosen"
    lunard.write("flows/traced.yaml", TRACED)
    lunard.write("gateway_config.yaml", json.dumps({**believing("ca.pem"), "trace_exporter": {"trace_exporter_id": "collector", "traces_endpoint": SECURE_ENDPOINT}}))
    assert lunard.lunarctl("flows", "load").status == 0
    assert call(world, other).status == 201
    assert call(world, chosen).status == 200
    span, = collector.await_spans(chosen)
    assert "lunar.attempt" not in span["attributes"] and collector.spans(other) == []
