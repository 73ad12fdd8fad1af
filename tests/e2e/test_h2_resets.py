"""RST_STREAM passes in both directions, with its code, and behind what was sent before it."""

import pytest

from h2_peer import CANCEL, CONCURRENT, NO_ERROR, REFUSED_STREAM
from h2_stage import EACH_WAY, hello, pattern, stage_fixture, works
from tls_interception import opening_lunard

ERRORS = [1, 2, 3, 5, 6, 8, 10, 11, 12, 13, 0x0BADC0DE]  # REFUSED_STREAM is for requests that were not looked at
stage = stage_fixture(*EACH_WAY)
through = stage_fixture(*EACH_WAY[1:])


@pytest.fixture(scope="module")
def lunard(world, request, tls_origins, local_authority):
    yield from opening_lunard(world, request, tls_origins, local_authority)


class Pair:
    """A stream, from both ends."""

    def __init__(self, client, provider, path, method="GET"):
        self.asked = client.ask(path, method, end=method == "GET")
        self.served = provider.next_request()


def waiting(client, provider, path):
    return Pair(client, provider, path)


def uploading(client, provider, path):
    pair = Pair(client, provider, path, "POST")
    pair.asked.send(pattern(1000))
    pair.served.until_bytes(1000)
    return pair


def downloading(client, provider, path):
    pair = Pair(client, provider, path)
    pair.served.send_head([(":status", "200")]).send(pattern(1000))
    pair.asked.until_bytes(1000)
    return pair


def both_ways(client, provider, path):
    pair = uploading(client, provider, path)
    pair.served.send_head([(":status", "200")]).send(pattern(1000))
    pair.asked.until_bytes(1000)
    return pair


MOMENTS = {"before an answer": waiting, "in an upload": uploading, "in an answer": downloading, "in both": both_ways}


@pytest.mark.parametrize("moment", MOMENTS.values(), ids=MOMENTS)
@pytest.mark.parametrize("end", ["client", "provider"])
@pytest.mark.parametrize("codes", [[NO_ERROR], ERRORS], ids=["no error", "errors"])
def test_every_code_arrives_at_the_other_end(stage, codes, end, moment):
    client, provider = stage.open()
    beside = uploading(client, provider, "/beside")
    seen = {}
    for code in codes:
        pair = moment(client, provider, f"/{code}")
        one, other = (pair.asked, pair.served) if end == "client" else (pair.served, pair.asked)
        one.send_reset(code)
        seen[code] = other.until_reset()
        assert not other.ended or other is pair.served and moment in (waiting, downloading)
    assert seen == {code: code for code in codes}
    beside.asked.send(b"", end=True)
    hello(beside.served.until_end())
    assert beside.asked.until_end().status == "200" and works(client, provider)


@pytest.mark.parametrize("size", [1, 30_000])
def test_what_the_provider_sent_before_a_reset_is_delivered_before_it(stage, size):
    client, provider = stage.open()
    asked = client.ask("/cut")
    served = provider.next_request()
    served.send_head([(":status", "200"), ("content-length", "100000")]).send(pattern(size)).send_reset(2)
    assert asked.until_reset() == 2
    assert (asked.status, bytes(asked.body), asked.ended) == ("200", pattern(size), False)


def test_a_head_alone_is_delivered_before_a_reset(stage):
    client, provider = stage.open()
    asked = client.ask("/cut")
    provider.next_request().send_head([(":status", "103")]).send_head([(":status", "500"), ("x-why", "broken")]).send_reset(11)
    assert asked.until_reset() == 11
    assert (len(asked.interim), asked.status, asked.fields, asked.ended) == (1, "500", [("x-why", "broken")], False)


@pytest.mark.parametrize("size", [1, 30_000])
def test_what_the_client_sent_before_a_reset_is_delivered_before_it(stage, size):
    client, provider = stage.open()
    asked = client.ask("/cut", "POST", [("content-length", "100000")], end=False)
    served = provider.next_request()
    asked.send(pattern(size)).send_reset(CANCEL)
    assert served.until_reset() == CANCEL
    assert (bytes(served.body), served.ended) == (pattern(size), False)


@pytest.mark.parametrize("known", [True, False], ids=["with a length", "of unknown length"])
def test_a_full_answer_with_a_reset_behind_it_stops_an_upload(stage, known):
    client, provider = stage.open()
    asked = client.ask("/too-large", "POST", end=False).send(pattern(20_000))
    served = provider.next_request().until_bytes(1)
    served.answer(413, [("content-length", "9")] if known else [], b"too large").send_reset(NO_ERROR)
    assert asked.until_reset() == NO_ERROR
    assert (asked.status, bytes(asked.body), asked.ended) == ("413", b"too large", True)
    assert client.seen.index(f"end {asked.number}") < client.seen.index(f"reset {asked.number}")
    assert works(client, provider)


def test_an_answer_of_one_frame_with_a_reset_behind_it_stops_an_upload(stage):
    client, provider = stage.open()
    asked = client.ask("/no", "POST", end=False).send(b"x" * 20_000)
    provider.next_request().answer(403).send_reset(NO_ERROR)
    assert asked.until_reset() == NO_ERROR
    assert (asked.status, asked.ended_by_head) == ("403", True) and works(client, provider)


@pytest.mark.parametrize("method, body", [("GET", b""), ("POST", b""), ("POST", pattern(10_000))], ids=["GET", "POST", "POST with a body"])
def test_a_refused_stream_is_refused_and_not_sent_again_and_again(stage, method, body):
    attempts = []

    def refuse(stream):
        attempts.append(stream)
        stream.send_reset(REFUSED_STREAM)

    stage.serve = refuse
    client, provider = stage.open()
    asked = client.ask("/refused", method, end=not body)
    if body:
        asked.send(body, end=True)
    assert asked.until_reset() == REFUSED_STREAM and asked.heads == []
    stage.pump.until_quiet()
    assert len(attempts) <= 3
    assert provider.wire.end is None and client.wire.end is None and not client.goaways


def test_a_stream_may_be_refused_in_the_middle_of_its_upload(stage):
    client, provider = stage.open()
    pair = uploading(client, provider, "/refused")
    pair.served.send_reset(REFUSED_STREAM)
    assert pair.asked.until_reset() == REFUSED_STREAM and works(client, provider)


def test_the_client_sends_again_what_was_refused(stage):
    client, provider = stage.open()
    provider.serve = lambda stream: stream.send_reset(REFUSED_STREAM)
    assert client.ask("/again").until_reset() == REFUSED_STREAM
    provider.serve = hello
    assert bytes(client.ask("/again").until_end().body) == b"hello\n"


def test_a_reset_reaches_a_client_that_has_stopped_reading(stage):
    client, provider = stage.open()
    client.credits = False
    asked = client.ask("/stalled")
    provider.next_request().send_head([(":status", "200")]).send(pattern(200_000))
    stage.pump.until_quiet()
    [served] = provider.streams.values()
    assert len(asked.body) == 65_535
    served.send_reset(11)
    assert asked.until_reset() == 11


def test_a_reset_reaches_a_provider_that_has_stopped_reading(stage):
    stage.settings = {4: 20_000}
    client, provider = stage.open()
    provider.credits = False
    asked = client.ask("/stalled", "POST", end=False).send(pattern(200_000))
    served = provider.next_request()
    stage.pump.until_quiet()
    assert len(served.body) == 20_000
    asked.send_reset(CANCEL)
    assert served.until_reset() == CANCEL


def test_five_hundred_streams_that_are_reset_leave_room_for_more(stage):
    client, provider = stage.open()
    provider.serve = lambda stream: stream.send_head([(":status", "200")]).send(b"begun")
    for _ in range(20):
        batch = [client.ask("/left") for _ in range(25)]
        stage.pump.until(lambda: all(len(stream.body) == 5 for stream in batch), "the first bytes")
        for stream in batch:
            stream.send_reset(CANCEL)
    stage.pump.until(lambda: all(stream.reset == CANCEL for stream in provider.streams.values()), "the resets")
    provider.serve = hello
    assert client.ask("/more").until_end().status == "200"


def test_a_stream_may_leave_while_it_waits_for_its_turn(through):
    through.settings = {CONCURRENT: 1}
    client, provider = through.open()
    first = client.ask("/first")
    served = provider.next_request()
    left, uploading, following = client.ask("/left"), client.ask("/left", "POST", end=False).send(b"half"), client.ask("/following")
    client.round_trip()
    left.send_reset(CANCEL)
    uploading.send_reset(CANCEL)
    client.round_trip()
    provider.serve = lambda stream: hello(stream) if stream.head[":path"] == "/following" else None
    hello(served)
    assert first.until_end().status == following.until_end().status == "200"
    assert {stream.reset for stream in provider.streams.values() if stream.head[":path"] == "/left"} <= {CANCEL}


def test_streams_that_wait_for_their_turn_begin_when_the_provider_takes_more(through):
    through.settings = {CONCURRENT: 1}
    client, provider = through.open()
    asked = [client.ask(f"/{number}") for number in range(3)]
    held = [provider.next_request()]
    provider.settings[CONCURRENT] = 3
    provider.send_settings({CONCURRENT: 3})
    for served in held + provider.next_requests(2):
        hello(served)
    assert [stream.until_end().status for stream in asked] == ["200"] * 3
