"""A stop loses nothing of flows: quotas know what was used, and whether it was renewed meanwhile; exporters are flushed."""

import json
import shutil
from datetime import timedelta

import pytest

from flow_clients import PROGRAMS, statuses
from lunards import PATIENT
from test_flow_quotas import far_renewal
from test_flows import flow, limiter
from trace_collector import GATEWAY_CONFIG, TraceCollector
from world.deadline import wait_until
from world.lunard import gateway_user

RAW = "http://raw.example.com"
TIMES = ("opened", "closes", "renewal", "carry_ends")


def window(name, unit, **more):
    return {"id": name, "filter": {"url": f"raw.example.com/echo/{unit}"}, "strategy": {"fixed_window": {"max": 2, "interval": 1, "interval_unit": unit, **more}}}


@pytest.fixture
def lunard(make_lunard, world):
    renewal = far_renewal()
    quotas = {"quotas": [window("Monthly", "month", monthly_renewal=renewal), window("Hourly", "hour", monthly_renewal=renewal, spillover={"max": 3})]}
    lunard = make_lunard(PATIENT, files={"quotas/raw.yaml": json.dumps(quotas), "flows/month.yaml": limiter("Month", "raw.example.com/echo/month", "Monthly"),
                                         "flows/hour.yaml": limiter("Hour", "raw.example.com/echo/hour", "Hourly")})
    lunard.attach(world.captured)
    return lunard


def stop_and_start(lunard, later=None):
    """A clean stop and a start; with `later`, as if so much time had passed in between."""
    assert lunard.stop() == 0
    if later:
        file = lunard.directory / "state/gateway/quotas.json"
        snapshot = json.loads(file.read_text())
        for saved in (saved for quota in snapshot["quotas"] for saved in quota["windows"]):
            saved.update({key: saved[key] - int(later.total_seconds() * 1000) for key in TIMES if key in saved})
        file.write_text(json.dumps(snapshot))
    lunard.start()
    lunard.await_mode("protecting", 5)


@pytest.mark.parametrize("client", PROGRAMS)
def test_a_monthly_quota_is_still_spent_after_a_stop_and_whole_again_after_its_renewal(lunard, world, client):
    def ask(count):
        return statuses(world, f"{RAW}/echo/month", count, client=client)

    assert ask(3) == [200, 200, 429]
    stop_and_start(lunard)
    assert ask(1) == [429]
    assert lunard.groups("Monthly")["default"]["used"] == 2
    stop_and_start(lunard, later=timedelta(days=32))
    assert ask(3) == [200, 200, 429]


def test_what_an_hour_left_over_survives_a_stop_but_no_renewal(lunard, world):
    def ask(count):
        return statuses(world, f"{RAW}/echo/hour", count)

    assert ask(1) == [200]
    stop_and_start(lunard, later=timedelta(hours=1))
    assert ask(4) == [200, 200, 200, 429]  # 2, and 1 of the hour before
    stop_and_start(lunard, later=timedelta(hours=1))
    assert ask(1) == [200]
    stop_and_start(lunard, later=timedelta(days=32))
    assert ask(3) == [200, 200, 429]


def test_har_entries_and_spans_that_wait_for_their_interval_are_written_before_the_end(make_lunard, world):
    folder = world.directory / "har-at-a-stop"
    folder.mkdir()
    shutil.chown(folder, gateway_user())
    exporter = {"exporters": {"file": {"exporter_id": "audit", "file_dir": str(folder), "file_name": "audit.ndjson"}}, **GATEWAY_CONFIG}
    watched = flow("Watched", "raw.example.com/echo/*", {"Har": ("HARCollector", {"exporter_id": "audit"}), "Span": ("UserDefinedTraces", {"trace_exporter_id": "collector"})},
                   [("start", "Span"), ("Span", "end")], [("start", "Har"), ("Har", "Span"), ("Span", "end")])
    with TraceCollector(world) as collector:
        lunard = make_lunard({**PATIENT, "exporters": {"flush": "5m"}}, files={"flows/watched.yaml": watched}, gateway_config=exporter)
        lunard.attach(world.captured)
        url = f"{RAW}/echo/before-a-stop"
        assert statuses(world, url, 5) == [200] * 5
        wait_until(lambda: lunard.metric("flow_invocations_total", flow_name="Watched") == 5, 5, "all calls are recorded")
        assert collector.spans(url) == [] and not (folder / "audit.ndjson").exists()
        assert lunard.stop() == 0
        assert len(collector.spans(url)) == 5
    entries = [json.loads(line) for line in (folder / "audit.ndjson").read_text().splitlines()]
    assert [entry["request"]["url"] for entry in entries] == [url] * 5
