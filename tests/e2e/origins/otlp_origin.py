"""A collector of traces: takes OTLP over HTTP as JSON, and appends each request as a line of JSON to a file.

Usage: otlp_origin.py [--tls CERTIFICATE KEY] PORT FILE ADDRESS...
"""

import argparse
import http.server
import json
import ssl
import threading


class Collector(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    file = None

    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        seen = {"path": self.path, "type": self.headers["Content-Type"], "body": json.loads(body)}
        if isinstance(self.connection, ssl.SSLSocket):
            seen["tls"] = self.connection.version()
        self.file.write(json.dumps(seen) + "\n")
        self.file.flush()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", "2")
        self.end_headers()
        self.wfile.write(b"{}")


class Server(http.server.ThreadingHTTPServer):
    tls = None

    def get_request(self):
        connection, address = super().get_request()
        # The handshake is made by the first read, on the connection's own thread.
        return (self.tls.wrap_socket(connection, server_side=True, do_handshake_on_connect=False) if self.tls else connection), address


def main():
    options = argparse.ArgumentParser()
    options.add_argument("--tls", nargs=2)
    options.add_argument("port", type=int)
    options.add_argument("file")
    options.add_argument("addresses", nargs="+")
    chosen = options.parse_args()
    Collector.file = open(chosen.file, "a")
    if chosen.tls:
        Server.tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        Server.tls.load_cert_chain(*chosen.tls)
    servers = [Server((address, chosen.port), Collector) for address in chosen.addresses]
    for server in servers:
        threading.Thread(target=server.serve_forever).start()


main()
