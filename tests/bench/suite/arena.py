"""Where the bench runs: two network namespaces, a cgroup and a directory, all gone afterwards."""

import contextlib
import os
import pathlib
import shutil
import signal
import subprocess
import sys
import tempfile

from . import certificates

ORIGIN = "198.18.0.10:8080"
TLS_ORIGIN = "198.18.0.10:443"
H2_ORIGIN = "198.18.0.10:8443"
CLIENT_LINK = "198.18.255.1"
ORIGIN_LINK = "198.18.255.2"
NICE = -20


def run(*argv):
    done = subprocess.run(argv, capture_output=True, text=True)
    if done.returncode != 0:
        raise RuntimeError(f"{' '.join(argv)}: {done.stderr.strip() or done.stdout.strip()}")
    return done.stdout


def cgroup2_root():
    for line in pathlib.Path("/proc/self/mountinfo").read_text().splitlines():
        left, right = line.split(" - ")
        if right.split()[0] == "cgroup2":
            return pathlib.Path(left.split()[4])
    raise RuntimeError("no cgroup2 file system is mounted")


class Arena:
    """The client side (generator and gateways) in one namespace, the origin behind a route in the other one.

    The origin's address is neither local to the gateways nor on a connected network, so that connects to it are
    captured like those to a provider on the internet; every gateway pays the same way to it.
    """

    def __init__(self):
        self.name = f"lunar-bench-{os.getpid()}"
        self.origin_netns = f"{self.name}-net"
        self._undo = contextlib.ExitStack()
        cores = sorted(os.sched_getaffinity(0))
        self.peer_core, self.gateway_core = cores[0], cores[-1]
        self.shares_a_core = len(cores) < 2

    def __enter__(self):
        try:
            self._build()
        except BaseException:
            self._undo.close()
            raise
        return self

    def __exit__(self, *_):
        self._undo.close()

    def _build(self):
        signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))  # undoes everything, as Ctrl-C does
        self.directory = pathlib.Path(tempfile.mkdtemp(prefix=f"{self.name}-"))
        self._undo.callback(shutil.rmtree, self.directory, ignore_errors=True)
        self.directory.chmod(0o755)
        self.certificates = certificates.Certificates(self.directory)
        for name in (self.name, self.origin_netns):
            run("ip", "netns", "add", name)
            self._undo.callback(run, "ip", "netns", "del", name)
            run("ip", "-n", name, "link", "set", "lo", "up")
        run("ip", "link", "add", "client", "netns", self.name, "type", "veth",
            "peer", "name", "origin", "netns", self.origin_netns)
        run("ip", "-n", self.name, "addr", "add", f"{CLIENT_LINK}/30", "dev", "client")
        run("ip", "-n", self.origin_netns, "addr", "add", f"{ORIGIN_LINK}/30", "dev", "origin")
        run("ip", "-n", self.origin_netns, "addr", "add", f"{ORIGIN.split(':')[0]}/32", "dev", "lo")
        run("ip", "-n", self.name, "link", "set", "client", "up")
        run("ip", "-n", self.origin_netns, "link", "set", "origin", "up")
        run("ip", "-n", self.name, "route", "add", "default", "via", ORIGIN_LINK)
        for name in (self.name, self.origin_netns):
            self._set_kernel_limits(name)
        self._make_cgroups()
        self._take_priority()

    def _take_priority(self):
        """Nice values count inside a session's autogroup only; it is the group that competes with other sessions."""
        group = pathlib.Path("/proc/self/autogroup")
        before = group.read_text().split() if group.exists() else []
        if before:  # empty where the process is in no group of its own
            group.write_text(str(NICE))
            self._undo.callback(group.write_text, before[-1])

    @staticmethod
    def _set_kernel_limits(netns):
        # The ports of the gateways stay below the range. A connection per request needs all the others, and again.
        # Reno is in every kernel, and has no pacing timers that would measure the machine's default instead.
        run("ip", "netns", "exec", netns, "sysctl", "-q", "-w", "net.ipv4.ip_local_port_range=10000 65535",
            "net.ipv4.tcp_congestion_control=reno",
            "net.ipv4.tcp_tw_reuse=1", "net.core.somaxconn=32768", "net.ipv4.tcp_max_syn_backlog=32768")

    def _make_cgroups(self):
        self._cgroups = cgroup2_root() / self.name
        self._cgroups.mkdir()
        self._undo.callback(self._cgroups.rmdir)

    def cgroup(self, name):
        """The cgroup of that name, made on first use."""
        path = self._cgroups / name
        if not path.exists():
            path.mkdir()
            self._undo.callback(path.rmdir)
        return path

    def inside(self, core, *argv, netns=None):
        """The command line that runs `argv` on `core`, on the client side or in `netns`; the process id is the program's.

        The highest priority, for the generator and every gateway alike, keeps the machine's other work out.
        """
        place = ["nsenter", f"--net=/run/netns/{netns or self.name}", "nice", "-n", str(NICE), "taskset", "-c", str(core)]
        return place + [str(argument) for argument in argv]
