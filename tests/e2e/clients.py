"""The unmodified client programs, how each is started, and what it can do.

A program runs once direct and once captured, with all its cases; tests then look at single cases.
"""

import json
import os
import shutil
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from cases import CASES

SOURCES = Path(__file__).parent / "clients"


@dataclass(frozen=True)
class Client:
    name: str
    argv: tuple
    abilities: frozenset

    def cases(self):
        return [case for case in CASES if case.needs <= self.abilities]


def everything(*but):
    return frozenset({"body", "chunked", "expect", "extensions", "interim", "refusal", "trailers", "untrusted"} - set(but))


CLIENTS = [
    Client("curl", (sys.executable, SOURCES / "curl_cases.py"), everything()),
    Client("wget", (sys.executable, SOURCES / "wget_cases.py"), everything("chunked", "expect")),
    Client("Python urllib", (sys.executable, SOURCES / "python_urllib.py"), everything("expect")),
    Client("Python requests", (sys.executable, SOURCES / "python_requests.py"), everything("expect", "interim")),
    Client("Python aiohttp", (sys.executable, SOURCES / "python_aiohttp.py"), everything()),
    Client("Node http", ("node", SOURCES / "node_http.js"), everything()),
    Client("Node fetch", ("node", SOURCES / "node_fetch.js"), everything("expect", "untrusted")),
    Client("Java HttpClient", ("java", "-XX:TieredStopAtLevel=1", "@truststore", "-cp", "@java", "JavaClient", "@cases", "new"), everything("extensions", "refusal", "trailers")),  # refuses chunk extensions and trailers with errors that depend on timing; hangs on any answer but 100: JDK-8286171
    Client("Java HttpURLConnection", ("java", "-XX:TieredStopAtLevel=1", "@truststore", "-cp", "@java", "JavaClient", "@cases", "old"), everything("expect", "interim")),
    Client("Go net/http", ("@go/go_http",), everything()),
    Client("Ruby Net::HTTP", ("ruby", SOURCES / "ruby_net_http.rb"), everything()),
    Client("PHP streams", ("php", SOURCES / "php_stream.php"), everything("chunked", "expect")),
    Client("Perl HTTP::Tiny", ("perl", SOURCES / "perl_http_tiny.pl"), everything("expect")),
]
PROGRAMS = ("curl", "wget", "node", "java", "javac", "go", "ruby", "php", "perl", "git", "psql", "redis-cli", "openssl", "nft", "bpftool")


def missing_programs():
    return [program for program in PROGRAMS if not shutil.which(program)]


class Builds:
    """Compiles the clients that need it, once a session."""

    def __init__(self, directory):
        self.java, self.go = directory / "java", directory / "go"
        subprocess.run(["javac", "-d", self.java, SOURCES / "JavaClient.java"], check=True)
        self.go.mkdir()
        environment = {**os.environ, "GOFLAGS": "-mod=mod", "GOPROXY": "off", "GOCACHE": str(directory / "go-cache"), "CGO_ENABLED": "0"}
        for program in ("go_http", "load"):
            subprocess.run(["go", "build", "-o", self.go / program, "."], cwd=SOURCES / program, env=environment, check=True)


class Matrix:
    """Observations of each client, direct and captured. The first question starts the runs of all clients,
    some at a time: they mostly wait."""

    AT_A_TIME = 3

    def __init__(self, world, internet, builds):
        self.world, self.internet, self.builds = world, internet, builds
        self._pool = ThreadPoolExecutor(self.AT_A_TIME)
        self._runs = {}

    def direct(self, client):
        return self._run(client, captured=False)

    def captured(self, client):
        return self._run(client, captured=True)

    def close(self):
        self._pool.shutdown(cancel_futures=True)

    def _run(self, client, captured):
        if (client.name, captured) not in self._runs:
            for each in CLIENTS:
                self._runs[each.name, captured] = self._pool.submit(self._observe, each, captured)
        return self._runs[client.name, captured].result()

    def environment(self):
        """How a user makes each runtime trust a private CA."""
        ca = str(self.internet.ca)
        return {"SSL_CERT_FILE": ca, "CURL_CA_BUNDLE": ca, "REQUESTS_CA_BUNDLE": ca, "NODE_EXTRA_CA_CERTS": ca, "GIT_SSL_CAINFO": ca,
                "PYTHONDONTWRITEBYTECODE": "1", "LC_ALL": "C.UTF-8", "PERL_HASH_SEED": "0"}

    def _observe(self, client, captured):
        cases = self.world.directory / f"{client.name.replace(' ', '-').replace('/', '-')}-{captured}.cases"
        cases.write_text("".join(case.line() + "\n" for case in client.cases()))
        outcome, cgroup = self.world.run(self._argv(client, cases), captured=captured, env=self.environment(), timeout=150,
                                         label=client.name.split()[-1].replace("/", "-").replace("::", "-"))
        seen = {observation["name"]: observation for observation in map(json.loads, outcome.stdout.splitlines())}
        if outcome.status != 0 or len(seen) != len(client.cases()):
            raise RuntimeError(f"{client.name} ended with {outcome.status} after {len(seen)} cases: {outcome.stderr[-2000:]}")
        return Run(cgroup, {name: without_dates(observation) for name, observation in seen.items()})

    def _argv(self, client, cases):
        words = {"@cases": [cases], "@java": [self.builds.java], "@go/go_http": [self.builds.go / "go_http"],
                 "@truststore": [f"-Djavax.net.ssl.trustStore={self.internet.directory}/ca.p12",
                                 "-Djavax.net.ssl.trustStorePassword=changeit", "-Djavax.net.ssl.trustStoreType=PKCS12"]}
        argv = [part for word in client.argv for part in words.get(word, [word])]
        return argv if "@cases" in client.argv else [*argv, cases]


@dataclass
class Run:
    cgroup: object
    seen: dict


def without_dates(value):
    """The observation without the values of Date fields, in whatever form a client shows them. How many pieces arrived
    apart depends on when the client was scheduled; that some did does not."""
    if isinstance(value, dict):
        return {key: item > 0 if key == "one by one" else without_dates(item) for key, item in value.items() if key.lower() != "date"}
    if isinstance(value, list):
        if value and isinstance(value[0], str) and value[0].lower() == "date":
            return ["date"]
        kept = [without_dates(item) for item in value if not (isinstance(item, str) and item.lower().startswith("date:"))]
        for at, item in enumerate(kept[:-1]):  # flat name, value, name, value lists
            if isinstance(item, str) and item.lower() == "date":
                kept[at + 1] = ""
        return kept
    return value
