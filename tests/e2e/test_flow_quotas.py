"""Quotas, lines and places in real time: who is refused, for how long, and what is given back."""

import json
import signal
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import datetime, timedelta, timezone

import pytest

from flow_clients import PROGRAMS, call, statuses
from lunards import shared_lunard
from test_flows import flow, limiter
from world.deadline import wait_until

RAW = "http://raw.example.com"


def far_renewal():
    """An instant of each month that is at least eleven days away."""
    return {"day": min(28, (datetime.now(timezone.utc) + timedelta(days=14)).day)}


def queue(name, url, quota, **parameters):
    """A flow with a waiting line whose metrics carry the flow's name."""
    text = flow(name, url, {"Wait": ("Queue", {"quota_id": quota, **parameters}), "Refuse": ("GenerateResponse", {"status": 503, "body": "no place"})},
                [("start", "Wait"), ("Wait:allowed", "end"), ("Wait:blocked", "Refuse")], [("start", "end"), ("Refuse", "end")])
    document = json.loads(text)
    document["processors"]["Wait"]["metrics"] = {"enabled": True, "labels": ["flow_name"]}
    return json.dumps(document)


def node(name, url, **strategy):
    return {"id": name, "filter": {"url": f"raw.example.com/{url}"}, "strategy": strategy}


QUOTAS = {
    "quotas": [
        node("Plan", "echo/plan/*", fixed_window={"max": 5, "interval": 1, "interval_unit": "hour", "group_by_header": "x-client"}),
        node("Saved", "echo/saved", fixed_window={"max": 2, "interval": 2, "interval_unit": "second", "group_by_header": "x-client", "spillover": {"max": 3},
                                                  "monthly_renewal": far_renewal()}),
        node("Slots", "slow/*", concurrent={"max_request_count": 1}),
        node("Expiring", "silence/expiring", concurrent={"max_request_count": 1}),
        node("Leaving", "silence/leaving", concurrent={"max_request_count": 1}),
    ],
    "internal_limits": [
        {"parent_id": "Plan", **node("PerTeam", "echo/plan/team", fixed_window={"max": 2, "interval": 1, "interval_unit": "hour", "group_by_header": "x-team"})},
        {"parent_id": "Plan", **node("Share", "echo/plan/batch", allocation_percentage=40)},
    ],
}
FILES = {
    "quotas/raw.yaml": json.dumps(QUOTAS),
    "flows/team.yaml": limiter("Team", "raw.example.com/echo/plan/team", "PerTeam"),
    "flows/batch.yaml": limiter("Batch", "raw.example.com/echo/plan/batch", "Share"),
    "flows/rest.yaml": limiter("Rest", "raw.example.com/echo/plan/rest", "Plan"),
    "flows/saved.yaml": limiter("Saved", "raw.example.com/echo/saved", "Saved"),
    "flows/slots.yaml": limiter("Slots", "raw.example.com/slow/*", "Slots"),
    "flows/slots_of_silence.yaml": limiter("SlotsOfSilence", "raw.example.com/silence/slots", "Slots"),
    "flows/expiring.yaml": queue("Expiring", "raw.example.com/silence/expiring", "Expiring", queue_size=8, ttl_seconds=1),
    "flows/leaving.yaml": queue("Leaving", "raw.example.com/silence/leaving", "Leaving", queue_size=1, ttl_seconds=30),
}


@pytest.fixture(scope="module")
def lunard(world, internet, request):
    yield from shared_lunard(world, request, files=FILES)


@contextmanager
def held(world, lunard, quota, url):
    """A call that keeps the only place of a concurrent quota until the block ends; then its client is killed."""
    client = world.start_client(["curl", "-sS", url], captured=True)
    try:
        wait_until(lambda: lunard.used(quota) == 1, 5, lambda: f"{url} has its place: {client.log()}")
        yield client
    finally:
        client.signal(signal.SIGKILL)
        client.wait(5)


@pytest.mark.parametrize("client", PROGRAMS)
def test_a_share_a_limit_of_groups_and_their_parent_refuse_each_for_itself(lunard, world, client):
    def ask(path, count, team="none"):
        return statuses(world, f"{RAW}/echo/plan/{path}", count, {"x-client": client, "x-team": f"{client}-{team}"}, client)

    assert ask("batch", 3) == [200, 200, 429]  # 40 % of 5, while the parent has 3 left
    assert ask("team", 3, "red") == [200, 200, 429]  # 2 of each team, while the parent has 1 left
    assert ask("team", 2, "blue") == [200, 429]  # the parent is exhausted, the team is not
    assert ask("rest", 1) == [429]
    assert lunard.groups("Plan")[client].items() >= {"limit": 5, "used": 5}.items()
    assert lunard.groups("Share")[client].items() >= {"limit": 2, "used": 2}.items()
    teams = lunard.groups("PerTeam")  # a refused call has changed nothing
    assert teams[f"{client}-red"]["used"] == 2 and teams[f"{client}-blue"]["used"] == 1


def test_what_a_window_leaves_over_goes_to_the_next_one_and_no_further(lunard, world):
    def ask(count):
        return {client: statuses(world, f"{RAW}/echo/saved", count, {"x-client": client}, client) for client in PROGRAMS}

    def let_windows_pass():
        time.sleep(2.1)  # their own interval, which no event announces

    assert ask(1) == dict.fromkeys(PROGRAMS, [200])
    let_windows_pass()
    assert ask(4) == dict.fromkeys(PROGRAMS, [200, 200, 200, 429])  # 2, and 1 from before
    let_windows_pass()
    assert ask(3) == dict.fromkeys(PROGRAMS, [200, 200, 429])


def test_a_second_call_is_refused_while_the_first_has_the_only_place(lunard, world):
    with ThreadPoolExecutor() as clients:
        first = clients.submit(call, world, f"{RAW}/slow/2500")
        wait_until(lambda: lunard.used("Slots") == 1, 5, "the first call has its place")
        assert [call(world, f"{RAW}/slow/0", client=client).status for client in PROGRAMS] == [429] * len(PROGRAMS)
        assert first.result().status == 200
    assert lunard.used("Slots") == 0
    assert [call(world, f"{RAW}/slow/0", client=client).status for client in PROGRAMS] == [200] * len(PROGRAMS)


def test_the_place_of_a_client_that_was_killed_is_free(lunard, world):
    with held(world, lunard, "Slots", f"{RAW}/silence/slots"):
        assert call(world, f"{RAW}/slow/0").status == 429
    wait_until(lambda: lunard.used("Slots") == 0, 5, "the place is free")
    assert call(world, f"{RAW}/slow/0").status == 200


RESETTING = """
import socket, struct, sys
connection = socket.create_connection(("raw.example.com", 80))
connection.sendall(b"GET /slow/60000 HTTP/1.1\\r\\nHost: raw.example.com\\r\\n\\r\\n")
sys.stdin.read()
connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
"""


def test_the_place_of_a_client_that_resets_is_free_while_its_provider_still_works(lunard, world):
    client = world.start_client([sys.executable, "-c", RESETTING], captured=True)
    wait_until(lambda: lunard.used("Slots") == 1, 5, lambda: f"the call has its place: {client.log()}")
    assert call(world, f"{RAW}/slow/0").status == 429
    assert client.finish() == 0
    wait_until(lambda: lunard.used("Slots") == 0, 5, "the place is free")
    assert call(world, f"{RAW}/slow/0").status == 200


def test_who_waits_in_a_line_for_longer_than_its_time_to_live_is_blocked(lunard, world):
    handled = "lunar_processor_queue_requests_handled_total"
    with held(world, lunard, "Expiring", f"{RAW}/silence/expiring"):
        begin = time.monotonic()
        blocked = call(world, f"{RAW}/silence/expiring")
        assert (blocked.status, blocked.body) == (503, "no place")
        assert time.monotonic() - begin > 1
        wait_until(lambda: lunard.metric(handled, flow_name="Expiring", ttl_expired="true") == 1, 5, lambda: lunard.metrics())
    # The first one, once the gateway has noticed that its client is gone.
    wait_until(lambda: lunard.metric(handled, flow_name="Expiring", ttl_expired="false") == 1, 5, lambda: lunard.metrics())


def test_a_client_that_goes_away_leaves_its_place_in_the_line_and_costs_nothing(lunard, world):
    def waiting(number):
        wait_until(lambda: lunard.metric("lunar_processor_queue_requests_in_queue", flow_name="Leaving") == number, 5, f"{number} wait")

    url = f"{RAW}/silence/leaving"
    with held(world, lunard, "Leaving", url):
        leaving = world.start_client(["curl", "-sS", url], captured=True)
        waiting(1)
        assert call(world, url).status == 503  # the line is full
        leaving.signal(signal.SIGKILL)
        leaving.wait(5)
        waiting(0)
        line = lunard.lines_of(leaving.cgroup, at_least=1)[0]
        assert (line["termination_state"], line["status_code"]) == ("client_abort", 0)
        patient = world.start_client(["curl", "-sS", url], captured=True)
        waiting(1)
    # The first one has ended: whoever waits is served next.
    waiting(0)
    wait_until(lambda: lunard.used("Leaving") == 1, 5, "the next one has the place")
    patient.signal(signal.SIGKILL)
    wait_until(lambda: lunard.used("Leaving") == 0, 5, "the place is free")
