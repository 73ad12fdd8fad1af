"""lunard under test: its configuration, life, control socket, processes and access log."""

import http.client
import json
import os
import pwd
import re
import shutil
import signal
import socket
from pathlib import Path

from .child import Child, run
from .deadline import wait_until

ROOT = Path(__file__).resolve().parents[3]
PROXY, HEALTH, ADMIN, METRICS = 8000, 8040, 8081, 3000


def build_directory():
    """LUNAR_BUILD, or the newest of the usual ones that holds a lunard."""
    named = [Path(os.environ["LUNAR_BUILD"])] if "LUNAR_BUILD" in os.environ else []
    for directory in [*named, ROOT / "build/dev", ROOT / "build/release"]:
        if (directory / "agent/lunard").exists():
            return directory
    raise RuntimeError("no lunard: build it (cmake --workflow dev) or set LUNAR_BUILD")


class OnSocket(http.client.HTTPConnection):
    """One HTTP connection on a socket that is connected already."""

    def __init__(self, connected):
        super().__init__("lunard")
        self.sock = connected


def ask(connected, method, path, body=None, headers=None):
    """One request; status, fields and body of the answer."""
    connection = OnSocket(connected)
    try:
        connection.request(method, path, body, headers or {})
        answer = connection.getresponse()
        return answer.status, dict((k.lower(), v) for k, v in answer.getheaders()), answer.read()
    finally:
        connection.close()


def gateway_user():
    """Whom the gateway process runs as; its log directory is that user's, as the package makes it."""
    return next(user.pw_name for name in ("lunar", "nobody") for user in pwd.getpwall() if user.pw_name == name)


def merged(base, more):
    result = dict(base)
    for key, value in more.items():
        result[key] = merged(result[key], value) if isinstance(value, dict) and isinstance(result.get(key), dict) else value
    return result


class Lunard:
    def __init__(self, world, name="lunard", settings=None, gateway_config=None, files=None):
        self.world = world
        self.directory = world.directory / name
        self.directory.mkdir()
        self.build = build_directory()
        self.socket_path = self.directory / "lunard.sock"
        self.access_log = self.directory / "log/access.log"
        self.access_log.parent.mkdir()
        shutil.chown(self.access_log.parent, gateway_user())
        self.cgroup = world.cgroup.child(name)
        self.child = None
        config = merged({
            "control": {"socket": str(self.socket_path), "group": "root"},
            "state": {"dir": str(self.directory / "state")},
            "access_log": {"path": str(self.access_log)},
            "log": {"level": "debug"},
            "shutdown_grace": "3s",
            "capture": {"required": True},
        }, settings or {})
        # JSON is YAML, and lunard.yaml is read as such.
        (self.directory / "lunard.yaml").write_text(json.dumps(config, indent=1))
        if gateway_config:
            (self.directory / "gateway_config.yaml").write_text(json.dumps(gateway_config, indent=1))
        for path, text in (files or {}).items():
            self.write(path, text)

    def write(self, path, text):
        """A file of the configuration root."""
        file = self.directory / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)

    # its life

    def start(self):
        self.child = Child([self.build / "agent/lunard", f"--config-dir={self.directory}"], namespace=self.world.host,
                           cgroup=self.cgroup, log=self.directory / "lunard.log")
        wait_until(self._is_ready, 15, lambda: f"lunard is ready; it says:\n{self.log()[-6000:]}")
        return self

    def stop(self, seconds=10):
        """A clean stop; the exit status."""
        self.child.signal(signal.SIGTERM)
        return self.child.wait(seconds)

    def end(self):
        """For fixtures: ends it in any state, without a word."""
        if self.child:
            self.child.stop()
        for pid in self.cgroup.pids():
            os.kill(pid, signal.SIGKILL)

    def log(self):
        return self.child.log() if self.child else ""

    @property
    def supervisor_pid(self):
        return self.child.pid

    def processes(self, role):
        """Those that the supervisor has started and that run, the newest last."""
        found = []
        for pid in Path(f"/proc/{self.child.pid}/task/{self.child.pid}/children").read_text().split():
            try:
                words = Path(f"/proc/{pid}/cmdline").read_bytes()
            except (FileNotFoundError, ProcessLookupError):
                continue  # it ended a moment ago
            if f"--role={role}".encode() in words:
                found.append(int(pid))
        return found

    def gateway_pid(self):
        gateways = self.processes("gateway")
        if not gateways:
            raise RuntimeError("no gateway process")
        return gateways[-1]

    def _is_ready(self):
        if self.child.poll() is not None:
            raise RuntimeError(f"lunard ended with {self.child.poll()}:\n{self.log()[-6000:]}")
        try:
            return self.failsafe()["state"] and self.health("/readyz")[0] == 200
        except (OSError, KeyError, http.client.HTTPException):
            return False

    # asking it

    def control(self, method, path, body=None):
        """Status and document of an answer of the control socket."""
        connected = socket.socket(socket.AF_UNIX)
        connected.settimeout(5)
        try:
            connected.connect(str(self.socket_path))
        except OSError:
            connected.close()
            raise
        status, _, text = ask(connected, method, path, json.dumps(body) if body is not None else None)
        return status, json.loads(text) if text.startswith((b"{", b"[")) else text.decode()

    def status(self):
        return self.control("GET", "/status")[1]

    def failsafe(self):
        return self.status()["failsafe"]

    def await_mode(self, mode, seconds):
        wait_until(lambda: self.failsafe()["state"] == mode, seconds, lambda: f"mode {mode}: {self.failsafe()}\n{self.log()[-3000:]}")

    def health(self, path):
        status, _, body = ask(self.world.host.connect(("127.0.0.1", HEALTH)), "GET", path)
        return status, body.decode()

    def metrics(self):
        """Prometheus samples: {'name{labels}': value}."""
        _, _, body = ask(self.world.host.connect(("127.0.0.1", METRICS)), "GET", "/metrics")
        lines = [line.rsplit(" ", 1) for line in body.decode().splitlines() if line and not line.startswith("#")]
        return {name: float(value) for name, value in lines}

    def metric(self, name, **labels):
        """The sum of all samples of a metric that have these labels."""
        return sum(value for sample, value in self.metrics().items()
                   if sample.partition("{")[0] == name and labels.items() <= dict(re.findall(r'(\w+)="([^"]*)"', sample)).items())

    def groups(self, quota):
        """What a quota or internal limit has counted: {group: {"limit", "used", "ends", "blocked_until"}}."""
        quotas = self.control("GET", "/quotas")[1]["quotas"]
        return {group.pop("group"): group for group in next(one for one in quotas if one["id"] == quota)["groups"]}

    def used(self, quota):
        return sum(group["used"] for group in self.groups(quota).values())

    def lunarctl(self, *arguments, timeout=20):
        return run([self.build / "cli/lunarctl", "--socket", self.socket_path, *arguments], namespace=self.world.host,
                   cgroup=self.world.cgroup.child("lunarctl"), timeout=timeout)

    def attach(self, cgroup):
        outcome = self.lunarctl("attach", cgroup.name)
        assert outcome.status == 0, f"attach {cgroup.path}: {outcome}\n{self.log()[-3000:]}"
        self.await_mode("protecting", 5)

    def detach(self, cgroup):
        outcome = self.lunarctl("detach", cgroup.name)
        assert outcome.status == 0, f"detach {cgroup.path}: {outcome}"

    # what it recorded

    def lines(self):
        """Every line of the access log that has been written by now."""
        self.control("POST", "/logs/flush")
        return [json.loads(line) for line in self.access_log.read_text().splitlines()] if self.access_log.exists() else []

    def lines_of(self, cgroup, at_least=0):
        """The lines of one client run, told apart by its cgroup."""
        def found():
            lines = [line for line in self.lines() if (line.get("process") or {}).get("cgroup") == cgroup.name]
            return (lines, ) if len(lines) >= at_least else None

        return wait_until(found, 5, f"{at_least} access log lines of {cgroup.name}")[0]
