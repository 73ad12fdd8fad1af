"""Calls the provider without pause, on new connections and on one that it keeps, and writes down what happened.

A request whose answer is late, wrong or missing is lost. A kept connection that its peer closed between two requests
is opened again, as every HTTP client does; `cut` counts those.
"""

import http.client
import json
import os
import signal
import socket
import sys
import time

provider = sys.argv[1]
state = {"answered": 0, "lost": [], "cut": 0, "slowest_new_ms": 0.0, "ended": False}
ending = False


def publish():
    with open("/run/client.json.new", "w") as file:
        json.dump(state, file)
    os.rename("/run/client.json.new", "/run/client.json")


def end(*_):
    global ending
    ending = True


def ask(connection, number: int):
    path = f"/call/{number}"
    connection.request("GET", path)
    response = connection.getresponse()
    body = response.read()
    if response.status != 200 or body != path.encode():
        raise ValueError(f"status {response.status}, body {body[:80]!r}")


def call_new(number: int):
    begin = time.monotonic()
    connection = http.client.HTTPConnection(provider, timeout=5)
    try:
        ask(connection, number)
    finally:
        connection.close()
    state["slowest_new_ms"] = max(state["slowest_new_ms"], (time.monotonic() - begin) * 1000)


def call_kept(connection, number: int):
    reused = connection.sock is not None
    try:
        ask(connection, number)
    except (http.client.RemoteDisconnected, ConnectionResetError, BrokenPipeError):
        connection.close()
        if not reused:
            raise
        state["cut"] += 1
        ask(connection, number)


def attempt(what, *arguments):
    try:
        what(*arguments)
        state["answered"] += 1
    except (OSError, ValueError, http.client.HTTPException) as error:
        state["lost"].append(f"{what.__name__}: {error!r} at {time.monotonic():.3f}")


signal.signal(signal.SIGTERM, end)
kept = http.client.HTTPConnection(provider, timeout=5)
publish()
with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as channel:
    channel.sendto(b"READY=1", os.environ["NOTIFY_SOCKET"])
number = 0
while not ending:
    attempt(call_new, number)
    attempt(call_kept, kept, number + 1)
    number += 2
    publish()
state["ended"] = True
publish()
