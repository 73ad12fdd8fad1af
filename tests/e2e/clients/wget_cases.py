"""wget, one process a case."""

import os
import re
import subprocess
import tempfile
from pathlib import Path

from case_list import Body, read_cases, report


def command(case, directory):
    argv = ["wget", "--server-response", "--tries=1", f"--timeout={case.timeout}", "--content-on-error", f"--output-document={directory / 'out'}"]
    argv += [f"--header={name}: {value}" for name, value in case.headers.items()]
    if "untrusted" not in case.flags:
        argv.append(f"--ca-certificate={os.environ['SSL_CERT_FILE']}")
    if "follow" not in case.flags:
        argv.append("--max-redirect=0")
    if case.method == "HEAD":
        argv.append("--method=HEAD")
    elif case.body is not None:
        (directory / "body").write_bytes(case.body)
        argv += [f"--method={case.method}", f"--body-file={directory / 'body'}"]
    return [*argv, case.url]


def observe(case):
    body = Body()
    with tempfile.TemporaryDirectory() as name:
        directory = Path(name)
        done = subprocess.run(command(case, directory), capture_output=True, text=True, env={**os.environ, "LC_ALL": "C"})
        out = directory / "out"
        body.add(out.read_bytes() if out.exists() else b"")
    report(case, exit=done.returncode, headers=[line.strip() for line in done.stderr.splitlines() if re.match("  [A-Za-z]", line)],
           peer=re.findall(r"^Connecting to (.*)\.\.\. (.*)\.$", done.stderr, re.M), body=body.seen(case))


for one in read_cases():
    observe(one)
