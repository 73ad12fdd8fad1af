"""What the programs of conversations over TLS have in common; they print one observation a line, as tcp_cases.py does.

`issuers` are the names of those who signed what the servers showed: the one thing that tells a connection that is opened on its
way from one that is not.
"""

import json
import os
import re
import ssl
import sys
from contextlib import contextmanager

from tcp_cases import connect, http, program, read_all

CASES = {}
ISSUERS = set()


def case(name):
    def register(function):
        CASES[name] = function
        return function
    return register


def trusting(**options):
    context = ssl.create_default_context(cafile=os.environ["SSL_CERT_FILE"])
    for name, value in options.items():
        setattr(context, name, value)
    return context


def note_issuer(connection):
    names = dict(part[0] for part in connection.getpeercert()["issuer"])
    ISSUERS.add(names["commonName"])


def note_issuers(output):
    """Those that openssl s_client has printed."""
    ISSUERS.update(re.findall(r"^issuer=(?:.*, )?CN = ([^,\n]*)", output, re.M))


@contextmanager
def opened(host, context=None):
    """A TLS connection to port 443 of this host."""
    with connect(host, 443) as plain, (context or trusting()).wrap_socket(plain, server_hostname=host) as connection:
        note_issuer(connection)
        yield connection


def get(host, path, *fields):
    return http(f"GET {path} HTTP/1.1\r\nHost: {host}\r\n", *(f"{field}\r\n" for field in fields), "\r\n")


def converse(host, data, context=None):
    with opened(host, context) as connection:
        connection.sendall(data)
        got, end = read_all(connection)
        return {"bytes": re.sub("Date: .*", "", got.decode("latin-1")), "end": end, "version": connection.version(),
                "alpn": connection.selected_alpn_protocol()}


class InMemory:
    """A client whose records are sent by hand."""

    def __init__(self, host, context=None, name=None):
        self.socket = connect(host, 443)
        self.arrived, self.leaving = ssl.MemoryBIO(), ssl.MemoryBIO()
        self.tls = (context or trusting()).wrap_bio(self.arrived, self.leaving, server_hostname=name or host)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.socket.close()

    def shake_hands(self, send_hello=None):
        """`send_hello` sends the bytes of the ClientHello."""
        send = send_hello or self.socket.sendall
        while True:
            try:
                self.tls.do_handshake()
                break
            except ssl.SSLWantReadError:
                send(self.leaving.read())
                send = self.socket.sendall
                self.receive()
        self.socket.sendall(self.leaving.read())
        note_issuer(self.tls)

    def send(self, data):
        self.tls.write(data)
        self.socket.sendall(self.leaving.read())

    def close_sending(self):
        """close_notify, after which the other direction goes on."""
        try:
            self.tls.unwrap()
        except ssl.SSLWantReadError:
            pass
        self.socket.sendall(self.leaving.read())

    def read_all(self):
        """Everything until the end, and which."""
        got = bytearray()
        while True:
            try:
                piece = self.tls.read(1 << 16)
            except ssl.SSLWantReadError:
                self.receive()
                continue
            except OSError as error:
                return bytes(got), type(error).__name__
            if not piece:
                return bytes(got), "close"
            got += piece

    def receive(self):
        piece = self.socket.recv(1 << 16)
        if piece:
            self.arrived.write(piece)
        else:
            self.arrived.write_eof()


def s_client(*argv, input=""):
    """openssl s_client: what became of its handshakes, and what was answered."""
    done = program("openssl", "s_client", "-CAfile", os.environ["SSL_CERT_FILE"], *argv, input=input)
    note_issuers(done["stdout"])
    return {"exit": done["exit"], "sessions": re.findall(r"^((?:New|Reused), TLSv\S+),", done["stdout"], re.M),
            "verified": sorted(set(re.findall(r"^Verif.*: .*", done["stdout"], re.M))),
            "answers": re.findall(r"^HTTP/1.1 \d+", done["stdout"], re.M)}


def main():
    """For the end of a program: runs the cases that its arguments name, or all."""
    for name in sys.argv[1:] or CASES:
        ISSUERS.clear()
        try:
            seen = CASES[name]()
        except Exception as error:
            seen = {"error": type(error).__name__, "errno": getattr(error, "errno", None), "reason": getattr(error, "reason", None)}
        print(json.dumps({"name": name, "issuers": sorted(ISSUERS), **seen}), flush=True)
