"""The third party of the demonstration: answers every request with its path, over HTTP/1.1."""

import sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


class Answer(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self):
        body = f'{{"provider": "demo", "you_asked": "{self.path}"}}\n'.encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


class Provider(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 512


provider = Provider((sys.argv[1], 80), Answer)
print("ready", flush=True)
provider.serve_forever()
