"""The HTTP cases that every client is put through over TLS: those of cases.py by other names, and what flows do."""

from dataclasses import replace

from cases import CASES, NGINX, PYTHON, RAW, RAW4, RAW6, Case

TLS, AIO, RSA = "https://tls.example.com", "https://aio.example.com", "https://rsa.example.com"
# longest first, so that no name is taken for the beginning of another
SERVERS = {RAW4: "https://tls4.example.com", RAW6: "https://tls6.example.com", "http://nginx6.example.com": "https://rsa6.example.com",
           RAW: TLS, NGINX: RSA, PYTHON: AIO}
WANTED = (
    "a plain answer", "the source address over IPv4", "the source address over IPv6", "the request head as the origin got it",
    "repeated and oddly written fields", "a 404 with a body", "an empty body", "a body of 8 MiB", "a HEAD answer", "a 204",
    "chunks with trailers", "chunks with extensions and trailers", "an HTTP/1.0 answer that ends with the connection",
    "an answer with Connection: close", "a redirect that is followed", "a gzip body", "an interim 103", "a head of 30 KB",
    "events that come one by one", "a short upload", "an upload of 2 MiB", "a chunked upload", "an upload that waits for 100 Continue",
    "an upload refused before it is sent", "chunks cut by a close", "a close instead of an answer",
    # the last one of its server: a client may use that connection again before it learns that it has ended
    "a body cut by a close",
    "nginx: a file", "nginx: over IPv6", "nginx: compressed on request", "nginx: a range",
    "aiohttp: an upload of 2 MiB",
)


def over_tls(case):
    server = next(server for server in SERVERS if case.url.startswith(f"{server}/"))
    needs = case.needs | ({"cuts"} if case.name == "chunks cut by a close" else set())
    return replace(case, url=SERVERS[server] + case.url.removeprefix(server), needs=needs)


_by_name = {case.name: case for case in CASES}
TLS_CASES = [over_tls(_by_name[name]) for name in WANTED] + [Case("a body that ends without close_notify", f"{TLS}/truncate")]
# What flows make of them in a connection that is opened is in test_tls_intercept.py.
CANNED, MARKED, ALLOWED, LIMITED = (
    Case("an answer that a flow may give", f"{TLS}/head/canned"),
    Case("a field that a flow may add", f"{TLS}/head/marked"),
    Case("the last call that a limit allows", f"{TLS}/head/limited"),
    Case("a call above the limit", f"{TLS}/head/limited"),
)


def cases_of(client):
    """All cases of a client; limits count each client by itself."""
    flows = [replace(case, headers=(f"X-Client: {client.label}",)) for case in (CANNED, MARKED, ALLOWED, LIMITED)]
    return client.cases(TLS_CASES) + flows


def status_of(seen):
    """The status code of an observation, however a client says it; 0: none."""
    for key in ("status", "response_code"):
        if key in seen:
            return int(str(seen[key]).split()[0])
    heads = [line for line in seen.get("headers", []) if line.startswith("HTTP/")]
    return int(heads[-1].split()[1]) if heads else 0
