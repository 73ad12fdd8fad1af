"""cgroups of the unified hierarchy, wherever it is mounted."""

import os
import re
import shutil
from pathlib import Path

from .deadline import wait_until


def cgroup2_mount():
    for line in Path("/proc/self/mountinfo").read_text().splitlines():
        before, after = line.split(" - ", 1)
        if after.split()[0] == "cgroup2":
            return Path(before.split()[4])
    raise RuntimeError("no cgroup2 mount")


class Cgroup:
    def __init__(self, path):
        self.path = Path(path)
        self.path.mkdir(parents=True, exist_ok=True)

    @property
    def name(self):
        """As in /proc/PID/cgroup and in the access log."""
        return "/" + str(self.path.relative_to(cgroup2_mount()))

    def child(self, name):
        return Cgroup(self.path / name)

    def pids(self):
        """Every process in this cgroup and below it."""
        found = []
        for procs in [self.path / "cgroup.procs", *self.path.rglob("cgroup.procs")]:
            try:
                found += [int(pid) for pid in procs.read_text().split()]
            except (FileNotFoundError, OSError):
                continue
        return sorted(set(found))

    def entered_by(self, argv):
        """argv of a command that first moves into this cgroup and then becomes `argv`."""
        return ["/bin/sh", "-c", 'echo 0 > "$0" && exec "$@"', str(self.path / "cgroup.procs"), *argv]

    def remove(self):
        """Kills what runs in it and removes it with all cgroups below."""
        if not self.path.exists():
            return
        (self.path / "cgroup.kill").write_text("1")
        wait_until(lambda: not self.pids(), 10, lambda: f"processes of {self.path} end: {self.pids()}")
        for directory, _, _ in os.walk(self.path, topdown=False):
            os.rmdir(directory)


def remove_stale(prefix):
    """Removes what a killed session left: cgroups and directories named PREFIX-<pid>... whose pid is gone."""
    def stale(directory):
        named = ((path, re.match(rf"{prefix}-(\d+)\b", path.name)) for path in directory.glob(f"{prefix}-*"))
        return [path for path, pid in named if pid and not Path(f"/proc/{pid[1]}").exists()]

    for path in stale(cgroup2_mount()):
        Cgroup(path).remove()
    for path in stale(Path("/tmp")):
        shutil.rmtree(path)
