"""Calls as they are asked for on a socket, each by http.client in a process of its own, so that it can be killed and the
access log tells it apart by its pid.

Usage: flow_caller.py SOCKET NAME   (NAME: what the processes are called)

One JSON object a packet. Asked: {call, method, scheme, host, port, target, fields, body} or {leave: CALL}.
Told: {call, pid} when a call begins, {call, status, fields, body, at} at its end; status 0: no answer.
"""

import http.client
import json
import os
import signal
import socket
import sys
import time

LARGEST = 1 << 20


def ask(asked):
    # A scheme says the port alone: what is sent is not encrypted.
    connection = http.client.HTTPConnection(asked["host"], asked["port"], timeout=60)
    connection.default_port = {"http": 80, "https": 443}[asked["scheme"]]
    connection.putrequest(asked["method"], asked["target"])
    for name, value in asked["fields"]:
        connection.putheader(name, value)
    body = asked["body"].encode() if asked["body"] is not None else None
    if body is not None:
        connection.putheader("Content-Length", str(len(body)))
    connection.endheaders(body)
    answer = connection.getresponse()
    return {"status": answer.status, "fields": answer.getheaders(), "body": answer.read().decode("latin-1")}


def call(link, asked):
    def tell(**what):
        link.send(json.dumps({"call": asked["call"], **what}).encode())

    tell(pid=os.getpid())
    try:
        outcome = ask(asked)
    except (OSError, http.client.HTTPException) as error:
        outcome = {"status": 0, "fields": [], "body": repr(error)}
    tell(**outcome, at=time.monotonic())


def main():
    path, name = sys.argv[1:]
    with open("/proc/self/comm", "w") as comm:
        comm.write(name)
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    link = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    link.connect(path)
    running = {}
    while packet := link.recv(LARGEST):
        asked = json.loads(packet)
        if "leave" in asked:
            os.kill(running[asked["leave"]], signal.SIGKILL)
            continue
        running[asked["call"]] = os.fork()
        if running[asked["call"]] == 0:
            call(link, asked)
            os._exit(0)


main()
