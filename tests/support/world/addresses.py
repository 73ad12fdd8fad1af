"""Who lives where in the small internet of the tests (documentation and benchmark addresses only)."""

DNS = "198.18.0.53"

# name -> addresses; a name ending in 4 or 6 has one family only
NAMES = {
    "raw.example.com": ("198.18.1.1", "2001:db8:1::1"),
    "raw4.example.com": ("198.18.1.1",),
    "raw6.example.com": ("2001:db8:1::1",),
    "python.example.com": ("198.18.1.2", "2001:db8:1::2"),
    "python4.example.com": ("198.18.1.2",),
    "python6.example.com": ("2001:db8:1::2",),
    "node.example.com": ("198.18.1.3", "2001:db8:1::3"),
    "node4.example.com": ("198.18.1.3",),
    "nginx.example.com": ("198.18.1.4", "2001:db8:1::4"),
    "nginx4.example.com": ("198.18.1.4",),
    "nginx6.example.com": ("2001:db8:1::4",),
    "mail.example.com": ("198.18.1.5", "2001:db8:1::5"),
    "store.example.com": ("198.18.1.6", "2001:db8:1::6"),
    "blocked.example.com": ("198.18.1.1",),
    "git.example.com": ("198.18.1.4",),
    "quiet.example.com": ("198.18.1.7",),
    "load.example.com": ("198.18.1.8",),
    "refusing.example.com": ("198.18.1.9", "2001:db8:1::9"),
    "refusing4.example.com": ("198.18.1.9",),
    "collector.example.com": ("198.18.1.10",),
    # whom the cases of tests/data/flows call, by whatever name
    "scripted.example.com": ("198.18.1.11", "2001:db8::1"),
    # TLS; e2e/tls_origins.py says what each of them is
    "tls.example.com": ("198.18.2.1", "2001:db8:2::1"),
    "tls4.example.com": ("198.18.2.1",),
    "tls6.example.com": ("2001:db8:2::1",),
    "pinned.example.com": ("198.18.2.1",),
    "unpinned.example.com": ("198.18.2.1",),
    "aio.example.com": ("198.18.2.2", "2001:db8:2::2"),
    "rsa.example.com": ("198.18.2.3", "2001:db8:2::3"),
    "rsa6.example.com": ("2001:db8:2::3",),
    "ecdsa.example.com": ("198.18.2.4", "2001:db8:2::4"),
    "h2.example.com": ("198.18.2.5", "2001:db8:2::5"),
    "code.example.com": ("198.18.2.6",),
    "mutual.example.com": ("198.18.2.7",),
    "asks.example.com": ("198.18.2.8",),
    "expired.example.com": ("198.18.2.9",),
    "misnamed.example.com": ("198.18.2.10",),
    "selfsigned.example.com": ("198.18.2.11",),
    "forged.example.com": ("198.18.2.12",),
    "cleartext.example.com": ("198.18.2.13",),
    "rejecting.example.com": ("198.18.2.14",),
    "resetting.example.com": ("198.18.2.15",),
    "closing.example.com": ("198.18.2.16",),
    "hanging.example.com": ("198.18.2.17",),
    "echo.example.com": ("198.18.2.18",),
    "greeting.example.com": ("198.18.2.19",),
    "late.example.com": ("198.18.2.20",),
    # HTTP/2; e2e/h2_origins.py says what each of them is
    "nghttpx.example.com": ("198.18.3.1", "2001:db8:3::1"),
    "haproxy.example.com": ("198.18.3.2", "2001:db8:3::2"),
    "grpc.example.com": ("198.18.3.3", "2001:db8:3::3"),
    "h2c.example.com": ("198.18.3.1",),
    "chosen.example.com": ("198.18.2.5",),
    # HTTP/2, both ends of which are in the test; e2e/h2_stage.py
    "streams.example.com": ("198.18.4.1", "2001:db8:4::1"),
    "leaving.example.com": ("198.18.4.1",),
    # in no routing table: swallowed without an answer, answered by ICMP
    "silent.example.com": ("198.18.9.1",),
    "unreachable.example.com": ("198.18.9.2",),
}

SILENT, UNREACHABLE = "198.18.9.1", "198.18.9.2"
HOST_LINK = ("10.77.0.1/24", "fd77::1/64")
NET_LINK = ("10.77.0.2/24", "fd77::2/64")


def local_addresses():
    """Every address that the internet side owns."""
    every = {DNS} | {address for addresses in NAMES.values() for address in addresses}
    return sorted(every - {SILENT, UNREACHABLE})
