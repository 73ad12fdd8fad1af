"""Windows: what one stream does not read waits at its sender, in either direction, and nobody else waits for it."""

import hashlib

import pytest

from h2_peer import CANCEL, CONCURRENT, WINDOW
from h2_stage import EACH_WAY, hello, pattern, stage_fixture, works
from tls_interception import opening_lunard

KEPT = 1 << 20       # more than a sender may be rid of while nobody reads, over all
LARGE = pattern(4 << 20)
WAITING = 300_000    # more than a stream's window of any hop
stage = stage_fixture(*EACH_WAY)
through = stage_fixture(*EACH_WAY[1:])


@pytest.fixture(scope="module")
def lunard(world, request, tls_origins, local_authority):
    yield from opening_lunard(world, request, tls_origins, local_authority)


def digest(data):
    return hashlib.sha256(data).hexdigest()


def stalled_downloads(client, provider, count):
    """(asked, served) of streams whose answers the client does not read. Its connection as such has room for all of them."""
    client.widen(16 << 20)
    client.credits = False
    pairs = [(client.ask(f"/stalled/{number}"), provider.next_request().send_head([(":status", "200")]).send(LARGE[:WAITING], end=True))
             for number in range(count)]
    client.credits = True
    return pairs


def stalled_uploads(client, provider, count):
    provider.widen(16 << 20)
    provider.credits = False
    pairs = [(client.ask(f"/stalled/{number}", "POST", end=False).send(LARGE[:WAITING], end=True), provider.next_request())
             for number in range(count)]
    provider.credits = True
    return pairs


@pytest.mark.parametrize("count", [1, 8, 40])
def test_streams_whose_answers_nobody_reads_do_not_block_another(stage, count):
    client, provider = stage.open()
    pairs = stalled_downloads(client, provider, count)
    stage.pump.until_quiet()
    assert all(len(asked.body) == 65_535 for asked, _ in pairs)
    asked = client.ask("/beside")
    provider.next_request().answer(200, body=LARGE[:WAITING])
    assert digest(asked.until_end().body) == digest(LARGE[:WAITING])
    for asked, _ in pairs:
        client.resume(asked)
    assert {digest(asked.until_end().body) for asked, _ in pairs} == {digest(LARGE[:WAITING])}


@pytest.mark.parametrize("count", [1, 8, 40])
def test_streams_whose_uploads_nobody_reads_do_not_block_another(stage, count):
    client, provider = stage.open()
    pairs = stalled_uploads(client, provider, count)
    stage.pump.until_quiet()
    assert all(len(served.body) == 65_535 for _, served in pairs)
    asked = client.ask("/beside", "POST", end=False).send(LARGE[:WAITING], end=True)
    served = provider.next_request().until_end()
    hello(served)
    assert digest(served.body) == digest(LARGE[:WAITING]) and asked.until_end().status == "200"
    for _, served in pairs:
        provider.resume(served)
    assert {digest(served.until_end().body) for _, served in pairs} == {digest(LARGE[:WAITING])}


def test_a_provider_stops_when_nobody_reads_and_goes_on_when_somebody_does(stage):
    client, provider = stage.open()
    client.credits = False
    asked = client.ask("/large")
    served = provider.next_request().send_head([(":status", "200")]).send(LARGE, end=True)
    stage.pump.until_quiet()
    assert (len(asked.body), served.sent < 65_535 + KEPT, served.finished) == (65_535, True, False)
    client.resume(asked)
    assert digest(asked.until_end(20).body) == digest(LARGE)


def test_a_client_stops_when_nobody_reads_and_goes_on_when_somebody_does(stage):
    client, provider = stage.open()
    provider.credits = False
    asked = client.ask("/large", "POST", end=False).send(LARGE, end=True)
    served = provider.next_request()
    stage.pump.until_quiet()
    assert (len(served.body), asked.sent < 65_535 + KEPT, asked.finished) == (65_535, True, False)
    provider.resume(served)
    assert digest(served.until_end(20).body) == digest(LARGE)


def test_an_upload_that_waits_for_its_turn_waits_at_the_client(through):
    through.settings = {CONCURRENT: 1}
    client, provider = through.open()
    first = client.ask("/first")
    served = provider.next_request()
    waiting = client.ask("/waiting", "POST", end=False).send(LARGE, end=True)
    through.pump.until_quiet()
    assert waiting.sent < KEPT and not waiting.finished
    hello(served)
    assert first.until_end().status == "200"
    assert digest(provider.next_request().until_end(20).body) == digest(LARGE)


@pytest.mark.parametrize("end", ["client", "provider"])
def test_a_peer_that_does_not_even_read_its_connection_stops_nobody_but_its_own(stage, end):
    client, provider = stage.open()
    asked = client.ask("/large", "POST", end=False)
    served = provider.next_request().send_head([(":status", "200")])
    asked.until_head()
    other = stage.open()
    for peer in (client, provider):
        peer.widen((1 << 30), None)
        peer.widen((1 << 30), asked if peer is client else served)
    stage.pump.until_quiet(0.05)
    deaf, sender = (client, served) if end == "client" else (provider, asked)
    deaf.wire.reading = False
    sender.send(LARGE, end=True)
    stage.pump.until_quiet()
    assert works(*other)
    deaf.wire.reading = True
    assert digest((asked if deaf is client else served).until_end(20).body) == digest(LARGE)


@pytest.mark.parametrize("window", [1, 7, 1000])
def test_an_answer_arrives_through_a_tiny_window(stage, window):
    client, provider = stage.open({WINDOW: window})
    asked = client.ask("/tiny")
    provider.next_request().answer(200, body=pattern(1000))
    assert bytes(asked.until_end().body) == pattern(1000)
    assert asked.frames >= 1000 // window


@pytest.mark.parametrize("window", [1, 7, 1000])
def test_an_upload_arrives_through_a_tiny_window(stage, window):
    stage.settings = {WINDOW: window}
    client, provider = stage.open()
    asked = client.ask("/tiny", "POST", end=False).send(pattern(1000), end=True)
    served = provider.next_request().until_end()
    hello(served)
    assert bytes(served.body) == pattern(1000) and served.frames >= 1000 // window
    assert asked.until_end().status == "200"


def test_a_window_of_nothing_lets_heads_pass_and_bodies_wait(stage):
    client, provider = stage.open({WINDOW: 0})
    asked = client.ask("/shut")
    provider.next_request().answer(200, body=b"0123456789")
    asked.until_head()
    stage.pump.until_quiet(0.05)
    assert bytes(asked.body) == b""
    client.widen(4, asked)
    assert bytes(asked.until_bytes(4).body) == b"0123"
    client.credits = True
    client.widen(6, asked)
    assert bytes(asked.until_end().body) == b"0123456789"


def test_a_window_that_shrinks_under_a_stream_and_grows_again_is_kept(stage):
    """RFC 9113 §6.9.2: it may become negative meanwhile."""
    client, provider = stage.open()
    client.credits = False
    asked = client.ask("/shrinking")
    provider.next_request().send_head([(":status", "200")]).send(pattern(100_000), end=True)
    asked.until_bytes(65_535)
    client.send_settings({WINDOW: 10_000})
    client.round_trip()
    client.widen(100_000)
    client.send_raw(b"\0\0\4\x08\0" + asked.number.to_bytes(4, "big") + (50_000).to_bytes(4, "big"))
    stage.pump.until_quiet()
    assert len(asked.body) == 65_535
    client.send_settings({WINDOW: 65_535})
    asked.credit += 50_000
    asked.until_end()
    assert bytes(asked.body) == pattern(100_000)


def test_megabytes_go_both_ways_at_once(stage):
    client, provider = stage.open()
    pairs = []
    for number in range(3):
        asked = client.ask(f"/both/{number}", "POST", end=False)
        served = provider.next_request().send_head([(":status", "200")])
        pairs.append((asked.send(LARGE[number:], end=True), served.send(LARGE[2 * number:], end=True)))
    for number, (asked, served) in enumerate(pairs):
        assert digest(served.until_end(20).body) == digest(LARGE[number:])
        assert digest(asked.until_end(20).body) == digest(LARGE[2 * number:])


LEAVING = {"the client leaves an answer": ("GET", "client"), "the provider cuts an answer": ("GET", "provider"),
           "the client cuts an upload": ("POST", "client"), "the provider refuses an upload": ("POST", "provider")}


@pytest.mark.parametrize("method, end", LEAVING.values(), ids=LEAVING)
def test_what_a_reset_stream_had_not_read_is_given_back_to_the_connection(stage, method, end):
    """Together it is more than the window of any connection."""
    client, provider = stage.open()
    client.widen(16 << 20)
    provider.widen(16 << 20)
    for number in range(24):
        client.credits = provider.credits = False
        asked = client.ask(f"/left/{number}", method, end=method == "GET")
        served = provider.next_request()
        sender = asked if method == "POST" else served.send_head([(":status", "200")])
        sender.send(LARGE[:WAITING])
        (served if method == "POST" else asked).until_bytes(65_535)
        stage.pump.until_quiet(0.01)
        one, other = (asked, served) if end == "client" else (served, asked)
        one.send_reset(CANCEL)
        assert other.until_reset() == CANCEL
    client.credits = provider.credits = True
    asked = client.ask("/after", "POST", end=False).send(LARGE, end=True)
    served = provider.next_request().until_end(20).answer(200, body=LARGE)
    assert digest(served.body) == digest(asked.until_end(20).body) == digest(LARGE)
