"""The container itself, with a unit of its own: what the other tests build on."""

import os

from container import cgroup2_mount, wait_for

UNIT = """
[Service]
Type=notify
ExecStart=/bin/sh -c 'systemd-notify --ready; exec sleep infinity'
NotifyAccess=all
Restart=always
RestartSec=50ms
WatchdogSec=500ms
WatchdogSignal=KILL
ProtectSystem=strict
PrivateTmp=yes
"""


def test_services_start_and_a_silent_watchdog_restarts_them(machine):
    machine.write("etc/systemd/system/stand-in.service", UNIT)
    machine.run("systemctl", "daemon-reload")
    machine.run("systemctl", "start", "stand-in.service")
    assert machine.show("stand-in.service", "ActiveState") == "active"
    assert machine.show("stand-in.service", "ControlGroup") == "/system.slice/stand-in.service"
    wait_for("a restart by the watchdog", lambda: int(machine.show("stand-in.service", "NRestarts")) >= 1, 10)


def test_it_sees_its_own_processes_network_and_cgroups_alone(machine):
    assert machine.run("cat", "/proc/1/comm").stdout == "systemd\n"
    assert machine.run("stat", "-fc", "%T", "/sys/fs/cgroup").stdout == "cgroup2fs\n"
    assert str(os.getpid()) not in machine.run("ls", "/proc").stdout.split()
    links = machine.run("ip", "-brief", "link").stdout.splitlines()
    assert [line.split()[0] for line in links] == ["lo"]


def test_nothing_is_left_when_it_ends(tree):
    from container import Container

    before = set(cgroup2_mount().rglob("lunar-container-*"))
    with Container(tree) as machine:
        machine.write("root/file", "of this container")
        inside = machine.cgroup
        assert inside.is_dir()
    assert not inside.exists()
    assert set(cgroup2_mount().rglob("lunar-container-*")) <= before
    assert not (tree / "root/file").exists()
    assert machine.launcher.returncode is not None
