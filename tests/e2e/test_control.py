"""What operators and monitoring see: lunarctl, health, metrics, control socket."""

import json
import os
import sys

import pytest

from world.deadline import wait_until
from world.lunard import ADMIN, ask

CAPTURED_URL = "http://raw.example.com/hello"


def test_lunarctl_status_shows_a_protecting_gateway_and_its_attachment(lunard, world):
    status = json.loads(lunard.lunarctl("--json", "status").stdout)
    assert status["failsafe"]["state"] == "protecting"
    assert world.captured.name in json.dumps(status["attachments"])
    assert lunard.lunarctl("status").stdout.strip()


def test_health_endpoints_answer_as_specified(lunard):
    assert lunard.health("/healthcheck")[1].strip() == "proxy is up"
    status, body = lunard.health("/healthz")
    assert (status, json.loads(body)["status"]) == (200, "ok")
    status, body = lunard.health("/readyz")
    assert (status, json.loads(body)["ready"]) == (200, True)
    assert {"version", "instance_id", "failsafe"} <= json.loads(body).keys()
    assert lunard.health("/other")[0] == 404


def test_the_admin_port_wants_a_key(lunard, world):
    status, fields, _ = ask(world.host.connect(("127.0.0.1", ADMIN)), "GET", "/status")
    assert status == 401 and fields["www-authenticate"].startswith("Bearer")


def test_metrics_show_state_and_counted_calls(lunard, world):
    def calls():
        return sum(value for name, value in lunard.metrics().items() if name.startswith("api_call_count_total"))
    before = calls()
    for _ in range(3):
        world.run(["curl", "-sS", CAPTURED_URL], captured=True)
    lunard.lines()
    assert calls() == before + 3
    states = {name: value for name, value in lunard.metrics().items() if name.startswith("lunar_failsafe_state")}
    assert [name for name, value in states.items() if value == 1] and any('state="protecting"' in name for name, value in states.items() if value == 1)


def test_direct_connections_are_counted_by_reason(lunard, world):
    before = lunard.failsafe()["direct_connections"]
    world.run([sys.executable, "-c", "import socket; socket.create_connection(('127.0.0.1', 8040)).close()"], captured=True)
    after = lunard.failsafe()["direct_connections"]
    grown = {reason for reason in after if after[reason] > before.get(reason, 0)}
    assert grown


def test_a_program_that_is_not_attached_goes_direct(lunard, world):
    outcome, cgroup = world.run(["curl", "-sS", CAPTURED_URL], captured=False)
    assert outcome.stdout == "hello\n"
    assert lunard.lines_of(cgroup) == []


def test_attach_and_detach_take_effect_for_the_next_connection(lunard, world):
    cgroup = world.cgroup.child("by-hand")
    from world.child import run
    def fetch():
        return run(["curl", "-sS", CAPTURED_URL], namespace=world.host, cgroup=cgroup).stdout
    assert (fetch(), len(lunard.lines_of(cgroup))) == ("hello\n", 0)
    lunard.attach(cgroup)
    assert (fetch(), len(lunard.lines_of(cgroup, at_least=1))) == ("hello\n", 1)
    lunard.detach(cgroup)
    assert (fetch(), len(lunard.lines_of(cgroup))) == ("hello\n", 1)


def test_a_cgroup_below_an_attached_one_that_is_made_again_is_captured_again(lunard, world):
    from world.cgroup import Cgroup
    from world.child import run
    parent = world.cgroup.child("units")
    parent.child("shop.service")
    lunard.attach(parent.child("shop.service"))
    for count in (1, 2):
        unit = Cgroup(parent.path / "shop.service")
        run(["curl", "-sS", CAPTURED_URL], namespace=world.host, cgroup=unit)
        assert len(lunard.lines_of(unit, at_least=count)) == count
        unit.remove()
    lunard.lunarctl("detach", parent.name + "/shop.service")


def test_attach_by_pid_captures_the_cgroup_of_the_process(lunard, world):
    sleeper = world.start_client(["sleep", "60"], captured=False)
    wait_until(lambda: sleeper.pid in sleeper.cgroup.pids(), 5, "the process in its cgroup")
    assert lunard.lunarctl("attach", "--pid", str(sleeper.pid)).status == 0
    assert sleeper.cgroup.name in lunard.lunarctl("--json", "attachments").stdout
    assert lunard.lunarctl("detach", "--pid", str(sleeper.pid)).status == 0
    sleeper.stop()


def test_lunarctl_run_captures_one_command_and_passes_its_exit_code(lunard, world):
    before = len(lunard.lines())
    outcome = lunard.lunarctl("run", "--", "sh", "-c", f"curl -sS {CAPTURED_URL}; exit 7")
    assert (outcome.stdout, outcome.status) == ("hello\n", 7)
    assert len([line for line in lunard.lines()[before:] if line["path"] == "/hello"]) == 1


def test_lunarctl_tail_follows_transactions(lunard, world):
    world.run(["curl", "-sS", "http://raw.example.com/status/201"], captured=True)
    outcome = lunard.lunarctl("--json", "tail", "-n", "1")
    assert json.loads(outcome.stdout.splitlines()[-1])["path"] == "/status/201"


def test_lunarctl_top_names_the_program(lunard, world):
    world.run(["curl", "-sS", CAPTURED_URL], captured=True)
    assert "curl" in lunard.lunarctl("--json", "top").stdout


def test_lunarctl_refuses_what_does_not_exist_and_says_why(lunard):
    outcome = lunard.lunarctl("attach", "/no/such/cgroup\n")
    assert outcome.status in (1, 2) and outcome.stderr.strip()
    assert lunard.lunarctl("nonsense").status == 2


def test_lunarctl_without_a_daemon_exits_with_3(lunard, world):
    from world.child import run
    outcome = run([lunard.build / "cli/lunarctl", "--socket", "/nonexistent/lunard.sock", "status"], namespace=world.host, cgroup=world.cgroup.child("lunarctl"))
    assert outcome.status == 3 and outcome.stderr.strip()


def test_doctor_finds_this_machine_fit(lunard):
    outcome = lunard.lunarctl("--json", "doctor")
    checks = json.loads(outcome.stdout)["checks"]
    assert checks and [check for check in checks if check["level"] == "error"] == []


@pytest.mark.parametrize("text, message", [("listeners: {proxy: 12:34:x}", "lunard.yaml:1:"), ("shutdown_grace: 30", "lunard.yaml:1:"),
                                           ("failsafe: {heartbeat_deadline: 1ms}", "lunard.yaml:1:")])
def test_a_bad_lunard_yaml_ends_the_start_with_exit_3_and_a_position(world, lunard, text, message):
    from world.child import run
    directory = world.directory / f"bad-{abs(hash(text))}"
    directory.mkdir()
    (directory / "lunard.yaml").write_text(text + "\n")
    outcome = run([lunard.build / "agent/lunard", f"--config-dir={directory}"], namespace=world.host, cgroup=world.cgroup.child("bad"))
    assert outcome.status == 3
    assert message in outcome.stdout + outcome.stderr and "error:" in outcome.stdout + outcome.stderr


def test_a_port_in_use_ends_the_start_with_exit_4(lunard, world):
    from world.child import run
    directory = world.directory / "second"
    directory.mkdir()
    (directory / "lunard.yaml").write_text(json.dumps({"control": {"socket": str(directory / "s"), "group": "root"}, "state": {"dir": str(directory / "state")},
                                                       "access_log": {"path": str(directory / "log")}}))
    outcome = run([lunard.build / "agent/lunard", f"--config-dir={directory}"], namespace=world.host, cgroup=world.cgroup.child("second"))
    assert outcome.status == 4
    assert "8000" in outcome.stdout + outcome.stderr


def test_the_gateway_process_is_unprivileged(lunard):
    from pathlib import Path
    fields = dict(line.split(":", 1) for line in Path(f"/proc/{lunard.gateway_pid()}/status").read_text().splitlines())
    assert int(fields["CapEff"], 16) == 0 and int(fields["CapPrm"], 16) == 0
    assert fields["NoNewPrivs"].strip() == "1"
    assert fields["Seccomp"].strip() == "2"
    assert fields["Uid"].split()[0] != "0"
    assert os.stat(lunard.socket_path).st_mode & 0o777 == 0o660
