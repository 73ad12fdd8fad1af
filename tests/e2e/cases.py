"""The HTTP cases that every client is put through, as a table.

Flags: chunked (request body of unknown length), expect (asks for 100 Continue), follow (redirects),
stream (counts the pieces that came apart), untrusted (the client does not know the test CA),
timeout=SECONDS of the client, times=NUMBER of requests at once (whose URLs have their numbers for {}), pin=SHA256 of the one
certificate to accept, h2c (HTTP/2 in clear, where the client asks). A case needs what `needs` names; a client lists what it can do.
"""

from dataclasses import dataclass, field

RAW, RAW4, RAW6 = "http://raw.example.com", "http://raw4.example.com", "http://raw6.example.com"
NGINX, PYTHON, NODE = "http://nginx.example.com", "http://python.example.com", "http://node.example.com"
SECURE = "https://nginx.example.com"


@dataclass(frozen=True)
class Case:
    name: str
    url: str
    method: str = "GET"
    headers: tuple = ()
    body: int | None = None
    flags: tuple = ()
    needs: frozenset = field(default_factory=frozenset)
    direct_only: bool = False

    def line(self):
        fields = "\x1f".join(self.headers)
        return "\t".join([self.name, self.method, self.url, fields, "-" if self.body is None else str(self.body), ",".join(self.flags)])


def post(name, url, body, *flags, method="POST", needs=()):
    headers = ("Content-Type: application/octet-stream",)
    return Case(name, url, method, headers, body, flags, frozenset(needs) | ({"body"} | set(flags) & {"chunked", "expect"}))


CASES = [
    # what a server answers
    Case("a plain answer", f"{RAW}/hello"),
    Case("the source address over IPv4", f"{RAW4}/peer"),
    Case("the source address over IPv6", f"{RAW6}/peer"),
    Case("the request head as the origin got it", f"{RAW}/head/a%20b?q=1&q=2", headers=("X-cUsTom: KeptAsSent", "X-Other: two words")),
    Case("repeated and oddly written fields", f"{RAW}/headers"),
    Case("a 404 with a body", f"{RAW}/status/404"),
    Case("a 503 of the provider", f"{RAW}/status/503"),
    Case("a 429 of the provider", f"{RAW}/status/429"),
    Case("an unknown status 299", f"{RAW}/status/299"),
    Case("an empty body", f"{RAW}/bytes/0"),
    Case("a body of 65537 bytes", f"{RAW}/bytes/65537"),
    Case("a body of 8 MiB", f"{RAW}/bytes/8388608"),
    Case("a HEAD answer", f"{RAW}/bytes/1000", "HEAD"),
    Case("a 204", f"{RAW}/no-content"),
    Case("a 304", f"{RAW}/not-modified", headers=('If-None-Match: "v1"',), flags=("timeout=2",)),
    Case("chunks with trailers", f"{RAW}/trailers", needs=frozenset({"trailers"})),
    Case("chunks with extensions and trailers", f"{RAW}/chunked", needs=frozenset({"extensions", "trailers"})),
    Case("an HTTP/1.0 answer that ends with the connection", f"{RAW}/http10"),
    Case("an answer with Connection: close", f"{RAW}/close"),
    Case("a redirect that is followed", f"{RAW}/redirect", flags=("follow",)),
    Case("a redirect that is not followed", f"{RAW}/redirect"),
    Case("a gzip body", f"{RAW}/zipped"),
    Case("an answer after 700 ms", f"{RAW}/slow/700"),
    Case("an interim 103", f"{RAW}/interim", needs=frozenset({"interim"})),
    Case("a head of 30 KB", f"{RAW}/long-head", needs=frozenset({"lines"})),
    Case("events that come one by one", f"{RAW}/sse/4", flags=("stream",)),
    # what a client sends
    post("an empty upload", f"{RAW}/upload", 0),
    post("a short upload", f"{RAW}/upload", 5),
    post("an upload of 2 MiB", f"{RAW}/upload", 2 << 20),
    post("a PUT of 300 KB", f"{RAW}/upload", 300000, method="PUT"),
    post("a chunked upload", f"{RAW}/upload", 300000, "chunked"),
    post("an upload that waits for 100 Continue", f"{RAW}/upload", 2 << 20, "expect"),
    post("an upload refused before it is sent", f"{RAW}/reject", 2 << 20, "expect", needs={"refusal"}),
    post("an answer that precedes the end of the upload", f"{RAW}/early", 300000),
    # what goes wrong
    Case("a body cut by a close", f"{RAW}/close-mid"),
    Case("a body cut by a reset", f"{RAW}/reset-mid"),
    Case("chunks cut by a close", f"{RAW}/chunked-cut"),
    Case("an answer that is not HTTP", f"{RAW}/malformed"),
    Case("two lengths that contradict", f"{RAW}/bad-length"),
    Case("a close instead of an answer", f"{RAW}/close-before"),
    Case("a reset instead of an answer", f"{RAW}/reset-before"),
    Case("a server that stays silent", f"{RAW}/silence", flags=("timeout=1",)),
    Case("a name that does not exist", "http://nowhere.example.com/", direct_only=True),
    # other servers
    Case("nginx: a file", f"{NGINX}/megabyte"),
    Case("nginx: over IPv6", "http://nginx6.example.com/hello"),
    Case("nginx: compressed on request", f"{NGINX}/text", headers=("Accept-Encoding: gzip",)),
    Case("nginx: a range", f"{NGINX}/megabyte", headers=("Range: bytes=1000-1999",)),
    Case("nginx: a range outside", f"{NGINX}/empty", headers=("Range: bytes=5-9",)),
    Case("nginx: a 401", f"{NGINX}/auth"),
    Case("nginx: a 405", f"{NGINX}/hello", "POST", body=3, needs=frozenset({"body"})),
    Case("nginx: a moved page", f"{NGINX}/moved", flags=("follow",)),
    Case("aiohttp: a JSON document", f"{PYTHON}/json"),
    Case("aiohttp: events that come one by one", f"{PYTHON}/sse/3", flags=("stream",)),
    post("aiohttp: an upload of 2 MiB", f"{PYTHON}/upload", 2 << 20),
    Case("node: chunks", f"{NODE}/chunks"),
    Case("node: a trailer", f"{NODE}/trailers", needs=frozenset({"trailers"})),
    Case("node: two cookies", f"{NODE}/cookies"),
    post("node: a chunked upload", f"{NODE}/upload", 300000, "chunked"),
    Case("TLS: a file", f"{SECURE}/megabyte"),
    Case("TLS: over IPv6", "https://nginx6.example.com/hello"),
    Case("TLS: a certificate that the client does not trust", f"{SECURE}/hello", flags=("untrusted",), needs=frozenset({"untrusted"})),
]
