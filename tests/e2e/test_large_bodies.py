"""Bodies of a gigabyte pass unchanged in both directions, in little memory."""

import hashlib
import json
import time
from pathlib import Path

import pytest

GIB = 1 << 30


def peak_memory(pid):
    """Most that the process ever had resident, in KiB."""
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmHWM"))


def hash_of_zeros(size):
    digest, block = hashlib.sha256(), bytes(1 << 20)
    for _ in range(size >> 20):
        digest.update(block)
    return digest.hexdigest()


@pytest.mark.limit(120)
@pytest.mark.parametrize("url", ["http://nginx.example.com/gigabyte", "https://nginx.example.com/gigabyte"], ids=["clear", "TLS"])
def test_a_download_of_one_gibibyte_arrives_unchanged(lunard, world, matrix, url):
    script = f"curl -sS {url} | sha256sum"
    begin = time.monotonic()
    outcome, cgroup = world.run(["sh", "-c", script], captured=True, env=matrix.environment(), timeout=100)
    seconds = time.monotonic() - begin
    assert outcome.stdout.split()[0] == hash_of_zeros(GIB), outcome.stderr
    [line] = lunard.lines_of(cgroup, at_least=1)
    assert line["bytes_out"] >= GIB
    memory = peak_memory(lunard.gateway_pid())
    print(f"FIGURE: 1 GiB down ({url.split(':')[0]}) in {seconds:.1f} s, gateway peak RSS {memory} KiB")
    assert memory < 128 * 1024


@pytest.mark.limit(120)
def test_an_upload_of_one_gibibyte_arrives_unchanged(lunard, world, internet):
    file = internet.directory / "www/gigabyte"
    begin = time.monotonic()
    outcome, cgroup = world.run(["curl", "-sS", "-T", file, "http://raw.example.com/upload"], captured=True, timeout=100)
    seconds = time.monotonic() - begin
    seen = json.loads(outcome.stdout)
    assert (seen["size"], seen["expect"]) == (GIB, "100-continue")
    assert seen["sha256"] == hash_of_zeros(GIB)
    [line] = lunard.lines_of(cgroup, at_least=1)
    assert line["bytes_in"] == GIB
    print(f"FIGURE: 1 GiB up in {seconds:.1f} s, gateway peak RSS {peak_memory(lunard.gateway_pid())} KiB")
