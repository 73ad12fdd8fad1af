#!/usr/bin/python3
"""The bench still works: every row gives a figure for every gateway asked for, and no answer is wrong.

Says nothing about time: a slow machine passes.
"""

import json
import pathlib
import subprocess
import sys

from suite import rows

HERE = pathlib.Path(__file__).resolve().parent
UNCERTAIN = ("p50", "p99", "p999", "bytes", "resumed")  # metrics that can be zero in so short a run
ALONE = ("bytes", "resumed")  # metrics that may have no ratio


def main():
    measure("direct", "floor", "haproxy", reference="floor")
    tls = ",".join(row.name for row in rows.ALL if row.tls)  # named, so that none is left out
    measure("haproxy-tls", "lunar+tls", reference="haproxy-tls", options=["--only", tls])


def measure(*gateways, reference, options=()):
    done = subprocess.run(
        [HERE / "run", "--build", sys.argv[1], "--gateways", ",".join(gateways), "--rounds", "1",
         "--scale", "0.1", "--json", *options], stdout=subprocess.PIPE, text=True)
    assert done.returncode == 0, f"run ended with status {done.returncode}"
    result = json.loads(done.stdout)
    assert result["invalid"] == [], result["invalid"]
    assert result["rounds"] == 1
    assert result["figures"]
    for row, metrics in result["figures"].items():
        for metric, by_gateway in metrics.items():
            assert set(by_gateway) == set(gateways), f"{row} {metric}: {sorted(by_gateway)}"
            check(f"{row} {metric}", metric, by_gateway, reference)


def check(what, metric, by_gateway, reference):
    for gateway, figure in by_gateway.items():
        if gateway == "direct":
            continue
        assert figure["median"] is not None, f"{what} {gateway}: no figure"
        assert metric in UNCERTAIN or figure["median"] > 0, f"{what} {gateway}: {figure}"
        compared = gateway == reference or metric in ALONE or figure[f"vs_{reference}"] is not None
        assert compared, f"{what} {gateway}: no comparison"


if __name__ == "__main__":
    main()
