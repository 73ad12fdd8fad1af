"""Opens connections of HTTP/2 that carry one request each, and holds them. Orders are JSON, a line each, on standard
input: how many more, and where; an empty one releases all. Each is answered with a line of figures."""

import json
import resource
import socket
import ssl
import sys

from h2.config import H2Configuration
from h2.connection import H2Connection
from h2.events import ConnectionTerminated, DataReceived, ResponseReceived, StreamEnded, StreamReset

PATIENCE = 5  # seconds for each answer


class Fault(Exception):
    """Something came that should not have come."""


class Held:
    def __init__(self, context, target, host):
        address, port = target.rsplit(":", 1)
        connected = socket.create_connection((address, int(port)), PATIENCE)
        self._socket = context.wrap_socket(connected, server_hostname=host)
        if self._socket.selected_alpn_protocol() != "h2":
            raise Fault(f"not h2 but {self._socket.selected_alpn_protocol()}")
        self._http = H2Connection(H2Configuration(client_side=True, header_encoding="utf-8"))
        self._http.initiate_connection()

    def ask(self, host, body):
        self._http.send_headers(1, [(":method", "GET"), (":scheme", "https"), (":authority", host), (":path", "/")], True)
        self._flush()
        status, came, ended = None, b"", False
        while not ended:
            for event in self._events():
                if isinstance(event, ResponseReceived):
                    status = dict(event.headers)[":status"]
                elif isinstance(event, DataReceived):
                    came += event.data
                ended = ended or isinstance(event, StreamEnded)
        if (status, came) != ("200", body.encode()):
            raise Fault(f"a wrong answer: {status} {came[:50]}")

    def still_open(self):
        """Takes what has come since then; the end of it is a fault."""
        self._socket.settimeout(0)
        try:
            while True:
                self._events()
        except ssl.SSLWantReadError:
            self._socket.close()

    def _events(self):
        data = self._socket.recv(16384)
        if not data:
            raise Fault("the connection was closed")
        events = self._http.receive_data(data)
        self._flush()
        for event in events:
            if isinstance(event, (ConnectionTerminated, StreamReset)):
                raise Fault(str(event))
        return events

    def _flush(self):
        self._socket.sendall(self._http.data_to_send())


class Figures:
    """Of all orders together are the errors."""

    def __init__(self):
        self.held = []
        self.errors = []

    def obey(self, order):
        requests = self._open(**order) if order else self._release()
        return {"requests": requests, "errors": len(self.errors), "first_error": self.errors[0] if self.errors else ""}

    def _open(self, target, authority, host, connections, body):
        context = ssl.create_default_context(cafile=authority)
        context.minimum_version = ssl.TLSVersion.TLSv1_3
        context.set_alpn_protocols(["h2"])
        before = len(self.held)
        for _ in range(connections):
            try:
                one = Held(context, target, host)
                one.ask(host, body)
                self.held.append(one)
            except (OSError, Fault) as error:
                self.errors.append(f"{type(error).__name__}: {error}")
                break  # the others would take as long to fail
        return len(self.held) - before

    def _release(self):
        for one in self.held:
            try:
                one.still_open()
            except (OSError, Fault) as error:
                self.errors.append(f"while idle: {type(error).__name__}: {error}")
        return 0


def main():
    most = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    figures = Figures()
    for line in sys.stdin:
        print(json.dumps(figures.obey(json.loads(line))), flush=True)


if __name__ == "__main__":
    main()
