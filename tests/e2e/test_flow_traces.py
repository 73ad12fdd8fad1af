"""Spans of calls reach a collector; a collector that hangs, goes away or comes back costs spans and never a call."""

import signal

import pytest

from drill import announce
from flow_clients import PROGRAMS, call, statuses
from lunards import shared_lunard
from test_flows import flow
from trace_collector import GATEWAY_CONFIG, TraceCollector
from world.deadline import wait_until

RAW = "http://raw.example.com"
TRACE, SPAN = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"


def traced(name, path):
    attributes = {"team": "$.request.headers.x-team", "asked": "$.request.body.model", "tokens": "$.response.usage.total_tokens"}
    return flow(name, f"raw.example.com/{path}", {"Span": ("UserDefinedTraces", {"trace_exporter_id": "collector", "custom_trace_attributes": attributes})},
                [("start", "Span"), ("Span", "end")], [("start", "Span"), ("Span", "end")])


FILES = {"flows/echo.yaml": traced("Echo", "echo/traced/*"), "flows/llm.yaml": traced("Llm", "completion/*"), "flows/status.yaml": traced("Status", "status/*")}


@pytest.fixture(scope="module")
def collector(world):
    with TraceCollector(world) as collector:
        yield collector


@pytest.fixture(scope="module")
def lunard(world, internet, request, collector):
    yield from shared_lunard(world, request, settings={"exporters": {"flush": "100ms"}}, files=FILES, gateway_config=GATEWAY_CONFIG)


def sent_fields(seen):
    return {name.lower(): value for name, value in seen.json["fields"]}


@pytest.mark.parametrize("client", PROGRAMS)
def test_a_call_becomes_one_span_between_its_callers_span_and_the_providers(lunard, world, collector, client):
    url = f"{RAW}/echo/traced/{client}"
    fields = {"traceparent": f"00-{TRACE}-{SPAN}-01", "x-team": "red", "content-type": "application/json"}
    seen = call(world, f"{url}?secret=1", "POST", fields, '{"model":"large"}', client)
    span, = collector.await_spans(url)
    assert (span["traceId"], span["parentSpanId"], len(span["spanId"])) == (TRACE, SPAN, 16)
    assert sent_fields(seen)["traceparent"] == f"00-{TRACE}-{span['spanId']}-01"
    assert (span["name"], span["kind"], span["status"]) == (f"POST {url.removeprefix('http://')}", 3, {})
    latency = span["attributes"].pop("latency")
    assert span["attributes"] == {"http.method": "POST", "http.url": url, "http.status_code": "200", "team": "red", "asked": "large"}
    duration = (int(span["endTimeUnixNano"]) - int(span["startTimeUnixNano"])) / 1e6
    assert latency > 0 and abs(duration - latency) <= 1  # the ends of a span are whole milliseconds


def test_the_collector_is_spoken_to_as_otlp_over_http_says(lunard, world, collector):
    call(world, f"{RAW}/echo/traced/protocol")
    collector.await_spans(f"{RAW}/echo/traced/protocol")
    request = collector.requests()[-1]
    assert (request["path"], request["type"]) == ("/v1/traces", "application/json")
    resource, = request["body"]["resourceSpans"]
    attributes = {one["key"]: one["value"]["stringValue"] for one in resource["resource"]["attributes"]}
    assert attributes["service.name"] == "lunar-gateway" and attributes["service.instance.id"] == lunard.status()["instance_id"]


def test_without_a_parent_a_trace_begins_here(lunard, world, collector):
    seen = call(world, f"{RAW}/echo/traced/first")
    span, = collector.await_spans(f"{RAW}/echo/traced/first")
    assert "parentSpanId" not in span and len(span["traceId"]) == 32 and int(span["traceId"], 16) != 0
    assert sent_fields(seen)["traceparent"] == f"00-{span['traceId']}-{span['spanId']}-01"


@pytest.mark.parametrize("fields", [{"b3": f"{TRACE}-{SPAN}-1"}, {"X-B3-TraceId": TRACE, "X-B3-SpanId": SPAN}], ids=["one field", "two fields"])
def test_a_parent_may_come_in_fields_of_b3(lunard, world, collector, fields):
    url = f"{RAW}/echo/traced/b3-{len(fields)}"
    call(world, url, fields=fields)
    span, = collector.await_spans(url)
    assert (span["traceId"], span["parentSpanId"]) == (TRACE, SPAN)


def test_an_answer_from_400_on_is_an_error_and_the_usage_of_a_stream_an_attribute(lunard, world, collector):
    call(world, f"{RAW}/status/404")
    assert collector.await_spans(f"{RAW}/status/404")[0]["status"] == {"code": 2}
    call(world, f"{RAW}/completion/60/yes/2")
    span, = collector.await_spans(f"{RAW}/completion/60/yes/2")
    assert span["status"] == {} and span["attributes"]["tokens"] == "60"
    assert span["attributes"]["latency"] >= 500  # to the end of the stream


def test_a_call_without_the_processor_gets_no_parent_and_no_span(lunard, world, collector):
    assert "traceparent" not in sent_fields(call(world, f"{RAW}/echo/untraced"))
    call(world, f"{RAW}/echo/traced/later")
    collector.await_spans(f"{RAW}/echo/traced/later")
    assert collector.spans(f"{RAW}/echo/untraced") == []


def dropped(lunard):
    return lunard.metric("lunar_exporter_dropped_total", exporter="trace")


def test_a_collector_that_hangs_delays_spans_and_no_call(lunard, world, collector):
    url, before = f"{RAW}/echo/traced/hanging", dropped(lunard)
    collector.child.signal(signal.SIGSTOP)
    try:
        assert statuses(world, url, 50) == [200] * 50
        assert collector.spans(url) == []
    finally:
        collector.child.signal(signal.SIGCONT)
    assert len({span["spanId"] for span in collector.await_spans(url, 50)}) == 50
    assert dropped(lunard) == before


def test_a_collector_that_goes_away_costs_spans_that_are_counted_and_is_used_again_when_it_is_back(lunard, world, collector):
    away, back, before = f"{RAW}/echo/traced/away", f"{RAW}/echo/traced/back", dropped(lunard)
    collector.stop()
    try:
        assert statuses(world, away, 50) == [200] * 50
        wait_until(lambda: dropped(lunard) == before + 50, 10, lambda: f"50 spans are dropped: {before} -> {dropped(lunard)}")
        assert lunard.log().count("traces cannot be sent to") == 1
    finally:
        collector.start()
    assert statuses(world, back, 50) == [200] * 50
    assert len(collector.await_spans(back, 50)) == 50 and collector.spans(away) == []
    announce("a collector that was away", calls=100, failed=0, spans_dropped=int(dropped(lunard) - before), spans_after_its_return=50)
    assert dropped(lunard) == before + 50
