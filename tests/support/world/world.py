"""The machine (where clients and lunard run) and the internet (where origins run)."""

import itertools
import os
import shutil
import sys
import tempfile
from pathlib import Path

from . import addresses
from .cgroup import Cgroup, cgroup2_mount, remove_stale
from .child import Child, run
from .deadline import wait_until
from .namespace import Namespace

HERE = Path(__file__).parent


class World:
    """Two namespaces joined by a link:

        lunar-host   10.77.0.1, fd77::1   default routes to the net; lunard and all clients
        lunar-net    10.77.0.2, fd77::2   owns 198.18.x.y and 2001:db8:x::y; all origins
    """

    def __init__(self, prefix="lunar-e2e"):
        remove_stale(prefix)
        self.directory = Path(tempfile.mkdtemp(prefix=f"{prefix}-{os.getpid()}-", dir="/tmp"))
        self.directory.chmod(0o755)
        self._runs = itertools.count(1)
        self._children = []
        self.host = self.net = None
        self.cgroup = Cgroup(cgroup2_mount() / f"{prefix}-{os.getpid()}")
        try:
            self.captured, self.direct = self.cgroup.child("captured"), self.cgroup.child("direct")
            self.binds = self._etc()
            self.host = Namespace("lunar-host", self.binds)
            self.net = Namespace("lunar-net")
            self._link()
            self.start_origin("dns", [sys.executable, HERE / "dns_origin.py", addresses.DNS,
                                      *(f"{name}={','.join(a)}" for name, a in addresses.NAMES.items())],
                              udp=(addresses.DNS, 53))
        except BaseException:
            self.close()
            raise

    def close(self):
        """Ends every process of this world; safe to call in any state."""
        for child in self._children:
            child.stop()
        self.cgroup.remove()
        for namespace in (self.host, self.net):
            if namespace:
                namespace.close()
        shutil.rmtree(self.directory)

    def new_cgroup(self, captured, label="run"):
        """A cgroup of its own for one run: the access log tells runs apart by it."""
        return (self.captured if captured else self.direct).child(f"{label}-{next(self._runs)}")

    def run(self, argv, *, captured, label="run", **options):
        """Runs a client to its end; the outcome and the cgroup that it ran in."""
        cgroup = self.new_cgroup(captured, label)
        return run(argv, namespace=self.host, cgroup=cgroup, **options), cgroup

    def start_client(self, argv, *, captured, label="client", **options):
        cgroup = self.new_cgroup(captured, label)
        return self._remember(Child(argv, namespace=self.host, cgroup=cgroup,
                                    log=self.directory / f"{cgroup.path.name}.log", **options))

    def start_in(self, namespace, cgroup, argv):
        """Starts a program in any namespace and cgroup."""
        return self._remember(Child(argv, namespace=namespace, cgroup=cgroup))

    def start_origin(self, name, argv, *, tcp=(), udp=None):
        """Starts a server and waits until it listens on every address of `tcp` (or has bound `udp`)."""
        child = Child(argv, namespace=self.net, cgroup=self.cgroup.child(f"origin-{name}"),
                      log=self.directory / f"origin-{name}.log")
        self._remember(child)

        def listening():
            if child.poll() is not None:
                raise RuntimeError(f"origin {name} ended: {child.log()}")
            return set(tcp) <= self._listening() and (not udp or self._bound(udp))

        wait_until(listening, 30, lambda: f"origin {name} listens on {set(tcp) - self._listening()}: {child.log()}")
        return child

    def _remember(self, child):
        self._children.append(child)
        return child

    def _etc(self):
        etc = self.directory / "etc"
        etc.mkdir()
        (etc / "hosts").write_text("127.0.0.1 localhost\n::1 localhost ip6-localhost\n")
        (etc / "resolv.conf").write_text(f"nameserver {addresses.DNS}\noptions timeout:2 attempts:2\n")
        (etc / "nsswitch.conf").write_text("passwd: files\ngroup: files\nshadow: files\nhosts: files dns\n")
        return {f"/etc/{file.name}": str(file) for file in etc.iterdir()}

    def _link(self):
        self.host.run("ip", "link", "add", "uplink", "type", "veth", "peer", "name", "uplink", "netns", str(self.net.pid))
        for namespace, (v4, v6) in ((self.host, addresses.HOST_LINK), (self.net, addresses.NET_LINK)):
            namespace.run("sh", "-c", "echo 0 > /proc/sys/net/ipv6/conf/uplink/accept_dad")
            for batch in (f"addr add {v4} dev uplink", f"addr add {v6} dev uplink nodad",
                          "link set lo up", "link set uplink up"):
                namespace.run("ip", *batch.split())
        for option, address in (("-4", "10.77.0.2"), ("-6", "fd77::2")):
            self.host.run("ip", option, "route", "add", "default", "via", address)
        batch = "".join(f"addr add {a}/{128 if ':' in a else 32} dev lo {'nodad' if ':' in a else ''}\n"
                        for a in addresses.local_addresses())
        batch += f"route add blackhole {addresses.SILENT}\nroute add unreachable {addresses.UNREACHABLE}\n"
        self.net.run("ip", "-batch", "-", input=batch)
        self.net.run("sh", "-c", "echo 1 > /proc/sys/net/ipv4/ip_forward; echo 0 > /proc/sys/net/ipv4/icmp_ratelimit")
        for target in addresses.NAMES["refusing.example.com"]:
            self._await_route(target)

    def _await_route(self, target):
        """The first packets after a link came up can be lost; no test shall measure that."""
        def refused():
            try:
                self.host.connect((target, 9), timeout=0.2).close()
            except ConnectionRefusedError:
                return True
            except OSError:
                return False

        wait_until(refused, 10, f"{target} can be reached")

    def _listening(self):
        lines = self.net.run("ss", "-Htlno").stdout.splitlines()
        return {_address(line.split()[3]) for line in lines}

    def _bound(self, address):
        return address in {_address(line.split()[3]) for line in self.net.run("ss", "-Hulno").stdout.splitlines()}


def _address(text):
    host, port = text.rsplit(":", 1)
    return host.strip("[]"), int(port)
