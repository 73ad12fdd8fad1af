"""Whoever can shake hands with a provider can with the gateway in between, whatever it asks for. Prints a table of FIGURE lines."""

import re
from dataclasses import dataclass

import pytest

from cases import Case
from clients import CLIENTS, Place, direct, observe
from tls_cases import status_of
from tls_interception import hello_request, in_unit, opening_lunard, requests_of, run_as

ANY, RSA_ONLY, GIT = "tls.example.com", "rsa.example.com", "https://code.example.com/project.git"
PATIENT = "late.example.com"  # answers a client that ends its sending half behind the request


@dataclass(frozen=True)
class Shake:
    client: str
    options: tuple = ()
    host: str = ANY
    # A client that takes RSA alone cannot be shown our certificates; it may be passed through.
    may_pass: bool = False

    def __str__(self):
        return " ".join([self.client, *self.options, *([] if self.host in (ANY, PATIENT) else [self.host])])


def openssl(*options, **more):
    return Shake("openssl", options, **more)


SHAKES = [
    openssl("-tls1_2"), openssl("-tls1_3"),
    *(openssl("-tls1_2", "-cipher", cipher) for cipher in (
        "ECDHE-ECDSA-AES128-GCM-SHA256", "ECDHE-ECDSA-AES256-GCM-SHA384", "ECDHE-ECDSA-CHACHA20-POLY1305", "ECDHE-ECDSA-AES128-SHA256")),
    *(openssl("-tls1_3", "-ciphersuites", suite) for suite in (
        "TLS_AES_128_GCM_SHA256", "TLS_AES_256_GCM_SHA384", "TLS_CHACHA20_POLY1305_SHA256")),
    *(openssl("-tls1_3", "-groups", group) for group in ("X25519", "P-256", "P-384", "P-521")),
    *(openssl("-tls1_3", "-groups", group, may_pass=True) for group in ("X448", "ffdhe2048")),
    openssl("-tls1_2", "-groups", "P-384:P-256"), openssl("-sigalgs", "ECDSA+SHA256"), openssl("-no_ticket"),
    openssl("-max_send_frag", "512"), openssl("-status"),
    openssl("-tls1_2", "-cipher", "ECDHE-RSA-AES128-GCM-SHA256", host=RSA_ONLY, may_pass=True),
    openssl("-tls1_2", "-cipher", "AES128-GCM-SHA256", host=RSA_ONLY, may_pass=True),
    openssl("-tls1_3", "-sigalgs", "RSA-PSS+SHA256", host="aio.example.com", may_pass=True),
    *(Shake("gnutls-cli", ("--priority", priority), PATIENT) for priority in (
        "NORMAL", "NORMAL:-VERS-ALL:+VERS-TLS1.2", "NORMAL:-VERS-ALL:+VERS-TLS1.3", "SECURE128", "PFS", "NORMAL:%NO_TICKETS",
        "NORMAL:-GROUP-ALL:+GROUP-SECP384R1")),
    *(Shake("curl", options) for options in (
        ("--tlsv1.3",), ("--tls-max", "1.2"), ("--curves", "P-384"), ("--no-alpn",), ("--http1.1",),
        ("--tls-max", "1.2", "--ciphers", "ECDHE-ECDSA-CHACHA20-POLY1305"))),
    Shake("git"), Shake("wget", ("--secure-protocol=TLSv1_2",)), Shake("wget", ("--secure-protocol=TLSv1_3",)),
    Shake("Java HttpURLConnection"), Shake("Java HttpURLConnection", ("-Djdk.tls.client.protocols=TLSv1.2",)),
    Shake("Node http", ("--tls-max-v1.2",)), Shake("Node http", ("--tls-min-v1.3",)),
    *(Shake(name) for name in ("Python urllib", "Go net/http", "Ruby Net::HTTP", "PHP streams", "Perl HTTP::Tiny")),
]
COMMANDS = {
    "openssl": lambda shake, ca: ["openssl", "s_client", "-connect", f"{shake.host}:443", "-servername", shake.host, "-CAfile", ca,
                                  "-verify_return_error", "-ign_eof", *shake.options],
    "gnutls-cli": lambda shake, ca: ["gnutls-cli", "--x509cafile", ca, "-p", "443", *shake.options, shake.host],
    "curl": lambda shake, _: ["curl", "-sS", "-v", "-i", *shake.options, f"https://{shake.host}/hello"],
    "git": lambda _, __: ["git", "ls-remote", GIT],
    "wget": lambda shake, ca: ["wget", "-nv", f"--ca-certificate={ca}", "-O", "-", *shake.options, f"https://{shake.host}/hello"],
}
SAYS = (r"New, (TLSv[\d.]+), Cipher is (\S+)", r"Description: \((TLS[\d.]+)-X\.509\)-(.*)", r"SSL connection using (TLSv[\d.]+) / (\S+)")


@dataclass
class Shaken:
    works: bool
    cgroup: object
    parameters: str  # version and algorithms, where the client says them
    said: str


def shake_by_command(world, trust, shake, way):
    argv = COMMANDS[shake.client](shake, trust.pem)
    outcome, cgroup = run_as(world, way, argv, env=trust.environment(), input=hello_request(shake.host), timeout=20)
    text = outcome.stdout + outcome.stderr
    found = next((match for say in SAYS if (match := re.search(say, text))), None)
    works = outcome.status == 0 and ("hello" in outcome.stdout or "refs/heads/main" in outcome.stdout)
    return Shaken(works, cgroup, " ".join(found.groups()) if found else "-", text)


def shake_by_program(world, builds, trust, shake, way):
    client = next(client for client in CLIENTS if client.name == shake.client)
    run = observe(world, builds, client, [Case("hello", f"https://{shake.host}/hello")], Place(way(world, client.label), trust), shake.options)
    return Shaken(status_of(run.seen["hello"]) == 200, run.cgroup, "-", str(run.seen))


@pytest.fixture(scope="module")
def lunard(world, request, tls_origins, local_authority):
    yield from opening_lunard(world, request, tls_origins, local_authority)


@pytest.fixture(scope="module")
def figures():
    lines = []
    yield lines
    print("".join(f"\nFIGURE: {line}" for line in lines))


@pytest.mark.parametrize("shake", SHAKES, ids=str)
def test_a_handshake_that_works_direct_works_when_intercepted(lunard, world, builds, told, figures, shake):
    def run(way):
        if shake.client in COMMANDS:
            return shake_by_command(world, told, shake, way)
        return shake_by_program(world, builds, told, shake, way)

    # A unit of its own, so that what one does wrong is not held against the others.
    expected, seen = run(direct), run(in_unit(f"shake-{SHAKES.index(shake)}.service"))
    assert expected.works, f"does not even work direct: {expected.said}"
    assert seen.works, seen.said
    opened = bool(requests_of(lunard, seen.cgroup))
    figures.append(f"{shake}: direct {expected.parameters}; {'intercepted' if opened else 'passed through'} {seen.parameters}")
    assert opened or shake.may_pass
