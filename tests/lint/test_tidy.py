"""clang-tidy with the checks of .clang-tidy on every source of the product.

A file that was clean is not looked at again until it, a header of ours that it includes, or .clang-tidy changes.
"""

import hashlib
import json
import os
import platform
import subprocess
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import layering
import pytest
import tree

CLEAN = tree.ROOT / "build/tidy-clean"
TIDY = "clang-tidy-19"
# The kernel's part is not in compile_commands.json; these are the options that matter of bpf/BpfObject.cmake.
BPF_OPTIONS = ["-target", "bpf", "-O2", "-I.", f"-I/usr/include/{platform.machine()}-linux-gnu"]


def sources() -> list:
    compiled = json.loads((tree.BUILD / "compile_commands.json").read_text())
    paths = {os.path.relpath(entry["file"], tree.ROOT) for entry in compiled}
    tracked = set(tree.files())
    return sorted(path for path in paths | kernel_sources() if layering.room(path) and path in tracked)


def kernel_sources() -> set:
    return {path for path in tree.files() if path.endswith(".bpf.c")}


def command(path: str) -> list:
    if path in kernel_sources():
        return [TIDY, "--quiet", path, "--", *BPF_OPTIONS]
    return [TIDY, "-p", tree.BUILD, "--quiet", path]


def included(path: str, seen: set) -> set:
    """The file and every file of ours that it includes, directly or not."""
    if path not in seen and (tree.ROOT / path).is_file():
        seen.add(path)
        for match in layering.INCLUDE.finditer(tree.text(path)):
            included(match[1], seen)
    return seen


def fingerprint(path: str) -> str:
    parts = [tree.text(".clang-tidy"), path]
    parts += [name + tree.text(name) for name in sorted(included(path, set()))]
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()


def findings(path: str) -> str:
    mark = CLEAN / fingerprint(path)
    if mark.exists():
        return ""
    done = subprocess.run(command(path), cwd=tree.ROOT, capture_output=True, text=True)
    if done.returncode == 0:
        mark.touch()
        return ""
    return done.stdout or done.stderr


def test_every_source_is_clean():
    CLEAN.mkdir(parents=True, exist_ok=True)
    paths = sources()
    assert paths, "no source in compile_commands.json"
    with ThreadPoolExecutor(len(os.sched_getaffinity(0))) as pool:
        found = {finding for finding in pool.map(findings, paths) if finding}
    if found:
        pytest.fail("\n".join(sorted(found)), pytrace=False)


def test_the_budgets_are_in_force(tmp_path):
    """A function that breaks them all is found, or else a clean tree would mean nothing."""
    (tmp_path / ".clang-tidy").write_text(tree.text(".clang-tidy"))
    bad = tmp_path / "bad.cpp"
    statements = "\n".join("  sum += a;" for _ in range(61))
    nested = "if (a > 1) { if (b > 1) { if (c > 1) { if (d > 1) { sum = e; } } } }"
    branches = " ".join(f"if (a == {n} && b == {n}) {{ sum += {n}; }}" for n in range(15))
    bad.write_text(f"int f(int a, int b, int c, int d, int e, int g) {{\n  int sum = g;\n{statements}\n  {nested}\n"
                   f"  {branches}\n  return sum;\n}}\n")
    done = subprocess.run([TIDY, "--quiet", bad, "--", "-std=c++23"], cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode != 0
    for budget in ("lines including whitespace", "parameters (threshold 5)", "nesting level 4", "cognitive complexity"):
        assert budget in done.stdout, f"{budget}:\n{done.stdout}"
