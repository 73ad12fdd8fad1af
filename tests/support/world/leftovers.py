"""What a session must not leave behind, seen from outside of the world that it used."""

import json
import os
import subprocess
from pathlib import Path


def processes_in(namespace_inodes):
    """Processes that live in one of these network namespaces."""
    found = {}
    for process in Path("/proc").glob("[0-9]*"):
        try:
            if os.stat(process / "ns/net").st_ino in namespace_inodes:
                found[int(process.name)] = (process / "comm").read_text().strip()
        except OSError:
            continue
    return found


def mounts_below(directory):
    return [line for line in Path("/proc/self/mountinfo").read_text().splitlines() if str(directory) in line]


def held_by(pids):
    """(kind, id) of every BPF program, map and link that these processes hold open."""
    held = set()
    for info in (info for pid in pids for info in Path(f"/proc/{pid}/fdinfo").glob("*")):
        try:
            fields = dict(line.split(":", 1) for line in info.read_text().splitlines() if ":" in line)
        except OSError:
            continue
        held |= {(kind, int(fields[key])) for kind, key in (("prog", "prog_id"), ("map", "map_id"), ("link", "link_id")) if key in fields}
    return held


def still_in_kernel(held):
    """Those of `held` that the kernel still has."""
    present = {(kind, item["id"]) for kind in ("prog", "map", "link") for item in _bpftool(kind, "list")}
    return held & present


def _bpftool(*arguments):
    for _ in range(10):
        done = subprocess.run(["bpftool", "--json", *arguments], capture_output=True, text=True)
        if done.returncode == 0:
            return json.loads(done.stdout or "[]")
    # It fails when an object goes away between being listed and being opened; not ten times in a row.
    raise RuntimeError(f"bpftool {' '.join(arguments)}: {done.stdout} {done.stderr}")
