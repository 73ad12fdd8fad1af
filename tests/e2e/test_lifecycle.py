"""Start, stop, persistence of attachments, namespaces: what is there afterwards and what is not."""

import subprocess

import pytest

from lunards import assert_stops_and_leaves_nothing
from world import leftovers
from world.child import run
from world.deadline import wait_until
from world.namespace import Namespace

URL = "http://raw.example.com/hello"


def test_a_stop_leaves_no_program_link_map_listener_process_or_socket(make_lunard, world):
    lunard = make_lunard()
    lunard.attach(world.captured)
    world.run(["curl", "-sS", URL], captured=True)
    assert_stops_and_leaves_nothing(lunard)
    tree = subprocess.run(["bpftool", "cgroup", "tree", str(world.cgroup.path)], capture_output=True, text=True)
    assert "connect4" not in tree.stdout
    outcome, _ = world.run(["curl", "-sS", URL], captured=True)
    assert outcome.stdout == "hello\n"


def test_detaching_everything_leaves_the_traffic_direct(make_lunard, world):
    lunard = make_lunard()
    lunard.attach(world.captured)
    held = [item for item in leftovers.held_by([lunard.supervisor_pid]) if item[0] == "link"]
    assert held
    lunard.detach(world.captured)
    _, cgroup = world.run(["curl", "-sS", URL], captured=True)
    assert lunard.lines_of(cgroup) == []
    wait_until(lambda: not leftovers.still_in_kernel(set(held)), 5, "the links go once no handshake can be under way")


def test_attachments_are_restored_at_the_next_start(make_lunard, world):
    first = make_lunard()
    first.attach(world.captured)
    assert first.stop() == 0
    first.start()
    _, cgroup = world.run(["curl", "-sS", URL], captured=True)
    assert len(first.lines_of(cgroup, at_least=1)) == 1
    assert first.stop() == 0


def test_a_start_with_an_old_socket_file_succeeds(make_lunard, world):
    lunard = make_lunard()
    lunard.child.signal(9)
    lunard.child.wait(10)
    wait_until(lambda: not lunard.cgroup.pids(), 15, "the gateway ends after its supervisor")
    assert lunard.socket_path.exists()
    lunard.start()
    assert lunard.stop() == 0


def test_two_signals_end_it_without_waiting_for_open_requests(make_lunard, world):
    lunard = make_lunard({"shutdown_grace": "60s"})
    lunard.attach(world.captured)
    client = world.start_client(["curl", "-sS", "http://raw.example.com/silence"], captured=True)
    wait_until(lambda: lunard.status()["gateway"]["open_connections"] > 0, 5, "the request is open")
    lunard.child.signal(15)
    with pytest.raises(subprocess.TimeoutExpired):
        lunard.child.wait(0.5)
    lunard.child.signal(15)
    assert lunard.child.wait(5) == 0
    client.stop()


def test_an_open_request_is_finished_before_the_stop(make_lunard, world):
    lunard = make_lunard({"shutdown_grace": "20s"})
    lunard.attach(world.captured)
    client = world.start_client(["curl", "-sS", "http://raw.example.com/slow/1500"], captured=True)
    wait_until(lambda: lunard.status()["gateway"]["open_connections"] > 0, 5, "the request is open")
    lunard.child.signal(15)
    assert client.wait(10) == 0 and client.log() == "late\n"
    assert lunard.child.wait(10) == 0


def test_a_program_in_its_own_network_namespace_goes_direct_unless_asked(make_lunard, world):
    """A second machine behind the first: captured only where lunard was told to listen inside."""
    lunard = make_lunard()
    inner = Namespace("lunar-inner", world.binds)
    try:
        join(world, inner)
        cgroup = world.cgroup.child("inner")
        client = run_client(world, inner, cgroup)
        assert client.stdout == "hello\n"
        holder = world.start_in(inner, cgroup, ["sleep", "60"])
        lunard.attach(cgroup)
        assert run_client(world, inner, cgroup).stdout == "hello\n"
        assert lunard.lines_of(cgroup) == []
        lunard.detach(cgroup)
        assert lunard.lunarctl("attach", "--netns", cgroup.name).status == 0
        assert run_client(world, inner, cgroup).stdout == "hello\n"
        assert len(lunard.lines_of(cgroup, at_least=1)) == 1
        holder.stop()
        wait_until(lambda: set(leftovers.processes_in({inner.inode})) <= {inner.pid}, 5, "the namespace is empty")
    finally:
        inner.close()


def join(world, inner):
    world.host.run("ip", "link", "add", "inner", "type", "veth", "peer", "name", "uplink", "netns", str(inner.pid))
    for namespace, name, address in ((world.host, "inner", "10.78.0.1/24"), (inner, "uplink", "10.78.0.2/24")):
        namespace.run("ip", "addr", "add", address, "dev", name)
        namespace.run("ip", "link", "set", name, "up")
    world.host.run("sh", "-c", "echo 1 > /proc/sys/net/ipv4/ip_forward")
    world.net.run("ip", "route", "add", "10.78.0.0/24", "via", "10.77.0.1")
    inner.run("ip", "route", "add", "default", "via", "10.78.0.1")


def run_client(world, inner, cgroup):
    return run(["curl", "-sS", "-4", "-m", "5", URL], namespace=inner, cgroup=cgroup)


def test_capture_disabled_serves_explicit_modes_and_attaches_nothing(make_lunard, world):
    lunard = make_lunard({"capture": {"enabled": False, "required": False}})
    outcome, _ = world.run(["curl", "-sS", "-x", "http://127.0.0.1:8000", URL], captured=False)
    assert outcome.stdout == "hello\n"
    assert not [kind for kind, _ in leftovers.held_by([lunard.supervisor_pid]) if kind == "link"]
    assert lunard.stop() == 0


def test_the_version_and_help_of_both_programs_are_printed(world):
    from world.lunard import build_directory
    for program in ("agent/lunard", "cli/lunarctl"):
        for argument in ("--version", "--help") if program.endswith("lunard") else ("version", "--help"):
            outcome = run([build_directory() / program, argument], namespace=world.host, cgroup=world.cgroup.child("help"))
            assert outcome.status == 0 and outcome.stdout.strip()
