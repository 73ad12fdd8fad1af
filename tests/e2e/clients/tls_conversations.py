"""Conversations over TLS that are more than a request.

Usage: tls_conversations.py [CASE...]
"""

import hashlib
import json
import os
import re
import select
import ssl
import subprocess
import tempfile

from case_list import pattern
from tcp_cases import program, read_all, websocket_talk
from tls_client import ISSUERS, InMemory, case, converse, get, main, note_issuer, note_issuers, opened, trusting

BIG = 64 << 20


@case("git: clone, commit and push over HTTPS")
def git():
    with tempfile.TemporaryDirectory() as directory:
        script = f"""
            git clone -q https://code.example.com/project.git {directory}/clone && cd {directory}/clone && git log --format=%T%s &&
            git config user.email t@example.com && git config user.name t &&
            git checkout -q -b tls-$$ && seq 50000 > new && git add new && git commit -q -m new && git push -q origin HEAD &&
            git ls-remote -q origin | grep -c tls- | sed 's/.*/pushed/' && git push -q origin :tls-$$ && cat file* | sha256sum
        """
        return program("sh", "-ec", script)


@case("WebSocket: text, binary, ping, a megabyte, close code")
def websocket():
    def look(connection):
        note_issuer(connection.transport.get_extra_info("ssl_object"))

    return websocket_talk("wss://aio.example.com/ws", look, ssl=trusting())


@case("a protocol after 101")
def switched():
    with opened("tls.example.com") as connection:
        connection.sendall(get("tls.example.com", "/switch", "Connection: Upgrade", "Upgrade: shout") + b"quiet words")
        got = bytearray()
        while not got.endswith(b"QUIET WORDS"):
            got += connection.recv(1 << 16)
        return {"bytes": got.decode()}


@case("five requests on one connection")
def keep_alive():
    answers = []
    with opened("tls.example.com") as connection:
        incoming = connection.makefile("rb")
        for path in ("/hello", "/bytes/10", "/status/404", "/upload", "/hello"):
            connection.sendall(get("tls.example.com", path))
            head = []
            while (line := incoming.readline().strip()):
                head.append(line.decode())
            length = next(int(line.split(":")[1]) for line in head if line.lower().startswith("content-length"))
            answers.append([head, incoming.read(length).decode()])
    return {"answers": answers}


@case("five pipelined requests are answered in order")
def pipelined():
    paths = ("/slow/200", "/hello", "/bytes/10", "/chunked", "/close")
    return converse("tls.example.com", b"".join(get("tls.example.com", path) for path in paths))


@case("a request that comes byte by byte, each in a record")
def byte_by_byte():
    with opened("tls.example.com") as connection:
        for byte in get("tls.example.com", "/head", "X-Slow:  spaces  kept ", "Connection: close"):
            connection.send(bytes([byte]))
        got, end = read_all(connection)
        return {"bytes": got.decode(), "end": end}


@case("a request with close_notify behind it")
def half_close():
    with InMemory("late.example.com") as client:
        client.shake_hands()
        client.send(get("late.example.com", "/"))
        client.close_sending()
        got, end = client.read_all()
        return {"bytes": got.decode(), "end": end}


@case("no HTTP: an echo of 3 MB with close_notify behind it")
def echo():
    data = os.urandom(1 << 10) * 3000
    with InMemory("echo.example.com") as client:
        client.shake_hands()
        back = bytearray()
        for at in range(0, len(data), 1 << 15):
            client.send(data[at:at + (1 << 15)])
            while len(back) < at and select.select([client.socket], [], [], 0)[0]:
                client.receive()
                try:
                    while piece := client.tls.read(1 << 16):
                        back += piece
                except ssl.SSLWantReadError:
                    pass
        client.close_sending()
        rest, end = client.read_all()
        return {"same": bytes(back) + rest == data + b"end\n", "end": end}


@case("no HTTP: the server speaks first")
def greeting():
    with opened("greeting.example.com") as connection:
        lines = connection.makefile("rwb", buffering=0)
        got = [lines.readline()]
        for line in (b"NOOP\r\n", b"QUIT\r\n"):
            lines.write(line)
            got.append(lines.readline())
        return {"lines": [line.decode() for line in got], "then": lines.read().decode()}


@case("the client closes while the server is silent")
def close_while_silent():
    with opened("tls.example.com") as connection:
        connection.sendall(get("tls.example.com", "/silence"))
        connection.settimeout(0.3)
        return {"end": read_all(connection)[1]}


@case("a body cut by a reset")
def reset():
    with opened("tls.example.com") as connection:
        connection.sendall(get("tls.example.com", "/reset-mid"))
        got, end = read_all(connection)
        return {"bytes": got.decode(), "end": end}


@case("64 MiB to the client")
def download():
    with opened("tls.example.com") as connection:
        connection.sendall(get("tls.example.com", f"/bytes/{BIG}", "Connection: close"))
        digest, size = hashlib.sha256(), 0
        incoming = connection.makefile("rb")
        while incoming.readline().strip():
            pass
        while size < BIG and (piece := incoming.read1(1 << 18)):
            digest.update(piece)
            size += len(piece)
        return {"size": size, "whole": digest.hexdigest() == hashlib.sha256(pattern(BIG)).hexdigest()}


@case("64 MiB from the client, after 100 Continue")
def upload():
    with tempfile.NamedTemporaryFile() as body:
        body.write(pattern(BIG))
        body.flush()
        done = program("curl", "-sS", "-v", "--http1.1", "-H", "Expect: 100-continue", "--expect100-timeout", "10", "-T", body.name,
                       "https://tls.example.com/upload")
    ISSUERS.update(re.findall(r"issuer: .*CN=([^;\n]*)", done["stderr"]))
    return {"exit": done["exit"], "answer": json.loads(done["stdout"]), "interim": done["stderr"].count("HTTP/1.1 100")}


@case("a key update between two requests")
def key_update():
    argv = ["openssl", "s_client", "-connect", "tls.example.com:443", "-tls1_3", "-CAfile", os.environ["SSL_CERT_FILE"]]
    with subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT) as client:
        got = bytearray()

        def say(words, answer):
            client.stdin.write(words)
            client.stdin.flush()
            before = len(got)
            while answer not in got[before:]:
                piece = os.read(client.stdout.fileno(), 1 << 16)
                if not piece:
                    raise EOFError(got.decode("latin-1"))
                got.extend(piece)

        say(get("tls.example.com", "/hello"), b"hello\n")
        say(b"K\n", b"KEYUPDATE")
        say(get("tls.example.com", "/bytes/6"), b"lunar-")
        client.stdin.close()
        note_issuers(got.decode("latin-1"))
        return {"exit": client.wait(10)}


if __name__ == "__main__":
    main()
