#!/usr/bin/python3
"""The bench still works: every row gives a figure for direct, the floor and HAProxy, and no answer is wrong.

Says nothing about time: a slow machine passes.
"""

import json
import pathlib
import subprocess
import sys

HERE = pathlib.Path(__file__).resolve().parent
GATEWAYS = ("direct", "floor", "haproxy")


def main():
    done = subprocess.run(
        [HERE / "run", "--build", sys.argv[1], "--gateways", ",".join(GATEWAYS), "--rounds", "1",
         "--scale", "0.1", "--json"], stdout=subprocess.PIPE, text=True)
    assert done.returncode == 0, f"run ended with status {done.returncode}"
    result = json.loads(done.stdout)
    assert result["invalid"] == [], result["invalid"]
    assert result["rounds"] == 1
    for row, metrics in result["figures"].items():
        for metric, by_gateway in metrics.items():
            check(row, metric, by_gateway)


def check(row, metric, by_gateway):
    assert set(by_gateway) == set(GATEWAYS), f"{row} {metric}: {sorted(by_gateway)}"
    for gateway in ("floor", "haproxy"):
        figure = by_gateway[gateway]
        assert figure["median"] is not None, f"{row} {metric} {gateway}: no figure"
        assert metric in ("p50", "p99", "p999", "bytes") or figure["median"] > 0, f"{row} {metric} {gateway}: {figure}"
    if metric != "bytes":
        assert by_gateway["haproxy"]["vs_floor"] is not None, f"{row} {metric}: no comparison"


if __name__ == "__main__":
    main()
