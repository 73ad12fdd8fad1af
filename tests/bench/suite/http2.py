"""The loads of HTTP/2: h2load or connections that are held as the generator, nginx as the origin, on the same core."""

import contextlib
import json
import os
import pathlib
import re
import shutil
import socket
import subprocess
import sys
import time

from . import arena as arenas
from .configurations import nginx_configuration

HOLDER = pathlib.Path(__file__).resolve().parent / "h2_holder.py"
PATIENCE = 10  # seconds for the origin to come up, and for its connections to go
LONGEST_LOAD = 60  # seconds
BODY = "hello"
CIPHER = "TLS_AES_128_GCM_SHA256"
BEGIN, END = 30, 80  # percent of the requests that are answered when the window begins and ends
PROCESS_CLOCK = 2  # the CPU time of all threads, also ended ones: as clock_getcpuclockid(3) makes it of a process id
UNITS = {"us": 1e-6, "ms": 1e-3, "s": 1.0}


def missing():
    """What is not installed of all that these loads need."""
    tools = [tool for tool in ("h2load", "nginx") if shutil.which(tool) is None]
    try:
        import h2  # noqa: F401, what the holder speaks
    except ImportError:
        tools.append("python3-h2")
    return tools


class Origin:
    """Takes nothing but TLS and HTTP/2, and keeps each connection for as many requests as come."""

    def __init__(self, arena):
        directory = arena.directory / "http2"
        directory.mkdir()
        self._status = directory / "status"
        config = directory / "nginx.conf"
        config.write_text(nginx_configuration(directory, connections=10_000, http=f"""
  server {{
    listen {arenas.H2_ORIGIN} ssl http2 backlog=4096;
    ssl_certificate {arena.certificates.origin};
    ssl_certificate_key {arena.certificates.origin};
    ssl_protocols TLSv1.3;
    ssl_ecdh_curve X25519;
    ssl_conf_command Ciphersuites {CIPHER};
    location / {{
      if ($server_protocol != "HTTP/2.0") {{ return 400; }}
      return 200 "{BODY}";
    }}
  }}
  server {{
    listen unix:{self._status};
    location / {{ stub_status; }}
  }}"""))
        self._process = subprocess.Popen(arena.inside(arena.peer_core, "nginx", "-c", config, netns=arena.origin_netns))
        try:
            self._wait_until_ready()
        except BaseException:
            self.stop()
            raise

    def _wait_until_ready(self):
        deadline = time.monotonic() + PATIENCE
        while True:
            try:
                return self.connections()
            except (FileNotFoundError, ConnectionRefusedError):
                if self._process.poll() is not None or time.monotonic() > deadline:
                    raise RuntimeError("the origin of HTTP/2 does not come up") from None
            time.sleep(0.01)

    def connections(self):
        """How many are open beside this question's own, and how many there have been with it."""
        with socket.socket(socket.AF_UNIX) as asking, contextlib.closing(asking.makefile("rb")) as answer:
            asking.connect(str(self._status))
            asking.sendall(b"GET / HTTP/1.0\r\n\r\n")
            text = answer.read().decode()
        active, accepted = re.search(r"Active connections: (\d+)\s+server accepts handled requests\s+(\d+)", text).groups()
        return int(active) - 1, int(accepted)

    def wait_for_silence(self):
        deadline = time.monotonic() + PATIENCE
        while self.connections()[0] > 0 and time.monotonic() < deadline:
            time.sleep(0.05)
        return {"open": self.connections()[0]}

    def stop(self):
        self._process.terminate()
        self._process.wait()


class Holder:
    """The process that holds idle connections; the cgroup in which it begins is that of all of them."""

    def __init__(self, arena, cgroup):
        self._process = subprocess.Popen(
            in_cgroup(cgroup, arena.inside(arena.peer_core, sys.executable, "-B", HOLDER)),
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, bufsize=1)

    def order(self, **order):
        self._process.stdin.write(json.dumps(order) + "\n")
        line = self._process.stdout.readline()
        if not line:
            raise RuntimeError(f"the holder of connections ended with status {self._process.wait()}")
        return json.loads(line)

    def stop(self):
        with contextlib.suppress(BrokenPipeError):
            self._process.stdin.close()
        self._process.wait()
        self._process.stdout.close()


class Http2:
    """Obeys orders as the peer of the other rows does."""

    def __init__(self, arena):
        self._arena = arena
        self._cgroup = None
        self._holder = None
        self._origin = Origin(arena)
        self._loads = {"h2-streams": self._streams, "h2-idle": self._idle, "release": self._release,
                       "silence": self._origin.wait_for_silence}

    def order(self, load, **arguments):
        return self._loads[load](**arguments)

    def move_to(self, cgroup):
        """Only connections that are opened later are concerned."""
        self._cgroup = cgroup

    def stop(self):
        if self._holder is not None:
            self._holder.stop()
        self._origin.stop()

    def _streams(self, *, gateway, target, tls, connections, streams, requests):
        command = ["timeout", "--foreground", LONGEST_LOAD, "h2load", "--npn-list=h2", "--groups=X25519",
                   f"--tls13-ciphers={CIPHER}", "-t", 1, "-c", connections, "-m", streams, "-n", requests,
                   f"--connect-to={target}", f"https://{tls['host']}/"]
        _, met = self._origin.connections()
        run = LoadRun(gateway)
        run.watch(in_cgroup(self._cgroup, self._arena.inside(self._arena.peer_core, *command)), self._arena.peer_core)
        faults = run.faults(requests)
        return {"requests": requests * (END - BEGIN) // 100, "errors": len(faults), "first_error": "; ".join(faults),
                "requests_at_once": connections * streams,
                "provider_connections": self._origin.connections()[1] - met - 1, **run.window()}

    def _idle(self, *, gateway, target, tls, connections):
        """Each of them has been answered once, and stays, beside those of earlier orders, until all are released."""
        if self._holder is None:
            self._holder = Holder(self._arena, self._cgroup)
        begin, used = time.monotonic(), cpu_seconds(gateway)
        answer = self._holder.order(target=target, connections=connections, body=BODY, **tls)
        used = cpu_seconds(gateway) - used
        return {**answer, "seconds": time.monotonic() - begin, "gateway_cpu": used}

    def _release(self):
        holder, self._holder = self._holder, None
        try:
            return holder.order()
        finally:
            holder.stop()


class LoadRun:
    """One run of h2load. It tells each tenth of its requests as it is answered, which is where the window's ends are."""

    def __init__(self, processes):
        self._processes = processes
        self._ends = []  # seconds of the run, and of CPU time that the gateway had used
        self._output = ""

    def watch(self, command, core):
        start = time.monotonic()
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process, foremost(core):
            try:
                for line in process.stdout:
                    if line in (f"progress: {BEGIN}% done\n", f"progress: {END}% done\n"):
                        self._ends.append((time.monotonic() - start, cpu_seconds(self._processes)))
                    self._output += line
            finally:
                process.kill()

    def window(self):
        if len(self._ends) != 2:
            return {"seconds": 1.0, "gateway_cpu": 0.0}
        (begin, before), (end, after) = self._ends
        return {"seconds": end - begin, "gateway_cpu": after - before}

    def faults(self, requests):
        """What is not as it is where every request was answered as it should be, on a connection that was there in time."""
        expected = {
            "Application protocol: (.*)": "h2",
            "Cipher: (.*)": CIPHER,
            "requests: (.*)": f"{requests} total, {requests} started, {requests} done, {requests} succeeded, "
                              "0 failed, 0 errored, 0 timeout",
            "status codes: (.*)": f"{requests} 2xx, 0 3xx, 0 4xx, 0 5xx",
            r"traffic: .*\((\d+)\) data": str(requests * len(BODY))}
        faults = []
        for line, good in expected.items():
            found = re.search(f"^{line}$", self._output, re.MULTILINE)
            if found is None or found[1] != good:
                faults.append(f"not “{good}” but {found[0] if found else 'nothing'}")
        if not faults and self._last_begun() > self._ends[0][0]:
            faults.append("a connection had its first answer within the window")
        return faults

    def _last_begun(self):
        most, unit = re.search(r"^time to 1st byte: +\S+ +([\d.]+)(us|ms|s) ", self._output, re.MULTILINE).groups()
        return float(most) * UNITS[unit]


def in_cgroup(cgroup, command):
    return ["sh", "-c", 'echo $$ > "$0" && exec "$@"', str(cgroup / "cgroup.procs"), *command]


def cpu_seconds(processes):
    """Exact to the moment of reading."""
    return sum(time.clock_gettime(~pid << 3 | PROCESS_CLOCK) for pid in processes)


@contextlib.contextmanager
def foremost(core):
    """Who reads the clocks runs as soon as there is something to read, and not on the gateway's core."""
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {core})
    os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(1))
    try:
        yield
    finally:
        os.sched_setscheduler(0, os.SCHED_OTHER, os.sched_param(0))
        os.sched_setaffinity(0, before)
