"""Configurations replaced over the control API: whole or not at all, whoever asks and whatever is killed meanwhile."""

import base64
import hashlib
import http.client
import json
import os
import random
import signal
import socket
import threading
import time
from pathlib import Path

import pytest

from drill import Load, announce
from flow_clients import call
from lunards import PATIENT
from test_flows import flow, limiter
from world.deadline import wait_until
from world.lunard import ADMIN, ask

RAW = "http://raw.example.com"
KEY = "a key of this test"
PARTS = ("flows", "quotas", "path_params")


def encoded(text):
    return base64.b64encode(text.encode()).decode()


def canned(status, name="Canned"):
    return flow(name, "raw.example.com/canned/*", {"Say": ("GenerateResponse", {"status": status})}, [("start", "Say")], [("start", "end"), ("Say", "end")])


def flows(**texts):
    return {"flows": {f"{name}.yaml": encoded(text) for name, text in texts.items()}}


def root(lunard):
    """Every file of the configuration root that an apply may touch or leave behind."""
    files = {}
    for path in sorted(lunard.directory.rglob("*")):
        name = str(path.relative_to(lunard.directory))
        if path.is_file() and not name.startswith(("state/", "log/")) and name not in ("lunard.yaml", "lunard.log"):
            files[name] = path.read_text()
    return files


def backups(lunard):
    return sorted(path.name for path in (lunard.directory / "state").glob("lunar-proxy-*"))


def said(answer):
    """The document in the text of an answer of /configuration."""
    response = json.loads(answer["data"])["operation_response"]
    assert response["status"] == "OK"
    return response


def over_tcp(world, method, path, body=None, key=KEY):
    connected = world.host.connect(("127.0.0.1", ADMIN))
    connected.settimeout(10)
    status, _, text = ask(connected, method, path, json.dumps(body) if body is not None else None, {"Authorization": f"Bearer {key}"} if key else {})
    return status, json.loads(text)


@pytest.fixture
def lunard(make_lunard, world):
    key = world.directory / "admin.key"
    key.write_text(KEY + "\n")
    lunard = make_lunard({**PATIENT, "backups": 3, "admin": {"api_key_file": str(key)}}, files={"flows/canned.yaml": canned(418)})
    lunard.attach(world.captured)
    return lunard


def test_a_good_set_replaces_the_folder_and_serves(lunard, world):
    assert call(world, f"{RAW}/canned/x").status == 418
    status, answer = lunard.control("PUT", "/apply_flows", {**flows(other=canned(451)), "quotas": {}, "metrics": encoded("")})
    assert status == 200, answer
    assert call(world, f"{RAW}/canned/x").status == 451
    assert root(lunard) == {"flows/other.yaml": canned(451), "metrics.yaml": ""}
    assert [answer["checkpoint"]] == backups(lunard)
    kept = lunard.directory / "state" / answer["checkpoint"]
    assert (kept / "flows/canned.yaml").read_text() == canned(418)
    assert (lunard.directory / "flows/other.yaml").stat().st_mode & 0o777 == 0o644
    assert "uid 0 (pid " in lunard.log()


def test_a_bad_set_changes_nothing_and_says_why(lunard, world):
    before = root(lunard)
    status, answer = lunard.control("PUT", "/apply_flows", flows(good=canned(451), bad="name: Broken\nfilter: {}\n"))
    assert status == 400 and answer["error"].startswith("flows/bad.yaml:")
    assert {one["id"] for one in answer["diagnostics"] if one["severity"] == "error"} == {"filter-url-required", "connection-not-defined"}
    assert root(lunard) == before and backups(lunard) == []
    assert call(world, f"{RAW}/canned/x").status == 418


@pytest.mark.parametrize("name", ["../a.yaml", "a/b.yaml", ".a.yaml", "a.txt", "", "/etc/passwd.yaml"])
def test_names_are_plain(lunard, name):
    before = root(lunard)
    for method, path, body in (("PUT", "/apply_flows", {"flows": {name: ""}}), ("POST", "/validate_flows", {"flows": {name: ""}}),
                               ("POST", "/configuration", {"operation": {"update": {"flows": {name: ""}}}})):
        status, answer = lunard.control(method, path, body)
        assert status == 400 and "no plain file name" in answer["error"]
    assert root(lunard) == before


def test_what_is_no_payload_is_refused(lunard):
    before = root(lunard)
    for body in ({}, [], {"flow": {}}, {"flows": {"a.yaml": "no base64"}}, {"flows": "x"}):
        status, answer = lunard.control("PUT", "/apply_flows", body)
        assert status == 400 and answer["error"], body
    connected = socket.socket(socket.AF_UNIX)
    connected.connect(str(lunard.socket_path))
    with connected:
        connected.sendall(b"PUT /apply_flows HTTP/1.1\r\nHost: x\r\nContent-Length: 16777217\r\n\r\n")
        assert connected.recv(4096).startswith(b"HTTP/1.1 413 ")
    assert lunard.control("POST", "/apply_flows", {})[0] == 405
    assert root(lunard) == before


def test_while_one_apply_runs_another_is_told_so(lunard):
    gateway = lunard.gateway_pid()
    first = []
    os.kill(gateway, signal.SIGSTOP)
    try:
        running = threading.Thread(target=lambda: first.append(lunard.control("PUT", "/apply_flows", flows(one=canned(451)))))
        running.start()
        wait_until(lambda: "apply of the configuration" in lunard.log(), 3, "the first apply has begun")
        assert lunard.control("PUT", "/apply_flows", flows(two=canned(452)))[0] == 226
        assert lunard.control("POST", "/configuration", {"operation": {"delete": {"all": True}}})[0] == 400
    finally:
        os.kill(gateway, signal.SIGCONT)
    running.join()
    assert first[0][0] == 200, first
    assert list(root(lunard)) == ["flows/one.yaml"]


def test_when_the_gateway_dies_during_an_apply_the_old_configuration_comes_back(lunard, world):
    before, gateway = root(lunard), lunard.gateway_pid()
    answers = []
    os.kill(gateway, signal.SIGSTOP)
    running = threading.Thread(target=lambda: answers.append(lunard.control("PUT", "/apply_flows", flows(one=canned(451)))))
    running.start()
    wait_until(lambda: "apply of the configuration" in lunard.log(), 3, "the apply has begun")
    os.kill(gateway, signal.SIGKILL)
    running.join()
    assert answers[0][0] == 400 and root(lunard) == before
    wait_until(lambda: lunard.health("/readyz")[0] == 200 and lunard.failsafe()["state"] == "protecting", 15, "a gateway serves again")
    assert call(world, f"{RAW}/canned/x").status == 418


def test_validation_of_a_body_writes_nothing_and_loads_nothing(lunard, world):
    before = root(lunard)
    assert lunard.control("POST", "/validate_flows", flows(new=canned(451)))[0] == 200
    status, answer = lunard.control("POST", "/validate_flows", {"quotas": {"q.yaml": encoded("quotas: [{id: X}]\n")}})
    assert status == 422 and answer["error"].startswith("quotas/q.yaml:")
    # over the files of the root, which hold no such quota
    assert lunard.control("POST", "/validate_flows", {**flows(limited=limiter("L", "raw.example.com/x", "Q"))})[0] == 422
    assert lunard.control("POST", "/validate_flows")[0] == 200
    assert root(lunard) == before and backups(lunard) == []
    assert call(world, f"{RAW}/canned/x").status == 418


def test_operations_on_the_configuration(lunard, world):
    def operate(operation, expected=200):
        status, answer = lunard.control("POST", "/configuration", {"operation": operation})
        assert status == expected, answer
        return said(answer) if status == 200 else answer

    assert operate({"get": {"all": True}})["configurations"][0]["configuration"]["flows"] == {"canned.yaml": encoded(canned(418))}
    operate({"init": {}})
    assert all((lunard.directory / part).is_dir() for part in PARTS)
    whole = {**flows(a=canned(451), b=limiter("B", "raw.example.com/b", "Q")), "metrics": encoded(""), "gateway_config": encoded("{}\n"),
             "quotas": {"q.yaml": encoded("quotas: [{id: Q, filter: {url: raw.example.com/b}, strategy: {fixed_window: {max: 1, interval: 1, interval_unit: hour}}}]\n")},
             "path_params": {"p.yml": encoded('path_params: [{url: "raw.example.com/a/{id}"}]\n')}}
    first = operate({"update": whole})["checkpoint"]
    assert operate({"get": {}})["configurations"][0]["configuration"] == whole
    assert call(world, f"{RAW}/canned/x").status == 451

    refused = operate({"delete": {"quotas": True}}, 400)  # a flow needs it
    assert refused["error"].startswith("flows/b.yaml:") and (lunard.directory / "quotas/q.yaml").exists()
    assert "there is no flows/c.yaml" in operate({"delete": {"flow_by_name": "c.yaml"}}, 400)["error"]
    second = operate({"delete": {"flow_by_name": ["b.yaml"]}})["checkpoint"]
    operate({"delete": {"quota_by_name": "q.yaml"}})
    operate({"delete": {"path_param_by_name": ["p.yml"]}})
    operate({"delete": {"gateway_config": True}})
    operate({"delete": {"metrics": True}})
    assert root(lunard) == {"flows/a.yaml": canned(451)}
    assert len(backups(lunard)) == 3 and first not in backups(lunard)
    assert "there is no backup" in operate({"restore": {"checkpoint": first}}, 400)["error"]
    assert "there is no backup" in operate({"restore": {"checkpoint": "../state"}}, 400)["error"]
    assert second not in backups(lunard)
    last = operate({"delete": {"all": True}})["checkpoint"]
    assert root(lunard) == {} and call(world, f"{RAW}/canned/x").status == 404
    operate({"restore": {"checkpoint": last}})
    assert root(lunard) == {"flows/a.yaml": canned(451)} and call(world, f"{RAW}/canned/x").status == 451
    for operation in ({}, {"get": {}, "init": {}}, {"delete": {}}, {"delete": {"flows": True, "metrics": True}}, {"move": {}}):
        operate(operation, 400)


def test_over_tcp_with_the_key_and_not_without(lunard, world):
    for key in (None, "wrong"):
        for method, path in (("PUT", "/apply_flows"), ("POST", "/configuration"), ("POST", "/validate_flows")):
            assert over_tcp(world, method, path, {}, key)[0] == 401
    assert over_tcp(world, "POST", "/validate_flows", flows(new=canned(451)))[0] == 200
    assert over_tcp(world, "POST", "/validate_flows", flows(new="name: x"))[0] == 422
    status, answer = over_tcp(world, "PUT", "/apply_flows", flows(new="name: x"))
    assert status == 400 and answer["diagnostics"]
    # larger than a message between the two processes
    padding = ("# " + "x" * 76 + "\n") * 8000
    large = {f"f{i}": canned(451, f"Flow{i}").replace("/canned/", f"/canned-{i}/") + "\n" + padding for i in range(12)}
    status, answer = over_tcp(world, "PUT", "/apply_flows", flows(new=canned(451), **large))
    assert status == 200, answer
    assert len(root(lunard)) == 13 and call(world, f"{RAW}/canned/x").status == 451
    status, answer = over_tcp(world, "POST", "/configuration", {"operation": {"get": {"all": True}}})
    assert len(said(answer)["configurations"][0]["configuration"]["flows"]) == 13
    assert over_tcp(world, "POST", "/load_flows")[0] == 200
    assert "a holder of the key, over TCP" in lunard.log()


def test_the_doctor_shows_what_is_loaded_without_secrets(lunard, world):
    secret = flow("Secret", "raw.example.com/secret", {"Say": ("GenerateResponse", {"status": 200, "X-Api-Key": "hush-hush"})}, [("start", "Say")], [("start", "end"), ("Say", "end")])
    assert lunard.control("PUT", "/apply_flows", {**flows(secret=secret), "metrics": encoded("")})[0] == 200
    for report in (lunard.control("GET", "/doctor")[1], over_tcp(world, "GET", "/doctor")[1]):
        loaded = report["loaded_streams_config"]["data"]
        assert [(one["type"], one["file_name"]) for one in loaded] == [("flow", "secret.yaml"), ("metrics", "metrics.yaml")]
        assert loaded[0]["md5"] == hashlib.md5(secret.encode()).hexdigest()
        assert "GenerateResponse" in loaded[0]["content"] and "hush" not in json.dumps(report)


def two_configurations():
    def one(mark, status):
        texts = {f"{mark}{i}": canned(status, f"{mark}{i}").replace("/canned/", f"/canned-{i}/") for i in range(12)}
        quota = "quotas: [{id: %s, filter: {url: q%s.example.com/q}, strategy: {fixed_window: {max: 1, interval: 1, interval_unit: hour}}}]\n"
        return {**flows(**texts, canned=canned(status, mark)), "quotas": {f"{i}.yaml": encoded(quota % (f"{mark}{i}", i)) for i in range(6)},
                "path_params": {}, "metrics": encoded(f"# {mark}\n"), "gateway_config": encoded(f"# {mark}\n")}
    return one("A", 451), one("B", 452)


def files_of(payload):
    files = {f"{part}/{name}": text for part in PARTS for name, text in payload[part].items()}
    files |= {"metrics.yaml": payload["metrics"], "gateway_config.yaml": payload["gateway_config"]}
    return {path: base64.b64decode(text).decode() for path, text in files.items()}


@pytest.mark.limit(400)
def test_whenever_the_supervisor_is_killed_the_configuration_is_the_old_or_the_new_one(make_lunard, world):
    rounds, chosen = 30, random.Random(8)
    lunard = make_lunard({**PATIENT, "backups": 2, "shutdown_grace": "0s"})
    a, b = two_configurations()
    whole = {json.dumps(files_of(one), sort_keys=True): mark for one, mark in ((a, "A"), (b, "B"))}
    assert lunard.control("PUT", "/apply_flows", a)[0] == 200
    seen, applies, completed = [], 0, 0

    def keep_applying(going):
        nonlocal applies
        while going.is_set():
            for one in (b, a):
                try:
                    status, answer = lunard.control("PUT", "/apply_flows", one)
                except (OSError, http.client.HTTPException):
                    return
                assert status == 200, answer
                applies += 1

    for _ in range(rounds):
        going = threading.Event()
        going.set()
        applying = threading.Thread(target=keep_applying, args=(going,))
        applying.start()
        time.sleep(chosen.uniform(0.01, 0.5))
        lunard.child.signal(signal.SIGKILL)
        lunard.child.wait(10)
        going.clear()
        applying.join()
        completed += (lunard.directory / "state/configuration.pending").exists()
        wait_until(lambda: not lunard.cgroup.pids(), 15, "the gateway ends after its supervisor")
        lunard.start()
        files = json.dumps(root(lunard), sort_keys=True)
        assert files in whole, f"a mixture: {sorted(root(lunard))}"
        seen.append(whole[files])
        assert {one["name"][0] for one in lunard.control("GET", "/flows")[1]["flows"]} == {seen[-1]}
        state = [path.name for path in (lunard.directory / "state").iterdir() if "lunar-proxy" in path.name or "configuration" in path.name]
        assert len(state) <= 2 and all(name.startswith("lunar-proxy-") for name in state), state
    announce("supervisor killed during applies", kills=rounds, applies=applies, old_or_new="".join(seen), completed_at_start=completed)
    assert set(seen) == {"A", "B"}


def pss(pid):
    fields = dict(line.split(":", 1) for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()[1:])
    return int(fields["Pss"].split()[0])


def counted(lunard, quota):
    return sum(group["used"] for node in lunard.control("GET", "/quotas")[1]["quotas"] if node["id"] == quota for group in node["groups"])


@pytest.mark.limit(300)
def test_a_thousand_reloads_under_load_fail_no_request_and_lose_no_count(make_lunard, world, builds):
    quota = "quotas: [{id: All, filter: {url: load.example.com/*}, strategy: {fixed_window: {max: 100000000, interval: 1, interval_unit: day}}}]\n"
    lunard = make_lunard(PATIENT, files={"quotas/all.yaml": quota, "flows/all.yaml": limiter("All", "load.example.com/*", "All"), "flows/canned.yaml": canned(418)})
    lunard.attach(world.captured)
    gateway = lunard.gateway_pid()

    def reload(i):
        if i % 10:
            status, answer = lunard.control("POST", "/load_flows")
        else:
            status, answer = lunard.control("PUT", "/apply_flows", flows(all=limiter("All", "load.example.com/*", "All"), canned=canned(400 + i % 99)))
        assert status == 200, answer

    began = time.monotonic()
    with Load(world, builds, fresh=200, kept=20) as running:
        for i in range(1000):
            reload(i)
        took = time.monotonic() - began
        operations = running.finish()
    # A leak grows in each of the rounds; the allocator settles after some.
    sizes = [pss(gateway)]
    for _ in range(4):
        for i in range(500):
            reload(i)
        sizes.append(pss(gateway))
    growth = min(after - before for before, after in zip(sizes, sizes[1:]))
    failed = [operation for operation in operations if operation.failure]
    announce("1000 reloads under load", operations=len(operations), failed=len(failed), counted=counted(lunard, "All"), took=f"{took:.1f} s",
             gateway_pss_over_4_times_500_more=f"{' '.join(map(str, sizes))} KiB")
    assert not failed and len(operations) > 500
    assert lunard.gateway_pid() == gateway
    assert counted(lunard, "All") == len(operations)
    assert growth * 1024 < 500 * 100, "a reload may leave less than 100 bytes behind"
