"""Gateways that take TLS from the generator and open TLS to the origin, whose certificate they verify."""

from . import arena as arenas
from . import certificates, gateways


class HAProxyTls(gateways.HAProxy):
    name = "haproxy-tls"
    port = 7104
    handshake_port = 7105
    tls = True

    @property
    def trust(self):
        return self.arena.certificates.gateway_authority

    def target_of(self, load):
        """For a new connection of a client it would take one to the origin that is there already. Lunar does not."""
        return f"127.0.0.1:{self.handshake_port}" if load == "churn" else self.target

    def relays(self):
        own = self.arena.certificates
        accepting = f"backlog 16384 ssl crt {own.gateway} alpn http/1.1 curves X25519:P-256"
        server = (f"server origin {arenas.TLS_ORIGIN} ssl verify required ca-file {own.origin_authority} "
                  f"sni str({certificates.HOST}) verifyhost {certificates.HOST} alpn http/1.1")
        return f"""
listen relay
  bind {self.target} {accepting}
  {server}
listen handshakes
  bind {self.target_of("churn")} {accepting}
  option http-server-close
  {server}
"""


class LunarTls(gateways.Lunar):
    """Opens the connections that it captures."""

    name = "lunar+tls"
    target = arenas.TLS_ORIGIN
    health_port = 7145
    tls = True

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
