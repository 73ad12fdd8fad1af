"""Header, forward, CONNECT and query mode on the proxy port, and the errors that are answered there."""

import json
import socket

import pytest

from explicit import exchange, request
from world.lunard import ADMIN, HEALTH, PROXY


@pytest.fixture(scope="module")
def last_line(lunard):
    return lambda path: [line for line in lunard.lines() if line["path"] == path][-1]


def test_header_mode_forwards_to_the_named_host(lunard, world):
    answer = request(world, "/head?q=1", "Host: ignored.example.net", "x-lunar-host: raw.example.com", "X-Kept: yes")
    assert answer.status == 200 and answer.error is None
    line, *fields = answer.body.split(b"\r\n")
    assert line == b"GET /head?q=1 HTTP/1.1"
    assert [field for field in fields if field and not field.lower().startswith(b"connection:")] == [b"Host: raw.example.com", b"X-Kept: yes"]


def test_no_lunar_header_reaches_the_provider_in_header_mode(lunard, world):
    answer = request(world, "/head", "Host: x", "x-lunar-host: raw.example.com:80", "x-lunar-scheme: http", "X-Lunar-Consumer-Tag: shop",
                     "x-lunar-req-id: abc", "x-lunar-interceptor: test/1")
    assert answer.status == 200
    assert b"lunar" not in answer.body.lower()
    assert b"Host: raw.example.com:80\r\n" in answer.body


def test_header_mode_echoes_the_sequence_id(lunard, world):
    answer = request(world, "/hello", "Host: x", "x-lunar-host: raw.example.com", "x-lunar-sequence-id: call-7")
    assert answer.fields["x-lunar-sequence-id"] == "call-7"


def test_header_mode_is_in_the_access_log_with_its_ids(lunard, world, last_line):
    request(world, "/status/418", "Host: x", "x-lunar-host: raw.example.com", "x-lunar-req-id: id-1", "x-lunar-consumer-tag: shop",
            "x-lunar-interceptor: lunar-py/2")
    line = last_line("/status/418")
    assert (line["mode"], line["request_id"], line["consumer_tag"], line["status_code"]) == ("header", "id-1", "shop", 418)
    assert line["interceptor"] in ("lunar-py/2", {"type": "lunar-py", "version": "2"})


def test_forward_mode_takes_the_absolute_form(lunard, world, last_line):
    answer = request(world, "http://raw.example.com/head?a=b", "Host: raw.example.com")
    assert answer.status == 200
    assert answer.body.startswith(b"GET /head?a=b HTTP/1.1\r\n")
    assert last_line("/head")["mode"] == "forward"


def test_curl_with_http_proxy_gets_what_it_gets_without(lunard, world):
    direct, _ = world.run(["curl", "-sS", "http://nginx.example.com/text"], captured=False)
    proxied, _ = world.run(["curl", "-sS", "-x", f"http://127.0.0.1:{PROXY}", "http://nginx.example.com/text"], captured=False)
    assert proxied.stdout == direct.stdout and len(direct.stdout) > 10000


def test_curl_through_connect_talks_tls_to_the_provider(lunard, world, internet):
    outcome, _ = world.run(["curl", "-sS", "-v", "--cacert", internet.ca, "-x", f"http://127.0.0.1:{PROXY}", "https://nginx.example.com/hello"], captured=False)
    assert outcome.stdout == "hello from nginx\n"
    assert "CONNECT nginx.example.com:443" in outcome.stderr


def test_connect_is_a_tunnel_for_anything(lunard, world):
    with world.host.connect(("127.0.0.1", PROXY)) as connection:
        connection.sendall(b"CONNECT mail.example.com:7 HTTP/1.1\r\nHost: mail.example.com:7\r\n\r\n")
        head = b""
        while not head.endswith(b"\r\n\r\n"):
            head += connection.recv(1)
        assert head.startswith(b"HTTP/1.1 200 ")
        connection.sendall(b"\x00\x01through the tunnel")
        connection.shutdown(socket.SHUT_WR)
        got = b""
        while piece := connection.recv(100):
            got += piece
    assert got == b"\x00\x01through the tunnelend\n"


def test_bytes_sent_together_with_connect_are_not_lost(lunard, world):
    with world.host.connect(("127.0.0.1", PROXY)) as connection:
        connection.sendall(b"CONNECT mail.example.com:7 HTTP/1.1\r\nHost: mail.example.com:7\r\n\r\nearly bytes")
        connection.shutdown(socket.SHUT_WR)
        raw = b"".join(iter(lambda: connection.recv(1000), b""))
    assert raw.endswith(b"\r\n\r\nearly bytesend\n")


def test_a_kept_connection_serves_several_hosts(lunard, world):
    wanted = b"".join(f"GET /hello HTTP/1.1\r\nHost: x\r\nx-lunar-host: {host}.example.com\r\n{end}\r\n".encode()
                      for host, end in (("raw", ""), ("python", ""), ("node", ""), ("raw", "Connection: close\r\n")))
    raw = exchange(world, wanted)
    texts = [b"\r\n\r\nhello\n", b"hello from aiohttp\n", b"hello from node\n"]
    assert [raw.find(text) >= 0 for text in texts] == [True] * 3
    assert raw.find(texts[0]) < raw.find(texts[1]) < raw.find(texts[2])


def test_trailers_and_uploads_pass_in_header_mode(lunard, world):
    answer = request(world, "/chunked", "Host: x", "x-lunar-host: raw.example.com")
    assert answer.body.endswith(b"0\r\nX-Checksum: 4711\r\nX-Later: yes\r\n\r\n")
    upload = request(world, "/upload", "Host: x", "x-lunar-host: raw.example.com", method="POST", body=b"z" * 100000)
    assert json.loads(upload.body)["size"] == 100000


def test_a_provider_error_is_not_marked_as_ours(lunard, world):
    answer = request(world, "/status/503", "Host: x", "x-lunar-host: raw.example.com")
    assert (answer.status, answer.error) == (503, None)


ERRORS = {
    "no routing input": ("/x", ["Host: x"], 401, "1"),
    "a host with user info": ("/x", ["Host: x", "x-lunar-host: user@raw.example.com"], 401, "1"),
    "a host with an invalid port": ("/x", ["Host: x", "x-lunar-host: raw.example.com:99999"], 401, "1"),
    "an unknown scheme": ("/x", ["Host: x", "x-lunar-host: raw.example.com", "x-lunar-scheme: gopher"], 401, "1"),
    "a provider that refuses": ("/x", ["Host: x", "x-lunar-host: refusing.example.com"], 503, "2"),
    "a provider that is unreachable": ("/x", ["Host: x", "x-lunar-host: unreachable.example.com"], 503, "2"),
    "a provider that resets": ("/reset-before", ["Host: x", "x-lunar-host: raw.example.com"], 503, "2"),
    "the gateway itself": ("/x", ["Host: x", f"x-lunar-host: 127.0.0.1:{PROXY}"], 404, "4"),
    "the gateway's health port": ("/x", ["Host: x", f"x-lunar-host: localhost:{HEALTH}"], 404, "4"),
    "the gateway in absolute form": (f"http://127.0.0.1:{ADMIN}/x", ["Host: x"], 404, "4"),
    "a name that does not exist": ("/x", ["Host: x", "x-lunar-host: nowhere.example.com"], 503, "5"),
    "a space in the target": ("/a b", ["Host: x", "x-lunar-host: raw.example.com"], 400, "21"),
    "a field without a colon": ("/x", ["Host: x", "x-lunar-host: raw.example.com", "no colon here"], 400, "21"),
    "a head above 64 KiB": ("/x", ["Host: x", "x-lunar-host: raw.example.com", "X-Long: " + "v" * 70000], 431, "21"),
    "two different lengths": ("/x", ["Host: x", "x-lunar-host: raw.example.com", "Content-Length: 1", "Content-Length: 2"], 400, "21"),
    "length and coding together": ("/x", ["Host: x", "x-lunar-host: raw.example.com", "Content-Length: 5", "Transfer-Encoding: chunked"], 400, "21"),
}


@pytest.mark.parametrize("cause", ERRORS)
def test_an_error_has_its_status_and_code_and_one_line_of_text(lunard, world, cause):
    target, fields, status, code = ERRORS[cause]
    answer = request(world, target, *fields)
    assert (answer.status, answer.error) == (status, code)
    assert answer.fields["content-type"].startswith("text/plain")
    assert answer.body.strip() and answer.body.strip().count(b"\n") == 0


def test_metrics_count_errors_by_code(lunard, world):
    def errors():
        return sum(value for name, value in lunard.metrics().items() if name.startswith("lunar_gateway_errors_total") and 'code="5"' in name)
    before = errors()
    request(world, "/x", "Host: x", "x-lunar-host: nowhere.example.com")
    assert errors() == before + 1


def test_the_metrics_port_answers_with_the_gateway_id(lunard, world):
    assert lunard.metrics()
    names = [name for name in lunard.metrics() if name.startswith("lunar_")]
    assert all('gateway_id="' in name for name in names)
