"""The unmodified client programs, how each is started, and what it can do.

A program runs once direct and once captured, with all its cases; tests then look at single cases.
"""

import json
import os
import re
import shutil
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from cases import CASES
from world.child import run

SOURCES = Path(__file__).parent / "clients"


@dataclass(frozen=True)
class Client:
    name: str
    argv: tuple
    abilities: frozenset

    def cases(self, table=CASES):
        return [case for case in table if case.needs <= self.abilities]

    @property
    def label(self):
        """Its name as a part of a path."""
        return re.sub(r"\W+", "-", self.name)


def everything(*but):
    return frozenset({"body", "chunked", "cuts", "expect", "extensions", "interim", "lines", "refusal", "trailers", "untrusted"} - set(but))


CLIENTS = [
    Client("curl", (sys.executable, SOURCES / "curl_cases.py"), everything()),
    Client("wget", (sys.executable, SOURCES / "wget_cases.py"), everything("chunked", "expect")),
    Client("Python urllib", (sys.executable, SOURCES / "python_urllib.py"), everything("expect")),
    Client("Python requests", (sys.executable, SOURCES / "python_requests.py"), everything("expect", "interim")),
    Client("Python aiohttp", (sys.executable, SOURCES / "python_aiohttp.py"), everything()),
    Client("Node http", ("node", SOURCES / "node_http.js"), everything()),
    Client("Node fetch", ("node", SOURCES / "node_fetch.js"), everything("expect", "untrusted")),
    Client("Java HttpClient", ("java", "-XX:TieredStopAtLevel=1", "@truststore", "-cp", "@java", "JavaClient", "@cases", "new"), everything("cuts", "extensions", "refusal", "trailers", "untrusted")),  # one of three errors for a certificate that it does not trust; may lose an answer over TLS whose connection ends right behind it; refuses chunk extensions and trailers with errors that depend on timing; hangs on any answer but 100: JDK-8286171
    Client("Java HttpURLConnection", ("java", "-XX:TieredStopAtLevel=1", "@truststore", "-cp", "@java", "JavaClient", "@cases", "old"), everything("expect", "interim")),
    Client("Go net/http", ("@go/go_http",), everything()),
    Client("Ruby Net::HTTP", ("ruby", SOURCES / "ruby_net_http.rb"), everything()),
    Client("PHP streams", ("php", SOURCES / "php_stream.php"), everything("chunked", "expect")),
    Client("Perl HTTP::Tiny", ("perl", SOURCES / "perl_http_tiny.pl"), everything("expect", "lines")),  # refuses lines above 16 KiB, unless they come in one read
]
PROGRAMS = ("curl", "wget", "node", "java", "javac", "go", "ruby", "php", "perl", "git", "psql", "redis-cli", "openssl", "gnutls-cli", "nft", "bpftool",
            "haproxy", "nghttp", "nghttpx")


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


@dataclass(frozen=True)
class Trust:
    """Whom a client is to believe, in the forms that runtimes read: PEM, and PKCS #12 for Java."""

    pem: Path
    store: Path

    def environment(self):
        """How a user makes each runtime trust a private CA."""
        ca = str(self.pem)
        return {"SSL_CERT_FILE": ca, "CURL_CA_BUNDLE": ca, "REQUESTS_CA_BUNDLE": ca, "NODE_EXTRA_CA_CERTS": ca, "GIT_SSL_CAINFO": ca,
                "PYTHONDONTWRITEBYTECODE": "1", "LC_ALL": "C.UTF-8", "PERL_HASH_SEED": "0"}

    def java_options(self):
        return [f"-Djavax.net.ssl.trustStore={self.store}", "-Djavax.net.ssl.trustStorePassword=changeit",
                "-Djavax.net.ssl.trustStoreType=PKCS12"]


def direct(world, label):
    return world.new_cgroup(False, label)


def captured(world, label):
    return world.new_cgroup(True, label)


class Matrix:
    """Observations of each client, each way; a way makes the cgroup of a run: way(world, label). The first question
    about a way starts the runs of all clients, some at a time: they mostly wait."""

    AT_A_TIME = 3
    clients = CLIENTS

    def __init__(self, world, trust, builds, cases_of=Client.cases):
        self.world, self.trust, self.builds, self.cases_of = world, trust, builds, cases_of
        self._pool = ThreadPoolExecutor(self.AT_A_TIME)
        self._runs = {}

    def direct(self, client):
        return self.run(client, direct)

    def captured(self, client):
        return self.run(client, captured)

    def close(self):
        self._pool.shutdown(cancel_futures=True)

    def run(self, client, way):
        if (client.name, way) not in self._runs:
            self.start(way)
        return self._runs[client.name, way].result()

    def start(self, way):
        for each in self.clients:
            self._runs[each.name, way] = self._pool.submit(self._observe, each, way)

    def environment(self):
        return self.trust.environment()

    def _observe(self, client, way):
        cgroup = way(self.world, client.label)
        return observe(self.world, self.builds, client, self.cases_of(client), Place(cgroup, self.trust))


@dataclass(frozen=True)
class Place:
    """Where a client runs, and whom it believes there."""

    cgroup: object
    trust: Trust


def observe(world, builds, client, cases, place, words=()):
    """Runs a client with these cases to its end; `words` follow the name of its program."""
    listed = world.directory / f"{place.cgroup.path.name}.cases"
    listed.write_text("".join(case.line() + "\n" for case in cases))
    program, *rest = _argv(client, builds, listed, place.trust)
    outcome = run([program, *words, *rest], namespace=world.host, cgroup=place.cgroup, env=place.trust.environment(), timeout=150)
    seen = {observation["name"]: observation for observation in map(json.loads, outcome.stdout.splitlines())}
    if outcome.status != 0 or len(seen) != len(cases):
        raise RuntimeError(f"{client.name} ended with {outcome.status} after {len(seen)} cases: {outcome.stderr[-2000:]}")
    return Run(place.cgroup, {name: without_dates(observation) for name, observation in seen.items()})


def _argv(client, builds, cases, trust):
    words = {"@cases": [cases], "@java": [builds.java], "@go/go_http": [builds.go / "go_http"], "@truststore": trust.java_options()}
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
