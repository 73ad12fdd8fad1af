"""Builds and runs every test, prints the outcome of each, and ends with `N passed, N failed`.

Called by packaging/test, which installs what is needed. Exit code 1 if a test failed, was skipped or did not run.
"""

import argparse
import os
import re
import shutil
import subprocess
import sys
import threading
import time
import xml.etree.ElementTree as xml
from pathlib import Path

from steps import LABELS, STEPS

ROOT = Path(__file__).resolve().parents[2]
HERE = Path(__file__).resolve().parent
# What a test program prints when it counted its cases by itself; others are one case each.
COUNTED = re.compile(r"\[doctest\] test cases:|\d+ (passed|failed|errors?|skipped)\b.* in [\d.]+s")


class Tally:
    def __init__(self):
        self.passed = self.failed = self.skipped = 0
        self.failures = []

    def add(self, status: str, where: str, name: str, milliseconds: float):
        print(f"{status} {where}: {name} ({milliseconds / 1000:.3f} s)", flush=True)
        if status == "PASS":
            self.passed += 1
        elif status == "SKIP":
            self.skipped += 1
            self.failures.append(f"{where}: {name} was skipped")
        else:
            self.failed += 1
            self.failures.append(f"{where}: {name}")


class CaseLog(threading.Thread):
    """Prints the cases while they end: programs append to the file, this follows it."""

    def __init__(self, path: Path, preset: str, tally: Tally):
        super().__init__(daemon=True)
        self.path, self.preset, self.tally = path, preset, tally
        self.ended = threading.Event()
        self.failed_programs = set()
        path.write_text("")

    def run(self):
        with self.path.open() as log:
            rest = ""
            while True:
                ending = self.ended.wait(0.2)
                *lines, rest = (rest + log.read()).split("\n")
                for line in lines:
                    self.report(line)
                if ending:
                    return

    def report(self, line: str):
        status, milliseconds, program, case = line.split("\t", 3)
        if status != "PASS":
            self.failed_programs.add(program)
        self.tally.add(status, f"{self.preset} {program}", case, float(milliseconds))

    def close(self):
        self.ended.set()
        self.join()


def say(text: str):
    print(f"== {text}", flush=True)


def cores() -> str:
    return str(len(os.sched_getaffinity(0)))


def logged(command: list, log: Path, environment: dict | None = None) -> int:
    """Runs a command with its output in a file, and says every half minute how far it is."""
    begin = told = time.monotonic()
    with log.open("w") as output:
        process = subprocess.Popen(command, cwd=ROOT, stdin=subprocess.DEVNULL, stdout=output,
                                   stderr=subprocess.STDOUT, env=environment)
        while True:
            try:
                return process.wait(timeout=1)
            except subprocess.TimeoutExpired:
                if time.monotonic() - told >= 30:
                    told = time.monotonic()
                    steps = re.findall(r"^\[\d+/\d+\]", log.read_text(errors="replace"), re.M)
                    print(f"   … {told - begin:.0f} s {steps[-1] if steps else ''}", flush=True)


def build(step, logs: Path) -> bool:
    say(f"building {step.preset}: {' '.join(step.targets)}")
    launcher = ["-DCMAKE_C_COMPILER_LAUNCHER=ccache", "-DCMAKE_CXX_COMPILER_LAUNCHER=ccache"]
    commands = [
        ["cmake", "--preset", step.preset, *(launcher if shutil.which("ccache") else [])],
        ["cmake", "--build", "--preset", step.preset, "--parallel", cores(), "--target", *step.targets],
    ]
    log = logs / f"build-{step.preset}.log"
    for command in commands:
        if logged(command, log) != 0:
            lines = log.read_text(errors="replace").splitlines()
            first = next((i for i, line in enumerate(lines) if "error:" in line or line.startswith("FAILED")), 0)
            print("\n".join(lines[max(0, first - 5):][:80]))
            say(f"{' '.join(command)} failed; the whole output is in {log}")
            return False
    return True


def ctest(step, run, logs: Path, tally: Tally):
    say(f"testing {step.preset}: {run.labels}")
    name = f"{step.preset}-{run.labels.replace('|', '-')}"
    junit = logs / f"{name}.xml"
    junit.unlink(missing_ok=True)
    cases = CaseLog(logs / f"{name}.cases", step.preset, tally)
    cases.start()
    plugins = f"{os.environ.get('PYTEST_ADDOPTS', '')} -p case_lines".strip()
    environment = dict(os.environ, LUNAR_CASE_LOG=str(cases.path), PYTEST_ADDOPTS=plugins, PYTHONPATH=str(HERE),
                       PYTHONDONTWRITEBYTECODE="1")
    logged(["ctest", "--test-dir", f"build/{step.preset}", "--label-regex", f"^({run.labels})$",
            "--parallel", cores() if run.parallel else "1", "--output-junit", junit, "--no-tests=error",
            "--test-output-size-passed", "1000000", "--test-output-size-failed", "1000000"],
           logs / f"{name}.log", environment)
    cases.close()
    report_programs(step, run, junit, cases.failed_programs, tally)


def report_programs(step, run, junit: Path, failed_programs: set, tally: Tally):
    """Adds what the cases do not tell: programs without cases, crashes, and tests that did not run."""
    found = list(xml.parse(junit).getroot().iter("testcase")) if junit.exists() else []
    if not found:
        tally.add("FAIL", step.preset, f"no test has the label {run.labels}", 0)
    for test in found:
        name, milliseconds = test.get("name"), float(test.get("time") or 0) * 1000
        output = test.findtext("system-out") or ""
        counted = bool(COUNTED.search(output))
        status = {"run": "PASS", "disabled": "SKIP"}.get(test.get("status"), "FAIL")
        if status == "PASS" and counted:
            continue
        if status == "FAIL":
            print(f"-- output of {name}\n{output.strip()}\n--")
        if status != "FAIL" or not counted or not failed_programs:
            tally.add(status, step.preset, name, milliseconds)


def chosen_steps(labels: list, presets: list):
    for step in STEPS:
        if presets and step.preset not in presets:
            continue
        part = step.only(set(labels)) if labels else step
        if part.runs:
            yield part


def main() -> int:
    parser = argparse.ArgumentParser(prog="packaging/test", description=__doc__.split("\n\n")[0])
    parser.add_argument("--only", nargs="+", metavar="LABEL", choices=LABELS, default=[],
                        help=f"run the tests of these labels alone: {', '.join(LABELS)}")
    parser.add_argument("--preset", nargs="+", choices=[step.preset for step in STEPS], default=[],
                        help="run the tests of these builds alone")
    options = parser.parse_args()
    logs = ROOT / "build/test-logs"
    logs.mkdir(parents=True, exist_ok=True)
    begin, tally = time.monotonic(), Tally()
    for step in chosen_steps(options.only, options.preset):
        started = time.monotonic()
        if build(step, logs):
            say(f"built {step.preset} in {time.monotonic() - started:.0f} s")
            for run in step.runs:
                ctest(step, run, logs, tally)
        else:
            tally.add("FAIL", step.preset, "build", (time.monotonic() - started) * 1000)
        say(f"{step.preset} took {time.monotonic() - started:.0f} s")
    if tally.failures:
        print("\nNot passed:\n  " + "\n  ".join(tally.failures))
    say(f"everything took {(time.monotonic() - begin) / 60:.1f} minutes; logs are in {logs}")
    skipped = f", {tally.skipped} skipped" if tally.skipped else ""
    print(f"{tally.passed} passed, {tally.failed} failed{skipped}", flush=True)
    return 0 if tally.passed and not tally.failures else 1


if __name__ == "__main__":
    sys.exit(main())
