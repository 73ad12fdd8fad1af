"""What decides whether TLS is opened: lists, units and ports, time, the authority; and what a new gateway process goes on with."""

import os
import re
import signal
import sys

import pytest

from clients import captured
from lunards import PATIENT
from tls_interception import gateway_config, in_unit, requests_of, run_as, settings, tunnels_of
from world.deadline import wait_until


@pytest.fixture
def start(world, make_lunard, tls_origins, local_authority):
    """A lunard with these keys of tls and of gateway_config.yaml, and the captured cgroup attached."""
    def run(providers=None, **tls):
        lunard = make_lunard({**PATIENT, **settings(local_authority, **tls)}, gateway_config(tls_origins, **(providers or {})))
        lunard.attach(world.captured)
        return lunard

    return run


def call(lunard, world, trust, host, way=captured):
    """One call of curl: whether it was intercepted, after it has worked."""
    url = f"https://{host}.example.com/hello"
    outcome, cgroup = run_as(world, way, ["curl", "-sS", "--http1.1", "-o", "/dev/null", "-w", "%{http_code}", url],
                             env=trust.environment(), timeout=20)
    assert (outcome.status, outcome.stdout) == (0, "200"), outcome.stderr
    opened, tunnels = requests_of(lunard, cgroup), tunnels_of(lunard, cgroup)
    assert bool(opened) != bool(tunnels)
    return bool(opened)


def test_entries_name_hosts_ports_and_units_and_passthrough_wins(start, world, told):
    lunard = start(intercept=["tls.example.com", "pinned.example.com:8443", "rsa.example.com unit=shop.service", "*.example.com:443 unit=all.service"],
                   passthrough=["tls.example.com unit=quiet.service", "code.example.com"])
    shop, quiet, every = (in_unit(f"{name}.service") for name in ("shop", "quiet", "all"))
    seen = {(host, name): call(lunard, world, told, host, way) for name, way in (("none", captured), ("shop", shop), ("quiet", quiet), ("all", every))
            for host in ("tls", "pinned", "rsa", "aio")}
    assert [pair for pair, opened in seen.items() if opened] == [
        ("tls", "none"), ("tls", "shop"), ("rsa", "shop"), ("tls", "all"), ("pinned", "all"), ("rsa", "all"), ("aio", "all")]


def test_nothing_is_opened_unless_it_is_named(start, world, told):
    assert not call(start(intercept=[], passthrough=[]), world, told, "tls")


def test_without_an_authority_everything_is_passed_through(start, world, tls_origins):
    empty = world.directory / "no-authority"
    empty.mkdir()
    lunard = start(ca_dir=str(empty))
    assert not call(lunard, world, tls_origins.trust, "tls")
    assert "lunarctl ca init" in lunard.log()


def test_an_entry_that_cannot_be_used_leaves_its_own_host_unopened_and_no_other(start, world, told):
    """One names a file that is not there, the other none, an error for which the file as a whole is not in effect."""
    lunard = start({"mTLS": [{"domain": "aio.example.com", "cert": "/absent.pem"}, {"domain": "rsa.example.com"}]})
    assert [host for host in ("aio", "rsa", "tls") if call(lunard, world, told, host)] == ["tls"]
    passed = "passes through unopened (provider_failed)"
    assert f"TLS to aio.example.com {passed}: /absent.pem: cannot be opened: No such file" in lunard.log()
    assert re.search(rf"TLS to rsa\.example\.com {re.escape(passed)}: gateway_config\.yaml:\S+ error: `cert` is required", lunard.log())


# Calls again and again, until it was refused, served and refused.
PERSISTENT = """
import itertools, os, socket, ssl, sys, time
context, host, seen = ssl.create_default_context(cafile=os.environ["SSL_CERT_FILE"]), sys.argv[1], []
begin = time.monotonic()
while len(seen) < 3 and time.monotonic() < begin + 20:
    try:
        with context.wrap_socket(socket.create_connection((host, 443), 10), server_hostname=host) as connection:
            connection.sendall(f"GET /hello HTTP/1.1\\r\\nHost: {host}\\r\\nConnection: close\\r\\n\\r\\n".encode())
            outcome = connection.recv(100).split()[1].decode()
    except ssl.SSLCertVerificationError:
        outcome = "refused"
    if seen[-1:] != [outcome]:
        seen.append(outcome)
        print(outcome)
    time.sleep(0.05)
"""


def test_a_client_that_refused_is_intercepted_again_after_a_while(start, world, tls_origins):
    start(untrusted_for="2s")
    outcome, _ = run_as(world, captured, [sys.executable, "-c", PERSISTENT, "tls.example.com"], env=tls_origins.trust.environment(), timeout=40)
    assert outcome.stdout.split() == ["refused", "200", "refused"], outcome.stderr


def test_a_new_gateway_process_goes_on_with_the_same_authority(start, world, told):
    lunard = start()
    assert call(lunard, world, told, "tls")
    killed = lunard.gateway_pid()
    os.kill(killed, signal.SIGKILL)
    wait_until(lambda: killed not in lunard.processes("gateway") and lunard.processes("gateway"), 10, "a new gateway")
    lunard.await_mode("protecting", 30)
    assert call(lunard, world, told, "tls")
    assert call(lunard, world, told, "rsa")
