"""An exporter that gets another folder: what a running gateway can do, and what it says where it cannot."""

import json
import re
import shutil

import pytest

from flow_clients import call
from lunards import PATIENT
from test_flows import flow
from world.deadline import wait_until
from world.lunard import gateway_user

URL = "http://raw.example.com/echo/recorded"
RECORDED = flow("Recorded", "raw.example.com/echo/*", {"Record": ("HARCollector", {"exporter_id": "audit"})}, None, [("start", "Record"), ("Record", "end")])


def exporter(folder):
    return {"exporters": {"file": {"exporter_id": "audit", "file_dir": str(folder)}}}


def entries(folder):
    file = folder / "har.ndjson"
    return len(file.read_text().splitlines()) if file.exists() else 0


@pytest.fixture
def folders(world):
    made = [world.directory / name for name in ("har-before", "har-after")]
    for folder in made:
        folder.mkdir()
        shutil.chown(folder, gateway_user())
    return made


def test_a_new_exporter_folder_is_refused_aloud_and_used_after_a_restart(make_lunard, world, folders):
    before, after = folders
    lunard = make_lunard({**PATIENT, "exporters": {"flush": "0s"}}, exporter(before), {"flows/recorded.yaml": RECORDED})
    lunard.attach(world.captured)
    assert call(world, URL).status == 200
    wait_until(lambda: entries(before) == 1, 5, lunard.log)

    lunard.write("gateway_config.yaml", json.dumps(exporter(after)))
    warning = re.compile(rf"gateway_config\.yaml:1:\d+: warning: {after} was not there .*: HAR entries are lost until `lunarctl restart` \[file-unusable\]")
    status, answer = lunard.control("POST", "/validate_flows")
    assert status == 200 and [one["severity"] for one in answer["diagnostics"] if "HAR entries are lost" in one["text"]] == ["warning"]
    assert not warning.search(lunard.log())
    loaded = lunard.lunarctl("flows", "load")
    assert loaded.status == 0 and len(warning.findall(loaded.stdout)) == 1, loaded
    assert len(warning.findall(lunard.log())) == 1
    assert call(world, URL).status == 200
    wait_until(lambda: lunard.metric("lunar_exporter_dropped_total", exporter="file") == 1, 5, lunard.log)
    assert (entries(before), entries(after)) == (1, 0)

    assert lunard.lunarctl("restart").status == 0
    assert lunard.control("POST", "/load_flows")[0] == 200
    assert len(warning.findall(lunard.log())) == 1
    assert call(world, URL).status == 200
    wait_until(lambda: entries(after) == 1, 5, lunard.log)
