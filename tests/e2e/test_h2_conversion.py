"""Clients that offer one version of HTTP alone work with providers that speak the other one alone, and flows act between them."""

import json
import re
import sys
from urllib.parse import urlsplit

import pytest

from clients import SOURCES, captured, direct
from h2_cases import is_h2
from h2_conversion_cases import (ASKS_ANOTHER, AT_ONCE, BY_1, BY_2, BY_CURL, BY_HAND, DIRECTIONS, GRPC, HOPS, LARGE, MIXED, PATTERN, PROTOCOLS,
                                 RESETS, SIZES, SLOW, TO_1, TO_2, TOGETHER, Conversions, came, digest, failed, flows, start_site)
from tls_cases import status_of
from tls_interception import hello_request, in_unit, opening_lunard, passed, requests_of, run_as
from world.deadline import wait_until

CLIENTS = [(direction, client) for direction in DIRECTIONS for client in direction.clients]
ROWS = {way: [(direction, client, row) for direction, client in CLIENTS for row in direction.rows_for(client, way is direct)]
        for way in (direct, captured)}
MANY = [(direction, client, case) for direction, client in CLIENTS for case in client.cases(TOGETHER)]
DIRECT, CONVERTED = (direct, BY_1), (captured, BY_2)  # ways of clients of HTTP/1.1
either = pytest.mark.parametrize("way", [DIRECT, CONVERTED], ids=["without lunar", "converted"])


def named(call):
    direction, client, *what = call
    return ": ".join([f"{client.name} {direction.name}", *(one.name for one in what)])


def each(calls):
    return pytest.mark.parametrize("call", calls, ids=named)


def both_directions(*argvs):
    return pytest.mark.parametrize("argv", argvs, ids=[direction.name for direction in DIRECTIONS])


@pytest.fixture(scope="module")
def site(world, tls_origins):
    origin = start_site(world, tls_origins)
    yield
    origin.stop()


@pytest.fixture(scope="module")
def lunard(world, request, site, tls_origins, local_authority):
    yield from opening_lunard(world, request, tls_origins, local_authority, files=flows())


@pytest.fixture(scope="module")
def runs(world, lunard, told, builds):
    """Of a client in a direction, this way."""
    conversions = {direction.name: Conversions(world, told, builds, direction) for direction in DIRECTIONS}
    for way in (direct, captured):
        for each_of in conversions.values():
            each_of.start(way)
    yield lambda direction, client, way: conversions[direction.name].run(client, way)
    for each_of in conversions.values():
        each_of.close()


@pytest.fixture(scope="module")
def start(world, lunard, told):
    """Runs one program to its end, this way."""
    return lambda way, argv, **options: run_as(world, way, argv, env=told.environment(), timeout=20, **options)


@pytest.fixture(scope="module")
def curl(start):
    """(exit status, output) of one curl of HTTP/1.1, and its cgroup."""
    def run(way, *words):
        outcome, cgroup = start(way, ["curl", "-sS", "-m", "10", "--http1.1", *words])
        return (outcome.status, outcome.stdout), cgroup

    return run


@pytest.fixture(scope="module")
def large(world):
    path = world.directory / "large"
    path.write_bytes((PATTERN * (LARGE // len(PATTERN) + 1))[:LARGE])
    return path


@pytest.fixture(scope="module")
def shake_hands(start, told):
    """openssl s_client, which asks for something in HTTP/1.1 or says `text`."""
    def run(way, url, offered, text=None):
        host, _, port = url.removeprefix("https://").partition(":")
        argv = ["openssl", "s_client", "-connect", f"{host}:{port or 443}", "-servername", host, "-CAfile", told.pem, "-ign_eof"]
        argv += (["-alpn", offered] if offered else []) + (["-quiet"] if text else [])
        return start(way, argv, input=text or hello_request(host))[0]

    return run


def judge(seen, row, version, site):
    """What a client saw is what the row says."""
    if row.size is None:
        assert failed(seen) and seen.get("body", {"size": 0})["size"] in (0, 100), seen
        return
    assert not failed(seen), seen
    assert (status_of(seen), seen["body"]["size"]) == (row.status, row.size), seen
    assert re.search(row.shows, json.dumps(seen), re.I), seen
    if row.reaches_site:
        wanted = row.request_came(version, site.removeprefix("https://"))
        said = came(seen)
        said["host"] = said["host"].removesuffix(":443")  # Node says it
        assert {word: said[word] for word in wanted} == wanted


@each(ROWS[direct])
def test_a_client_is_served_by_the_site_of_its_own_version_without_lunar(runs, call):
    direction, client, row = call
    judge(runs(direction, client, direct).seen[row.name], row, {"1.1": "2.0", "2.0": "1.1"}[direction.other], direction.own)


@each(ROWS[captured])
def test_a_client_is_served_by_a_provider_of_the_other_version(runs, call):
    direction, client, row = call
    seen = runs(direction, client, captured).seen[row.name]
    judge(seen, row, direction.other, direction.asked)
    assert failed(seen) or is_h2(seen) == (direction is TO_1)


@pytest.mark.parametrize("way", [direct, captured], ids=["without lunar", "converted"])
@each(MANY)
def test_requests_at_once_do_not_disturb_each_other(runs, call, way):
    direction, client, case = call
    seen = runs(direction, client, way).seen[case.name]
    answers = seen["answers"]
    assert seen.get("connections", 1) == 1 and seen["together"]
    if case is MIXED:
        whole = [number for number, answer in enumerate(answers) if not failed(answer) and answer["body"]["size"] == len("whole,and late\n")]
        assert whole == list(range(0, 20, 2)) and all(failed(answer) for answer in answers[1::2]), seen
        return
    assert len(answers) == AT_ONCE and all(re.search(r"\b200\b", json.dumps(answer)) for answer in answers), seen
    size = seen["size"] if "size" in seen else sum(answer["body"]["size"] for answer in answers)
    assert size == {SIZES: sum(range(1010, 1010 + AT_ONCE)), SLOW: AT_ONCE * len("late\n")}[case]


@pytest.mark.parametrize("direction, client", CLIENTS, ids=[named(pair) for pair in CLIENTS])
def test_every_converted_request_is_in_the_access_log(lunard, runs, direction, client):
    run = runs(direction, client, captured)
    rows = direction.rows_for(client, False)
    wanted = {(row.case.method, urlsplit(row.at(direction.asked).url).path, None if row.size is None else row.status) for row in rows}

    def logged():
        lines = {(method, path, status) for method, _, path, status in requests_of(lunard, run.cgroup)}
        return lines | {(method, path, None) for method, path, _ in lines}

    wait_until(lambda: wanted <= logged(), 3, lambda: f"{wanted - logged()} in the access log")
    assert {line["mode"] for line in lunard.lines_of(run.cgroup)} == {"transparent"}


@pytest.mark.parametrize("direction, name", [(TO_1, "Go net/http"), (TO_2, "Python requests"), (TO_2, "Go net/http")],
                         ids=lambda one: getattr(one, "name", one))
def test_a_connection_of_the_provider_is_used_again(runs, direction, name):
    """Of HTTP/2 there is one, and a second where an upload has used up its window while others share it; of HTTP/1.1 what cannot be
    sent again takes a new one."""
    [client] = [client for client in direction.clients if client.name == name]
    seen = runs(direction, client, captured).seen
    rows = direction.rows_for(client, False)
    before = rows[:[row.name for row in rows].index("a HEAD")]
    used = {row.name: came(seen[row.name])["connection"] for row in before if direction is TO_2 or row.case.body is None}
    assert len(used) > 8 and len(set(used.values())) <= (2 if direction is TO_2 else 1), used


# whom it is for

@pytest.mark.parametrize("way", [direct, passed], ids=["direct", "passed through"])
@pytest.mark.parametrize("url, offered, agreed", [(BY_1, "http/1.1", True), (BY_1, "h2", False), (BY_2, "http/1.1", False), (BY_2, "h2", True)])
def test_the_site_speaks_one_version_alone(shake_hands, way, url, offered, agreed):
    outcome = shake_hands(way, url, offered)
    assert (f"ALPN protocol: {offered}" in outcome.stdout, "no application protocol" in outcome.stderr) == (agreed, not agreed)


@pytest.mark.parametrize("url, offered, given", PROTOCOLS)
def test_a_client_is_given_what_it_offers_and_the_provider_speaks_if_it_can(shake_hands, url, offered, given):
    """What is asked then is HTTP/1.1 in any case, and no matter here."""
    way = in_unit(f"alpn-{url.removeprefix('https://')}-{offered}.service".replace(",", "-").replace("/", "-"))
    assert (f"ALPN protocol: {given}" if given else "No ALPN negotiated") in shake_hands(way, url, offered).stdout


def test_a_client_that_offers_nothing_gets_what_it_gets_direct(curl):
    def words(way):
        (status, output), _ = curl(way, "-i", "--no-alpn", f"{BY_2}/hello")
        return status, re.sub("(?im)^date: .*", "", output)

    assert words(captured) == words(direct)
    assert "x-seen" not in words(direct)[1]


def test_a_call_of_grpc_is_not_converted(start, curl):
    outcome, _ = start(captured, [sys.executable, "-c", GRPC, BY_1])
    codes = outcome.stdout.split()
    assert len(codes) == 2 and set(codes) <= {"UNAVAILABLE", "INTERNAL", "UNKNOWN"}, outcome
    assert came(curl(direct, "-i", f"{BY_1}/hello")[0])["calls"] == "0"


@pytest.mark.parametrize("kind", ["application/grpc", "application/grpc+proto"])
def test_a_stream_of_grpc_is_told_what_it_would_need(start, curl, kind):
    outcome, _ = start(captured, ["nghttp", "-nv", "-H", f"content-type: {kind}", "-H", "te: trailers", f"{BY_1}/hello"])
    assert re.search(r"recv RST_STREAM frame.*\n.*error_code=HTTP_1_1_REQUIRED", outcome.stdout), outcome
    assert not re.search(r"recv .*:status:", outcome.stdout)
    assert came(curl(direct, "-i", f"{BY_1}/hello")[0])["calls"] == "0"


@both_directions(["node", "-e", ASKS_ANOTHER, BY_1], ["curl", "-sS", "-o/dev/null", "-w%{http_code}", "--http1.1", "-HHost: tls.example.com", BY_2])
def test_a_request_for_another_host_is_misdirected(start, argv):
    outcome, _ = start(captured, argv)
    assert outcome.stdout.strip() == "421", outcome


@both_directions(["nghttp", "-n", "--timeout=300ms", f"{BY_1}/hang"], [sys.executable, "-c", RESETS, BY_2])
def test_a_provider_learns_that_a_client_has_left(start, curl, argv):
    """What is half a close of HTTP/1.1 may come from a client that waits, and has no word in HTTP/2."""
    def left():
        return int(curl(direct, f"{BY_1}/left")[0][1])

    before = left()
    start(captured, argv)
    wait_until(lambda: left() == before + 1, 3, "the provider knows it")


@both_directions(["h2load", "-n600", "-c2", "-m50", "--npn-list=h2", f"{BY_1}/bytes/3000"], ["h2load", "-n600", "-c4", "--h1", f"{BY_2}/bytes/3000"])
def test_no_request_of_many_is_lost(start, argv):
    outcome, _ = start(captured, argv)
    assert "600 succeeded, 0 failed" in outcome.stdout and "status codes: 600 2xx" in outcome.stdout, outcome


# to HTTP/1.1

def test_an_upload_of_a_stream_that_waits_for_100_is_told_to_go_on(start, large):
    outcome, _ = start(captured, ["nghttp", "-v", "--expect-continue", "-d", large, f"{BY_1}/upload"])
    assert re.findall(r"recv \(stream_id=\d+\) :status: (\d+)", outcome.stdout) == ["100", "200"], outcome.stdout
    said = came(outcome.stdout)
    assert (said["size"], said["sha256"], said["expect"]) == (str(LARGE), digest(LARGE), "100-continue")


def test_a_websocket_in_a_stream_reaches_a_provider_of_http_1(lunard, h2_origins, start):
    seen = {}
    for way, host in ((direct, "nghttpx.example.com"), (captured, "aio.example.com")):
        outcome, cgroup = start(way, ["node", SOURCES / "node_h2_websocket.js", f"https://{host}/ws"])
        assert outcome.status == 0, outcome.stderr
        seen[way] = json.loads(outcome.stdout)
    assert seen[captured] == seen[direct] and seen[direct]["offered"]
    assert requests_of(lunard, cgroup) == [("GET", "aio.example.com", "/ws", 101)]


# to HTTP/2

def at(site, words, large):
    """The words of a curl, with the site before its pages."""
    return [f"{site}{word}" if word.startswith("/") else word.replace("@large", f"@{large}") for word in words]


@either
@pytest.mark.parametrize("row", BY_CURL.values(), ids=BY_CURL)
def test_curl_sees_what_a_provider_of_its_version_would_say(curl, large, way, row):
    words, statuses, said = row
    (status, output), _ = curl(way[0], *at(way[1], words, large))
    assert status in statuses and re.search(said, output, re.I), (status, output)


def test_all_requests_of_a_connection_are_streams_of_one(lunard, curl, large):
    figures = ["-i", "-w", "%{num_connects} connections\n"]
    words = [*figures, "--data-binary", "@large", *["/upload"] * 3, "--next", *figures, *["/hello"] * 3]
    (status, output), cgroup = curl(captured, *at(BY_2, words, large))
    assert status == 0 and re.findall(r"(\d) connections", output) == ["1", *"00000"]
    assert len(set(re.findall(r"version=2.0;connection=(\d+)", output))) == 1
    assert len(requests_of(lunard, cgroup, 6)) == 6


@either
@pytest.mark.parametrize("row", BY_HAND.values(), ids=BY_HAND)
def test_what_http_1_allows_is_understood(shake_hands, way, row):
    text, said = row
    output = shake_hands(*way, "http/1.1", text.replace("@HOST@", way[1].removeprefix("https://"))).stdout
    assert re.search(said, output, re.I), output


@pytest.mark.parametrize("words", [[], ["--data-binary", "@large"]], ids=["GET", "POST"])
def test_a_request_that_was_not_taken_is_sent_once_more_and_no_oftener(curl, large, words):
    """A POST as well: it was provably not looked at. What is above 64 KiB is not kept for it."""
    sent = ["-d", "a body"] if words else []
    name = "post" if words else "get"
    assert curl(captured, *at(BY_2, [*sent, f"/refuse/{name}/1"], large))[0] == (0, "taken after 1\n")
    assert curl(captured, *at(BY_2, [*sent, f"/refuse/{name}-again/9"], large))[0][0] == 56
    assert curl(captured, *at(BY_2, [*sent, f"/refuse/{name}-again/2"], large))[0] == (0, "taken after 2\n")
    if words:
        assert curl(captured, *at(BY_2, [*words, f"/refuse/{name}-large/1"], large))[0][0] in (55, 56)  # while it sends, or then


def test_fields_of_the_connection_are_not_passed_on(shake_hands):
    output = shake_hands(*CONVERTED, "http/1.1", HOPS.replace("@HOST@", BY_2.removeprefix("https://"))).stdout
    assert output.startswith("HTTP/1.1 200 ") and came(output)["hop"] == "none", output
