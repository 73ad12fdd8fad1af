"""The clients of HTTP/2, the cases that each is put through with every provider, and what flows do in some of them."""

import json
import sys
from dataclasses import dataclass, replace

from cases import CASES, RAW, Case, post
from clients import CLIENTS, SOURCES, Client, Matrix, everything
from test_flows import flow, limiter

AT_ONCE = ("times=20",)
_same = {client.name: client for client in CLIENTS}
H2_CLIENTS = [
    _same["curl"],
    Client("nghttp", (sys.executable, SOURCES / "nghttp_cases.py"), everything()),
    Client("Node http2", ("node", SOURCES / "node_http2.js"), everything("refusal")),  # may never end a stream that is reset behind its answer
    _same["Java HttpClient"],
    _same["Go net/http"],
    Client("Python httpx", (sys.executable, SOURCES / "python_httpx.py"), everything("refusal")),  # waits for room to send for ever
]
VERSIONS = {"http_version": "2", "version": ("h2", "h2c", "HTTP_2", "HTTP/2.0", "HTTP/2")}


class H2Matrix(Matrix):
    AT_A_TIME = len(H2_CLIENTS)
    clients = H2_CLIENTS


class ClearMatrix(H2Matrix):
    """Of those that speak HTTP/2 without TLS, by prior knowledge."""

    clients = H2_CLIENTS[:3]


@dataclass(frozen=True)
class Provider:
    name: str
    url: str
    lacks: tuple = ()  # cases of which it makes something else

    @property
    def host(self):
        return self.url.split("/")[2]

    def of(self, case):
        """The case with this provider."""
        return replace(case, name=f"{self.name}: {case.name}", url=self.url + case.url.removeprefix(RAW))

    def cases(self, client):
        """What this client can do with this provider; limits count each client by itself."""
        table = [case for case in H2_CASES if case.name not in self.lacks]
        marked = [replace(case, headers=(f"X-Client: {client.label}",)) for case in WITH_FLOWS]
        return [self.of(case) for case in client.cases(table) + marked]

    def files(self):
        """The configuration of its flows."""
        key, place = self.name.title(), f"{self.url.split('://')[1]}/head"
        return {
            f"quotas/{self.name}.yaml": json.dumps({"quotas": [{"id": f"{key}Calls", "filter": {"url": f"{place}/limited"}, "strategy": {
                "fixed_window": {"max": 1, "interval": 1, "interval_unit": "hour", "group_by_header": "x-client"}}}]}),
            f"flows/{self.name}-canned.yaml": flow(f"{key}Canned", f"{place}/canned", {
                "Say": ("GenerateResponse", {"status": 418, "body": "made here"})}, [("start", "Say")], [("start", "end"), ("Say", "end")]),
            f"flows/{self.name}-marked.yaml": flow(f"{key}Marked", f"{place}/marked", {
                "Ask": ("TransformAPICall", {"set": {"$.request.headers.X-Asked": "by a flow"}}),
                "Mark": ("TransformAPICall", {"set": {"$.response.headers.X-Marked": "yes"}})},
                [("start", "Ask"), ("Ask", "end")], [("start", "Mark"), ("Mark", "end")]),
            f"flows/{self.name}-limited.yaml": limiter(f"{key}Limited", f"{place}/limited", f"{key}Calls", body="too many"),
        }


WANTED = (
    "a plain answer", "repeated and oddly written fields", "a 404 with a body", "an empty body",
    "a body of 8 MiB", "a HEAD answer", "a 204", "chunks with trailers", "an answer with Connection: close", "a gzip body", "an interim 103",
    "a short upload", "an upload of 2 MiB", "a body cut by a reset",
)
HEAD = Case("the request head as the origin got it", f"{RAW}/head/a%20b?q=1&q=2", headers=("X-cUsTom: two words",))
COOKIES = Case("cookies as the origin got them", f"{RAW}/head/cookies", headers=("Cookie: first=1; second=2",))
SLOW = Case("20 slow answers at once", f"{RAW}/slow/300/{{}}", flags=AT_ONCE)
REFUSED = post("an upload that is refused early", f"{RAW}/early/413", 2 << 20, needs={"refusal"})
_by_name = {case.name: case for case in CASES}
H2_CASES = [
    *(_by_name[name] for name in WANTED), HEAD, COOKIES, post("an upload of 2 MiB of unknown length", f"{RAW}/upload", 2 << 20, "chunked"),
    REFUSED, Case("events that come apart", f"{RAW}/sse/2", flags=("stream",)),
    # a client may open connections until it knows that one will do: so not before others
    SLOW, Case("20 downloads at once", f"{RAW}/bytes/1000{{}}", flags=AT_ONCE),
]
# What flows make of them in a connection that is opened is in test_h2_clients.py.
WITH_FLOWS = CANNED, MARKED, ALLOWED, LIMITED = (
    Case("an answer that a flow may give", f"{RAW}/head/canned"),
    Case("a field that a flow may add", f"{RAW}/head/marked"),
    Case("the last call that a limit allows", f"{RAW}/head/limited"),
    Case("a call above the limit", f"{RAW}/head/limited"),
)
PROVIDERS = [
    Provider("nginx", "https://h2.example.com/raw", ("an interim 103", "chunks with trailers")),
    Provider("nghttpx", "https://nghttpx.example.com", (REFUSED.name,)),
    # ends a body that was cut as if it were whole, which nobody may pass on (RFC 9113 §8.1.1)
    Provider("haproxy", "https://haproxy.example.com", ("a body cut by a reset",)),
]
CLEAR = Provider("clear", "http://h2c.example.com", (REFUSED.name,))


def cases_of(client):
    """With all providers that have TLS."""
    return [case for provider in PROVIDERS for case in provider.cases(client)]


def clear_cases_of(client):
    """curl 7.88 fails with the second of several requests at once."""
    return [replace(case, flags=(*case.flags, "h2c")) for case in CLEAR.cases(client) if client.name != "curl" or case.flags != AT_ONCE]


def urls(case):
    """What a case asks for."""
    return {case.url.replace("{}", str(10 + number)) for number in range(20)}


def is_h2(seen):
    """Whether all of an observation says that it was HTTP/2."""
    if "answers" in seen and "version" not in seen:
        return all("HTTP_2" in answer if isinstance(answer, str) else is_h2(answer) for answer in seen["answers"])
    return any(seen[key] in versions for key, versions in VERSIONS.items() if key in seen)
