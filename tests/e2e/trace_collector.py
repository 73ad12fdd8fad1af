"""The process that traces are sent to, and what it has taken so far."""

import json
import sys
from pathlib import Path

from world.addresses import NAMES
from world.deadline import wait_until

PROGRAM = Path(__file__).parent / "origins/otlp_origin.py"
ADDRESS, PORT = NAMES["collector.example.com"][0], 4318
SECURE_PORT = 4319
SECURE_ENDPOINT = f"https://collector.example.com:{SECURE_PORT}/v1/traces"
GATEWAY_CONFIG = {"trace_exporter": {"trace_exporter_id": "collector", "traces_endpoint": f"collector.example.com:{PORT}"}}


def secure_collector(world, internet):
    """One that speaks TLS, with a certificate of the authority of these tests."""
    return TraceCollector(world, SECURE_PORT, (internet.directory / "server.pem", internet.directory / "server.key"))


def believing(ca):
    """What gateway_config says for the collector to be believed by this authority."""
    return {"provider_tls": [{"domain": "collector.example.com", "ca": str(ca)}]}


class TraceCollector:
    """A context: it runs within, and what it has taken is kept for the next one of the session."""

    def __init__(self, world, port=PORT, tls=None):
        """`tls`: the files of its certificate and key."""
        self.world, self.port, self.tls = world, port, tls
        self.file = world.directory / f"traces-{port}.ndjson"
        self.file.touch()
        self.child = None

    def __enter__(self):
        self.start()
        return self

    def __exit__(self, *_):
        self.stop()

    def start(self):
        options = ["--tls", *self.tls] if self.tls else []
        self.child = self.world.start_origin("collector", [sys.executable, PROGRAM, *options, self.port, self.file, ADDRESS],
                                             tcp=[(ADDRESS, self.port)])

    def stop(self):
        self.child.stop()

    def requests(self):
        text = self.file.read_text()
        return [json.loads(line) for line in text[:text.rfind("\n") + 1].splitlines()]

    def spans(self, url):
        """Those of calls of a URL, each with its attributes as a mapping."""
        spans = [span for request in self.requests() for resource in request["body"]["resourceSpans"]
                 for scope in resource["scopeSpans"] for span in scope["spans"]]
        for span in spans:
            span["attributes"] = {one["key"]: next(iter(one["value"].values())) for one in span["attributes"]}
        return [span for span in spans if span["attributes"]["http.url"] == url]

    def await_spans(self, url, count=1):
        def found():
            spans = self.spans(url)
            return spans if len(spans) >= count else None

        return wait_until(found, 10, lambda: f"{count} spans of {url}; the last requests were {self.requests()[-3:]}")
