"""Starts the origins that speak HTTP/2 beside h2.example.com of tls_origins.py, with the certificate that it shows."""

from internet import ORIGINS, PYTHON
from tls_origins import bracketed, both


class H2Origins:
    """What lives where:

    nghttpx     port 443, and port 80 without TLS: everything of raw_origin.py; /ws is that of python_origin.py
    haproxy     port 443: likewise
    grpc        port 443: grpc_origin.py
    """

    def __init__(self, world, tls_origins):
        self.world, self.stem = world, tls_origins.stems["h2"]
        self.directory = world.directory / "h2"
        self.directory.mkdir()
        self._nghttpx()
        self._haproxy()
        self._grpc()

    def _start(self, name, argv, ports=(443,)):
        self.world.start_origin(name, argv, tcp=[(address, port) for address in both(name) for port in ports])

    def _nghttpx(self):
        argv = ["nghttpx", "--conf=/dev/null", "--workers=1", "--no-server-push"]
        argv += [f"--backend={both('raw')[0]},80", f"--backend={both('python')[0]},80;/ws"]
        argv += [f"--frontend={address},443" for address in both("nghttpx")] + [f"--frontend={address},80;no-tls" for address in both("nghttpx")]
        self._start("nghttpx", [*argv, f"{self.stem}.key", f"{self.stem}.pem"], (80, 443))

    def _haproxy(self):
        shown = self.directory / "haproxy.pem"
        shown.write_text(self.stem.with_suffix(".pem").read_text() + self.stem.with_suffix(".key").read_text())
        own = ",".join(f"{address}:443" for address in both("haproxy"))
        text = (ORIGINS / "haproxy.cfg").read_text()
        for key, value in (("@OWN@", own), ("@SHOWN@", str(shown)), ("@RAW@", both("raw")[0]), ("@PYTHON@", both("python")[0])):
            text = text.replace(key, value)
        (self.directory / "haproxy.cfg").write_text(text)
        self._start("haproxy", ["haproxy", "-f", self.directory / "haproxy.cfg"])

    def _grpc(self):
        v4, v6 = both("grpc")
        # gRPC listens on an address of IPv4 by a socket of IPv6.
        self.world.start_origin("grpc", [*PYTHON, ORIGINS / "grpc_origin.py", self.stem, *map(bracketed, (v4, v6))],
                                tcp=[(f"::ffff:{v4}", 443), (v6, 443)])
