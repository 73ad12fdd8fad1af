"""Clients that do not take the gateway's certificate: they fail once, as they decide, and then work without it."""

import base64
import hashlib
import json
import sys

import pytest

from clients import CLIENTS, captured, direct
from tls_cases import status_of
from tls_interception import (LOCAL, hello_request, in_unit, issuer, look_at, opening_lunard, requests_of, run_as, shown_certificate,
                              tunnels_of, visiting)
from tls_pki import openssl
from world.addresses import NAMES

PINNED, UNPINNED = "pinned.example.com", "unpinned.example.com"
FORGED = "forged.example.com"  # as long as PINNED, so that texts with the name have the same length


@pytest.fixture(scope="module")
def lunard(world, request, tls_origins, local_authority):
    yield from opening_lunard(world, request, tls_origins, local_authority)


@pytest.fixture
def visit(world, builds):
    return visiting(world, builds, PINNED)


def by_name(name):
    return next(client for client in CLIENTS if client.name == name)


def words(seen, host):
    """What a client said, without where it was."""
    text = json.dumps(seen, sort_keys=True)
    for word in (host, *NAMES[host]):
        text = text.replace(word, "THERE")
    return text


@pytest.mark.parametrize("client", CLIENTS, ids=lambda client: client.name)
def test_a_client_without_the_local_authority_fails_as_with_any_stranger_and_then_works(lunard, visit, tls_origins, client):
    way = in_unit(f"{client.label.lower()}.service")
    refused, cgroup = visit(client, way, tls_origins.trust)
    stranger, _ = visit(client, direct, tls_origins.trust, FORGED)
    assert status_of(refused) in (0, 599) and words(refused, PINNED) == words(stranger, FORGED)
    assert requests_of(lunard, cgroup, at_least=0) == []
    for _ in range(2):
        served, cgroup = visit(client, way, tls_origins.trust)
        assert status_of(served) == 200
        assert tunnels_of(lunard, cgroup) == [PINNED]


OTHERS = {
    "openssl s_client": lambda ca: ["openssl", "s_client", "-connect", f"{PINNED}:443", "-CAfile", ca, "-verify_return_error", "-ign_eof"],
    "gnutls-cli": lambda ca: ["gnutls-cli", "--x509cafile", ca, "-p", "443", "late.example.com"],
    "git": lambda _: ["git", "ls-remote", "https://code.example.com/project.git", "refs/heads/main"],
}


@pytest.mark.parametrize("name", OTHERS)
def test_other_programs_fail_once_as_well(lunard, world, tls_origins, name):
    way, environment = in_unit(f"{name.split()[0]}.service"), tls_origins.trust.environment()

    def call():
        return run_as(world, way, OTHERS[name](tls_origins.trust.pem), env=environment, input=hello_request(PINNED), timeout=20)

    refused, _ = call()
    assert refused.status != 0 and "HTTP/1.1" not in refused.stdout
    served, cgroup = call()
    assert served.status == 0, served.stderr
    assert "HTTP/1.1 200" in served.stdout or "refs/heads/main" in served.stdout
    assert len(tunnels_of(lunard, cgroup)) == 1


PIN_PYTHON = """
import hashlib, os, socket, ssl, sys
host, pin = sys.argv[1:]
context = ssl.create_default_context(cafile=os.environ["SSL_CERT_FILE"])
with context.wrap_socket(socket.create_connection((host, 443), 10), server_hostname=host) as connection:
    if hashlib.sha256(connection.getpeercert(True)).hexdigest() != pin:
        sys.exit("pinned")
    connection.sendall(f"GET /hello HTTP/1.1\\r\\nHost: {host}\\r\\nConnection: close\\r\\n\\r\\n".encode())
    print(connection.recv(100).split()[1].decode())
"""
PIN_NODE = """
const [host, pin] = process.argv.slice(1);
const checkServerIdentity = (_, shown) => shown.fingerprint256.replaceAll(':', '').toLowerCase() === pin ? undefined : new Error('pinned');
require('https').get({ host, path: '/hello', checkServerIdentity, agent: false }, (answer) => { console.log(answer.statusCode); answer.resume(); })
  .on('error', (error) => { console.error(error.message); process.exitCode = 1; });
"""


def der(pem):
    return base64.b64decode("".join(line for line in pem.splitlines() if not line.startswith("-")))


def pins(pem):
    """What programs with a pin are started with, for a server of this certificate."""
    key = base64.b64encode(hashlib.sha256(der(openssl("x509", "-noout", "-pubkey", input=pem))).digest()).decode()
    certificate = hashlib.sha256(der(pem)).hexdigest()
    return {
        "curl": ["curl", "-sS", "-o", "/dev/null", "-w", "%{http_code}\n", "--pinnedpubkey", f"sha256//{key}", f"https://{PINNED}/hello"],
        "Python": [sys.executable, "-c", PIN_PYTHON, PINNED, certificate],
        "Node": ["node", "-e", PIN_NODE, PINNED, certificate],
    }


@pytest.mark.parametrize("name", ["curl", "Python", "Node"])
def test_a_client_with_a_pin_that_closes_without_an_alert_works_from_its_second_call_on(lunard, world, tls_origins, told, name):
    argv = pins(shown_certificate(tls_origins.certificate("tls").read_text()))[name]
    way = in_unit(f"pin-{name.lower()}.service")
    refused, _ = run_as(world, way, argv, env=told.environment(), timeout=20)
    assert refused.status != 0 and ("pinned" in refused.stderr or "does not match" in refused.stderr)
    served, cgroup = run_as(world, way, argv, env=told.environment(), timeout=20)
    assert (served.status, served.stdout) == (0, "200\n"), served.stderr
    assert tunnels_of(lunard, cgroup) == [PINNED]


SURPLUS = """
import os, socket, ssl, sys
context = ssl.create_default_context(cafile=os.environ["SSL_CERT_FILE"])
def connect():
    return context.wrap_socket(socket.create_connection((sys.argv[1], 443), 10), server_hostname=sys.argv[1])
def ask():
    with connect() as connection:
        connection.sendall(f"GET /hello HTTP/1.1\\r\\nHost: {sys.argv[1]}\\r\\nConnection: close\\r\\n\\r\\n".encode())
        return b"".join(iter(lambda: connection.recv(4096), b"")).split()[1].decode()
print(ask())
connect().close()
print(ask())
"""


def test_who_has_spoken_may_close_a_further_connection_without_a_word(lunard, world, told):
    way = in_unit("surplus.service")
    for _ in range(2):
        asked, cgroup = run_as(world, way, [sys.executable, "-c", SURPLUS, PINNED], env=told.environment(), timeout=20)
        assert (asked.status, asked.stdout) == (0, "200\n200\n"), asked.stderr
        assert len(requests_of(lunard, cgroup, 2)) == 2


def test_a_client_with_a_pin_that_sends_an_alert_works_from_its_second_call_on(lunard, visit, tls_origins, told):
    pin = hashlib.sha256(der(shown_certificate(tls_origins.certificate("tls").read_text()))).hexdigest()
    client, way = by_name("Go net/http"), in_unit("pin-go.service")
    refused, _ = visit(client, way, told, flags=(f"pin={pin}",))
    assert "*errors.errorString:another certificate than the pinned one" in refused["error"]
    served, cgroup = visit(client, way, told, flags=(f"pin={pin}",))
    assert status_of(served) == 200
    assert tunnels_of(lunard, cgroup) == [PINNED]


def test_another_host_is_intercepted_still(lunard, visit, tls_origins, told):
    curl, way = by_name("curl"), in_unit("hosts.service")
    assert status_of(visit(curl, way, tls_origins.trust)[0]) == 0
    assert status_of(visit(curl, way, tls_origins.trust)[0]) == 200
    served, cgroup = visit(curl, way, told, UNPINNED)
    assert status_of(served) == 200
    assert requests_of(lunard, cgroup) == [("GET", UNPINNED, "/hello", 200)]


def test_another_unit_is_intercepted_still(lunard, visit, tls_origins, told):
    curl, first, other = by_name("curl"), in_unit("first.service"), in_unit("other.service")
    assert status_of(visit(curl, first, tls_origins.trust)[0]) == 0
    served, cgroup = visit(curl, other, told)
    assert status_of(served) == 200
    assert requests_of(lunard, cgroup) == [("GET", PINNED, "/hello", 200)]
    _, cgroup = visit(curl, first, told)
    assert tunnels_of(lunard, cgroup) == [PINNED]


def test_without_a_unit_it_is_the_executable_that_is_remembered(lunard, visit, tls_origins, told):
    curl, node = by_name("curl"), by_name("Node http")
    assert status_of(visit(curl, captured, tls_origins.trust, UNPINNED)[0]) == 0
    served, cgroup = visit(curl, captured, tls_origins.trust, UNPINNED)
    assert status_of(served) == 200 and tunnels_of(lunard, cgroup) == [UNPINNED]
    served, cgroup = visit(node, captured, told, UNPINNED)
    assert status_of(served) == 200 and requests_of(lunard, cgroup) == [("GET", UNPINNED, "/hello", 200)]


def test_who_is_passed_through_sees_the_provider_itself(lunard, world, visit, tls_origins):
    way = in_unit("sees.service")
    assert LOCAL in issuer(look_at(world, in_unit("looks.service"), PINNED)[0])
    assert status_of(visit(by_name("curl"), way, tls_origins.trust)[0]) == 0
    shown, _, _ = look_at(world, way, PINNED)
    assert shown == shown_certificate(tls_origins.certificate("tls").read_text())


def test_lunarctl_lists_who_is_passed_through_and_what_became_of_connections(lunard, visit, tls_origins):
    curl, way = by_name("curl"), in_unit("listed.service")
    before = json.loads(lunard.lunarctl("tls", "list", "--json").stdout)
    assert status_of(visit(curl, way, tls_origins.trust)[0]) == 0
    assert status_of(visit(curl, way, tls_origins.trust)[0]) == 200
    after = json.loads(lunard.lunarctl("tls", "list", "--json").stdout)
    more = {outcome: after["outcomes"][outcome] - before["outcomes"][outcome] for outcome in ("refused", "untrusting_client", "intercepted")}
    assert after["intercepting"] is True and more == {"refused": 1, "untrusting_client": 1, "intercepted": 0}
    listed = [one for one in after["passed_through"] if one["program"].endswith("listed.service")]
    assert [one["host"] for one in listed] == [PINNED] and 3500 < listed[0]["seconds_left"] <= 3600
    table = lunard.lunarctl("tls", "list").stdout
    assert "untrusting_client" in table and any(PINNED in line and "listed.service" in line for line in table.splitlines())
