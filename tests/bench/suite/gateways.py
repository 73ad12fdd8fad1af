"""The gateways that are compared, each brought up for the same job: pass on to the one origin, keep connections."""

import contextlib
import json
import os
import pathlib
import socket
import subprocess
import time

from . import arena as arenas
from . import certificates, configurations

PATIENCE = 15  # seconds for a gateway to come up


class Gateway:
    """Runs as a reverse proxy on a loopback port, unless a subclass says otherwise."""

    name = ""
    port = 0
    captures = False  # the generator connects to the origin's address, from the cgroup that is attached
    built = None  # its program below the build directory
    installed = None  # its program on this machine
    on_request = False  # not among those that are compared unless they are named
    tls = False  # what it speaks on both sides
    trust = None  # with TLS: a file of the authorities that its clients believe

    def __init__(self, arena, build):
        self.arena = arena
        self.build = build
        self.process = None
        self.directory = arena.directory / self.name

    def command(self):
        raise NotImplementedError

    def start(self):
        self.directory.mkdir(exist_ok=True)
        with open(self.directory / "output", "ab") as output:
            self.process = subprocess.Popen(
                self.arena.inside(self.arena.gateway_core, *self.command()), stdout=output, stderr=output)
        self.wait_until_ready()

    def wait_until_ready(self):
        listens = f":{self.port:04X} 00000000:0000 0A"
        deadline = time.monotonic() + PATIENCE
        while listens not in pathlib.Path(f"/proc/{self.process.pid}/net/tcp").read_text():
            self.fail_unless(self.process.poll() is None and time.monotonic() < deadline, "does not come up")
            time.sleep(0.01)

    def fail_unless(self, condition, text):
        if not condition:
            output = (self.directory / "output").read_text(errors="replace")[-2000:]
            raise RuntimeError(f"{self.name} {text}: {output}")

    def stop(self):
        if self.process is None:
            return
        self.process.terminate()
        try:
            self.process.wait(PATIENCE)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        self.process = None

    @property
    def target(self):
        return f"127.0.0.1:{self.port}"

    def target_of(self, _load):
        """Where the generator connects to."""
        return self.target

    def connecting(self, load):
        """How the generator connects, as members of its order."""
        tls = {"tls": {"authority": str(self.trust), "host": certificates.HOST}} if self.tls else {}
        return {"target": self.target_of(load), **tls}

    def opened(self):
        """How many connections of clients it has opened so far, where it counts them."""
        return 0

    @property
    def cgroup(self):
        """Where the generator has to be: each gateway that captures has a cgroup of its own attached."""
        return self.arena.cgroup(f"for-{self.name}" if self.captures else "direct")

    def processes(self):
        return process_tree(self.process.pid)

    def memory(self):
        """User memory of all its processes in bytes."""
        return sum(proportional_set_size(pid) for pid in self.processes())


class Direct(Gateway):
    name = "direct"
    target = arenas.ORIGIN

    def start(self):
        pass

    def processes(self):
        return []

    def memory(self):
        return 0


class Floor(Gateway):
    name = "floor"
    port = 7110
    built = "tests/bench/relay_floor"

    def start(self):
        # The kernel takes an exited process's ring down a moment later, and with it the listener of the last start.
        self.port += 1
        super().start()

    def command(self):
        return [self.build / self.built, self.target, arenas.ORIGIN]


class HAProxy(Gateway):
    name = "haproxy"
    port = 7102
    installed = "haproxy"

    def relays(self):
        return f"""
listen relay
  bind {self.target} backlog 16384
  server origin {arenas.ORIGIN}
"""

    def command(self):
        config = self.directory / "haproxy.cfg"
        # maxconn keeps two descriptors for each connection within the usual hard limit of a container.
        config.write_text(f"""
global
  nbthread 1
  maxconn 20000
  no strict-limits
defaults
  mode http
  timeout connect 10s
  timeout client 300s
  timeout server 300s
  timeout http-keep-alive 300s
  option http-keep-alive
  http-reuse always
  no log
{self.relays()}""")
        return ["haproxy", "-db", "-f", config]


class Nginx(Gateway):
    name = "nginx"
    port = 7103
    installed = "nginx"

    def command(self):
        config = self.directory / "nginx.conf"
        config.write_text(configurations.nginx_configuration(self.directory, connections=40_000, http=f"""
  upstream origin {{ server {arenas.ORIGIN}; keepalive 10000; keepalive_requests 1000000000; keepalive_timeout 300s; }}
  server {{
    listen {self.target} backlog=16384;
    location / {{
      proxy_pass http://origin;
      proxy_http_version 1.1;
      proxy_set_header Connection "";
      proxy_set_header Host $host;
      proxy_max_temp_file_size 0;
    }}
  }}"""))
        return ["nginx", "-c", config]


class Lunar(Gateway):
    """Captures the connects of the generator's cgroup to the origin's own address."""

    name = "lunar"
    built = "agent/lunard"
    captures = True
    target = arenas.ORIGIN
    health_port = 7140
    ready = False
    access_log = "off"
    flows = 0  # that it must have loaded

    @property
    def socket(self):
        return self.directory / "lunard.sock"

    @staticmethod
    def write_flows(_root):
        """Below the configuration root; how many there are."""
        return 0

    def settings(self):
        return f"""
workers: 1
listeners: {{proxy: off, health: "127.0.0.1:{self.health_port}", admin: off, metrics: off}}
control: {{socket: "{self.socket}"}}
state: {{dir: "{self.directory}/state"}}
access_log: {{path: {self.access_log}, rotate_size: 1GiB, retain: 1}}
capture: {{enabled: true, required: true}}
log: {{level: warn}}
"""

    def command(self):
        self.flows = self.write_flows(self.directory)
        (self.directory / "lunard.yaml").write_text(self.settings())
        return [self.build / self.built, "--config-dir", self.directory]

    def start(self):
        self.ready = False
        with ReadySocket(self.directory) as ready:
            os.environ["NOTIFY_SOCKET"] = str(ready.path)
            try:
                super().start()
                self.fail_unless(ready.wait(self.process), "does not become ready")
            finally:
                del os.environ["NOTIFY_SOCKET"]
        self.check_flows()
        self.control("attach", self.cgroup)
        self.wait_until_protecting()
        self.ready = True

    def wait_until_ready(self):
        pass  # the notification of start() says it

    def wait_until_protecting(self):
        deadline = time.monotonic() + PATIENCE
        while json.loads(self.control("--json", "status"))["failsafe"]["state"] != "protecting":
            self.fail_unless(time.monotonic() < deadline, "does not protect")
            time.sleep(0.05)

    def check_flows(self):
        """Flows that were not loaded would cost nothing."""
        answer = json.loads(self.control("--json", "flows", "list"))
        loaded, skipped = len(answer["flows"]), answer["skipped"]
        self.fail_unless(loaded == self.flows and not skipped, f"has {loaded} flows, not {self.flows}: {skipped}")

    def control(self, *arguments):
        return arenas.run(str(self.build / "cli/lunarctl"), "--socket", str(self.socket), *map(str, arguments))


class LunarLogging(Lunar):
    name = "lunar+log"
    health_port = 7141

    @property
    def log(self):
        return self.directory / "log" / "access.log"

    @property
    def access_log(self):
        return f'"{self.log}"'

    def start(self):
        self.log.parent.mkdir(parents=True, exist_ok=True)
        self.log.parent.chmod(0o777)  # the gateway process writes it, as a user without rights
        super().start()

    def stop(self):
        served = self.ready
        self.ready = False
        super().stop()
        if served and not (self.log.exists() and self.log.stat().st_size > 0):
            raise RuntimeError(f"{self.name} wrote no access log")


class LunarIdleFlows(Lunar):
    """Flows of which none concerns the requests."""

    name = "lunar+10k"
    health_port = 7142
    on_request = True
    write_flows = staticmethod(configurations.write_many)


class LunarLimiter(Lunar):
    """Flows that concern every request."""

    name = "lunar+limit"
    health_port = 7143
    on_request = True
    write_flows = staticmethod(configurations.write_limiter)

    def counted(self):
        """How many requests the quota of that name has seen."""
        quota = json.loads(self.control("--json", "quotas", "Calls"))["quotas"][0]
        return sum(group["used"] for group in quota["groups"])

    def stop(self):
        served = self.ready
        self.ready = False
        try:
            if served and self.counted() == 0:
                raise RuntimeError(f"{self.name} ran no flow")
        finally:
            super().stop()


class LunarFlows(LunarLimiter):
    name = "lunar+flows"
    health_port = 7144
    write_flows = staticmethod(configurations.write_mix)


class ReadySocket:
    """The receiving end of sd_notify(3)."""

    def __init__(self, directory):
        directory.mkdir(exist_ok=True)
        self.path = directory / "notify"

    def __enter__(self):
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._socket.bind(str(self.path))
        self._socket.settimeout(0.2)
        return self

    def __exit__(self, *_):
        self._socket.close()
        self.path.unlink()

    def wait(self, process):
        deadline = time.monotonic() + PATIENCE
        while time.monotonic() < deadline and process.poll() is None:
            with contextlib.suppress(TimeoutError):
                if b"READY=1" in self._socket.recv(4096).split(b"\n"):
                    return True
        return False


def process_tree(root):
    children = {}
    for entry in pathlib.Path("/proc").iterdir():
        if entry.name.isdigit():
            with contextlib.suppress(FileNotFoundError, ProcessLookupError):
                parent = int((entry / "stat").read_text().rsplit(")", 1)[1].split()[1])
                children.setdefault(parent, []).append(int(entry.name))
    tree, waiting = [], [root]
    while waiting:
        pid = waiting.pop()
        tree.append(pid)
        waiting += children.get(pid, [])
    return tree


def proportional_set_size(pid):
    for line in pathlib.Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
        if line.startswith("Pss:"):
            return int(line.split()[1]) * 1024
    raise RuntimeError(f"process {pid} tells no proportional set size")
