"""A captured program cannot tell that its TLS is opened: same cases direct, passed through and intercepted, and flows act on those
that are intercepted."""

import json
import ssl
import sys
import time
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from clients import CLIENTS, Matrix, captured, direct
from test_flows import flow, limiter
from tls_cases import ALLOWED, CANNED, LIMITED, MARKED, TLS_CASES, cases_of, status_of
from tls_interception import LOCAL, WAYS, issuer, look_at, opening_lunard, passed, requests_of, run_as, tunnels_of
from tls_pki import openssl
from world.deadline import wait_until

FILES = {
    "quotas/tls.yaml": json.dumps({"quotas": [{"id": "Calls", "filter": {"url": "tls.example.com/head/limited"}, "strategy": {
        "fixed_window": {"max": 1, "interval": 1, "interval_unit": "hour", "group_by_header": "x-client"}}}]}),
    "flows/canned.yaml": flow("Canned", "tls.example.com/head/canned", {"Say": ("GenerateResponse", {"status": 418, "body": "made here"})},
                              [("start", "Say")], [("start", "end"), ("Say", "end")]),
    "flows/marked.yaml": flow("Marked", "tls.example.com/head/marked", {"Mark": ("TransformAPICall", {"set": {"$.response.headers.X-Marked": "yes"}})},
                              None, [("start", "Mark"), ("Mark", "end")]),
    "flows/limited.yaml": limiter("Limited", "tls.example.com/head/limited", "Calls", body="too many"),
}
PAIRS = [(client, case) for client in CLIENTS for case in client.cases(TLS_CASES)]
PROGRAMS = [Path(__file__).parent / "clients" / name for name in ("tls_conversations.py", "tls_handshakes.py")]
CONVERSATIONS = [(program, line.split('"')[1]) for program in PROGRAMS for line in program.read_text().splitlines() if line.startswith("@case(")]
THROUGH = [name for name in WAYS if name != "direct"]


@pytest.fixture(scope="module")
def lunard(world, request, tls_origins, local_authority):
    yield from opening_lunard(world, request, tls_origins, local_authority, files=FILES)


@pytest.fixture(scope="module")
def tls_matrix(world, lunard, told, builds):
    matrix = Matrix(world, told, builds, cases_of)
    yield matrix
    matrix.close()


@pytest.mark.limit(300)
@pytest.mark.parametrize("client", CLIENTS, ids=lambda client: client.name)
def test_each_client_works_over_tls_without_lunar(lunard, tls_matrix, client):
    run = tls_matrix.direct(client)
    sizes = {name: run.seen[name]["body"]["size"] for name in ("a body of 8 MiB", "nginx: a file")}
    assert sizes == {"a body of 8 MiB": 8388608, "nginx: a file": 1 << 20}
    assert [status_of(run.seen[case.name]) for case in (CANNED, MARKED, ALLOWED, LIMITED)] == [200, 200, 200, 200]
    assert lunard.lines_of(run.cgroup) == []


@pytest.mark.limit(300)
@pytest.mark.parametrize("pair", PAIRS, ids=lambda pair: f"{pair[0].name}: {pair[1].name}")
def test_a_client_sees_the_same_over_tls_as_direct(tls_matrix, pair):
    client, case = pair
    expected = tls_matrix.direct(client).seen[case.name]
    assert {name: tls_matrix.run(client, WAYS[name]).seen[case.name] for name in THROUGH} == dict.fromkeys(THROUGH, expected)


@pytest.mark.limit(300)
@pytest.mark.parametrize("client", CLIENTS, ids=lambda client: client.name)
def test_every_request_of_an_intercepted_run_is_in_the_access_log(lunard, tls_matrix, client):
    run = tls_matrix.run(client, captured)
    asked = {(case.method, urlsplit(case.url).hostname, urlsplit(case.url).path) for case in cases_of(client)}

    def logged():
        return {line[:3] for line in requests_of(lunard, run.cgroup)}

    wait_until(lambda: asked <= logged(), 3, lambda: f"{asked - logged()} in the access log, which has {lunard.lines_of(run.cgroup)}")
    lines = lunard.lines_of(run.cgroup)
    assert {line["mode"] for line in lines} == {"transparent"}
    [plain] = [line for line in lines if (line["method"], line["path"]) == ("HEAD", "/bytes/1000")]
    assert plain["status_code"] == 200 and plain["url"].endswith("tls.example.com/bytes/1000")


@pytest.mark.limit(300)
@pytest.mark.parametrize("client", CLIENTS, ids=lambda client: client.name)
def test_a_run_that_is_passed_through_is_seen_as_tunnels_alone(lunard, tls_matrix, client):
    run = tls_matrix.run(client, passed)
    assert requests_of(lunard, run.cgroup) == []
    assert set(tunnels_of(lunard, run.cgroup)) >= {"tls.example.com", "rsa.example.com", "aio.example.com"}


@pytest.mark.limit(300)
@pytest.mark.parametrize("client", CLIENTS, ids=lambda client: client.name)
def test_flows_act_on_what_is_intercepted_and_not_on_what_is_passed_through(tls_matrix, client):
    def statuses(way):
        return [status_of(tls_matrix.run(client, way).seen[case.name]) for case in (CANNED, MARKED, ALLOWED, LIMITED)]

    def marked(way):
        return "x-marked" in json.dumps(tls_matrix.run(client, way).seen[MARKED.name]).lower()

    assert (statuses(captured), marked(captured)) == ([418, 200, 200, 429], True)
    assert (statuses(passed), marked(passed)) == ([200, 200, 200, 200], False)


@pytest.fixture(scope="module")
def conversations(lunard, world, told):
    """(what was seen by name, cgroup) of each program, each way."""
    def converse(program, way):
        outcome, cgroup = run_as(world, way, [sys.executable, program], label=program.stem, env=told.environment(), timeout=150)
        seen = {observation.pop("name"): observation for observation in map(json.loads, outcome.stdout.splitlines())}
        if outcome.status != 0:
            raise RuntimeError(f"{program.name} ended with {outcome.status} after {len(seen)} cases: {outcome.stderr}")
        return seen, cgroup

    return {(program, way): converse(program, way) for program in PROGRAMS for way in WAYS.values()}


@pytest.mark.parametrize("way", THROUGH)
@pytest.mark.parametrize("program, name", CONVERSATIONS)
def test_a_conversation_over_tls_is_the_same_as_direct(conversations, program, name, way):
    expected, seen = (dict(conversations[program, each][0][name]) for each in (direct, WAYS[way]))
    signed, found = expected.pop("issuers"), seen.pop("issuers")
    assert seen == expected
    if name == "ALPN: the server refuses all that is offered":
        assert seen["error"] == "SSLError"
        return
    assert "error" not in seen
    assert found == signed if way == "passed through" else all(one.startswith(LOCAL) for one in found)
    assert bool(found) == bool(signed)


def test_conversations_really_passed_the_gateway(conversations, lunard):
    for program in PROGRAMS:
        assert requests_of(lunard, conversations[program, passed][1]) == []
        assert lunard.lines_of(conversations[program, direct][1]) == []
    opened = requests_of(lunard, conversations[PROGRAMS[0], captured][1])
    git = [path for _, host, path, _ in opened if host == "code.example.com"]
    assert "/project.git/git-upload-pack" in git and "/project.git/git-receive-pack" in git
    assert ("GET", "aio.example.com", "/ws", 101) in opened


def extension(pem, name):
    return openssl("x509", "-noout", "-ext", name, input=pem)


@pytest.mark.parametrize("name", ["tls", "aio", "rsa", "ecdsa"])
def test_the_certificate_shown_has_the_names_of_the_providers_and_the_local_authority_signed_it(lunard, world, told, tls_origins, name):
    pem, outcome, _ = look_at(world, captured, f"{name}.example.com", "-verify_return_error", "-CAfile", told.pem)
    assert outcome.status == 0, outcome.stderr
    assert LOCAL in issuer(pem)
    providers = tls_origins.certificate(name).read_text()
    assert extension(pem, "subjectAltName") == extension(providers, "subjectAltName")
    assert "TLS Web Server Authentication" in extension(pem, "extendedKeyUsage")
    text = openssl("x509", "-noout", "-text", input=pem)
    assert "NIST CURVE: P-256" in text and "CA:TRUE" not in text
    end = ssl.cert_time_to_seconds(openssl("x509", "-noout", "-enddate", input=pem).strip().removeprefix("notAfter="))
    assert 0 < end - time.time() <= 7 * 24 * 3600


@pytest.mark.parametrize("name", ["rsa", "ecdsa"])
def test_sessions_with_the_provider_are_resumed(lunard, world, told, name):
    """`r` says the provider of a connection that resumed a session, `.` of one that did not. Each call is a process of its own."""
    url = f"https://{name}.example.com/tls"
    seen = [run_as(world, captured, ["curl", "-sS", "--http1.1", url], env=told.environment())[0].stdout.split()[2] for _ in range(4)]
    assert seen[1:] == ["r", "r", "r"]
