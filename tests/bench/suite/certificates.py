"""Certificates for the rows of TLS: P-256, each signed by an authority itself, made with the openssl command."""

import subprocess

HOST = "api.example.com"  # that the generator asks for
DAYS = "2"
EXTENSIONS = f"""[req]
distinguished_name = name
[name]
[authority]
basicConstraints = critical, CA:TRUE
keyUsage = critical, keyCertSign
subjectKeyIdentifier = hash
[server]
basicConstraints = critical, CA:FALSE
extendedKeyUsage = serverAuth
subjectAltName = DNS:{HOST}
"""


class Certificates:
    """The origin's, and one for gateways that have no authority of their own; nobody but the gateway believes the first.

    All are PEM files. Those of servers have the key behind the certificate.
    """

    def __init__(self, directory):
        self._directory = directory
        self._extensions = directory / "extensions.conf"
        self._extensions.write_text(EXTENSIONS)
        self.origin_authority, self.origin = self._issue("origin")
        self.gateway_authority, self.gateway = self._issue("gateway")

    def _issue(self, name):
        authority, authority_key = self._make(f"{name}-authority", "authority")
        certificate, key = self._make(name, "server", "-CA", authority, "-CAkey", authority_key)
        both = self._directory / f"{name}-with-key.pem"
        both.touch(0o600)
        both.write_text(certificate.read_text() + key.read_text())
        return authority, both

    def _make(self, name, extensions, *signer):
        certificate, key = self._directory / f"{name}.pem", self._directory / f"{name}.key"
        done = subprocess.run(
            ["openssl", "req", "-x509", "-config", self._extensions, "-extensions", extensions, "-subj", f"/CN={name}",
             "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", DAYS, *signer,
             "-keyout", key, "-out", certificate], capture_output=True, text=True)
        if done.returncode != 0:
            raise RuntimeError(f"openssl makes no certificate {name}: {done.stderr}")
        return certificate, key
