"""Providers with whom something is wrong are shown to the client as they are; those that want a certificate get it if there is one."""

import re
import shutil

import pytest

from clients import captured, direct
from tls_interception import (fingerprint, hello_request, look_at, opening_lunard, passed, requests_of, run_as, shown_certificate,
                              tunnels_of)
from world.lunard import gateway_user

TLS = "tls.example.com"


@pytest.fixture(scope="module")
def certificate(tls_origins):
    """Of the gateway as a client, for `mutual`."""
    file = tls_origins.client_certificate("gateway")
    shutil.chown(file, gateway_user())
    return file


@pytest.fixture(scope="module")
def own_certificate(tls_origins):
    """Of a program of ours as a client."""
    return tls_origins.client_certificate("program")


@pytest.fixture(scope="module")
def lunard(world, request, tls_origins, local_authority, certificate):
    mutual = {"mTLS": [{"domain": "mutual.example.com", "cert": str(certificate)}]}
    yield from opening_lunard(world, request, tls_origins, local_authority, gateway_config=mutual, tls={"handshake_timeout": "1s"})


def curl(world, way, url, trust, *options):
    argv = ["curl", "-sS", "--http1.1", "-w", "%{http_code} %{exitcode} %{ssl_verify_result}", *options, url]
    outcome, cgroup = run_as(world, way, argv, env=trust.environment(), timeout=30)
    return (outcome.status, outcome.stdout, re.sub(r"port \d+", "port N", outcome.stderr)), cgroup


@pytest.mark.parametrize("name", ["expired", "misnamed", "selfsigned", "forged"])
def test_an_invalid_certificate_is_judged_by_the_client_itself(lunard, world, tls_origins, told, name):
    host = f"{name}.example.com"
    shown, _, cgroup = look_at(world, captured, host)
    assert fingerprint(shown) == fingerprint(tls_origins.certificate(name).read_text())
    assert tunnels_of(lunard, cgroup) == [host]
    seen, cgroup = curl(world, captured, f"https://{host}/hello", told)
    assert seen == curl(world, direct, f"https://{host}/hello", told)[0]
    assert seen[0] == 60 and tunnels_of(lunard, cgroup) == [host]


@pytest.mark.parametrize("name", ["expired", "misnamed", "selfsigned", "forged"])
def test_a_client_that_does_not_mind_an_invalid_certificate_is_served(lunard, world, told, name):
    seen, cgroup = curl(world, captured, f"https://{name}.example.com/hello", told, "--insecure")
    assert seen[:2] == curl(world, direct, f"https://{name}.example.com/hello", told, "--insecure")[0][:2]
    assert seen[0] == 0 and seen[1].startswith("hello from nginx\n200")
    assert requests_of(lunard, cgroup) == []


def test_a_name_that_the_certificate_lacks_is_passed_through(lunard, world, told):
    """The address is that of a server for other names, as when a name has moved."""
    options = ("--connect-to", "quiet.example.com:443:rsa.example.com:443")
    seen, cgroup = curl(world, captured, "https://quiet.example.com/hello", told, *options)
    assert seen == curl(world, direct, "https://quiet.example.com/hello", told, *options)[0]
    assert seen[0] == 60 and tunnels_of(lunard, cgroup) == ["quiet.example.com"]


@pytest.mark.parametrize("name", ["cleartext", "rejecting", "resetting", "closing"])
def test_a_failed_handshake_looks_as_it_does_direct(lunard, world, told, name):
    url = f"https://{name}.example.com/hello"
    seen, cgroup = curl(world, captured, url, told)
    assert seen == curl(world, direct, url, told)[0]
    assert seen[0] == 35 and tunnels_of(lunard, cgroup) == [f"{name}.example.com"]


def test_a_provider_that_hangs_with_the_gateway_is_left_to_the_client(lunard, world, told):
    """It answers all connections but its first."""
    seen, cgroup = curl(world, captured, "https://hanging.example.com/", told)
    assert seen == (0, "hello\n200 0 0", "")
    assert tunnels_of(lunard, cgroup) == ["hanging.example.com"]


def test_http_without_tls_on_that_port_is_http(lunard, world, told):
    seen, cgroup = curl(world, captured, "http://cleartext.example.com:443/hello", told)
    assert seen[1].startswith("hello from nginx\n200")
    assert requests_of(lunard, cgroup) == [("GET", "cleartext.example.com", "/hello", 200)]


def test_a_provider_that_asks_for_a_certificate_gets_the_clients_own(lunard, world, told, own_certificate):
    shown = ("--cert", own_certificate)
    seen, cgroup = curl(world, captured, "https://asks.example.com/tls", told, *shown)
    assert seen == curl(world, direct, "https://asks.example.com/tls", told, *shown)[0]
    assert "[CN=program]" in seen[1] and tunnels_of(lunard, cgroup) == ["asks.example.com"]


def test_a_provider_that_asks_for_a_certificate_and_gets_none_says_so_itself(lunard, world, told):
    seen, cgroup = curl(world, captured, "https://asks.example.com/tls", told)
    assert seen == curl(world, direct, "https://asks.example.com/tls", told)[0]
    assert "No required SSL certificate was sent" in seen[1] and tunnels_of(lunard, cgroup) == ["asks.example.com"]


def test_with_mtls_configured_the_gateway_shows_its_certificate(lunard, world, told):
    seen, cgroup = curl(world, captured, "https://mutual.example.com/tls", told)
    assert "[CN=gateway]" in seen[1] and seen[1].endswith("200 0 0")
    assert requests_of(lunard, cgroup) == [("GET", "mutual.example.com", "/tls", 200)]
    assert "No required SSL certificate was sent" in curl(world, direct, "https://mutual.example.com/tls", told)[0][1]


def test_the_configured_certificate_is_for_intercepted_connections_alone(lunard, world, told):
    seen, cgroup = curl(world, passed, "https://mutual.example.com/tls", told)
    assert "No required SSL certificate was sent" in seen[1]
    assert tunnels_of(lunard, cgroup) == ["mutual.example.com"]


def ask(world, way, head, *options):
    """What `openssl s_client` gets for these lines, sent to TLS."""
    argv = ["openssl", "s_client", "-quiet", "-connect", f"{TLS}:443", *(options or ("-servername", TLS))]
    outcome, cgroup = run_as(world, way, argv, input="".join(f"{line}\r\n" for line in head) + "\r\n", timeout=20)
    return outcome.stdout, cgroup


def hits(world, told):
    """How often the provider's /counter was asked for, this time included."""
    return int(curl(world, direct, f"https://{TLS}/counter/misdirected", told, "-w", "")[0][1])


HOSTS = {
    "another host of ours": "unpinned.example.com", "a host of others": "api.example.net", "an address": "198.18.2.1",
    "the host as a part": f"{TLS}.example.net", "the host as an end": f"evil-{TLS}",
}


@pytest.mark.parametrize("host", HOSTS.values(), ids=HOSTS)
def test_a_request_for_another_host_than_that_of_sni_is_misdirected(lunard, world, told, host):
    before = hits(world, told)
    answer, cgroup = ask(world, captured, ["GET /counter/misdirected HTTP/1.1", f"Host: {host}", "Connection: close"])
    assert answer.startswith("HTTP/1.1 421 ")
    assert hits(world, told) == before + 1
    assert requests_of(lunard, cgroup)[0][3] == 421


def test_a_request_line_with_another_host_is_misdirected(lunard, world, told):
    before = hits(world, told)
    answer, _ = ask(world, captured, ["GET https://unpinned.example.com/counter/misdirected HTTP/1.1", f"Host: {TLS}", "Connection: close"])
    assert answer.startswith("HTTP/1.1 421 ")
    assert hits(world, told) == before + 1


def test_a_later_request_on_a_good_connection_is_misdirected_as_well(lunard, world, told):
    before = hits(world, told)
    answer, _ = ask(world, captured, ["GET /hello HTTP/1.1", f"Host: {TLS}", "", "GET /counter/misdirected HTTP/1.1", "Host: unpinned.example.com",
                                      "Connection: close"])
    assert re.findall(r"^HTTP/1.1 (\d+)", answer, re.M) == ["200", "421"]
    assert hits(world, told) == before + 1


@pytest.mark.parametrize("host", [TLS, f"{TLS}:443", TLS.upper()])
def test_the_host_of_sni_may_be_written_with_its_port_and_in_any_case(lunard, world, host):
    answer, cgroup = ask(world, captured, ["GET /hello HTTP/1.1", f"Host: {host}", "Connection: close"])
    assert answer.startswith("HTTP/1.1 200 ")
    assert [status for *_, status in requests_of(lunard, cgroup)] == [200]


def test_a_request_without_a_host_is_for_the_host_of_sni(lunard, world):
    answer, cgroup = ask(world, captured, ["GET /hello HTTP/1.0"])
    assert answer.startswith("HTTP/1.1 200 ") and requests_of(lunard, cgroup)


def test_without_sni_the_host_is_the_address(lunard, world):
    answer, cgroup = ask(world, captured, ["GET /hello HTTP/1.1", "Host: 198.18.2.1", "Connection: close"], "-noservername", "-4")
    assert answer.startswith("HTTP/1.1 200 ")
    assert requests_of(lunard, cgroup) == [("GET", "198.18.2.1", "/hello", 200)]


def test_without_sni_an_address_that_is_not_named_is_passed_through(lunard, world, tls_origins):
    argv = ["openssl", "s_client", "-connect", "198.18.2.3:443", "-noservername", "-ign_eof"]
    outcome, cgroup = run_as(world, captured, argv, input=hello_request("rsa.example.com"), timeout=20)
    assert "HTTP/1.1 200" in outcome.stdout
    assert shown_certificate(outcome.stdout) == shown_certificate(tls_origins.certificate("rsa").read_text())
    assert len(tunnels_of(lunard, cgroup)) == 1
