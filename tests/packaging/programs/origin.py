"""An HTTP/1.1 provider that answers every GET with what was asked."""

import os
import socket
import sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


class Answer(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self):
        body = self.path.encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


class Origin(ThreadingHTTPServer):
    request_queue_size = 1024
    daemon_threads = True


def notify_ready():
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as channel:
        channel.sendto(b"READY=1", os.environ["NOTIFY_SOCKET"])


origin = Origin((sys.argv[1], 80), Answer)
notify_ready()
origin.serve_forever()
