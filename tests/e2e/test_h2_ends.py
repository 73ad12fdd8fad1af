"""How connections of HTTP/2 end: GOAWAY, a lost peer, a gateway that is started again or stopped. What is under way is answered or
ends visibly, and the next connection works."""

import signal
import time

import pytest

from h2_peer import CALM, CANCEL, CONCURRENT, NO_ERROR, PROTOCOL_ERROR
from h2_stage import EACH_WAY, hello, pattern, stage_fixture, works
from tls_interception import opening_lunard

ANY = (1 << 31) - 1  # the last stream of a GOAWAY that only announces the end
LOSSES = ["finish", "close", "abort"]  # with close_notify, without, by RST
stage = stage_fixture(*EACH_WAY)
opened = stage_fixture("intercepted")
through = stage_fixture(*EACH_WAY[1:])


@pytest.fixture(scope="module")
def lunard(world, request, tls_origins, local_authority):
    yield from opening_lunard(world, request, tls_origins, local_authority)


@pytest.fixture
def stopping(lunard):
    """The lunard, for a test that stops it."""
    yield lunard
    if lunard.child.poll() is not None:
        lunard.start()
        lunard.await_mode("protecting", 10)


def lost(stream):
    """Its client knows that no more will come."""
    return not stream.ended and (stream.reset is not None or stream.peer.wire.end is not None)


def by_path(provider, count):
    return {served.head[":path"]: served for served in provider.next_requests(count)}


# GOAWAY

def test_streams_up_to_the_last_one_of_a_goaway_are_answered_and_those_above_are_refused(stage):
    client, provider = stage.open()
    asked = [client.ask(f"/{number}") for number in range(4)]
    served = by_path(provider, 4)
    served["/0"].answer(200, body=b"before")
    provider.send_goaway(served["/1"].number)
    stage.pump.until(lambda: asked[2].refused and asked[3].refused, "the refusals")
    client.until_ended()
    assert client.seen.index(f"end {asked[0].number}") < client.seen.index("goaway")
    served["/1"].send_head([(":status", "200")]).send(b"behind")
    asked[1].until_bytes(6)
    served["/1"].send_trailers([("x-last", "yes")])
    assert (bytes(asked[0].body), bytes(asked[1].until_end().body), asked[1].trailers) == (b"before", b"behind", [("x-last", "yes")])
    assert asked[2].heads == asked[3].heads == []
    assert works(*stage.open())


def test_a_goaway_in_the_middle_of_an_upload_lets_it_end(stage):
    client, provider = stage.open()
    asked = client.ask("/upload", "POST", end=False).send(pattern(1000))
    served = provider.next_request().until_bytes(1000)
    provider.send_goaway(served.number)
    client.until_ended()
    asked.send(pattern(200_000), end=True)
    served.until_end().answer(200, body=b"all of it")
    assert len(served.body) == 201_000 and bytes(asked.until_end().body) == b"all of it"


def test_a_goaway_that_only_announces_the_end_loses_no_stream_that_is_on_its_way(stage):
    client, provider = stage.open()
    under_way = client.ask("/under-way")
    served = provider.next_request()
    provider.serve = hello
    provider.send_goaway(ANY)
    late = client.ask("/late")
    hello(served)
    for stream in (under_way, late):
        stage.pump.until(lambda: stream.ended or stream.refused, str(stream))
    client.until_ended()
    provider.send_goaway(max(provider.streams))
    provider.wire.finish()
    client.until_closed()
    assert under_way.status == "200" and (late.status == "200" or late.refused)
    assert works(*stage.open())


@pytest.mark.parametrize("code", [NO_ERROR, PROTOCOL_ERROR, CALM])
def test_a_goaway_on_an_idle_connection_reaches_the_client(stage, code):
    client, provider = stage.open()
    assert works(client, provider)
    provider.send_goaway(max(provider.streams), code, b"enough")
    provider.wire.finish()
    client.until_ended()
    client.until_closed()
    assert client.goaways and works(*stage.open())


def test_a_goaway_before_any_stream_refuses_them_all(stage):
    client, provider = stage.open()
    provider.send_goaway(0)
    asked = client.ask("/too-late")
    stage.pump.until(lambda: asked.refused, "the refusal")
    stage.pump.until_quiet(0.05)
    assert asked.heads == [] and works(*stage.open())


def test_a_goaway_refuses_streams_that_wait_for_their_turn(through):
    through.settings = {CONCURRENT: 1}
    client, provider = through.open()
    first = client.ask("/first")
    served = provider.next_request()
    waiting = [client.ask(f"/waiting/{number}", "POST", end=False).send(b"half") for number in range(2)]
    client.round_trip()
    provider.send_goaway(served.number)
    through.pump.until(lambda: all(stream.refused for stream in waiting), "the refusals")
    hello(served)
    assert first.until_end().status == "200" and len(provider.streams) == 1


def test_a_client_that_says_goaway_gets_the_answers_that_it_waits_for(stage):
    client, provider = stage.open()
    asked = client.ask("/last", "POST", end=False).send(b"half")
    served = provider.next_request().until_bytes(4)
    client.send_goaway(0)
    client.round_trip()
    asked.send(b" and half", end=True)
    served.until_end().answer(200, body=bytes(served.body))
    assert bytes(asked.until_end().body) == b"half and half"


# a peer that is gone

@pytest.mark.parametrize("loss", LOSSES)
def test_with_the_providers_connection_its_streams_end_and_the_next_connection_works(stage, loss):
    client, provider = stage.open()
    waiting, cut = client.ask("/waiting"), client.ask("/cut")
    uploading = client.ask("/uploading", "POST", end=False).send(pattern(1000))
    served = by_path(provider, 3)
    served["/cut"].send_head([(":status", "200")]).send(pattern(1000))
    cut.until_bytes(1000)
    served["/uploading"].until_bytes(1000)
    getattr(provider.wire, loss)()
    stage.pump.until(lambda: all(map(lost, (waiting, cut, uploading))), "the end of the streams")
    client.until_ended()
    assert (waiting.heads, uploading.heads, bytes(cut.body)) == ([], [], pattern(1000))
    assert works(*stage.open())


@pytest.mark.parametrize("loss", ["finish", "close"])
def test_what_a_provider_said_before_it_left_arrives(stage, loss):
    client, provider = stage.open()
    whole, cut = client.ask("/whole"), client.ask("/cut")
    served = by_path(provider, 2)
    served["/whole"].answer(200, body=pattern(20_000))
    served["/cut"].send_head([(":status", "200")]).send(pattern(30_000))
    getattr(provider.wire, loss)()
    stage.pump.until(lambda: lost(cut), "the end of the stream")
    assert (bytes(whole.body), whole.ended, whole.reset) == (pattern(20_000), True, None)
    assert bytes(cut.body) == pattern(30_000)


@pytest.mark.parametrize("loss", LOSSES)
def test_an_idle_connection_ends_with_that_of_its_provider(stage, loss):
    client, provider = stage.open()
    assert works(client, provider)
    getattr(provider.wire, loss)()
    client.until_ended()
    client.until_closed()
    assert works(*stage.open())


@pytest.mark.parametrize("loss", LOSSES)
def test_a_provider_learns_that_its_client_has_gone(stage, loss):
    client, provider = stage.open()
    other = stage.open()
    asked = client.ask("/download")
    served = provider.next_request().send_head([(":status", "200")]).send(pattern(1000))
    asked.until_bytes(1000)
    uploading = client.ask("/upload", "POST", end=False).send(pattern(1000))
    receiving = provider.next_request().until_bytes(1000)
    getattr(uploading.peer.wire, loss)()
    stage.pump.until(lambda: provider.wire.end or {served.reset, receiving.reset} == {CANCEL}, "the end of the streams")
    assert not receiving.ended and works(*other)


def test_the_providers_connection_ends_with_that_of_its_client(stage):
    client, provider = stage.open()
    assert works(client, provider)
    client.send_goaway(0)
    client.wire.finish()
    provider.until_closed()
    assert not provider.open_streams()


def test_a_client_that_leaves_without_a_request_has_not_refused_a_certificate(stage):
    """It has begun to speak HTTP/2."""
    host = "leaving.example.com"
    client, provider = stage.open(host=host)
    client.round_trip()
    client.wire.close()
    stage.pump.until(lambda: provider.wire.end, "the end of the provider's connection")
    assert works(*stage.open(host=host))  # which looks at the way of that connection


# the gateway

def restart(stage, lunard):
    """Runs `lunarctl restart` while both ends go on."""
    argv = [lunard.build / "cli/lunarctl", "--socket", lunard.socket_path, "restart"]
    child = stage.world.start_in(stage.world.host, stage.world.cgroup.child("lunarctl"), argv)
    return lambda: stage.pump.until(lambda: child.poll() is not None, "the restart", 20) and child.poll() == 0


def test_a_restart_ends_connections_in_order_and_answers_what_is_under_way(through, lunard):
    client, provider = through.open()
    idle, _ = through.open()
    before = lunard.gateway_pid()
    asked = client.ask("/upload", "POST", end=False).send(pattern(1000))
    served = provider.next_request().until_bytes(1000)
    answered = client.ask("/download")
    serving = provider.next_request().send_head([(":status", "200")]).send(pattern(1000))
    answered.until_bytes(1000)
    done = restart(through, lunard)
    idle.until_closed()
    assert idle.goaways and idle.goaways[-1][1] == NO_ERROR
    asked.send(pattern(100_000), end=True)
    served.until_end().answer(200, body=b"late")
    serving.send(pattern(100_000), end=True)
    assert (bytes(asked.until_end().body), len(answered.until_end().body)) == (b"late", 101_000)
    client.until_closed()
    assert {code for _, code, _ in client.goaways} == {NO_ERROR} and client.goaways[-1][0] == answered.number
    assert done() is True and lunard.gateway_pid() != before
    assert works(*through.open())


def test_streams_that_are_asked_for_during_a_restart_are_answered_or_refused(through, lunard):
    through.serve = hello
    client, _ = through.open()
    asked = [client.ask("/first").until_end()]
    done = restart(through, lunard)
    begun = time.monotonic()
    while not client.ended and time.monotonic() < begun + 10:
        if len(client.open_streams()) < 50:
            asked.append(client.ask(f"/{len(asked)}"))
        through.pump.turn(0.01)
    asked += [client.ask(f"/behind/{number}") for number in range(3)]
    for stream in asked:
        through.pump.until(lambda: stream.ended or stream.refused or client.wire.end, str(stream))
    assert all(stream.ended or stream.refused for stream in asked) and len(asked) > 4, client
    assert done() is True


def stop(stage, lunard):
    lunard.child.signal(signal.SIGTERM)
    begun = time.monotonic()
    return lambda: stage.pump.until(lambda: lunard.child.poll() is not None, "the stop", 10) and time.monotonic() - begun


def test_a_stop_with_an_idle_client_takes_no_grace(through, stopping):
    client, provider = through.open()
    assert works(client, provider)
    stopped = stop(through, stopping)
    client.until_closed()
    assert client.goaways and {code for _, code, _ in client.goaways} == {NO_ERROR}
    assert stopped() < 3 and stopping.child.poll() == 0


def test_a_stop_answers_what_is_under_way(through, stopping):
    client, provider = through.open()
    idle, _ = through.open()
    asked = client.ask("/under-way")
    served = provider.next_request()
    stopped = stop(through, stopping)
    idle.until_closed()
    served.answer(200, body=pattern(100_000))
    assert bytes(asked.until_end().body) == pattern(100_000)
    assert stopped() < 3 and stopping.child.poll() == 0
    assert client.until_closed() and client.goaways and asked.reset is None


def test_a_stop_ends_a_stream_that_goes_on_and_on(opened, stopping):
    client, provider = opened.open()
    asked = client.ask("/endless")
    provider.next_request().send_head([(":status", "200")]).send(b"begun")
    asked.until_bytes(5)
    stopped = stop(opened, stopping)
    assert 2 < stopped() < 6 and stopping.child.poll() == 0
    client.until_closed()
    assert lost(asked)
