"""allowed_domains and blocked_domains hold in every mode; capture lists decide only about flows."""

import pytest

from explicit import exchange, request
from lunards import shared_lunard

LISTS = {"allowed_domains": [r"(^|\.)example\.com$"], "blocked_domains": [r"^blocked\.", r"^nginx\.example\.com:443$"]}


@pytest.fixture(scope="module")
def lunard(world, internet, request):
    yield from shared_lunard(world, request, gateway_config=LISTS)


def get(world, url, *options):
    return world.run(["curl", "-sS", "-m", "5", "-i", *options, url], captured=True)[0]


def test_a_blocked_host_is_refused_in_header_mode(lunard, world):
    answer = request(world, "/hello", "Host: x", "x-lunar-host: blocked.example.com")
    assert (answer.status, answer.error) == (403, "7")
    assert b"blocked.example.com" in answer.body


def test_a_host_that_is_not_allowed_is_refused_in_forward_mode(lunard, world):
    answer = request(world, "http://other.example.net/hello", "Host: other.example.net")
    assert (answer.status, answer.error) == (403, "6")


def test_an_allowed_host_passes(lunard, world):
    assert request(world, "/hello", "Host: x", "x-lunar-host: raw.example.com").status == 200


def test_connect_obeys_the_lists_with_the_port(lunard, world):
    refused = exchange(world, b"CONNECT nginx.example.com:443 HTTP/1.1\r\nHost: nginx.example.com:443\r\n\r\n")
    assert refused.startswith(b"HTTP/1.1 403 ") and b"x-lunar-error: 7" in refused.lower()
    passed = exchange(world, b"CONNECT mail.example.com:13 HTTP/1.1\r\nHost: mail.example.com:13\r\n\r\n")
    assert passed.endswith(b"one line and no more\n")


def test_a_captured_clear_request_to_a_blocked_host_gets_the_answer_403(lunard, world):
    outcome = get(world, "http://blocked.example.com/hello")
    assert outcome.stdout.startswith("HTTP/1.1 403")
    assert "x-lunar-error: 7" in outcome.stdout.lower()


def test_a_captured_clear_request_outside_of_the_allow_list_gets_the_answer_403(lunard, world):
    outcome = get(world, "http://198.18.1.1/hello", "-H", "Host: other.example.net")
    assert outcome.stdout.startswith("HTTP/1.1 403")
    assert "x-lunar-error: 6" in outcome.stdout.lower()


def test_a_captured_tls_connection_to_a_blocked_host_is_reset(lunard, world):
    outcome = get(world, "https://nginx.example.com/hello")
    assert outcome.status == 35 and "reset" in outcome.stderr.lower()


def test_a_captured_request_to_an_allowed_host_passes(lunard, world):
    outcome = get(world, "http://raw.example.com/hello")
    assert outcome.stdout.endswith("hello\n")


def test_an_uncaptured_program_is_not_subject_to_the_lists(lunard, world):
    outcome, _ = world.run(["curl", "-sS", "http://blocked.example.com/hello"], captured=False)
    assert outcome.stdout == "hello\n"


def test_lists_are_read_again_on_reload(lunard, world):
    file = lunard.directory / "gateway_config.yaml"
    before = file.read_text()
    file.write_text('{"blocked_domains": ["^raw\\\\."]}')
    assert lunard.lunarctl("reload").status == 0
    assert get(world, "http://raw.example.com/hello").stdout.startswith("HTTP/1.1 403")
    assert get(world, "http://blocked.example.com/hello").stdout.endswith("hello\n")
    file.write_text('{"blocked_domains": ["("]}')
    assert lunard.lunarctl("reload").status == 1
    assert get(world, "http://raw.example.com/hello").stdout.startswith("HTTP/1.1 403")
    file.write_text(before)
    assert lunard.lunarctl("reload").status == 0
    assert get(world, "http://raw.example.com/hello").stdout.endswith("hello\n")
