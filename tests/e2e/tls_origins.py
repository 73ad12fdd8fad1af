"""Starts the origins that speak TLS, all on port 443 of the names *.example.com, and knows their certificates."""

from internet import ORIGINS, PYTHON
from tls_pki import EXPIRED, P256, P384, RSA, Authority, self_signed, trusting
from world.addresses import NAMES

MODERN = "ssl_protocols TLSv1.2 TLSv1.3;"
SITE = """
    root @WWW@;
    gzip on;
    gzip_min_length 100;
    location = /megabyte { gzip off; }
    location = /moved { return 301 /hello; }
    location = /tls { return 200 "$ssl_protocol $server_protocol $ssl_session_reused [$ssl_client_s_dn]\\n"; }
"""
# Everything of raw_origin.py in the protocol that nginx speaks with the client.
BEHIND = """
    location /raw/ {
        proxy_pass https://@TLS@/;
        proxy_http_version 1.1;
        proxy_buffering off;
        proxy_request_buffering off;
    }
"""


def both(name):
    return NAMES[f"{name}.example.com"]


def bracketed(address):
    return f"[{address}]" if ":" in address else address


class TlsOrigins:
    """What lives where:

    tls                     raw_origin.py: TLS 1.2 and 1.3, ECDSA, ALPN http/1.1; the certificate has its addresses, too
    aio                     aiohttp: RSA, no ALPN
    rsa, ecdsa, h2          nginx: TLS 1.2 alone with RSA; TLS 1.3 alone with P-384 and an intermediate; HTTP/2, as has `forged`
    code                    git
    mutual, asks            nginx: clients need a certificate of the authority `clients`
    expired, misnamed, selfsigned, forged    nginx: certificates that no client should accept
    cleartext, rejecting    nginx: HTTP without TLS; the alert unrecognized_name
    resetting, closing, hanging, echo, greeting, late    tls_origin.py
    """

    def __init__(self, world, internet):
        self.world, self.internet = world, internet
        self.directory = world.directory / "tls"
        self.directory.mkdir()
        self.root = Authority(self.directory, "root")
        self.clients = Authority(self.directory, "clients")
        self.stems = self._certificates()
        self.trust = trusting(self.directory, "trust", self.root.pem)
        self._python()
        self._nginx()

    def certificate(self, name):
        """The file with what this origin shows, its own certificate first."""
        return self.stems[name].with_suffix(".pem")

    def client_certificate(self, file):
        """A certificate and its key in one file, which `mutual` and `asks` accept."""
        stem = self.clients.issue(file, ["DNS:client.example.com"], usage="clientAuth")
        both_parts = self.directory / f"{file}-with-key.pem"
        both_parts.write_text(stem.with_suffix(".pem").read_text() + stem.with_suffix(".key").read_text())
        return both_parts

    def trust_with(self, local_authority):
        """Of a client that has been told of the local authority."""
        return trusting(self.directory, "trust-with-local", self.root.pem, local_authority.bundle)

    def _certificates(self):
        issue, any_name = self.root.issue, ["DNS:*.example.com"]
        intermediate = Authority(self.directory, "intermediate", self.root)
        stranger = Authority(self.directory, "stranger")
        addresses = [f"IP:{address}" for address in both("tls")]
        odd = issue("odd", any_name)
        return {
            "tls": issue("tls", [*any_name, "DNS:tls.example.com", *addresses]), "aio": issue("aio", any_name, RSA),
            "rsa": issue("rsa", ["DNS:rsa.example.com", "DNS:rsa6.example.com"], RSA),
            "ecdsa": intermediate.issue("ecdsa", ["DNS:ecdsa.example.com"], P384), "h2": issue("h2", any_name, P256),
            "code": odd, "mutual": odd, "asks": odd, "odd": odd,
            "expired": issue("expired", any_name, days=EXPIRED), "misnamed": issue("misnamed", ["DNS:elsewhere.example.net"]),
            "selfsigned": self_signed(self.directory, "selfsigned", any_name),
            "forged": stranger.issue("forged", any_name),
        }

    def _start(self, name, script, *arguments):
        self.world.start_origin(name, [*PYTHON, ORIGINS / script, *arguments], tcp=[(a, 443) for a in both(name)])

    def _python(self):
        self._start("tls", "raw_origin.py", "443", *both("tls"), f"--tls={self.stems['tls']},http/1.1")
        self._start("aio", "python_origin.py", "443", *both("aio"), f"--tls={self.stems['aio']}")
        repositories = self.internet.directory / "repositories"
        self._start("code", "git_origin.py", "443", repositories, *both("code"), f"--tls={self.stems['code']}")
        roles = ("echo", "greeting", "late", "resetting", "closing", "hanging")
        self.world.start_origin("odd", [*PYTHON, ORIGINS / "tls_origin.py", self.stems["odd"],
                                        *(f"{role}={both(role)[0]}" for role in roles)], tcp=[(both(role)[0], 443) for role in roles])

    def _nginx(self):
        ask = f"ssl_client_certificate {self.clients.pem}; ssl_verify_client on;"
        servers = {"rsa": "ssl_protocols TLSv1.2;", "ecdsa": "ssl_protocols TLSv1.3;", "h2": MODERN + BEHIND.replace("@TLS@", both("tls")[0]), "mutual": MODERN + ask,
                   "asks": MODERN + ask, "expired": MODERN, "misnamed": MODERN, "selfsigned": MODERN, "forged": MODERN,
                   "cleartext": "", "rejecting": MODERN + "ssl_reject_handshake on;"}
        text = "".join(self._server(name, directives) for name, directives in servers.items())
        (self.directory / "servers.conf").write_text(text)
        (self.directory / "nginx.conf").write_text((ORIGINS / "tls_nginx.conf").read_text().replace("@DIR@", str(self.directory)))
        self.world.start_origin("tls-nginx", ["nginx", "-p", self.directory, "-c", self.directory / "nginx.conf"],
                                tcp=[(address, 443) for name in servers for address in both(name)])

    def _server(self, name, directives):
        words = {"cleartext": "", "h2": "ssl http2", "forged": "ssl http2"}.get(name, "ssl")
        lines = [f"listen {bracketed(address)}:443 {words};" for address in both(name)]
        if name in self.stems:
            lines += [f"ssl_certificate {self.certificate(name)};", f"ssl_certificate_key {self.stems[name]}.key;"]
        site = SITE.replace("@WWW@", str(self.internet.directory / "www"))
        return "server {\n" + "\n".join(lines) + f"\n{directives}\n{site}}}\n"
