"""A connected socket whose owner never waits, with TLS or without: what came, what is to go, how the other side ended; and the
turns in which the owners of many of them get on."""

import contextlib
import select
import socket
import ssl
import struct
import time

PIECE = 1 << 16
NOT_NOW = (BlockingIOError, ssl.SSLWantReadError, ssl.SSLWantWriteError)


class Wire:
    """`end` is None while the other side may say more; then "finished" (FIN, behind close_notify if there is TLS), "truncated"
    (FIN alone, in TLS), "reset", or why TLS failed."""

    def __init__(self, connected, context=None, host=None):
        """With a context it is TLS: as a client of `host`, else as a server."""
        connected.setblocking(False)
        connected.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.tls = self._shaking = context is not None
        self.socket = connected if not context else context.wrap_socket(
            connected, server_side=host is None, server_hostname=host, do_handshake_on_connect=False, suppress_ragged_eofs=False)
        self.end = None
        self.reading = True  # False: lets the other side wait
        self.closed = False
        self._leaving = bytearray()
        if host:
            self._begin()

    def send(self, data):
        self._leaving += data

    def _begin(self):
        """A TLS client speaks first."""
        try:
            self.socket.do_handshake()
        except NOT_NOW:
            pass

    def wants_input(self):
        return self.reading and self.end is None and not self.closed

    def take_back(self):
        """What has not left yet."""
        self._leaving.clear()

    def wants_output(self):
        return bool(self._leaving) and not self._shaking and not self.closed

    def receive(self):
        """All that has come."""
        came = bytearray()
        while self.wants_input():
            try:
                if self._shaking:
                    self.socket.do_handshake()
                    self._shaking = False
                piece = self.socket.recv(PIECE)
            except NOT_NOW:
                break
            except ConnectionError:
                self.end = "reset"
            except ssl.SSLEOFError:
                self.end = "truncated"
            except ssl.SSLError as error:
                self.end = error.reason or str(error)
            else:
                came += piece
                self.end = None if piece else "finished"
        return bytes(came)

    def flush(self):
        """Sends what can be sent now. What cannot be sent any more is dropped: how the connection ended is told by receiving."""
        while self.wants_output():
            try:
                del self._leaving[:self.socket.send(self._leaving)]
            except NOT_NOW:
                break
            except OSError:
                self._leaving.clear()

    def finish(self):
        """Says that nothing more follows, as a server does that ends in order; what comes is still received."""
        self.flush()
        with contextlib.suppress(OSError):  # the other side has not said its own close_notify yet, or has gone
            if self.tls:
                self.socket.unwrap()
        with contextlib.suppress(OSError):
            socket.socket.shutdown(self.socket, socket.SHUT_WR)

    def close(self):
        """As the end of a process does it: FIN without close_notify."""
        if not self.closed:
            self.flush()
            self.closed = True
            self.socket.close()

    def abort(self):
        self.flush()
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.close()


class Pump:
    """Lets all ends of a conversation get on while one of them is waited for. An end has fileno(), wants_input(),
    wants_output() and advance()."""

    def __init__(self):
        self.ends = []

    def turn(self, seconds):
        """Whether anything happened within this time."""
        waiting = select.select([end for end in self.ends if end.wants_input()], [end for end in self.ends if end.wants_output()],
                                [], seconds)
        ready = list(dict.fromkeys(waiting[0] + waiting[1]))
        for end in ready:
            end.advance()
        return bool(ready)

    def until(self, condition, what, seconds=5):
        """The first truthy value of condition()."""
        limit = time.monotonic() + seconds
        while not (value := condition()):
            left = limit - time.monotonic()
            assert left > 0, f"not within {seconds} s: {what}\n" + "\n".join(map(str, self.ends))
            self.turn(min(left, 0.05))  # what else is waited for, such as a process, wakes nobody
        return value

    def until_quiet(self, seconds=0.15):
        """For what is to stay as it is, or to stop by itself, which no event announces."""
        limit = time.monotonic() + 20
        while self.turn(seconds):
            assert time.monotonic() < limit, "the ends never come to rest"
