"""The process that runs scripts dies: scripts fail for a moment, and nothing else does."""

import os
import signal
import sys
import time
from collections import Counter

import pytest

from drill import announce
from flow_clients import call
from lunards import PATIENT
from test_flows import flow
from world.deadline import wait_until

URL = "http://raw.example.com/echo/scripted"
SCRIPTED = flow("Scripted", "raw.example.com/echo/scripted", {
    "Mark": ("CustomScript", {"script_text": "request.headers['x-marked'] = 'yes';"}),
    "Failed": ("GenerateResponse", {"status": 418, "body": "the script failed"})},
    [("start", "Mark"), ("Mark:success", "end"), ("Mark:failure", "Failed")], [("start", "end"), ("Failed", "end")])
# One kept-alive connection for all calls, so that a reset would be seen.
ASKING = """
import http.client, sys
connection = http.client.HTTPConnection("raw.example.com", timeout=10)
while True:
    connection.request("GET", "/echo/scripted")
    answer = connection.getresponse()
    answer.read()
    print(answer.status, flush=True)
"""


def await_another(lunard, before):
    """The script host that follows on one that was killed."""
    def found():
        return [pid for pid in lunard.processes("scripts") if pid != before]

    return wait_until(found, 10, lunard.log)[0]


@pytest.fixture
def lunard(make_lunard, world):
    lunard = make_lunard(PATIENT, files={"flows/scripted.yaml": SCRIPTED})
    lunard.attach(world.captured)
    return lunard


@pytest.fixture
def asking(lunard, world):
    client = world.start_client([sys.executable, "-c", ASKING], captured=True, label="scripted")
    yield client
    client.stop()


def test_a_killed_script_host_is_replaced_without_the_gateway(lunard, world, asking):
    def statuses():
        return asking.log().split()

    def await_successes():
        """Twenty in a row, of which all but the first may have begun after this call."""
        seen = len(statuses())
        wait_until(lambda: statuses()[seen:][-20:] == ["200"] * 20, 10, lambda: f"{statuses()[-30:]}\n{lunard.log()[-3000:]}")

    await_successes()
    gateway = lunard.gateway_pid()
    (host, ) = lunard.processes("scripts")
    for _ in range(3):
        os.kill(host, signal.SIGKILL)
        killed = time.monotonic()
        host = await_another(lunard, host)
        await_successes()
        announce("scripts work again", after_ms=round((time.monotonic() - killed) * 1000))
    assert asking.poll() is None, asking.log()[-2000:]
    assert set(statuses()) <= {"200", "418"}, Counter(statuses())
    assert lunard.gateway_pid() == gateway
    assert lunard.status()["failsafe"]["state"] == "protecting"


def test_a_call_that_the_script_host_had_is_a_failure_at_once(lunard, world, asking):
    wait_until(lambda: "200" in asking.log(), 10, lunard.log)
    (host, ) = lunard.processes("scripts")
    os.kill(host, signal.SIGSTOP)
    seen = -1
    while seen != (seen := len(asking.log())):
        time.sleep(0.3)  # no event tells that the client's call is with the host
    assert "418" not in asking.log()
    os.kill(host, signal.SIGKILL)
    wait_until(lambda: len(asking.log()) > seen, 5, lunard.log)
    assert asking.log()[seen:].split()[0] == "418"
    await_another(lunard, host)
    wait_until(lambda: "200" in asking.log()[seen:], 10, lunard.log)
    assert lunard.metric("lunar_script_failures_total", flow_name="Scripted", processor_key="Mark") >= 1


def test_a_gateway_that_takes_over_has_scripts_from_its_first_request(lunard, world):
    (host, ) = lunard.processes("scripts")
    before = lunard.gateway_pid()
    assert lunard.lunarctl("restart").status == 0
    assert call(world, URL).status == 200
    assert lunard.gateway_pid() != before and lunard.processes("scripts") == [host]
