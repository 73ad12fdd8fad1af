"""gRPC: the same direct, passed through and intercepted, and flows act on calls that are intercepted."""

import json
import re
import sys
from pathlib import Path

import pytest

from clients import captured, direct
from test_flows import flow
from tls_interception import WAYS, opening_lunard, passed, requests_of, run_as, tunnels_of

HOST, SERVICE = "grpc.example.com", "/lunar.test.Calls"
PROGRAM = Path(__file__).parent / "clients/grpc_client.py"
NAMES = [line.split('"')[1] for line in PROGRAM.read_text().splitlines() if line.startswith("@conversation(")]
MARKED, REFUSED = "a field that a flow may add", "a call that a flow may refuse"
# How conversations end that do not end with OK.
ENDS = {
    "a deadline": "DEADLINE_EXCEEDED", "a call that is cancelled before its answer": "CANCELLED", "a method that there is not": "UNIMPLEMENTED",
    "an error with details in its trailers": "RESOURCE_EXHAUSTED", "an error without any message": "FAILED_PRECONDITION",
    "an error behind messages": "DATA_LOSS", "a call that the client cancels": "CANCELLED", "50 calls at once": None,
}
FILES = {
    "flows/marked.yaml": flow("Marked", f"{HOST}{SERVICE}/Marked", {"Ask": ("TransformAPICall", {"set": {"$.request.headers.X-Asked": "by a flow"}})},
                              [("start", "Ask"), ("Ask", "end")]),
    "flows/refused.yaml": flow("Refused", f"{HOST}{SERVICE}/Refused", {"Say": ("GenerateResponse", {"status": 429, "body": "no more"})},
                               [("start", "Say")], [("start", "end"), ("Say", "end")]),
}
THROUGH = [name for name in WAYS if name != "direct"]


@pytest.fixture(scope="module")
def lunard(world, request, h2_origins, tls_origins, local_authority):
    yield from opening_lunard(world, request, tls_origins, local_authority, files=FILES)


@pytest.fixture(scope="module")
def conversations(lunard, world, told):
    """(what was seen by name, cgroup) of each way."""
    def converse(way):
        outcome, cgroup = run_as(world, way, [sys.executable, PROGRAM], label="grpc", env=told.environment(), timeout=100)
        seen = {observation.pop("name"): observation for observation in map(json.loads, outcome.stdout.splitlines())}
        if outcome.status != 0 or len(seen) != len(NAMES):
            raise RuntimeError(f"{PROGRAM.name} ended with {outcome.status} after {len(seen)} conversations: {outcome.stderr[-3000:]}")
        return seen, cgroup

    return {name: converse(way) for name, way in WAYS.items()}


@pytest.mark.parametrize("name", NAMES)
def test_a_conversation_works_without_lunar(conversations, name):
    seen = conversations["direct"][0][name]
    assert "error" not in seen
    code = (seen.get("rest") or seen).get("code")
    assert code == ENDS.get(name, "OK")
    assert seen.get("server", {"answer": "over"})["answer"] == "over"


@pytest.mark.parametrize("way", THROUGH)
@pytest.mark.parametrize("name", [name for name in NAMES if name not in (MARKED, REFUSED)])
def test_a_conversation_is_the_same_as_direct(conversations, name, way):
    assert conversations[way][0][name] == conversations["direct"][0][name]


def test_a_flow_adds_a_field_to_a_call_that_is_intercepted(conversations):
    told = {way: json.loads(seen[MARKED]["answer"]) for way, (seen, _) in conversations.items()}
    assert told == {"direct": [], "passed through": [], "intercepted": [["x-asked", "by a flow"]]}
    assert {seen[MARKED]["code"] for seen, _ in conversations.values()} == {"OK"}


def test_a_flow_refuses_a_call_that_is_intercepted(conversations):
    """A client of gRPC makes its own code of a status of HTTP."""
    codes = {way: seen[REFUSED]["code"] for way, (seen, _) in conversations.items()}
    assert codes == {"direct": "OK", "passed through": "OK", "intercepted": "UNAVAILABLE"}
    assert "429" in conversations["intercepted"][0][REFUSED]["details"]


def test_calls_that_are_intercepted_are_in_the_access_log(conversations, lunard):
    calls = requests_of(lunard, conversations["intercepted"][1], 60)
    assert {(method, host) for method, host, _, _ in calls} == {("POST", HOST)}
    paths = [path.removeprefix(f"{SERVICE}/") for *_, path, _ in calls]
    assert paths.count("Held") == 50
    assert set(paths) >= {"Unary", "ServerStream", "ClientStream", "Bidi", "Large", "Fails", "FailsWithDetails", "FailsLater", "Nowhere", "Told"}
    assert {status for _, _, path, status in calls if path.endswith("/Refused")} == {429}
    assert {status for _, _, path, status in calls if path.endswith(("/Unary", "/Fails", "/Bidi", "/Ended"))} == {200}
    assert tunnels_of(lunard, conversations["intercepted"][1]) == []


def test_calls_that_are_not_intercepted_are_not_seen(conversations, lunard):
    assert lunard.lines_of(conversations["direct"][1]) == []
    assert requests_of(lunard, conversations["passed through"][1]) == []
    assert set(tunnels_of(lunard, conversations["passed through"][1])) == {HOST}


def response_frames(world, told, way, method):
    """The kinds of frames of which an answer consists, as nghttp tells them, each with whether it is the last one."""
    message = world.directory / "empty-message"
    message.write_bytes(bytes(5))
    argv = ["nghttp", "-nv", "-d", message, "-H", "content-type: application/grpc", "-H", "te: trailers", f"https://{HOST}{SERVICE}/{method}"]
    outcome, cgroup = run_as(world, way, argv, label="nghttp", env=told.environment(), timeout=20)
    return re.findall(r"recv (HEADERS|DATA) frame <length=\d+, flags=0x\d([0-9a-f])", outcome.stdout), cgroup


def test_an_error_without_any_message_is_one_frame_as_it_is_direct(lunard, world, told):
    """Trailers-Only, which some clients tell apart from fields and trailers."""
    last = ("HEADERS", "5")  # END_STREAM and END_HEADERS
    assert response_frames(world, told, direct, "Fails")[0] == [last]
    frames, cgroup = response_frames(world, told, captured, "Fails")
    assert frames == [last]
    assert requests_of(lunard, cgroup) == [("POST", HOST, f"{SERVICE}/Fails", 200)]


def test_trailers_are_the_last_frame_behind_a_message(lunard, world, told):
    for way in (direct, passed, captured):
        frames, _ = response_frames(world, told, way, "Unary")
        assert frames[0] == ("HEADERS", "4") and frames[-1] == ("HEADERS", "5") and ("DATA", "0") in frames
