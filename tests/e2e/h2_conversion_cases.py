"""What clients that offer one version of HTTP alone ask of providers that speak the other one alone, and what both are to see."""

import hashlib
import json
import re
import sys
from dataclasses import dataclass, field, replace

from cases import Case, post
from clients import SOURCES, Client, Matrix, Place, Trust, direct, everything, observe
from h2_cases import H2_CLIENTS
from internet import ORIGINS
from test_flows import flow
from tls_cases import status_of
from tls_origins import both

# origins/alone_origin.js
BY_1, BY_2 = "https://node.example.com", "https://node.example.com:8443"
LARGE = 8 << 20
PATTERN = b"lunar-0123456789abcdefghijklmnopqrstuvwxyz\n"
AT_ONCE = 50
SITE = "{site}"


def digest(size):
    """Of what clients upload and the site sends."""
    return hashlib.sha256((PATTERN * (size // len(PATTERN) + 1))[:size]).hexdigest()


@dataclass(frozen=True)
class Row:
    case: Case
    status: int = 200
    size: int | None = None  # of the body as the client gets it; None: it does not get all
    shows: str = ""          # a regular expression that is in what the client says
    came: dict = field(default_factory=dict)  # what the provider says of the request, beside what request_came() knows
    directly: bool = True    # the client sees the same from the site that speaks its own version

    @property
    def name(self):
        return self.case.name

    def at(self, site):
        return replace(self.case, url=self.case.url.replace(SITE, site))

    @property
    def reaches_site(self):
        return self.size is not None and self.case.url.startswith(SITE) and not self.case.url.endswith(("/canned", "/led"))

    def request_came(self, version, host):
        """All that the site is to say of the request."""
        wanted = {"version": version, "host": host, "method": self.case.method, **self.came}
        if self.case.body is None or not self.case.url.endswith("/upload"):
            return wanted
        known = "chunked" not in self.case.flags
        return {**wanted, "length": str(self.case.body) if known else "none", "coding": "chunked" if version == "1.1" and not known else "none",
                "size": str(self.case.body), "sha256": digest(self.case.body)}


def get(name, path, size, *, method="GET", headers=(), flags=(), needs=(), **more):
    return Row(Case(name, path if path.startswith("https:") else f"{SITE}/{path}", method, headers, None, flags, frozenset(needs)), size=size, **more)


def upload(name, size, *flags, method="POST", **more):
    return Row(post(name, f"{SITE}/upload", size, *flags, method=method), size=len("taken\n"), **more)


def converted(*rows):
    """Those that say something of what lies between."""
    return [replace(row, directly=False) for row in rows]


def works(number):
    return get(f"a plain answer behind that, {number}", "hello", 6)


COMMON = [
    get("a plain answer", "hello", 6), get("a 404", "status/404", 9, status=404), get("a 503", "status/503", 9, status=503),
    get("a 204", "no-content", 0, status=204), get("a 304", "not-modified", 0, status=304, headers=('If-None-Match: "v1"',), shows=r'etag\W+v1'),
    get("cookies both ways", "cookies", 4, headers=("Cookie: first=1; second=2",), shows="a=1.+b=2", came={"cookie": "first.1.second.2"}),
    get("an empty body", "bytes/0", 0), get("a body of 8 MiB", f"bytes/{LARGE}", LARGE, shows=digest(LARGE)),
    get("a body of unknown length", "chunks", 13),
    get("events that come one by one", "events", 18, flags=("stream",), needs=["apart"], shows='"one by one": true'),
    get("trailers", "trailers", 15, needs=["trailers"], shows=r"x-checksum\W+4711"), get("an interim 103", "interim", 13, needs=["interim"]),
    upload("an upload of nothing", 0), upload("an upload", 5), upload("an upload of 8 MiB", LARGE), upload("a PUT", 300000, method="PUT"),
    upload("an upload of unknown length", 300000, "chunked"), upload("an upload of 8 MiB of unknown length", LARGE, "chunked"),
    upload("an upload that waits for 100 Continue", 300000, "expect", came={"expect": "100-continue"}),
    get("a HEAD", "bytes/1000", 0, method="HEAD", shows=r"content-length\W+1000"),
    Row(post("an answer that precedes the end of the upload", f"{SITE}/early/200", 300000, needs={"refusal"}), size=15),
    get("an answer that is not waited for", "slow/3000", None, flags=("timeout=0.3",), needs=["leaves"]), works(0),
    get("the last answer of a connection", "close", 13), works(1),
    get("a body of known length that is cut", "cut/known", None, flags=("timeout=2",), needs=["cuts"]), works(2),
    get("a body of unknown length that is cut", "cut/unknown", None, flags=("timeout=2",)), works(3),
    *converted(get("an answer behind which the provider leaves", "leave", 13), works(4), get("an answer behind that one", "leave", 13), works(5),
               get("an answer of a flow", "canned", 9, status=418),
               get("fields of a flow", "marked", 13, status=404, shows=r"x-marked\W+yes", came={"asked": "yes"}),
               get("an answer of a host to which a flow leads", "led", 6), works(7)),
]
ANNOUNCED = converted(get("an answer behind which the provider says GOAWAY", "goaway", 13), works(6))
# Providers of HTTP/1.1 in other implementations: raw, with ALPN; aiohttp without any; nginx, which has TLS 1.2 alone.
TLS, AIO, NGINX = "https://tls.example.com", "https://aio.example.com", "https://rsa.example.com"
OTHERS = converted(
    get("raw: chunks with extensions and trailers", f"{TLS}/chunked", 22, shows=r"x-later\W+yes"),
    get("raw: fields as they are", f"{TLS}/headers", 13, shows="one, two"),
    get("raw: an interim 103", f"{TLS}/interim", 13), get("raw: HTTP/1.0 that ends with the connection", f"{TLS}/http10", 32),
    get("raw: an answer with Connection: close", f"{TLS}/close", 13), get("raw: a head of 30 KB", f"{TLS}/long-head", 10),
    Row(post("raw: an upload that is refused early", f"{TLS}/early/413", 2 << 20, needs={"refusal"}), status=413, size=15),
    Row(post("raw: an upload that is refused before it is sent", f"{TLS}/reject", 2 << 20, "expect", needs={"refusal"}), status=413, size=10),
    get("raw: a body cut by a reset", f"{TLS}/reset-mid", None, flags=("timeout=2",)), get("raw: it works behind that", f"{TLS}/hello", 6),
    get("without ALPN: a document", f"{AIO}/sse/2", 30), get("nginx: a file", f"{NGINX}/megabyte", 1 << 20),
)
# Many at once; {} is the number of each, from 10 on.
SIZES = Case("bodies of all sizes", f"{SITE}/bytes/10{{}}", flags=(f"times={AT_ONCE}",), needs=frozenset({"many"}))
SLOW = Case("slow answers", f"{SITE}/slow/300/{{}}", flags=(f"times={AT_ONCE}",), needs=frozenset({"many"}))
MIXED = Case("bodies of which every second is cut", f"{SITE}/mixed/{{}}", flags=("times=20", "timeout=3"), needs=frozenset({"many", "apart"}))
TOGETHER = (SIZES, SLOW, MIXED)


@dataclass(frozen=True)
class Direction:
    name: str
    alpn: str      # what clients offer
    other: str     # the version that the provider speaks instead
    clients: tuple
    rows: tuple
    own: str       # the site for a client that is not helped
    asked: str     # and for one that is

    def rows_for(self, client, is_direct):
        return [row for row in self.rows if row.case.needs <= client.abilities and (row.directly or not is_direct)]


_h2 = {client.name: client for client in H2_CLIENTS}
# Of HTTP/1.1 it opens a connection for each of many requests at once, while those cases are about one connection.
GO = replace(_h2["Go net/http"], abilities=everything() | {"apart", "leaves"})


def python(name, program, *but):
    return Client(name, (sys.executable, SOURCES / program), everything("expect", "trailers", "interim", "cuts", *but) | {"apart", "leaves"})


DIRECTIONS = [
    Direction("to HTTP/1.1", "h2", "1.1", (
        replace(_h2["nghttp"], abilities=everything("expect") | {"many"}),
        replace(_h2["Node http2"], abilities=everything("expect", "refusal") | {"many", "apart"}),
        replace(GO, abilities=GO.abilities | {"many"}),
    ), (*COMMON, *OTHERS), own=BY_2, asked=BY_1),
    Direction("to HTTP/2", "http/1.1", "2.0", (
        python("Python requests", "python_requests.py"), python("Python urllib", "python_urllib.py", "refusal"), GO,
        Client("Node fetch", ("node", SOURCES / "node_fetch.js"), everything("expect", "trailers") | {"apart", "leaves"}),
    ), (*COMMON, *ANNOUNCED), own=BY_1, asked=BY_2),
]
TO_1, TO_2 = DIRECTIONS


@dataclass(frozen=True)
class Offering(Trust):
    """Of a client that is to offer one protocol alone, where it has to be told so."""

    alpn: str = ""

    def environment(self):
        return {**super().environment(), "ALPN": self.alpn}


class Conversions(Matrix):
    """Clients of one direction: at the site that speaks their version where they are not helped, else at the other one."""

    def __init__(self, world, trust, builds, direction):
        super().__init__(world, Offering(trust.pem, trust.store, direction.alpn), builds)
        self.direction, self.clients = direction, direction.clients

    def _observe(self, client, way):
        is_direct = way is direct
        site = self.direction.own if is_direct else self.direction.asked
        cases = [row.at(site) for row in self.direction.rows_for(client, is_direct)]
        cases += [replace(case, url=case.url.replace(SITE, site)) for case in client.cases(TOGETHER)]
        return observe(self.world, self.builds, client, cases, Place(way(self.world, client.label), self.trust))


def start_site(world, tls_origins):
    """Both versions of the site."""
    argv = ["node", ORIGINS / "alone_origin.js", tls_origins.stems["h2"], *both("node")]
    return world.start_origin("alone", argv, tcp=[(address, port) for address in both("node") for port in (443, 8443)])


def flows():
    """Of both sites."""
    files = {}
    for key, url in (("One", BY_1), ("Two", BY_2)):
        host = url.removeprefix("https://")
        files[f"flows/canned-{key}.yaml"] = flow(f"Canned{key}", f"{host}/canned", {
            "Say": ("GenerateResponse", {"status": 418, "body": "made here"})}, [("start", "Say")], [("start", "end"), ("Say", "end")])
        files[f"flows/marked-{key}.yaml"] = flow(f"Marked{key}", f"{host}/marked", {
            "Ask": ("TransformAPICall", {"set": {"$.request.headers.X-Asked": "yes"}}),
            "Mark": ("TransformAPICall", {"set": {"$.response.headers.X-Marked": "yes"}})},
            [("start", "Ask"), ("Ask", "end")], [("start", "Mark"), ("Mark", "end")])
        files[f"flows/led-{key}.yaml"] = flow(f"Led{key}", f"{host}/led", {
            "Lead": ("TransformAPICall", {"set": {"$.request.host": "tls.example.com", "$.request.path": "/hello"}})},
            [("start", "Lead"), ("Lead", "end")])
    return files


def came(seen):
    """What the site said of a request, in whatever form a client shows the field."""
    said = re.search(r"x-seen\W+([\w.=;:-]+)", json.dumps(seen), re.I)
    assert said, f"no answer of the site: {seen}"
    return dict(word.split("=", 1) for word in said[1].split(";"))


def failed(seen):
    """Whether a client says that it did not get all."""
    return "error" in seen or bool(seen.get("reset")) or status_of(seen) == 0


# Pages that one curl asks for, how it may end, and what it prints: what it prints of HTTP/1.1 at its own site.
BY_CURL = {
    "a body of unknown length comes in chunks": (["-i", "/chunks"], [0], r"(?s)\ntransfer-encoding: chunked\n.*\nfirst,second\n$"),
    "trailers": (["-i", "/trailers"], [0], r"(?s)\n\nwith a trailer\n.*x-checksum: 4711"),
    "an interim 103": (["-i", "/interim"], [0],
                       r"(?s)^HTTP/1.1 103 .*\nlink: </style.css>; rel=preload\n.*HTTP/1.1 200 .*\n\nafter a hint\n$"),
    "a HEAD": (["-I", "/bytes/1000"], [0], r"(?s)^HTTP/1.1 200.*content-length: 1000\n"),
    "an upload that waits for 100 Continue": (["-i", "--expect100-timeout", "9", "-HExpect: 100-continue", "--data-binary", "@large", "/upload"], [0],
                                              f"(?s)^HTTP/1.1 100 Continue\n.*expect=100-continue;.*size={LARGE};sha256={digest(LARGE)}.*taken\n$"),
    "a body of known length that is cut": (["/cut/known"], [18, 56], "^x{100}$"), "one of unknown length": (["/cut/unknown"], [18, 56], "^x{100}$"),
    "connections that end behind answers": (["/close", "/hello", "/goaway", "/hello", "/leave", "/hello", "/hello"], [0],
                                            r"^(the last one\nhello\n){3}hello\n$"),
}
# What is sent as one piece, @HOST@ being the site, and what comes until the end of the connection.
HEAD = "Host: @HOST@\r\n"
LAST = f"{HEAD}Connection: close\r\n"
BY_HAND = {
    "a client of HTTP/1.0 gets no chunks": (f"GET /chunks HTTP/1.0\r\n{HEAD}\r\n", r"(?s)^HTTP/1.1 200 (?!.*transfer-encoding).*\n\nfirst,second\n$"),
    "requests sent together": (f"GET /slow/50 HTTP/1.1\r\n{HEAD}\r\nHEAD /bytes/9 HTTP/1.1\r\n{HEAD}\r\nGET /hello HTTP/1.1\r\n{LAST}\r\n",
                               r"(?s)^HTTP/1.1 200 .*\n\nlate\nHTTP/1.1 200 .*\n\nHTTP/1.1 200 .*\n\nhello\n$"),
    "trailers of a request": (f"POST /upload HTTP/1.1\r\n{LAST}Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\nX-Sum: 4711\r\n\r\n",
                              r"(?s)^HTTP/1.1 200 .*;size=5;sha256=2cf24d.*;sum=4711\n.*taken\n$"),
    "odd chunks": (f"POST /upload HTTP/1.1\r\n{LAST}Transfer-Encoding: chunked\r\n\r\n0000003;a=b\r\nabc\r\nA\r\n0123456789\r\n00\r\n\r\n",
                   r"(?s)^HTTP/1.1 200 .*;size=13;.*taken\n$"),
    "a target in absolute form": (f"GET https://@HOST@/hello HTTP/1.1\r\n{LAST}\r\n", r"(?s)^HTTP/1.1 200 .*\n\nhello\n$"),
    "OPTIONS of everything": (f"OPTIONS * HTTP/1.1\r\n{LAST}\r\n", r"(?s)^HTTP/1.1 404 .*method=OPTIONS;.*no such page\n$"),
}
HOPS = f"GET /hello HTTP/1.1\r\n{HEAD}Connection: close, X-Hop\r\nX-Hop: 1\r\nKeep-Alive: 5\r\nTE: trailers\r\nUpgrade: shout\r\n\r\n"
# (url, what a client offers, what it is given)
PROTOCOLS = [
    (BY_1, "h2", "h2"), (BY_1, "http/1.1", "http/1.1"), (BY_1, "h2,http/1.1", "http/1.1"), (BY_1, "http/1.1,h2", "http/1.1"), (BY_1, "", None),
    (BY_2, "h2", "h2"), (BY_2, "http/1.1", "http/1.1"), (BY_2, "h2,http/1.1", "h2"), (BY_2, "http/1.1,h2", "h2"),
    (TLS, "h2", "h2"), (NGINX, "h2", "h2"), (AIO, "h2", "h2"), (AIO, "http/1.1", None), (AIO, "h2,http/1.1", None), (AIO, "", None),
]
# Programs, each with the URL as its argument.
GRPC = """
import grpc, os, sys
trust = grpc.ssl_channel_credentials(open(os.environ["SSL_CERT_FILE"], "rb").read())
with grpc.secure_channel(sys.argv[1].removeprefix("https://") + ":443", trust) as channel:
    for _ in range(2):
        try:
            channel.unary_unary("/lunar.test.Calls/Unary")(b"hello", timeout=5)
        except grpc.RpcError as error:
            print(error.code().name)
"""
RESETS = """
import socket, ssl, struct, sys
host, port = sys.argv[1].removeprefix("https://").split(":")
context = ssl.create_default_context()
context.set_alpn_protocols(["http/1.1"])
with context.wrap_socket(socket.create_connection((host, port)), server_hostname=host) as tls:
    tls.sendall(f"GET /hang HTTP/1.1\\r\\nHost: {host}:{port}\\r\\n\\r\\n".encode())
    while b"begun" not in tls.recv(1 << 16):
        pass
    tls.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
"""
ASKS_ANOTHER = """
const session = require('http2').connect(process.argv[1]);
session.request({ ':authority': 'tls.example.com', ':path': '/hello' }).on('response', (head) => {
  console.log(head[':status']);
  session.destroy();
});
"""
