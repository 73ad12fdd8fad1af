"""A gRPC client (python3-grpcio) whose messages are bytes; each conversation prints one observation a line.

Usage: grpc_client.py CONVERSATION...   What the methods do is in origins/grpc_origin.py.
"""

import hashlib
import json
import os
import queue
import sys
import uuid
from pathlib import Path

import grpc

LARGE, TIMEOUT, AT_ONCE = 8 << 20, 20, 50
SERVICE = "/lunar.test.Calls/"
sizes = [("grpc.max_receive_message_length", 2 * LARGE), ("grpc.max_send_message_length", 2 * LARGE)]
trust = grpc.ssl_channel_credentials(Path(os.environ["SSL_CERT_FILE"]).read_bytes())
channel = grpc.secure_channel("grpc.example.com:443", trust, options=sizes)
CONVERSATIONS = {}


def conversation(name):
    def register(function):
        CONVERSATIONS[name] = function
        return function
    return register


def unary(method):
    return channel.unary_unary(SERVICE + method)


def plain(metadata):
    return sorted([name, value if isinstance(value, str) else value.hex()] for name, value in metadata or ())


def outcome(call):
    """How a call ended, once it has."""
    initial, trailing = plain(call.initial_metadata()), plain(call.trailing_metadata())
    return {"code": call.code().name, "details": call.details(), "initial": initial, "trailing": trailing}


def asked(method, request, **options):
    """One call with one message each way, whatever becomes of it."""
    try:
        answer, call = unary(method).with_call(request, timeout=options.pop("timeout", TIMEOUT), **options)
        return {"answer": answer.decode(), **outcome(call)}
    except grpc.RpcError as error:
        return outcome(error)


def streamed(call):
    """All messages of a call."""
    messages = []
    try:
        messages += (message.decode() for message in iter(call))
    except grpc.RpcError:
        pass
    return {"messages": messages, **outcome(call)}


@conversation("one message each way")
def one_each_way():
    return asked("Unary", b"hello")


@conversation("an empty message")
def empty():
    return asked("Unary", b"")


@conversation("messages from the server")
def from_server():
    return streamed(channel.unary_stream(SERVICE + "ServerStream")(b"100", timeout=TIMEOUT))


@conversation("no message from the server")
def none_from_server():
    return streamed(channel.unary_stream(SERVICE + "ServerStream")(b"0", timeout=TIMEOUT))


@conversation("messages from the client")
def from_client():
    answer, call = channel.stream_unary(SERVICE + "ClientStream").with_call((b"x" * size for size in range(1000)), timeout=TIMEOUT)
    return {"answer": answer.decode(), **outcome(call)}


@conversation("messages both ways, each in answer to the one before")
def both_ways():
    questions = queue.Queue()
    call = channel.stream_stream(SERVICE + "Bidi")(iter(questions.get, None), timeout=TIMEOUT)
    answers = []
    for number in range(20):
        questions.put(b"word %d" % number)
        answers.append(next(call).decode())
    questions.put(None)
    return {"answers": answers, "rest": streamed(call)}


@conversation("a deadline")
def deadline():
    name = uuid.uuid4().hex
    seen = asked("Slow", b"", timeout=0.3, metadata=(("call-id", name),))
    return {**seen, "server": asked("Ended", name.encode())}


@conversation("a call that the client cancels")
def cancelled():
    name = uuid.uuid4().hex
    call = channel.unary_stream(SERVICE + "Endless")(b"", metadata=(("call-id", name),))
    first = next(call).decode()
    call.cancel()
    return {"first": first, "rest": streamed(call), "server": asked("Ended", name.encode())}


@conversation("a call that is cancelled before its answer")
def cancelled_early():
    name = uuid.uuid4().hex
    call = unary("Slow").future(b"", metadata=(("call-id", name),))
    begun = asked("Begun", name.encode())
    call.cancel()
    return {"begun": begun, "code": call.code().name, "server": asked("Ended", name.encode())}


@conversation("8 MiB in both messages")
def large():
    message = os.urandom(1 << 10) * (LARGE >> 10)
    answer, call = unary("Unary").with_call(message, timeout=TIMEOUT)
    return {"same": answer == message, "size": len(answer), **outcome(call)}


@conversation("a message of 8 MiB from the server")
def large_from_server():
    answer, call = unary("Large").with_call(str(LARGE).encode(), timeout=TIMEOUT)
    return {"size": len(answer), "sha256": hashlib.sha256(answer).hexdigest(), **outcome(call)}


@conversation("an error with details in its trailers")
def error_with_details():
    return asked("FailsWithDetails", b"")


@conversation("an error without any message")
def trailers_only():
    return asked("Fails", b"")


@conversation("an error behind messages")
def error_later():
    return streamed(channel.unary_stream(SERVICE + "FailsLater")(b"", timeout=TIMEOUT))


@conversation("a method that there is not")
def unknown():
    return asked("Nowhere", b"")


@conversation("metadata both ways")
def metadata():
    return asked("Told", b"", metadata=(("x-text", "one"), ("x-text", "two"), ("x-bytes-bin", b"\x00\x01\xff\xfe"), ("x-empty", "")))


@conversation("a field that a flow may add")
def marked():
    return asked("Marked", b"")


@conversation("a call that a flow may refuse")
def refused():
    return asked("Refused", b"")


@conversation("50 calls at once")
def at_once():
    """None of them is answered before all are there."""
    calls = [unary("Held").future(str(AT_ONCE).encode(), timeout=TIMEOUT) for _ in range(AT_ONCE)]
    return {"answers": [call.result().decode() for call in calls]}


@conversation("compressed messages")
def compressed():
    return asked("Unary", b"again and again " * 20, compression=grpc.Compression.Gzip)


def main():
    for name in sys.argv[1:] or CONVERSATIONS:
        try:
            seen = CONVERSATIONS[name]()
        except Exception as error:
            seen = {"error": type(error).__name__, "text": str(error)}
        print(json.dumps({"name": name, **seen}), flush=True)
    channel.close()


main()
