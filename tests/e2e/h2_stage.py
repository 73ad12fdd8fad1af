"""Both ends of HTTP/2 conversations in one test: a client whose connections a way of tls_interception.py makes, and the provider
that they lead to."""

import functools
import itertools
import json
import socket
import ssl
import sys
from pathlib import Path

import pytest

from clients import captured
from h2_peer import Peer
from h2_wire import Pump, Wire
from tls_interception import LOCAL, WAYS
from world.addresses import NAMES

CONNECTOR = Path(__file__).parent / "clients/connector.py"
HOST = "streams.example.com"
CLEAR, SECURE = 80, 443
EACH_WAY = ("direct", "intercepted", "captured in clear")  # the last with prior knowledge (RFC 9113 §3.3)
_numbers = itertools.count(1)


class Connector:
    """A program in a cgroup of this place."""

    def __init__(self, world, place):
        path = world.directory / f"connector-{next(_numbers)}.sock"
        with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as server:
            server.bind(str(path))
            server.listen()
            server.settimeout(10)
            self.cgroup = place(world, "h2-client")
            world.start_in(world.host, self.cgroup, [sys.executable, "-B", CONNECTOR, path])
            self._link, _ = server.accept()

    def connect(self, host, port, *, apart):
        self._link.send(json.dumps({"host": host, "port": port, "apart": apart}).encode())
        packet, fds, _, _ = socket.recv_fds(self._link, 1 << 12, 1)
        if not fds:
            raise ConnectionError(json.loads(packet)["error"])
        return socket.socket(fileno=fds[0])


class Listener:
    """An end of a Pump: makes a Peer of each connection to this address."""

    def __init__(self, stage, address, port):
        self._stage, self._port = stage, port
        family = socket.AF_INET6 if ":" in address else socket.AF_INET
        self.socket = stage.world.net.socket(family)
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if family == socket.AF_INET6:
            self.socket.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        self.socket.bind((address, port))
        self.socket.listen(128)
        self.socket.setblocking(False)

    def fileno(self):
        return self.socket.fileno()

    def wants_input(self):
        return True

    def wants_output(self):
        return False

    def advance(self):
        connected, _ = self.socket.accept()
        self._stage.take_up(connected, self._stage.identity if self._port == SECURE else None)


class Stage:
    def __init__(self, world, way, trust, identity):
        self.world, self.identity = world, identity
        self.is_direct, self.clear = way == "direct", way == "captured in clear"
        self.connector = connector_of(world, way)
        self.pump = Pump()
        self.settings = {}     # of the provider, on connections to come
        self.serve = None      # is called with each request; else tests take them
        self.accepted = []     # every connection to the provider
        self._untaken = []
        self._trust = ssl.create_default_context(cafile=trust)
        self._trust.set_alpn_protocols(["h2", "http/1.1"])
        self._listeners = [Listener(self, address, port) for address in NAMES[HOST] for port in (CLEAR, SECURE)]
        self.pump.ends += self._listeners

    @property
    def scheme(self):
        return "http" if self.clear else "https"

    @property
    def peers(self):
        return [end for end in self.pump.ends if isinstance(end, Peer)]

    def take_up(self, connected, context):
        peer = Peer(self.pump, Wire(connected, context), client=False, settings=self.settings)
        peer.serve = self.serve
        self.accepted.append(peer)
        self._untaken.append(peer)
        self.pump.ends.append(peer)

    def open(self, settings=None, *, host=HOST, apart=True):
        """A client's connection, and the provider's end of it. Those that are apart share no connection to the provider, for each
        comes from an address that it has chosen."""
        client = self.connect(settings, host=host, apart=apart)
        provider = self.provider()
        client.until_told()
        provider.until_told()
        self._is_the_way(client.wire.socket, provider.wire.socket)
        return client, provider

    def connect(self, settings=None, *, host=HOST, apart=True):
        """The client's end alone."""
        connected = self.connector.connect(host, CLEAR if self.clear else SECURE, apart=apart)
        wire = Wire(connected) if self.clear else Wire(connected, self._trust, host)
        client = Peer(self.pump, wire, client=True, settings={2: 0, **(settings or {})})  # no push
        client.host = host
        self.pump.ends.append(client)
        return client

    def provider(self):
        """The provider's end of the connection that came next."""
        self.pump.until(lambda: self._untaken, "a connection to the provider")
        return self._untaken.pop(0)

    def _is_the_way(self, client, provider):
        one = client.getsockname()[:2] == provider.getpeername()[:2]
        assert one == self.is_direct, "one connection or two, as the way has it"
        if isinstance(client, ssl.SSLSocket):
            assert client.selected_alpn_protocol() == provider.selected_alpn_protocol() == "h2"
            assert issuer_of(client).startswith(LOCAL) != one

    def stop_listening(self):
        for listener in self._listeners:
            self.pump.ends.remove(listener)
            listener.socket.close()
        self._listeners.clear()

    def close(self):
        self.stop_listening()
        for peer in self.peers:
            peer.wire.close()

    def faults(self):
        return [f"{'client' if peer.client else 'provider'} saw {fault}" for peer in self.peers for fault in peer.faults]


def issuer_of(connected):
    """The name of who has signed the certificate that the other side shows."""
    return dict(part[0] for part in connected.getpeercert()["issuer"])["commonName"]


@functools.cache
def connector_of(world, way):
    return Connector(world, WAYS.get(way, captured))


@functools.cache
def identity_of(tls_origins):
    """What the provider shows, and speaks."""
    stem = tls_origins.root.issue("streams", ["DNS:*.example.com"])
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(f"{stem}.pem", f"{stem}.key")
    context.set_alpn_protocols(["h2"])
    return context


def stage_fixture(*ways):
    """A stage for each test, each of these ways; nobody may have done there what the protocol forbids. The module has a fixture
    `lunard`, which a direct conversation does not need."""
    @pytest.fixture(params=ways)
    def stage(world, tls_origins, request):
        told = tls_origins.trust
        if request.param != "direct":
            request.getfixturevalue("lunard")
            told = request.getfixturevalue("told")
        stage = Stage(world, request.param, told.pem, identity_of(tls_origins))
        try:
            yield stage
        finally:
            stage.close()
        assert stage.faults() == []

    return stage


def lines(stage, lunard):
    """(method, path, status) of the access log, of the streams of this stage's client program."""
    return [(line["method"], line["path"], line["status_code"]) for line in lunard.lines_of(stage.connector.cgroup)]


def hello(stream):
    stream.answer(200, body=b"hello\n")


def works(client, provider):
    """One more exchange on a connection."""
    asked = client.ask("/works")
    provider.next_request().answer(200, body=b"it works")
    assert bytes(asked.until_end().body) == b"it works"
    return True


def pattern(size):
    return (b"%07d " * (size // 8 + 1) % tuple(range(size // 8 + 1)))[:size]
