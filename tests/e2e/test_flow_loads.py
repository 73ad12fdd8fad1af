"""How flows come into effect without anybody asking over the control API: at a start, and by SIGHUP."""

import json
import os
import signal

from flow_clients import call, statuses
from lunards import PATIENT
from test_flow_stops import window
from test_flows import flow, limiter
from world.deadline import wait_until

RAW = "http://raw.example.com"


def canned(status):
    return flow("Canned", "raw.example.com/canned/*", {"Say": ("GenerateResponse", {"status": status})}, [("start", "Say")], [("start", "end"), ("Say", "end")])


def test_a_hangup_loads_the_flows_and_the_log_says_what_came_of_it(make_lunard, world):
    lunard = make_lunard(PATIENT, files={"flows/canned.yaml": canned(418)})
    lunard.attach(world.captured)

    def hang_up(said):
        before = lunard.log().count(said)
        os.kill(lunard.supervisor_pid, signal.SIGHUP)
        wait_until(lambda: lunard.log().count(said) > before, 5, lunard.log)

    assert call(world, f"{RAW}/canned/x").status == 418
    lunard.write("flows/canned.yaml", canned(451))
    hang_up("the configuration was reloaded")
    assert call(world, f"{RAW}/canned/x").status == 451
    lunard.write("flows/broken.yaml", "name: Broken\nfilter: {}\n")
    hang_up("flows/broken.yaml:2:9: error: ")
    assert call(world, f"{RAW}/canned/x").status == 451


def test_a_start_with_a_broken_file_is_degraded_and_serves(make_lunard, world):
    lunard = make_lunard(PATIENT, files={"flows/canned.yaml": canned(418), "flows/broken.yaml": "name: Broken\nfilter: {}\n"})
    lunard.attach(world.captured)
    assert "flows/broken.yaml:2:9: error: " in lunard.log()
    status, health = lunard.health("/healthz")
    assert status == 200 and '"degraded"' in health and "flows/broken.yaml" in health
    assert lunard.metric("lunar_config_skipped_files") == 1
    assert call(world, f"{RAW}/canned/x").status == 418
    assert call(world, f"{RAW}/echo/x").status == 200
    (lunard.directory / "flows/broken.yaml").unlink()
    assert lunard.control("POST", "/load_flows")[0] == 200
    wait_until(lambda: '"ok"' in lunard.health("/healthz")[1], 5, lambda: lunard.health("/healthz")[1])


def test_a_broken_snapshot_is_ignored_with_a_warning(make_lunard, world):
    quotas = json.dumps({"quotas": [window("Hourly", "hour")]})
    lunard = make_lunard(PATIENT, files={"quotas/raw.yaml": quotas, "flows/hour.yaml": limiter("Hour", "raw.example.com/echo/hour", "Hourly")})
    lunard.attach(world.captured)
    assert statuses(world, f"{RAW}/echo/hour", 3) == [200, 200, 429]
    assert lunard.stop() == 0
    (lunard.directory / "state/gateway/quotas.json").write_text('{"quotas": [7')
    lunard.start()
    lunard.await_mode("protecting", 5)
    assert "quotas begin anew" in lunard.log()
    assert statuses(world, f"{RAW}/echo/hour", 3) == [200, 200, 429]
