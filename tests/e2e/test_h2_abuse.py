"""Peers that cost more than they may, or break the protocol: their connection ends, or their stream, and everybody else goes on."""

import itertools

import pytest

from h2_peer import CALM, CANCEL, EXTENDED_CONNECT, NO_ERROR, PROTOCOL_ERROR, frame
from h2_stage import HOST, hello, stage_fixture, works
from tls_interception import opening_lunard

DATA, HEADERS, PRIORITY, RESET, SETTINGS, PUSH, PING, _, WINDOW, CONTINUATION = range(10)
END_STREAM, END_HEADERS = 1, 4
FRAME_SIZE_ERROR = 6
BATCH = 500
ENTRY = b"\x40\x01a\x7f\xa1\x1e" + b"v" * 4000  # a field that goes into the table, which has room for it alone
opened = stage_fixture("intercepted")


@pytest.fixture(scope="module")
def lunard(world, request, tls_origins, local_authority):
    yield from opening_lunard(world, request, tls_origins, local_authority)


@pytest.fixture
def beside(opened, lunard):
    """A conversation that has nothing to do with what happens: it works before and afterwards, with the same gateway."""
    other, gateway = opened.open(), lunard.gateway_pid()
    assert works(*other)
    yield other
    assert works(*other) and works(*opened.open())
    assert lunard.gateway_pid() == gateway


def pour(peer, pieces):
    """Sends them as fast as the other side takes them, until it ends the connection."""
    for count, piece in enumerate(pieces):
        peer.send_raw(piece)
        if count % BATCH == 0:
            peer.pump.until(lambda: not peer.wants_output() or peer.ended, "the other side takes it")
            peer.pump.turn(0)
        if peer.ended:
            return


def number(n):
    return n.to_bytes(4, "big")


def used(stage):
    """A connection on which somebody has behaved so far."""
    client, provider = stage.open()
    assert works(client, provider)
    return client, provider


def told(client):
    """Why the gateway has ended its connection: codes and texts of GOAWAY."""
    client.until_ended()
    return [(code, text) for _, code, text in client.goaways]


def get(client):
    return client.encode([(":method", "GET"), (":scheme", "https"), (":authority", HOST), (":path", "/abuse")])


# clients

def rapid_reset(client):
    for stream in range(client.next_number, 10_000, 2):
        yield frame(HEADERS, END_HEADERS | END_STREAM, stream, get(client)) + frame(RESET, 0, stream, number(CANCEL))


def endless_continuation(client):
    yield frame(HEADERS, END_STREAM, client.next_number, get(client))
    for _ in range(20_000):
        yield frame(CONTINUATION, 0, client.next_number, b"\x00\x01a\x01b" * 20)


def empty_continuation(client):
    yield frame(HEADERS, END_STREAM, client.next_number, get(client))
    for _ in range(20_000):
        yield frame(CONTINUATION, 0, client.next_number, b"")


def settings(_):
    for _ in range(5000):
        yield frame(SETTINGS, 0, 0, b"\0\3\0\0\0\x64")


def pings(_):
    for count in range(20_000):
        yield frame(PING, 0, 0, count.to_bytes(8, "big"))


def empty_bodies(client):
    yield frame(HEADERS, END_HEADERS, client.next_number, get(client))
    for _ in range(60_000):
        yield frame(DATA, 0, client.next_number, b"")


def priorities(_):
    for count in range(60_000):
        yield frame(PRIORITY, 0, 2 * (count % 1000) + 1, number(0) + b"\x10")


def unknown_frames(_):
    for _ in range(60_000):
        yield frame(0xEE, 0, 0, b"")


def updates_of_windows(_):
    for _ in range(60_000):
        yield frame(WINDOW, 0, 0, number(1))


def compression_bombs(client):
    """Blocks of 16 KB which are megabytes of fields, each of them the same entry of the table."""
    plain = b"\x82\x84\x87\x01" + bytes([len(HOST)]) + HOST.encode()
    yield frame(HEADERS, END_HEADERS | END_STREAM, client.next_number, plain + ENTRY)
    for stream in range(client.next_number + 2, 100, 2):
        yield frame(HEADERS, END_HEADERS | END_STREAM, stream, plain + b"\xbe" * 16_000)


FLOODS = [rapid_reset, endless_continuation, empty_continuation, settings, pings, empty_bodies,
          priorities, unknown_frames, updates_of_windows, compression_bombs]


@pytest.mark.parametrize("flood", FLOODS, ids=lambda flood: flood.__name__.replace("_", " "))
def test_a_client_that_floods_is_told_to_be_calm(opened, beside, flood):
    client, provider = used(opened)
    pour(client, flood(client))
    assert [code for code, _ in told(client)] == [CALM], told(client)
    client.until_closed()
    provider.until_ended()
    client.faults.clear()  # its own end knows nothing of streams that were sent raw


MISCHIEF = {
    "windows that grow too large": lambda asked: asked.peer.send_raw(frame(WINDOW, 0, asked.number, number((1 << 31) - 1))),
    "bodies that are too long": lambda asked: asked.send(b"too long"),
}


@pytest.mark.parametrize("provoke", MISCHIEF.values(), ids=MISCHIEF)
def test_a_client_that_makes_the_gateway_reset_its_streams_is_told_to_be_calm(opened, beside, provoke):
    client, _ = used(opened)
    for _ in range(100):
        batch = [client.ask("/abuse", "POST", [("content-length", "3")], end=False) for _ in range(50)]
        for asked in batch:
            provoke(asked)
        opened.pump.until(lambda: client.ended or all(asked.reset is not None for asked in batch), "the resets")
        if client.ended:
            break
    assert [code for code, _ in told(client)] == [CALM], told(client)


def test_a_client_that_floods_and_never_reads_is_left(opened, beside):
    client, provider = used(opened)
    client.wire.reading = False
    for piece in pings(client):
        client.send_raw(piece)
    client.pump.until_quiet()
    client.wire.reading = True
    client.until_closed()
    provider.until_closed()


def test_what_many_clients_do_at_once_harms_nobody_else(opened, beside):
    clients = [used(opened)[0] for _ in range(5)]
    floods = [rapid_reset(client) for client in clients]
    for _ in range(10):
        for client, flood in zip(clients, floods):
            pour(client, itertools.islice(flood, BATCH))
    assert {code for client in clients for code, _ in told(client)} == {CALM}
    for client in clients:
        client.faults.clear()


ERRORS = {
    "DATA on no stream": (frame(DATA, 0, 0, b"x"), PROTOCOL_ERROR), "DATA on an idle stream": (frame(DATA, 0, 5, b"x"), PROTOCOL_ERROR),
    "a stream of the server": (frame(HEADERS, 5, 2, b"\x82\x84\x87"), PROTOCOL_ERROR),
    "a push": (frame(PUSH, 4, 1, number(2) + b"\x82"), PROTOCOL_ERROR),
    "a CONTINUATION behind nothing": (frame(CONTINUATION, 4, 1, b""), PROTOCOL_ERROR),
    "a setting that cannot be": (frame(SETTINGS, 0, 0, b"\0\2\0\0\0\2"), PROTOCOL_ERROR),
    "a SETTINGS of 5 bytes": (frame(SETTINGS, 0, 0, b"12345"), FRAME_SIZE_ERROR),
    "a PING of 7 bytes": (frame(PING, 0, 0, b"1234567"), FRAME_SIZE_ERROR),
    "a frame that is too large": (frame(0xEE, 0, 0, b"x" * 16_385), FRAME_SIZE_ERROR),
    "a window that grows by nothing": (frame(WINDOW, 0, 0, number(0)), PROTOCOL_ERROR),
    "a window that grows too large": (frame(WINDOW, 0, 0, number((1 << 31) - 1)), 3),
    "a block that cannot be read": (frame(HEADERS, 5, 3, b"\xff\xff\xff\xff\xff"), 9),
}


@pytest.mark.parametrize("data, code", ERRORS.values(), ids=ERRORS)
def test_an_error_of_the_connection_ends_it_and_says_why(opened, beside, data, code):
    client, provider = used(opened)
    client.send_raw(data)
    assert [code for code, _ in told(client)] == [code], told(client)
    client.until_closed()
    provider.until_ended()


def test_a_client_that_does_not_begin_as_http_2_does_is_left(opened, beside):
    client = opened.connect(host="leaving.example.com")
    client.wire.take_back()
    client.send_raw(b"GET /not-http-2 HTTP/1.1\r\nHost: leaving.example.com\r\n\r\n")
    provider = opened.provider()
    client.until_closed()
    provider.until_closed()
    assert provider.streams == {} and client.streams == {}


# requests

ORDINARY = [(":method", "GET"), (":scheme", "https"), (":authority", HOST), (":path", "/odd")]
MALFORMED = {
    "a name in upper case": [*ORDINARY, ("X-Upper", "yes")], "a field of the connection": [*ORDINARY, ("connection", "close")],
    "a transfer coding": [*ORDINARY, ("transfer-encoding", "chunked")], "an upgrade": [*ORDINARY, ("upgrade", "websocket")],
    "no path": ORDINARY[:3], "an empty path": [*ORDINARY[:3], (":path", "")], "no method": ORDINARY[1:], "no scheme": [ORDINARY[0], *ORDINARY[2:]],
    "two paths": [*ORDINARY, (":path", "/second")], "a status": [*ORDINARY, (":status", "200")],
    "a pseudo-header field behind others": [*ORDINARY[:3], ("x-first", "1"), ORDINARY[3]], "TE other than trailers": [*ORDINARY, ("te", "gzip")],
    "a line break in a value": [*ORDINARY, ("x-split", "a\r\nhost: tls.example.com")],
    "a line break in a path": [*ORDINARY[:3], (":path", "/a\r\nx: y")],
    "a space in a path": [*ORDINARY[:3], (":path", "/a HTTP/1.1")], "a space in a method": [(":method", "GET /x"), *ORDINARY[1:]],
    "a colon in a name": [*ORDINARY, ("x:y", "z")], "a NUL in a value": [*ORDINARY, ("x-nul", "a\0b")],
    "two lengths": [*ORDINARY, ("content-length", "1"), ("content-length", "2")], "a length that is none": [*ORDINARY, ("content-length", "-1")],
    "another host beside the authority": [*ORDINARY, ("host", "tls.example.com")], "an unknown pseudo-header field": [*ORDINARY, (":odd", "1")],
    "a protocol without CONNECT": [*ORDINARY, (":protocol", "websocket")],
}


@pytest.mark.parametrize("fields", MALFORMED.values(), ids=MALFORMED)
def test_a_malformed_request_is_reset_and_reaches_no_provider(opened, fields):
    opened.settings = {EXTENDED_CONNECT: 1}
    client, provider = opened.open()
    asked = client.ask_with(fields)
    opened.pump.until(lambda: asked.reset is not None or asked.ended, "a reset or 4xx")
    assert asked.reset == PROTOCOL_ERROR or asked.status in ("400", "421")
    assert works(client, provider) and len(provider.streams) == 1


@pytest.mark.parametrize("length", [3, 7])
def test_a_body_that_is_not_as_long_as_it_says_is_reset_at_both_ends(opened, length):
    client, provider = opened.open()
    asked = client.ask("/odd", "POST", [("content-length", str(length))], end=False).send(b"12345", end=True)
    assert asked.until_reset() == PROTOCOL_ERROR
    opened.pump.until_quiet(0.05)
    assert all(served.reset is not None and not served.ended for served in provider.streams.values())
    provider.asked.clear()
    assert works(client, provider)


# providers

ANSWER = [(":status", "200")]
ODD_ANSWERS = {
    "no status": [("x-odd", "1")], "two statuses": [*ANSWER, *ANSWER], "a name in upper case": [*ANSWER, ("X-Upper", "yes")],
    "a field of the connection": [*ANSWER, ("connection", "close")], "a transfer coding": [*ANSWER, ("transfer-encoding", "chunked")],
    "a line break in a value": [*ANSWER, ("x-split", "a\r\nset-cookie: b=1")], "a path": [*ANSWER, (":path", "/")],
    "101": [(":status", "101")], "a status that is none": [(":status", "2000")],
    "two lengths": [*ANSWER, ("content-length", "1"), ("content-length", "2")],
}


@pytest.mark.parametrize("fields", ODD_ANSWERS.values(), ids=ODD_ANSWERS)
def test_a_malformed_answer_is_a_reset_for_the_client_and_for_nobody_else(opened, fields):
    client, provider = opened.open()
    asked = client.ask("/odd")
    served = provider.next_request().send_head(fields, end=True)
    asked.until_reset()
    assert asked.heads == [] and served.until_reset() not in (NO_ERROR, None)
    assert works(client, provider)


@pytest.mark.parametrize("length", [3, 7])
def test_an_answer_that_is_not_as_long_as_it_says_never_ends_well(opened, length):
    client, provider = opened.open()
    asked = client.ask("/odd")
    provider.next_request().answer(200, [("content-length", str(length))], b"12345")
    assert asked.until_reset() and not asked.ended
    assert works(client, provider)


def interim_answers(provider):
    for _ in range(20_000):
        yield frame(HEADERS, END_HEADERS, 1, provider.encode([(":status", "103"), ("link", "</x>")]))


def answers_of_continuation(provider):
    yield frame(HEADERS, 0, 1, provider.encode(ANSWER))
    for _ in range(20_000):
        yield frame(CONTINUATION, 0, 1, b"\x00\x01a\x01b" * 20)


def answers_that_explode(provider):
    yield frame(HEADERS, 0, 1, b"\x88" + ENTRY + b"\xbe" * 10_000)
    yield frame(CONTINUATION, END_HEADERS, 1, b"\xbe" * 16_000)


def empty_answers(provider):
    yield frame(HEADERS, END_HEADERS, 1, provider.encode(ANSWER))
    for _ in range(60_000):
        yield frame(DATA, 0, 1, b"")


@pytest.mark.parametrize("flood", [interim_answers, answers_of_continuation, answers_that_explode, empty_answers, settings, pings],
                         ids=lambda flood: flood.__name__.replace("_", " "))
def test_a_provider_that_floods_loses_its_stream_and_nobody_elses(opened, beside, flood):
    client, provider = opened.open()
    asked = client.ask("/flooded")
    assert provider.next_request().number == 1
    pour(provider, flood(provider))
    opened.pump.until(lambda: asked.reset is not None or client.wire.end, "the end of the stream")
    assert not asked.ended


def test_a_push_that_nobody_wants_ends_the_providers_connection(opened, beside):
    client, provider = opened.open()
    asked = client.ask("/pushed")
    provider.next_request()
    provider.send_raw(frame(PUSH, END_HEADERS, 1, number(2) + provider.encode(ORDINARY)))
    provider.until_ended()
    opened.pump.until(lambda: asked.reset is not None or client.wire.end, "the end of the stream")


def test_more_streams_than_are_allowed_are_refused(opened, beside):
    """Those that come before the client can know are no fault of it."""
    client = opened.connect()
    asked = [client.ask(f"/{count}") for count in range(120)]
    provider = opened.provider()
    held = provider.next_requests(100)
    opened.pump.until(lambda: sum(stream.refused for stream in asked) == 20, "the refusals")
    for served in held:
        hello(served)
    for stream in asked:
        if not stream.refused:
            assert stream.until_end().status == "200"
    assert sum(stream.ended for stream in asked) == 100 and works(client, provider)
