"""Other settings than the defaults, each with a lunard of its own."""

import time

import pytest

from attempt import attempt
from explicit import exchange, parse, request
from flow_clients import call
from world.lunard import ADMIN, ask

EXPLICIT_ONLY = {"capture": {"enabled": False, "required": False}}


@pytest.mark.limit(30)
def test_a_provider_without_an_answer_is_error_3_after_the_server_timeout(make_lunard, world):
    make_lunard({"timeouts": {"server": "1s", "connect": "1s"}, **EXPLICIT_ONLY})
    begin = time.monotonic()
    answer = request(world, "/silence", "Host: x", "x-lunar-host: raw.example.com")
    assert (answer.status, answer.error) == (504, "3")
    assert 0.8 < time.monotonic() - begin < 4
    answer = request(world, "/x", "Host: x", "x-lunar-host: silent.example.com")
    assert (answer.status, answer.error) in ((503, "2"), (504, "3"))


def test_query_mode_takes_the_destination_from_parameters_and_removes_them(make_lunard, world):
    make_lunard({"query_params_mode": True, **EXPLICIT_ONLY})
    answer = request(world, "/head?a=1&lunar_original_host=raw.example.com&b=2&lunar_original_scheme=http&lunar_consumer_tag=t", "Host: x")
    assert answer.status == 200
    assert answer.body.startswith(b"GET /head?a=1&b=2 HTTP/1.1\r\n")
    missing = request(world, "/head?a=1", "Host: x")
    assert (missing.status, missing.error) == (503, "1")
    header = request(world, "/head", "Host: x", "x-lunar-host: raw.example.com")
    assert (header.status, header.error) == (503, "1")


def test_a_listener_for_connect_only_refuses_everything_else(make_lunard, world):
    make_lunard({"listeners": {"connect": "127.0.0.1:8001"}, **EXPLICIT_ONLY})
    tunnel = exchange(world, b"CONNECT mail.example.com:13 HTTP/1.1\r\nHost: mail.example.com:13\r\n\r\n", port=8001)
    assert tunnel.endswith(b"one line and no more\n")
    assert parse(exchange(world, b"GET /x HTTP/1.1\r\nHost: x\r\nx-lunar-host: raw.example.com\r\nConnection: close\r\n\r\n", port=8001)).error == "1"


def test_the_admin_port_takes_the_configured_key_and_no_other(make_lunard, world):
    key = world.directory / "admin.key"
    key.write_text("correct horse\n")
    make_lunard({"admin": {"api_key_file": str(key)}, **EXPLICIT_ONLY})
    def status(text):
        return ask(world.host.connect(("127.0.0.1", ADMIN)), "GET", "/handshake", headers={"Authorization": f"Bearer {text}"})[0]
    assert status("correct horse") == 200
    assert status("correct hors") == 401


@pytest.mark.limit(60)
def test_a_silent_provider_is_reset_after_the_connect_timeout(make_lunard, world):
    lunard = make_lunard({"timeouts": {"connect": "1s"}})
    lunard.attach(world.captured)
    result, seconds, _ = attempt(world, "silent.example.com", patience=10)
    assert result == "ConnectionResetError"
    assert 0.8 < seconds < 3


CANNED = """
name: Canned
filter: {url: "raw.example.com/canned/*"}
processors: {Say: {processor: GenerateResponse, parameters: [{key: status, value: 418}]}}
flow:
  request: [{from: {stream: {name: s, at: start}}, to: {processor: {name: Say}}}]
  response: [{from: {processor: {name: Say}}, to: {stream: {name: s, at: end}}}]
"""


@pytest.mark.limit(60)
def test_hosts_of_the_capture_lists_go_without_flows_unless_a_request_asks(make_lunard, world):
    lunard = make_lunard({"capture": {"block_list": ["raw.example.com"]}}, files={"flows/canned.yaml": CANNED})
    lunard.attach(world.captured)
    assert call(world, "http://raw.example.com/canned/x").status == 404
    assert call(world, "http://raw.example.com/canned/x", fields={"x-lunar-allow": "true"}).status == 418
