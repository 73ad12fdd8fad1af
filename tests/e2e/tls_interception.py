"""lunards that open TLS, and how a run goes past them, through them unopened, or through them opened."""

import itertools

from cases import Case
from clients import Place, captured, direct, observe
from lunards import shared_lunard
from tls_pki import openssl
from world.addresses import NAMES
from world.cgroup import Cgroup
from world.child import run

OPAQUE = "opaque.service"
LOCAL = "Lunar local CA"  # how the names of our authorities begin
_runs = itertools.count(1)


def in_unit(unit):
    """The way of runs as parts of this unit, whose connections are captured."""
    def way(world, label):
        return Cgroup(world.captured.path / unit / f"{label}-of-{unit}-{next(_runs)}")

    return way


passed = in_unit(OPAQUE)  # of this unit nothing is opened
WAYS = {"direct": direct, "passed through": passed, "intercepted": captured}


def settings(local_authority, **tls):
    """Of lunard.yaml: everything below example.com is opened, and one server by its addresses."""
    v4, v6 = NAMES["tls.example.com"]
    return {"tls": {"intercept": ["*.example.com", f"{v4}:443", f"[{v6}]:443"], "passthrough": [f"* unit={OPAQUE}"],
                    "ca_dir": str(local_authority.directory), **tls}}


def gateway_config(tls_origins, **more):
    """Says by whose authority providers are believed."""
    v4, v6 = NAMES["tls.example.com"]
    domains = ["*.example.com", v4, f"[{v6}]"]
    return {"provider_tls": [{"domain": domain, "ca": str(tls_origins.root.pem)} for domain in domains], **more}


def opening_lunard(world, request, tls_origins, local_authority, **options):
    """Body of a fixture: a lunard that opens TLS, with the captured cgroup attached."""
    tls = options.pop("tls", {})
    config = gateway_config(tls_origins, **options.pop("gateway_config", {}))
    started = {**settings(local_authority, **tls), **options.pop("lunard_config", {})}
    yield from shared_lunard(world, request, started, gateway_config=config, **options)


def run_as(world, way, argv, *, label="run", **options):
    """Runs a client to its end, this way; the outcome and its cgroup."""
    cgroup = way(world, label)
    return run(argv, namespace=world.host, cgroup=cgroup, **options), cgroup


def visiting(world, builds, usual_host):
    """Value of a fixture: one call of a client, to what it saw and its cgroup."""
    def visit(client, way, trust, host=usual_host, flags=()):
        case = Case("a visit", f"https://{host}/hello", flags=flags)
        done = observe(world, builds, client, [case], Place(way(world, client.label), trust))
        return done.seen[case.name], done.cgroup

    return visit


def requests_of(lunard, cgroup, at_least=1):
    """(method, host, path, status) of what this run asked for in connections that were opened."""
    lines = lunard.lines_of(cgroup, at_least)
    return [(line["method"], line["host"], line["path"], line["status_code"]) for line in lines if line["method"] != "TUNNEL"]


def tunnels_of(lunard, cgroup, at_least=1):
    """Hosts of this run's connections that were not opened."""
    return [line["host"] for line in lunard.lines_of(cgroup, at_least) if line["method"] == "TUNNEL"]


def shown_certificate(output):
    """The server's own certificate among what `openssl s_client` printed, as PEM."""
    begin, end = "-----BEGIN CERTIFICATE-----", "-----END CERTIFICATE-----"
    assert begin in output, f"no certificate was shown: {output}"
    return begin + output.split(begin, 1)[1].split(end, 1)[0] + end + "\n"


def hello_request(host):
    return f"GET /hello HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n"


def look_at(world, way, name, *options):
    """What openssl s_client shows of a server: its certificate as PEM, the whole outcome, and the cgroup of the run. It asks for
    something, since who leaves without a word is taken for one who refuses the certificate."""
    argv = ["openssl", "s_client", "-connect", f"{name}:443", "-servername", name, "-ign_eof", *options]
    outcome, cgroup = run_as(world, way, argv, label="s_client", input=hello_request(name), timeout=20)
    return shown_certificate(outcome.stdout), outcome, cgroup


def issuer(pem):
    return openssl("x509", "-noout", "-issuer", "-nameopt", "RFC2253", input=pem).strip()


def fingerprint(pem):
    return openssl("x509", "-noout", "-fingerprint", "-sha256", input=pem).strip()
