"""Gateways that take TLS from the generator and open TLS to the origin, whose certificate they verify."""

import json

from . import arena as arenas
from . import certificates, gateways


class HAProxyTls(gateways.HAProxy):
    name = "haproxy-tls"
    port = 7104
    ports = {"churn": 7105, "h2-streams": 7106, "h2-idle": 7106}  # of loads that have a relay of their own
    tls = True

    @property
    def trust(self):
        return self.arena.certificates.gateway_authority

    def target_of(self, load):
        """For a new connection of a client it would take one to the origin that is there already. Lunar does not."""
        return f"127.0.0.1:{self.ports.get(load, self.port)}"

    def relays(self):
        own = self.arena.certificates
        accepting = f"backlog 16384 ssl crt {own.gateway} curves X25519:P-256 alpn"
        believing = (f"ssl verify required ca-file {own.origin_authority} sni str({certificates.HOST}) "
                     f"verifyhost {certificates.HOST} alpn")
        server = f"server origin {arenas.TLS_ORIGIN} {believing} http/1.1"
        h2_server = f"server origin {arenas.H2_ORIGIN} {believing} h2"
        return f"""
listen relay
  bind {self.target} {accepting} http/1.1
  {server}
listen handshakes
  bind {self.target_of("churn")} {accepting} http/1.1
  option http-server-close
  {server}
listen streams
  bind {self.target_of("h2-streams")} {accepting} h2
  {h2_server}
"""


class LunarTls(gateways.Lunar):
    """Opens the connections that it captures."""

    name = "lunar+tls"
    health_port = 7145
    tls = True

    def target_of(self, load):
        return arenas.H2_ORIGIN if load.startswith("h2-") else arenas.TLS_ORIGIN

    def opened(self):
        return json.loads(self.control("--json", "tls", "list"))["outcomes"]["intercepted"]

    @property
    def authority(self):
        return self.directory / "ca"

    @property
    def trust(self):
        return self.directory / "trust.pem"

    def settings(self):
        return f"""{super().settings()}
tls: {{intercept: [{certificates.HOST}], ca_dir: "{self.authority}"}}
"""

    def command(self):
        if not self.authority.exists():
            self.control("ca", "init", "--dir", self.authority)
            self.trust.write_text(self.control("ca", "bundle", "--dir", self.authority))
        (self.directory / "gateway_config.yaml").write_text(f"""
provider_tls: [{{domain: {certificates.HOST}, ca: "{self.arena.certificates.origin_authority}"}}]
""")
        return super().command()
