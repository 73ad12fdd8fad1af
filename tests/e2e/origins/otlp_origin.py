"""A collector of traces: takes OTLP over HTTP as JSON, and appends each request as a line of JSON to a file.

Usage: otlp_origin.py PORT FILE ADDRESS...
"""

import http.server
import json
import sys
import threading


class Collector(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    file = None

    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        seen = {"path": self.path, "type": self.headers["Content-Type"], "body": json.loads(body)}
        self.file.write(json.dumps(seen) + "\n")
        self.file.flush()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", "2")
        self.end_headers()
        self.wfile.write(b"{}")


def main():
    Collector.file = open(sys.argv[2], "a")
    servers = [http.server.ThreadingHTTPServer((address, int(sys.argv[1])), Collector) for address in sys.argv[3:]]
    for server in servers:
        threading.Thread(target=server.serve_forever).start()


main()
