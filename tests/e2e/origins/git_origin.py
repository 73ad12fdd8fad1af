"""Git over HTTP on Python's http.server, which runs git http-backend.

Usage: git_origin.py PORT REPOSITORIES ADDRESS [--tls=...]   (see server_tls.py)
"""

import os
import subprocess
import sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from server_tls import take_tls

TLS, (PORT, REPOSITORIES, ADDRESS) = take_tls(sys.argv[1:])


class Backend(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self):
        self._serve(b"")

    def do_POST(self):
        self._serve(self._body())

    def log_message(self, *_):
        pass

    def _body(self):
        if self.headers.get("Transfer-Encoding") != "chunked":
            return self.rfile.read(int(self.headers.get("Content-Length", 0)))
        pieces = []
        while size := int(self.rfile.readline().split(b";")[0], 16):
            pieces.append(self.rfile.read(size))
            self.rfile.readline()
        while self.rfile.readline().strip():
            pass
        return b"".join(pieces)

    def _serve(self, body):
        path, _, query = self.path.partition("?")
        environment = {
            **os.environ, "GIT_PROJECT_ROOT": REPOSITORIES, "GIT_HTTP_EXPORT_ALL": "1", "REMOTE_USER": "tester",
            "REQUEST_METHOD": self.command, "PATH_INFO": path, "QUERY_STRING": query, "REMOTE_ADDR": "0.0.0.0",
            "CONTENT_TYPE": self.headers.get("Content-Type", ""), "CONTENT_LENGTH": str(len(body)),
            "HTTP_CONTENT_ENCODING": self.headers.get("Content-Encoding", ""),
            "GIT_PROTOCOL": self.headers.get("Git-Protocol", ""),
        }
        done = subprocess.run(["git", "-c", "safe.directory=*", "http-backend"], input=body, capture_output=True, env=environment)
        head, _, answer = done.stdout.partition(b"\r\n\r\n")
        fields = [line.split(": ", 1) for line in head.decode().split("\r\n")]
        status = next((value for name, value in fields if name == "Status"), "200 OK")
        self.send_response(int(status.split()[0]))
        for name, value in fields:
            if name != "Status":
                self.send_header(name, value)
        self.send_header("Content-Length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer)


ThreadingHTTPServer.address_family = 2
server = ThreadingHTTPServer((ADDRESS, int(PORT)), Backend)
if TLS:
    server.socket = TLS.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
server.serve_forever()
