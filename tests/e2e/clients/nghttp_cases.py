"""nghttp, one process a case. It prints what it receives between lines about frames, which are taken out to get the body."""

import re
import subprocess
import tempfile
import time
from pathlib import Path

from case_list import Body, numbered, read_cases, report

ABOUT = re.compile(rb"\[ *\d+\.\d{3}\] (?:(?:recv|send) [^\n]*\n(?: {10}[^\n]*\n)*|Connected\n(?:The negotiated protocol: [^\n]*\n)?)")
FIELD = re.compile(rb"^\[ *\d+\.\d{3}\] recv \(stream_id=(\d+)\) ([^\n]*)$", re.M)
RESET = re.compile(rb"recv RST_STREAM frame [^\n]*\n\s+\(error_code=(?!NO_ERROR)")
PROTOCOL = re.compile(rb"The negotiated protocol: (\S+)")


def command(case, directory):
    argv = ["nghttp", "--verbose", "--no-push", f"--timeout={case.timeout:g}s", f"--header=:method: {case.method}"]
    argv += [f"--header={name}: {value}" for name, value in case.headers.items()]
    if case.body is not None:
        (directory / "body").write_bytes(case.body)
        argv += [f"--data={directory / 'body'}"]
    if "chunked" in case.flags:
        argv += ["--no-content-length"]
    return [*argv, *numbered(case)]


def said(case):
    """All that nghttp printed, and the fields that came by stream."""
    with tempfile.TemporaryDirectory() as name:
        done = subprocess.run(command(case, Path(name)), capture_output=True)
    fields = {}
    for stream, text in FIELD.findall(done.stdout):
        fields.setdefault(int(stream), []).append(text.decode("latin-1"))
    return done, fields


def observe(case):
    begin = time.monotonic()
    done, fields = said(case)
    body = Body()
    body.add(ABOUT.sub(b"", done.stdout))
    protocol = PROTOCOL.search(done.stdout)
    seen = {"version": protocol[1].decode() if protocol else "h2c", "exit": done.returncode, "reset": bool(RESET.search(done.stdout)),
            "stderr": done.stderr.decode(errors="replace")}
    if case.times:
        # bodies of streams are mixed as they came
        report(case, **seen, size=body.size, answers=sorted(fields.values()), together=time.monotonic() - begin < case.times * 0.15)
        return
    [lines] = fields.values() or [[]]
    statuses = [line.removeprefix(":status: ") for line in lines if line.startswith(":status: ")]
    report(case, **seen, status=statuses[-1] if statuses else 0, headers=lines, body=body.seen(case))


for one in read_cases():
    observe(one)
