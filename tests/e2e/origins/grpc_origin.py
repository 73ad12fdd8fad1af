"""A gRPC server whose messages are bytes.

Usage: grpc_origin.py STEM ADDRESS...   (port 443; the certificate is STEM.pem, its key STEM.key)

Every method is one of the service lunar.test.Calls. That a call with the field `call-id` has begun and is over, is told by the
methods Begun and Ended: once, and as soon as it is known.
"""

import json
import queue
import sys
import threading
from collections import defaultdict
from concurrent import futures
from pathlib import Path

import grpc

SERVICE = "lunar.test.Calls"
PATIENCE = 20
LARGE = 16 << 20
DETAILS = b"\x08\x05\x12\x04gone\x00\xff"  # of a status, as it is: nobody looks inside

begins, ends = defaultdict(queue.Queue), defaultdict(queue.Queue)


def fields(context):
    return dict(context.invocation_metadata())


def watched(context):
    """An event of the end of this call; its begin and end are noted."""
    over, name = threading.Event(), fields(context)["call-id"]

    def note():
        ends[name].put(b"over")
        over.set()

    begins[name].put(b"begun")
    assert context.add_callback(note)
    return over


def told_of(notes):
    def tell(request, context):
        try:
            return notes[request.decode()].get(timeout=PATIENCE)
        except queue.Empty:
            return b"nothing"

    return tell


def unary(request, context):
    return request


def large(request, context):
    """As many bytes as it says."""
    return bytes(range(256)) * (int(request) // 256)


def told(request, context):
    """Says which fields came, and sends some both before and behind the message."""
    context.send_initial_metadata((("x-initial", "first"), ("x-initial-bin", b"\x00\xfe\xff")))
    context.set_trailing_metadata((("x-trailing", "last"), ("x-trailing-bin", b"\xff\x00")))
    kept = sorted((name, value if isinstance(value, str) else value.hex()) for name, value in context.invocation_metadata() if name != "user-agent")
    return json.dumps(kept).encode()


def server_stream(request, context):
    for number in range(int(request)):
        yield b"message %d" % number


def client_stream(requests, context):
    sizes = [len(request) for request in requests]
    return b"%d messages, %d bytes" % (len(sizes), sum(sizes))


def bidi(requests, context):
    for request in requests:
        yield request.upper()


def endless(request, context):
    """One message, and no other until the call is over."""
    over = watched(context)
    yield b"begun"
    over.wait(PATIENCE)


def slow(request, context):
    over = watched(context)
    return b"nobody waited" if over.wait(PATIENCE) else b"late"


def held(request, context):
    """Answers when as many calls of it as the request says are there."""
    crowd(int(request)).wait(PATIENCE)
    return b"together"


def fails(request, context):
    """Without any message."""
    context.abort(grpc.StatusCode.FAILED_PRECONDITION, "not like this: ä%")


def fails_with_details(request, context):
    context.set_trailing_metadata((("grpc-status-details-bin", DETAILS), ("x-reason", "worn out")))
    context.abort(grpc.StatusCode.RESOURCE_EXHAUSTED, "no more")


def fails_later(request, context):
    """Behind two messages."""
    yield b"one"
    yield b"two"
    context.set_trailing_metadata((("x-reason", "no third"),))
    context.abort(grpc.StatusCode.DATA_LOSS, "gone")


crowds = {}
crowds_lock = threading.Lock()


def crowd(size):
    with crowds_lock:
        return crowds.setdefault(size, threading.Barrier(size))


METHODS = {
    "Unary": grpc.unary_unary_rpc_method_handler(unary), "Large": grpc.unary_unary_rpc_method_handler(large),
    "Refused": grpc.unary_unary_rpc_method_handler(unary),
    "Told": grpc.unary_unary_rpc_method_handler(told), "Marked": grpc.unary_unary_rpc_method_handler(told),
    "ServerStream": grpc.unary_stream_rpc_method_handler(server_stream), "ClientStream": grpc.stream_unary_rpc_method_handler(client_stream),
    "Bidi": grpc.stream_stream_rpc_method_handler(bidi), "Endless": grpc.unary_stream_rpc_method_handler(endless),
    "Slow": grpc.unary_unary_rpc_method_handler(slow), "Held": grpc.unary_unary_rpc_method_handler(held),
    "Fails": grpc.unary_unary_rpc_method_handler(fails), "FailsWithDetails": grpc.unary_unary_rpc_method_handler(fails_with_details),
    "FailsLater": grpc.unary_stream_rpc_method_handler(fails_later), "Begun": grpc.unary_unary_rpc_method_handler(told_of(begins)),
    "Ended": grpc.unary_unary_rpc_method_handler(told_of(ends)),
}


def main():
    stem, *addresses = sys.argv[1:]
    sizes = [("grpc.max_receive_message_length", LARGE), ("grpc.max_send_message_length", LARGE)]
    server = grpc.server(futures.ThreadPoolExecutor(max_workers=100), options=sizes)
    server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(SERVICE, METHODS),))
    shown = grpc.ssl_server_credentials([(Path(f"{stem}.key").read_bytes(), Path(f"{stem}.pem").read_bytes())])
    for address in addresses:
        server.add_secure_port(f"{address}:443", shown)
    server.start()
    sys.stdin.read()
    server.stop(None)


main()
