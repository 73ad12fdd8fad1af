"""HTTP/2 frame by frame: both ends see through the gateway the messages that they see without it."""

import hashlib

import pytest
from hyperframe.frame import DataFrame, HeadersFrame, PriorityFrame

from h2_peer import CANCEL, CONCURRENT, EXTENDED_CONNECT, TABLE_SIZE, frame
from h2_stage import EACH_WAY, HOST, hello, pattern, stage_fixture, works
from tls_interception import opening_lunard

GRPC = [("content-type", "application/grpc"), ("grpc-status", "5"), ("grpc-message", "not%20there")]
stage = stage_fixture(*EACH_WAY)


@pytest.fixture(scope="module")
def lunard(world, request, tls_origins, local_authority):
    yield from opening_lunard(world, request, tls_origins, local_authority)


# requests and answers

def test_a_request_and_its_answer_arrive_as_they_were_sent(stage):
    client, provider = stage.open()
    fields = [("user-agent", "frames/1"), ("x-repeat", "first"), ("x-repeat", "second"), ("x-empty", ""), ("cookie", "a=1; b=2"),
              ("te", "trailers"), ("authorization", "Bearer abc"), ("priority", "u=1, i"), ("x-words", "Kept As Sent")]
    asked = client.ask("/a%20b?q=1&q=2", fields=fields)
    served = provider.next_request().until_end()
    assert {name: value for name, value in served.heads[0] if name.startswith(":")} == {
        ":method": "GET", ":scheme": stage.scheme, ":authority": HOST, ":path": "/a%20b?q=1&q=2"}
    assert served.fields == fields and served.ended_by_head
    answer = [("content-type", "text/plain"), ("set-cookie", "a=1"), ("set-cookie", "b=2"), ("x-empty", ""), ("x-words", "Kept As Sent")]
    served.answer(200, answer, b"hello")
    assert (asked.until_end().status, asked.fields, bytes(asked.body)) == ("200", answer, b"hello")


@pytest.mark.parametrize("method", ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "PROPFIND"])
def test_a_request_without_a_body_arrives_as_one_frame_without_a_length(stage, method):
    client, provider = stage.open()
    asked = client.ask("/one-frame", method)
    served = provider.next_request().until_end()
    assert (served.head[":method"], served.fields, served.ended_by_head) == (method, [], True)
    served.answer(200)
    assert asked.until_end().status == "200"


@pytest.mark.parametrize("fields", [[], [("content-length", "0")]], ids=["no length", "a length of 0"])
def test_an_answer_of_one_frame_arrives_as_one_frame_with_the_length_that_it_had(stage, fields):
    client, provider = stage.open()
    asked = client.ask("/one-frame", "POST", fields)
    served = provider.next_request().until_end()
    assert (served.fields, served.ended_by_head) == (fields, True)
    served.answer(200, fields)
    assert (asked.until_end().fields, asked.ended_by_head) == (fields, True)


@pytest.mark.parametrize("size", [0, 1, 100_000])
@pytest.mark.parametrize("known", [True, False], ids=["with a length", "of unknown length"])
def test_bodies_arrive_whole_both_ways(stage, known, size):
    body, fields = pattern(size), [("content-length", str(size))] if known else []
    client, provider = stage.open()
    asked = client.ask("/bodies", "POST", fields, end=False).send(body, end=True)
    served = provider.next_request().until_end()
    assert (served.fields, bytes(served.body)) == (fields, body)
    served.answer(200, fields, body)
    assert (asked.until_end().fields, bytes(asked.body)) == (fields, body)


@pytest.mark.parametrize("known", [True, False], ids=["with a length", "of unknown length"])
def test_the_end_of_a_body_may_come_later_in_a_frame_of_its_own(stage, known):
    fields = [("content-length", "5")] if known else []
    client, provider = stage.open()
    asked = client.ask("/later", "POST", fields, end=False).send(b"quest")
    served = provider.next_request().until_bytes(5)
    asked.send(b"", end=True)
    served.until_end().send_head([(":status", "200"), *fields]).send(b"reply")
    asked.until_bytes(5)
    stage.pump.until_quiet(0.05)
    served.send(b"", end=True)
    asked.until_end()
    assert works(client, provider)
    provider.round_trip()
    client.round_trip()
    assert (served.reset, asked.reset) == (None, None)
    assert (bytes(served.body), bytes(asked.body)) == (b"quest", b"reply")


LENGTH, GRPC_TYPE = ("content-length", "5"), ("content-type", "application/grpc")


@pytest.mark.parametrize("fields", [[], [GRPC_TYPE], [GRPC_TYPE, LENGTH]], ids=["of unknown length", "gRPC", "gRPC with a length"])
def test_trailers_arrive_both_ways(stage, fields):
    trailers = [("x-checksum", "4711"), ("grpc-status", "0")]
    client, provider = stage.open()
    asked = client.ask("/trailers", "POST", fields, end=False).send(b"quest").send_trailers(trailers)
    served = provider.next_request().until_end()
    served.send_head([(":status", "200"), *fields]).send(b"reply").send_trailers(trailers)
    asked.until_end()
    assert (bytes(served.body), served.trailers) == (b"quest", trailers)
    assert (bytes(asked.body), asked.trailers) == (b"reply", trailers)


def test_trailers_behind_a_body_of_known_length_are_left_out_on_the_way(stage):
    trailers = [("x-checksum", "4711")]
    client, provider = stage.open()
    asked = client.ask("/trailers", "POST", [LENGTH], end=False).send(b"quest").send_trailers(trailers)
    served = provider.next_request().until_end()
    served.send_head([(":status", "200"), LENGTH]).send(b"reply").send_trailers(trailers)
    asked.until_end()
    arriving = trailers if stage.is_direct else None
    assert (bytes(served.body), served.trailers) == (b"quest", arriving)
    assert (bytes(asked.body), asked.trailers) == (b"reply", arriving)


def test_trailers_arrive_behind_an_empty_body(stage):
    client, provider = stage.open()
    asked = client.ask("/trailers")
    provider.next_request().send_head([(":status", "200")]).send_trailers([("x-checksum", "0")])
    assert (bytes(asked.until_end().body), asked.trailers) == (b"", [("x-checksum", "0")])


ANSWERS = {
    "a HEAD answer": ("HEAD", 200, [("content-length", "1000")]), "a HEAD answer without a length": ("HEAD", 200, []),
    "a 204": ("GET", 204, [("x-kept", "yes")]), "a 304": ("GET", 304, [("etag", '"v1"')]),
    "a 304 with a length": ("GET", 304, [("etag", '"v1"'), ("content-length", "1000")]),
    "trailers alone": ("POST", 200, GRPC), "an unknown status": ("GET", 299, []), "a 500 without a body": ("PUT", 500, []),
}


@pytest.mark.parametrize("method, status, fields", ANSWERS.values(), ids=ANSWERS)
def test_an_answer_without_a_body_arrives_as_it_was_sent(stage, method, status, fields):
    client, provider = stage.open()
    asked = client.ask("/answers", method)
    provider.next_request().answer(status, fields)
    assert (asked.until_end().status, asked.fields, len(asked.heads)) == (str(status), fields, 1)
    assert (asked.ended_by_head, asked.frames) == (True, 0)
    assert works(client, provider)


def test_interim_answers_arrive_each_before_what_follows(stage):
    client, provider = stage.open()
    asked = client.ask("/interim")
    served = provider.next_request()
    hints = [[(":status", "103"), ("link", f"</{name}>; rel=preload")] for name in ("style", "script")]
    for count, hint in enumerate(hints, 1):
        served.send_head(hint)
        stage.pump.until(lambda: len(asked.interim) == count, "the hint")
    served.answer(200, body=b"after hints")
    assert bytes(asked.until_end().body) == b"after hints" and asked.interim == hints


def test_a_body_that_waits_for_100_is_asked_for_by_the_provider_itself(stage):
    client, provider = stage.open()
    asked = client.ask("/expect", "POST", [("expect", "100-continue"), ("content-length", "5")], end=False)
    served = provider.next_request()
    assert ("expect", "100-continue") in served.fields
    stage.pump.until_quiet(0.05)
    assert asked.heads == []
    served.send_head([(":status", "100")])
    stage.pump.until(lambda: asked.interim, "100")
    asked.send(b"quest", end=True)
    served.until_end().answer(200, body=bytes(served.body))
    assert bytes(asked.until_end().body) == b"quest"


def test_large_heads_arrive_in_as_many_frames_as_they_take(stage):
    fields = [(f"x-large-{number}", hashlib.sha512(b"%d" % number).hexdigest() * 8) for number in range(45)]
    client, provider = stage.open()
    asked = client.ask("/large", fields=fields)
    served = provider.next_request()
    assert served.fields == fields
    served.answer(200, fields, b"")
    assert asked.until_end().fields == fields


def test_heads_are_written_without_a_table_for_a_peer_that_has_none(stage):
    stage.settings = {TABLE_SIZE: 0}
    client, provider = stage.open({TABLE_SIZE: 0})
    assert all(works(client, provider) for _ in range(3))


# streams together

def test_pieces_go_back_and_forth_while_both_bodies_are_open(stage):
    client, provider = stage.open()
    asked = client.ask("/echo-each", "POST", end=False)
    served = provider.next_request().send_head([(":status", "200")])
    for number in range(20):
        asked.send(b"%05d" % number)
        served.until_bytes(5 * (number + 1)).send(bytes(served.body[-5:]))
        asked.until_bytes(5 * (number + 1))
    asked.send(b"", end=True)
    served.until_end().send_trailers(GRPC[1:])
    assert asked.until_end().body == served.body and asked.trailers == GRPC[1:]


@pytest.mark.parametrize("size", [2000, 100_000, 1 << 20])
def test_an_answer_before_the_end_of_the_request_stops_no_upload(stage, size):
    body = pattern(size)
    client, provider = stage.open()
    asked = client.ask("/early", "POST", end=False).send(body[:1000])
    served = provider.next_request().until_bytes(1000).answer(200, body=b"early")
    assert bytes(asked.until_end().body) == b"early"
    asked.send(body[1000:], end=True)
    assert served.until_end().body == body
    assert works(client, provider)
    assert (asked.reset, served.reset) == (None, None)


def test_two_hundred_streams_are_answered_where_a_hundred_may_be_open(stage):
    stage.settings = {CONCURRENT: 100}
    client, provider = stage.open()
    streams, limit = [], client.told.get(CONCURRENT, 200)
    for _ in range(2):
        while len(streams) < 200 and len(client.open_streams()) < limit:
            streams.append(client.ask(f"/{len(streams)}"))
        for served in reversed(provider.next_requests(100)):
            served.answer(200, body=served.head[":path"].encode())
        stage.pump.until(lambda: not client.open_streams(), "the answers")
    assert [bytes(stream.body) for stream in streams] == [b"/%d" % number for number in range(200)]


def test_a_provider_that_takes_one_stream_at_a_time_answers_ten(stage):
    stage.settings = {CONCURRENT: 1}
    client, provider = stage.open()
    streams, limit = [], client.told.get(CONCURRENT, 10)
    for count in range(1, 11):
        while len(streams) < 10 and len(client.open_streams()) < limit:
            streams.append(client.ask(f"/{len(streams)}"))
        served = provider.next_request()
        stage.pump.until_quiet(0.02)
        served.answer(200, body=served.head[":path"].encode())
        stage.pump.until(lambda: sum(stream.ended for stream in streams) == count, "its answer")
    assert [bytes(stream.body) for stream in streams] == [b"/%d" % number for number in range(10)]


# WebSocket

def upgrade(stage):
    return [(":method", "CONNECT"), (":protocol", "websocket"), (":scheme", stage.scheme), (":authority", HOST), (":path", "/chat"),
            ("sec-websocket-version", "13"), ("origin", "https://shop.example.com"), ("sec-websocket-protocol", "chat")]


@pytest.mark.parametrize("offered", [0, 1])
def test_extended_connect_is_offered_if_the_provider_offers_it(stage, offered):
    stage.settings = {EXTENDED_CONNECT: 1} if offered else {}
    client, provider = stage.open()
    assert client.told.get(EXTENDED_CONNECT, 0) == offered and works(client, provider)


def test_a_websocket_echoes_both_ways_and_ends_in_order(stage):
    stage.settings = {EXTENDED_CONNECT: 1}
    client, provider = stage.open()
    asked = client.ask_with(upgrade(stage), end=False)
    served = provider.next_request()
    assert sorted(served.heads[0]) == sorted(upgrade(stage))
    served.send_head([(":status", "200"), ("sec-websocket-protocol", "chat")])
    assert asked.until_head().status == "200" and asked.fields == [("sec-websocket-protocol", "chat")]
    said = pattern(200_000)
    asked.send(said)
    served.until_bytes(len(said)).send(said)
    assert asked.until_bytes(len(said)).body == said
    asked.send(b"\x88\x82\0\0\0\0\x03\xe8", end=True)
    served.until_end().send(b"\x88\x02\x03\xe8", end=True)
    assert asked.until_end().body == said + b"\x88\x02\x03\xe8"
    assert works(client, provider)
    assert (asked.reset, served.reset) == (None, None)


def test_a_websocket_may_be_refused(stage):
    stage.settings = {EXTENDED_CONNECT: 1}
    client, provider = stage.open()
    asked = client.ask_with(upgrade(stage), end=False)
    provider.next_request().answer(403, [("content-type", "text/plain")], b"not you")
    assert (asked.until_end().status, bytes(asked.body)) == ("403", b"not you")


@pytest.mark.parametrize("end", ["client", "provider"])
def test_a_websocket_that_is_cut_is_cut_with_the_same_code(stage, end):
    stage.settings = {EXTENDED_CONNECT: 1}
    client, provider = stage.open()
    asked = client.ask_with(upgrade(stage), end=False)
    served = provider.next_request().send_head([(":status", "200")])
    asked.until_head()
    one, other = (asked, served) if end == "client" else (served, asked)
    one.send_reset(CANCEL)
    assert other.until_reset() == CANCEL and works(client, provider)


# what goes on beside messages

def test_what_a_peer_does_not_know_or_need_is_passed_over(stage):
    client, provider = stage.open()
    strange = [frame(0x77, 0xFF, 0, b"x" * 100), frame(4, 0, 0, b"\xbe\xef\0\0\0\7")]
    client.send(PriorityFrame(9, depends_on=3, stream_weight=7, exclusive=True))
    client.send_raw(frame(0x10, 0, 0, b"\0\0\0\1u=0"))  # PRIORITY_UPDATE
    asked = client.ask("/strange", "POST", end=False)
    served = provider.next_request()
    for peer, stream in ((client, asked), (provider, served)):
        peer.send_raw(b"".join([*strange, frame(0x77, 0, stream.number, b"y")]))
        peer.round_trip()
    client.send(PriorityFrame(asked.number, depends_on=0, stream_weight=255))
    asked.send(b"", end=True)
    hello(served.until_end())
    assert bytes(asked.until_end().body) == b"hello\n"
    head = [(":method", "GET"), (":scheme", stage.scheme), (":authority", HOST), (":path", "/weighty")]
    client.send(HeadersFrame(3, client.encode(head), depends_on=1, stream_weight=3, flags=["END_HEADERS", "END_STREAM", "PRIORITY"]))
    assert provider.next_request().head[":path"] == "/weighty"


def test_a_ping_is_answered_with_what_it_said(stage):
    client, provider = stage.open()
    for peer in (client, provider, client):
        peer.round_trip()
        assert peer.pongs[-1] == b"%08d" % (len(peer.pongs) - 1)
    assert works(client, provider)


def test_padding_is_taken_off_and_its_windows_are_given_back(stage):
    """More padding than any window has."""
    client, provider = stage.open()
    asked = client.ask("/padded", "POST", end=False)
    served = provider.next_request()
    for _ in range(100):
        for _ in range(100):
            client.send(DataFrame(asked.number, b"x", pad_length=255, flags=["PADDED"]))
        asked.window -= 100 * 257
        client.window -= 100 * 257
        stage.pump.until(lambda: min(asked.window, client.window) > 100 * 257, "room for more padding")
    asked.send(b"", end=True)
    hello(served.until_end())
    assert bytes(served.body) == b"x" * 10_000 and asked.until_end().status == "200"
