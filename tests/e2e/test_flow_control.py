"""lunarctl and the flows of a running daemon: what it shows, loads and refuses, and with which exit code."""

import json
import re
import shutil
from datetime import datetime, timedelta, timezone

import pytest

from flow_clients import call, statuses
from lunards import PATIENT
from test_flows import flow, limiter
from world.child import run
from world.deadline import wait_until

RAW = "http://raw.example.com"
OK, REFUSED, UNREACHABLE, PERMISSION = 0, 1, 3, 4


def canned(status):
    return flow("Canned", "raw.example.com/echo/canned", {"Say": ("GenerateResponse", {"status": status})}, [("start", "Say")], [("start", "end"), ("Say", "end")])


FILES = {
    "quotas/raw.yaml": json.dumps({"quotas": [
        {"id": "Teams", "filter": {"url": "raw.example.com/echo/*"}, "strategy": {"fixed_window": {"max": 1500, "interval": 1, "interval_unit": "hour", "group_by_header": "x-team"}}},
        {"id": "Slots", "filter": {"url": "raw.example.com/slow/*"}, "strategy": {"concurrent": {"max_request_count": 3}}}]}),
    "flows/any.yaml": limiter("Any", "raw.example.com/*", "Teams"),
    "flows/canned.yaml": canned(418),
    "flows/posts.yaml": flow("Posts", "raw.example.com/echo/*", {"Name": ("TransformAPICall", {"set": {"$.request.headers.X-Seen": "yes"}})},
                             [("start", "Name"), ("Name", "end")], filter={"method": "POST"}, mode="shadow"),
}


@pytest.fixture
def lunard(make_lunard, world):
    lunard = make_lunard(PATIENT, files=FILES)
    lunard.attach(world.captured)
    return lunard


def rows(text):
    """The lines of a table, each as its cells."""
    return [re.split(r"  +", line.strip()) for line in text.splitlines()]


def without_ends(document):
    """The end of a window is told by the clock of people, and differs by a millisecond from one question to the next."""
    for group in (group for quota in document["quotas"] for group in quota["groups"]):
        del group["ends"]
    return document


def test_quotas_are_shown_as_a_table_and_as_the_daemon_gives_them(lunard, world):
    assert statuses(world, f"{RAW}/echo/x", 3, {"x-team": "red"}) == [200] * 3
    assert call(world, f"{RAW}/echo/x", fields={"x-team": "blue"}).status == 200
    shown = lunard.lunarctl("quotas")
    assert (shown.status, shown.stderr) == (OK, "")
    head, *lines = rows(shown.stdout)
    assert head == ["ID", "STRATEGY", "GROUP", "USED", "LIMIT", "ENDS", "BLOCKED UNTIL"]
    by_group = {(line[0], line[2]): line for line in lines}
    assert by_group.keys() == {("Slots", "default"), ("Teams", "red"), ("Teams", "blue")}
    assert by_group["Slots", "default"] == ["Slots", "concurrent", "default", "0", "3", "-", "-"]
    *red, ends, blocked = by_group["Teams", "red"]
    assert (red, blocked) == (["Teams", "fixed_window", "red", "3", "1,500"], "-")
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", ends)
    left = datetime.fromisoformat(ends) - datetime.now(timezone.utc)
    assert timedelta(minutes=55) < left <= timedelta(hours=1)
    as_json = lunard.lunarctl("--json", "quotas")
    assert as_json.status == OK and without_ends(json.loads(as_json.stdout)) == without_ends(lunard.control("GET", "/quotas")[1])
    one = json.loads(lunard.lunarctl("--json", "quotas", "Slots").stdout)["quotas"]
    assert [quota["id"] for quota in one] == ["Slots"]
    unknown = lunard.lunarctl("quotas", "Nobody")
    assert (unknown.status, unknown.stdout) == (REFUSED, "") and "`Nobody`" in unknown.stderr


def test_the_loaded_flows_are_listed_in_their_order_with_what_they_have_seen(lunard, world):
    assert statuses(world, f"{RAW}/echo/canned", 2) == [418] * 2
    assert call(world, f"{RAW}/echo/posted", "POST", body="x").status == 200
    def listed():
        return json.loads(lunard.lunarctl("--json", "flows", "list").stdout)["flows"]
    wait_until(lambda: sum(one["requests"] for one in listed()) == 6, 5, listed)  # the last call is recorded
    shown = lunard.lunarctl("flows", "list")
    assert (shown.status, shown.stderr) == (OK, "")
    assert rows(shown.stdout) == [["RANK", "NAME", "MODE", "REQUESTS", "FILE", "URLS"],
                                  ["1", "Any", "enforce", "3", "flows/any.yaml", "raw.example.com/*"],
                                  ["2", "Posts", "shadow", "1", "flows/posts.yaml", "raw.example.com/echo/*"],
                                  ["3", "Canned", "enforce", "2", "flows/canned.yaml", "raw.example.com/echo/canned"]]


def test_what_explain_says_of_the_folder_is_what_the_gateway_does(lunard, world):
    def explained(method, path):
        outcome = lunard.lunarctl("--config-dir", lunard.directory, "--json", "explain", method, f"{RAW}/{path}")
        assert outcome.status == OK, outcome
        document = json.loads(outcome.stdout)
        return [one["flow"] for one in document["selected"]], {one["flow"] for one in document["rejected"]}

    every = {"Any", "Posts", "Canned"}
    for method, path in (("GET", "echo/canned"), ("POST", "echo/posted"), ("POST", "echo/canned"), ("GET", "hello")):
        call(world, f"{RAW}/{path}", method)
        line = wait_until(lambda: next((line for line in lunard.lines() if (line["method"], line["path"]) == (method, f"/{path}")), None), 5, lunard.lines)
        selected, rejected = explained(method, path)
        assert selected == line["flows"] and rejected <= every - set(selected)
    text = lunard.lunarctl("--config-dir", lunard.directory, "explain", "GET", f"{RAW}/echo/canned").stdout
    assert re.search(r"1\. Any .*2\. Canned ", text, re.DOTALL) and re.search(r"Posts \(flows/posts.yaml\) method", text)


def test_a_load_takes_effect_or_changes_nothing(lunard, world):
    lunard.write("flows/canned.yaml", canned(451))
    assert call(world, f"{RAW}/echo/canned").status == 418
    loaded = lunard.lunarctl("flows", "load")
    assert (loaded.status, loaded.stderr) == (OK, "") and loaded.stdout
    assert call(world, f"{RAW}/echo/canned").status == 451
    lunard.write("flows/canned.yaml", "name: Canned\nfilter: {url: raw.example.com/echo/canned}\nflow: 3\n")
    for words, stream in ((["flows", "load"], "stderr"), (["flows", "validate", lunard.directory], "stdout")):
        refused = lunard.lunarctl(*words)
        assert refused.status == REFUSED and re.search(r"^flows/canned.yaml:3:\d+: error: .* \[[a-z-]+\]$", getattr(refused, stream), re.MULTILINE), refused
    as_json = lunard.lunarctl("--json", "flows", "load")
    assert as_json.status == REFUSED and json.loads(as_json.stdout)["diagnostics"][0]["file"] == "flows/canned.yaml"
    assert call(world, f"{RAW}/echo/canned").status == 451


def test_a_user_without_permission_is_refused_as_such(lunard, world):
    program = world.directory / "lunarctl"  # where anybody may execute it
    shutil.copy(lunard.build / "cli/lunarctl", program)
    for words in (["quotas"], ["flows", "list"], ["flows", "load"]):
        outcome = run(["setpriv", "--reuid=nobody", "--regid=nogroup", "--clear-groups", program, "--socket", lunard.socket_path, *words], namespace=world.host,
                      cgroup=world.cgroup.child("nobody"))
        assert outcome.status == PERMISSION and "may not use" in outcome.stderr


def test_without_a_daemon_what_needs_one_says_so_and_the_rest_works(lunard):
    assert lunard.stop() == 0
    for words in (["quotas"], ["--json", "quotas"], ["flows", "list"], ["flows", "load"], ["discover"]):
        outcome = lunard.lunarctl(*words)
        assert (outcome.status, outcome.stdout) == (UNREACHABLE, "") and "does not listen" in outcome.stderr
    assert lunard.lunarctl("flows", "validate", lunard.directory).status == OK
    assert lunard.lunarctl("--config-dir", lunard.directory, "explain", "GET", f"{RAW}/echo/x").status == OK
