"""The installed service, from its installation to its purge, with a client at work throughout."""

import json
import re

from container import CommandFailed, wait_for

# A new connection may wait this long at most while the gateway is being replaced (spec, failsafe.heartbeat_deadline
# is 250 ms; the rest is for two busy cores).
LONGEST_WAIT_MS = 1000


def main_pid(machine) -> int:
    return int(machine.show("lunard.service", "MainPID"))


def gateway_pid(machine) -> int:
    found = machine.run("pgrep", "--full", "--", "--role=gateway", check=False).stdout.split()
    return int(found[0]) if found else 0


def restarts(machine) -> int:
    return int(machine.show("lunard.service", "NRestarts"))


def wait_until_active(machine, seconds=15):
    wait_for("lunard.service to be active", lambda: machine.show("lunard.service", "ActiveState") == "active", seconds)


def attached_programs(machine) -> list:
    shown = machine.run("bpftool", "--json", "cgroup", "tree", "/sys/fs/cgroup").stdout.strip()
    return [program for group in json.loads(shown or "[]") for program in group["programs"]
            if not program.get("name", "").startswith("sd_")]


def status(machine) -> dict:
    return json.loads(machine.run("lunarctl", "status", "--json").stdout)


def captured_client(world):
    world.start_client()
    world.attach_client()


def check_nothing_lost(world):
    seen = world.stop_client()
    assert seen["lost"] == []
    assert seen["slowest_new_ms"] < LONGEST_WAIT_MS
    return seen


def test_apt_installs_it_with_what_it_depends_on(machine, package):
    machine.put(package, "root/lunar.deb")
    machine.run("apt-get", "-qq", "-y", "install", "/root/lunar.deb", timeout=120)
    assert machine.show("lunard.service", "ActiveState") == "active"


def test_installation_starts_the_service(installed):
    assert installed.show("lunard.service", "ActiveState") == "active"
    assert installed.run("systemctl", "is-enabled", "lunard.service").stdout.strip() == "enabled"
    assert restarts(installed) == 0
    assert installed.run("stat", "-c", "%a %U %G", "/run/lunar/lunard.sock").stdout.strip() == "660 root lunar"
    health = json.loads(installed.run("curl", "-sS", "http://127.0.0.1:8040/healthz").stdout)
    assert health == {**health, "status": "ok"}
    assert status(installed)["version"]


def test_the_gateway_process_has_no_privilege(installed):
    state = installed.run("cat", f"/proc/{gateway_pid(installed)}/status").stdout
    uid = installed.run("id", "-u", "lunar").stdout.strip()
    assert re.search(r"^Uid:\s+(\d+)", state, re.M)[1] == uid
    for kind in ("CapPrm", "CapEff", "CapInh", "CapAmb", "CapBnd"):
        assert int(re.search(rf"^{kind}:\s+(\w+)", state, re.M)[1], 16) == 0, kind
    assert re.search(r"^NoNewPrivs:\s+1", state, re.M)
    assert re.search(r"^Seccomp:\s+2", state, re.M)


def test_a_bad_configuration_keeps_it_down_and_says_why(installed):
    installed.write("etc/lunar/lunard.yaml", "shutdown_grace: soon\n")
    installed.run("systemctl", "restart", "lunard.service", check=False)
    wait_for("a failed unit", lambda: installed.show("lunard.service", "ActiveState") == "failed", 10)
    assert re.search(r"lunard\.yaml:1:\d+: error: ", installed.journal("lunard.service"))
    assert attached_programs(installed) == []


def test_watchdog_restarts_a_hung_supervisor(world):
    captured_client(world)
    machine = world.machine
    machine.run("kill", "-STOP", main_pid(machine))
    wait_for("a restart by the watchdog", lambda: restarts(machine) == 1, 15)
    wait_until_active(machine)
    world.answered(50)
    check_nothing_lost(world)


def test_a_killed_gateway_is_replaced(world):
    captured_client(world)
    machine = world.machine
    supervisor, gateway = main_pid(machine), gateway_pid(machine)
    machine.run("kill", "-KILL", gateway)
    wait_for("another gateway", lambda: gateway_pid(machine) not in (0, gateway), 10)
    before = world.captured()
    wait_for("captured requests again", lambda: world.captured() > before, 15)
    assert main_pid(machine) == supervisor
    assert restarts(machine) == 0
    seen = world.stop_client()
    # What the killed process held is gone: at most the request of the moment.
    assert len(seen["lost"]) <= 1
    assert seen["slowest_new_ms"] < LONGEST_WAIT_MS


def test_a_killed_supervisor_comes_back_without_a_leak(world):
    captured_client(world)
    machine = world.machine
    before = sorted(program["attach_type"] for program in attached_programs(machine))
    for round_number in range(1, 4):
        machine.run("kill", "-KILL", main_pid(machine))
        wait_for("a restart", lambda expected=round_number: restarts(machine) == expected, 10)
        wait_until_active(machine)
        world.answered(20)
    wait_for("the attachment of before",
             lambda: sorted(program["attach_type"] for program in attached_programs(machine)) == before, 15)
    seen = world.stop_client()
    assert len(seen["lost"]) <= 3


def test_upgrade_loses_nothing(world, newer_package):
    captured_client(world)
    machine = world.machine
    old = main_pid(machine)
    machine.put(newer_package, "root/newer.deb")
    machine.run("apt-get", "-qq", "-y", "install", "/root/newer.deb", timeout=120)
    assert machine.run("dpkg-query", "-W", "-f", "${Version}", "lunar-gateway").stdout == "0.1.1-1"
    wait_until_active(machine)
    assert machine.run("readlink", f"/proc/{main_pid(machine)}/exe").stdout.strip() == "/usr/sbin/lunard"
    assert main_pid(machine) != old or restarts(machine) == 0
    before = world.captured()
    wait_for("the client captured by the new version", lambda: world.captured() > before, 15)
    check_nothing_lost(world)


def test_an_upgrade_keeps_the_administrators_changes(installed, newer_package):
    installed.write("etc/lunar/gateway_config.yaml", "blocked_domains: ['^admin']\n")
    installed.run("systemctl", "disable", "lunard.service")
    installed.put(newer_package, "root/newer.deb")
    installed.run("apt-get", "-qq", "-y", "install", "/root/newer.deb", timeout=120)
    assert installed.run("cat", "/etc/lunar/gateway_config.yaml").stdout == "blocked_domains: ['^admin']\n"
    assert installed.run("systemctl", "is-enabled", "lunard.service", check=False).stdout.strip() == "disabled"


def test_stop_leaves_nothing(world):
    captured_client(world)
    machine = world.machine
    machine.run("systemctl", "stop", "lunard.service")
    assert machine.show("lunard.service", "Result") == "success"
    assert attached_programs(machine) == []
    assert machine.run("pgrep", "--full", "[l]unard( |$)", check=False).stdout == ""
    kernels_own = {"/sys/fs/bpf/maps.debug", "/sys/fs/bpf/progs.debug"}
    assert set(machine.run("find", "/sys/fs/bpf", "-mindepth", "1").stdout.split()) <= kernels_own
    listening = machine.run("ss", "-Hltn").stdout.splitlines()
    assert listening == [], listening
    assert not machine.root("run/lunar/lunard.sock").exists()
    assert not machine.root("sys/fs/cgroup/system.slice/lunard.service").exists()
    world.answered(50)
    check_nothing_lost(world)


def test_attachments_survive_a_restart_of_the_machine_service(world):
    captured_client(world)
    machine = world.machine
    machine.run("systemctl", "restart", "lunard.service")
    before = world.captured()
    wait_for("captured requests after the restart", lambda: world.captured() > before, 15)
    check_nothing_lost(world)


def test_purge_leaves_the_machine_as_it_was(installed):
    installed.run("lunarctl", "attach", "system.slice")
    installed.run("apt-get", "-qq", "-y", "remove", "lunar-gateway", timeout=120)
    assert installed.run("pgrep", "--full", "[l]unard( |$)", check=False).stdout == ""
    assert installed.root("etc/lunar/lunard.yaml").exists(), "configuration stays until it is purged"
    installed.run("apt-get", "-qq", "-y", "purge", "lunar-gateway", timeout=120)
    for path in ("etc/lunar", "var/lib/lunar", "var/log/lunar", "run/lunar", "usr/share/lunar", "usr/sbin/lunard",
                 "etc/systemd/system/multi-user.target.wants/lunard.service"):
        assert not installed.root(path).exists(), path
    assert attached_programs(installed) == []
    try:
        known = installed.run("systemctl", "cat", "lunard.service")
    except CommandFailed:
        known = None
    assert known is None, "the unit is still known"


def test_it_can_be_removed_and_installed_again(installed):
    installed.run("apt-get", "-qq", "-y", "remove", "lunar-gateway", timeout=120)
    installed.run("apt-get", "-qq", "-y", "install", "/root/lunar.deb", timeout=120)
    assert installed.show("lunard.service", "ActiveState") == "active"
    assert installed.run("systemctl", "is-enabled", "lunard.service").stdout.strip() == "enabled"
