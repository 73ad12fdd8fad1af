"""A process started by a test: in a namespace and a cgroup, with its output in a file."""

import os
import signal
import subprocess
from dataclasses import dataclass
from pathlib import Path


@dataclass
class Outcome:
    status: int
    stdout: str
    stderr: str


class Child:
    def __init__(self, argv, *, namespace, cgroup, log=None, env=None):
        self.argv = [str(arg) for arg in argv]
        self.cgroup = cgroup
        full = cgroup.entered_by(namespace.enter(self.argv))
        self.log_path = Path(log) if log else None
        out = open(self.log_path, "ab") if log else subprocess.DEVNULL
        try:
            self._process = subprocess.Popen(full, stdin=subprocess.PIPE, stdout=out, stderr=out,
                                             env={**os.environ, **(env or {})}, start_new_session=True)
        finally:
            if log:
                out.close()

    @property
    def pid(self):
        return self._process.pid

    def poll(self):
        return self._process.poll()

    def signal(self, number):
        self._process.send_signal(number)

    def wait(self, seconds):
        return self._process.wait(seconds)

    def finish(self, seconds=10):
        """Closes its standard input, which ends our own programs, and returns the exit status."""
        self._process.stdin.close()
        return self.wait(seconds)

    def stop(self, seconds=10):
        """Asks it to end, insists after `seconds`; returns the exit status."""
        if self.poll() is None:
            self._process.stdin.close()
            self.signal(signal.SIGCONT)
            self.signal(signal.SIGTERM)
            try:
                return self.wait(seconds)
            except subprocess.TimeoutExpired:
                self.signal(signal.SIGKILL)
        return self.wait(5)

    def log(self):
        return self.log_path.read_text(errors="replace") if self.log_path and self.log_path.exists() else ""


def run(argv, *, namespace, cgroup, env=None, timeout=60, input=None):
    """Runs a program to its end in a namespace and a cgroup."""
    full = cgroup.entered_by(namespace.enter([str(arg) for arg in argv]))
    stdin = {"input": input} if input is not None else {"stdin": subprocess.DEVNULL}
    done = subprocess.run(full, capture_output=True, text=True, errors="replace", timeout=timeout,
                          env={**os.environ, **(env or {})}, **stdin)
    return Outcome(done.returncode, done.stdout, done.stderr)
