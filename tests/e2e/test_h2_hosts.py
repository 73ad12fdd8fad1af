"""Whom a request of HTTP/2 is for: other hosts than that of the connection, hosts that flows choose, providers in clear."""

import hashlib
import json

import pytest

from h2_stage import EACH_WAY, HOST, hello, lines, pattern, stage_fixture, works
from test_flows import flow
from tls_interception import opening_lunard
from world.deadline import wait_until

FILES = {
    "flows/elsewhere.yaml": flow("Elsewhere", f"{HOST}/echo/*", {"Lead": ("TransformAPICall", {"set": {"$.request.host": "tls.example.com"}})},
                                 [("start", "Lead"), ("Lead", "end")]),
    "flows/uploads.yaml": flow("Uploads", f"{HOST}/upload", {"Lead": ("TransformAPICall", {"set": {"$.request.host": "tls.example.com"}})},
                               [("start", "Lead"), ("Lead", "end")]),
    "flows/canned.yaml": flow("Canned", f"{HOST}/canned", {"Say": ("GenerateResponse", {"status": 418, "body": "made here"})},
                              [("start", "Say")], [("start", "end"), ("Say", "end")]),
}
stage = stage_fixture(*EACH_WAY)
opened = stage_fixture("intercepted")
clear = stage_fixture("captured in clear")


@pytest.fixture(scope="module")
def lunard(world, request, tls_origins, local_authority):
    yield from opening_lunard(world, request, tls_origins, local_authority, files=FILES)


OTHERS = {"another host of ours": "tls.example.com", "a host of others": "api.example.net", "an address": "198.18.4.1",
          "the host as a part": f"{HOST}.example.net", "the host as an end": f"evil-{HOST}"}


@pytest.mark.parametrize("authority", OTHERS.values(), ids=OTHERS)
def test_a_request_for_another_host_than_that_of_sni_is_misdirected(opened, authority):
    client, provider = opened.open()
    asked = client.ask("/misdirected", authority=authority)
    assert asked.until_end().status == "421"
    assert works(client, provider) and not provider.asked


def test_a_name_may_be_written_with_its_port_and_in_any_case(stage):
    client, provider = stage.open()
    for authority in (HOST, f"{HOST}:{80 if stage.clear else 443}", HOST.upper()):
        asked = client.ask("/names", authority=authority)
        served = provider.next_request()
        assert served.head[":authority"] == authority
        hello(served)
        assert asked.until_end().status == "200"


def test_each_stream_of_an_opened_connection_is_in_the_access_log(opened, lunard):
    opened.serve = hello
    client, _ = opened.open()
    for number in range(3):
        client.ask(f"/logged/{number}").until_end()
    wanted = [("GET", f"/logged/{number}", 200) for number in range(3)]
    wait_until(lambda: set(wanted) <= set(lines(opened, lunard)), 5, lambda: lines(opened, lunard))
    assert [line for line in lines(opened, lunard) if line in wanted] == wanted


def test_a_flow_answers_one_stream_and_leaves_the_others_alone(opened):
    client, provider = opened.open()
    beside = client.ask("/beside", "POST", end=False).send(b"half")
    served = provider.next_request()
    made = client.ask("/canned").until_end()
    assert (made.status, bytes(made.body)) == ("418", b"made here")
    beside.send(b" and half", end=True)
    hello(served.until_end())
    assert bytes(served.body) == b"half and half" and beside.until_end().status == "200" and not provider.asked


def test_a_flow_leads_requests_to_a_host_that_speaks_http_1_alone(opened):
    client, provider = opened.open()
    beside = client.ask("/beside")
    served = provider.next_request()
    elsewhere = client.ask("/echo/elsewhere", "POST", [("x-kept", "yes")], end=False).send(b"quest", end=True).until_end()
    seen = json.loads(bytes(elsewhere.body))
    fields = {name.lower(): value for name, value in seen["fields"]}
    assert (elsewhere.status, seen["method"], seen["target"], seen["body"]) == ("200", "POST", "/echo/elsewhere", "quest")
    assert (fields["host"], fields["x-kept"]) == ("tls.example.com", "yes")
    hello(served)
    assert beside.until_end().status == "200" and works(client, provider) and not provider.asked


@pytest.mark.parametrize("known", [True, False], ids=["with a length", "of unknown length"])
@pytest.mark.parametrize("size", [1000, 3 << 20])
def test_uploads_to_a_host_that_speaks_http_1_alone_arrive_whole(opened, size, known):
    client, provider = opened.open()
    body, fields = pattern(size), [("content-length", str(size))] if known else []
    asked = client.ask("/upload", "POST", fields, end=False).send(body, end=True).until_end(20)
    seen = json.loads(bytes(asked.body))
    assert (seen["size"], seen["sha256"]) == (size, hashlib.sha256(body).hexdigest())
    assert works(client, provider) and not provider.asked


# in clear

def test_in_clear_a_provider_that_cannot_be_reached_fails_as_such(clear):
    try:
        client = clear.connect(host="refusing.example.com")
    except ConnectionError as error:
        # A reset may overtake what the client says first.
        assert str(error) in ("ConnectionRefusedError", "ConnectionResetError")
    else:
        assert client.until_closed() == "reset" and not client.is_told


def test_in_clear_a_provider_that_does_not_speak_http_2_ends_the_connection(clear):
    client = clear.connect(host="raw.example.com")
    client.ask("/hello")
    client.until_ended()
    assert client.until_closed()
