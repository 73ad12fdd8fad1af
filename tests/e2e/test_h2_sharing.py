"""Clients of one program, opened, that reach the same provider share a connection to it as long as it takes more requests; and none
of them suffers for another."""

import pytest

from h2_peer import CONCURRENT, NO_ERROR
from h2_stage import Connector, hello, issuer_of, pattern, stage_fixture, works
from tls_interception import LOCAL, in_unit, opening_lunard, passed

OTHER_HOST = "leaving.example.com"  # at the same address
SEVERAL = 8  # clients
LARGE = pattern(2_000_000)
LOSSES = ["finish", "close", "abort"]  # with close_notify, without, by RST
opened = stage_fixture("intercepted")
clear = stage_fixture("captured in clear")


@pytest.fixture(scope="module")
def lunard(world, request, tls_origins, local_authority):
    yield from opening_lunard(world, request, tls_origins, local_authority, lunard_config={"workers": 1})


def first(stage, **options):
    return stage.open(apart=False, **options)


def further(stage, **options):
    """A client that needs no connection of its own to the provider."""
    count = len(stage.accepted)
    client = stage.connect(apart=False, **options)
    client.until_told()
    stage.pump.until_quiet(0.05)
    assert len(stage.accepted) == count
    return client


def alone(stage, **options):
    """A client that has one."""
    count = len(stage.accepted)
    client = stage.open(apart=False, **options)
    assert len(stage.accepted) == count + 1
    return client


def fully_used(stage):
    """Two clients, and all requests that the provider takes at a time, of the first; with those at the provider."""
    stage.settings = {CONCURRENT: 2}
    client, provider = first(stage)
    other = further(stage)
    stage.settings = {}
    asked = [client.ask(f"/{number}") for number in range(2)]
    return client, other, provider, asked, provider.next_requests(2)


def ends_without_request(provider):
    provider.until_closed()
    return not provider.streams


# who shares

def test_clients_of_one_program_share_a_connection_and_each_gets_its_own_answers(opened):
    client, provider = first(opened)
    others = [further(opened) for _ in range(SEVERAL)]
    clients = [client, *others]
    asked = [one.ask(f"/{number}", "POST", end=False).send(b"of %d" % number, end=True) for number, one in enumerate(clients)]
    for served in provider.next_requests(len(clients)):
        served.until_end().answer(200, body=served.head[":path"].encode() + b" " + bytes(served.body))
    assert [bytes(one.until_end().body) for one in asked] == [b"/%d of %d" % (number, number) for number in range(len(clients))]
    for one in clients[:-1]:
        one.send_goaway(0)
        one.wire.finish()
        one.until_closed()
    assert provider.wire.end is None and works(clients[-1], provider)
    clients[-1].wire.finish()
    assert provider.until_closed() and not provider.open_streams()


def test_a_client_that_leaves_resets_its_own_requests_alone(opened):
    client, provider = first(opened)
    other = further(opened)
    leaving, staying = client.ask("/leaving"), other.ask("/staying")
    served = {one.head[":path"]: one for one in provider.next_requests(2)}
    client.wire.abort()
    assert served["/leaving"].until_reset()
    hello(served["/staying"])
    assert bytes(staying.until_end().body) == b"hello\n" and works(other, provider) and leaving.heads == []


def test_another_host_or_program_or_an_address_of_ones_own_has_another_connection(opened, world):
    _, provider = first(opened)
    alone(opened, host=OTHER_HOST)
    assert works(*opened.open())  # from an address of its choice
    opened.connector, usual = Connector(world, in_unit("other.service")), opened.connector
    try:
        alone(opened)
    finally:
        opened.connector = usual
    assert not provider.streams and works(further(opened), provider)


def test_who_is_passed_through_reaches_the_provider_where_others_share_a_connection(opened, world):
    _, shared = first(opened)
    opened.connector, usual = Connector(world, passed), opened.connector
    try:
        client, provider = opened.connect(apart=False), opened.provider()
    finally:
        opened.connector = usual
    assert works(client, provider) and not shared.streams
    assert not issuer_of(client.wire.socket).startswith(LOCAL)


def test_clear_connections_are_not_shared(clear):
    for pair in [first(clear), alone(clear)]:
        assert works(*pair)


def test_clients_that_come_at_once_gather_on_one_connection(opened):
    clients = [opened.connect(apart=False) for _ in range(SEVERAL)]
    for client in clients:
        client.until_told()
    for provider in opened.accepted:
        provider.serve = hello
    for client in clients:
        assert client.ask("/").until_end().status == "200"
    used = [provider for provider in opened.accepted if provider.streams]
    # one, but for those who were ready before the provider had answered the first
    assert len(used) <= SEVERAL // 2 and sum(len(provider.streams) for provider in used) == SEVERAL
    assert all(ends_without_request(provider) for provider in opened.accepted if provider not in used)


# what others do

def test_where_others_use_all_that_a_provider_takes_a_request_goes_by_another_connection(opened):
    client, other, provider, asked, served = fully_used(opened)
    beside = other.ask("/beside")
    second = opened.provider()
    hello(second.next_request())
    assert beside.until_end().status == "200" and works(other, second)
    third = further(opened)
    assert works(third, second)
    for one in served:
        hello(one)
    assert [one.until_end().status for one in asked] == ["200"] * 2 and works(client, provider)


def test_where_a_client_itself_uses_all_that_a_provider_takes_its_request_waits(opened):
    client, other, provider, asked, served = fully_used(opened)
    other.wire.finish()
    other.until_closed()
    waiting = client.ask("/waiting")
    client.round_trip()
    opened.pump.until_quiet(0.05)
    assert len(opened.accepted) == 1 and not provider.asked
    hello(served[0])
    hello(provider.next_request())
    assert waiting.until_end().status == asked[0].until_end().status == "200"


def test_a_slow_reader_holds_up_no_other(opened):
    slow, provider = first(opened)
    other = further(opened)
    slow.credits = False
    large = slow.ask("/large")
    provider.next_request().answer(200, body=LARGE)
    large.until_bytes(60_000)
    slow.wire.reading = False
    opened.pump.until_quiet(0.05)
    assert works(other, provider)
    quick = other.ask("/as-large")
    provider.next_request().answer(200, body=LARGE)
    assert bytes(quick.until_end(20).body) == LARGE and not large.ended


def test_a_provider_that_stops_reading_its_connection_stops_no_new_request_of_others(opened):
    client, provider = first(opened)
    other = further(opened)
    asked = client.ask("/upload", "POST", end=False)
    served = provider.next_request()
    provider.widen(1 << 30, None)
    provider.widen(1 << 30, served)
    asked.send(pattern(1000)).peer.round_trip()
    provider.wire.reading = False
    asked.send(LARGE * 8, end=True)
    opened.pump.until_quiet()
    beside = other.ask("/beside")
    second = opened.provider()
    hello(second.next_request())
    assert beside.until_end().status == "200" and works(other, second)
    provider.wire.reading = True
    hello(served.until_end(20))
    assert len(served.body) == 1000 + 8 * len(LARGE) and asked.until_end().status == "200"


def test_a_window_that_others_have_used_up_stops_no_new_request(opened):
    client, provider = first(opened)
    other = further(opened)
    provider.credits = False
    asked = client.ask("/upload", "POST", end=False).send(pattern(100_000), end=True)
    served = provider.next_request().until_bytes(65_535)
    beside = other.ask("/beside", "POST", end=False).send(pattern(1000), end=True)
    second = opened.provider()
    echoed = second.next_request().until_end()
    echoed.answer(200, body=bytes(echoed.body))
    assert bytes(beside.until_end().body) == pattern(1000) and works(other, second)
    provider.resume(served)
    hello(served.until_end())
    assert bytes(served.body) == pattern(100_000) and asked.until_end().status == "200"


# how it ends

def test_a_provider_that_ends_a_shared_connection_is_met_again_and_nobody_is_told(opened):
    client, provider = first(opened)
    other = further(opened)
    under_way = client.ask("/under-way")
    served = provider.next_request()
    provider.send_goaway(served.number)
    for one in (client, other):
        one.round_trip()
    asked = other.ask("/behind")
    second = opened.provider()
    hello(second.next_request())
    hello(served)
    assert asked.until_end().status == under_way.until_end().status == "200"
    provider.wire.finish()
    assert works(client, second) and works(other, second) and not client.goaways and not other.goaways


@pytest.mark.parametrize("loss", LOSSES)
def test_with_a_shared_connection_go_those_who_wait_for_answers_and_no_others(opened, loss):
    client, provider = first(opened)
    waiting, idle = further(opened), further(opened)
    asked = [client.ask("/first"), waiting.ask("/second")]
    provider.next_requests(2)
    getattr(provider.wire, loss)()
    for one in (client, waiting):
        one.until_closed()
    assert all(one.heads == [] and not one.ended for one in asked)
    asked = idle.ask("/works")
    hello(opened.provider().next_request())
    assert asked.until_end().status == "200" and not idle.goaways


def test_where_a_provider_cannot_be_reached_again_requests_are_refused_and_clients_told(opened):
    client, provider = first(opened)
    other = further(opened)
    opened.stop_listening()
    provider.send_goaway(0)
    provider.wire.finish()
    client.round_trip()
    asked = client.ask("/refused")
    opened.pump.until(lambda: asked.refused, "the refusal")
    client.until_ended()
    assert [code for _, code, _ in client.goaways] == [NO_ERROR] * len(client.goaways) and asked.heads == []
    asked = other.ask("/refused-too")
    opened.pump.until(lambda: asked.refused, "the refusal")
