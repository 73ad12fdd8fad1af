"""curl, one process a case, read through a pipe so that the arrival of pieces is seen."""

import json
import subprocess
import tempfile
import time
from pathlib import Path

from case_list import Body, numbered, read_cases, report

KEPT = ("response_code", "remote_ip", "remote_port", "http_version", "num_connects", "num_redirects", "exitcode",
        "size_upload", "ssl_verify_result", "scheme")


def command(case, directory):
    argv = ["curl", "--silent", "--no-buffer", "--raw", "--dump-header", str(directory / "head"), "--max-time", str(case.timeout),
            "--write-out", "%{stderr}%{json}"]
    if case.method == "HEAD":
        argv += ["--head", "--output", "/dev/null"]  # which has the head once more
    elif case.method not in ("GET", "POST", "PUT"):
        argv += ["--request", case.method]
    for name, value in case.headers.items():
        argv += ["--header", f"{name}: {value}"]
    if case.body is not None:
        (directory / "body").write_bytes(case.body)
        argv += ["--upload-file", str(directory / "body")] if case.method == "PUT" else ["--data-binary", f"@{directory / 'body'}"]
    if "chunked" in case.flags:
        argv += ["--header", "Transfer-Encoding: chunked"]
    if "expect" in case.flags:
        argv += ["--header", "Expect: 100-continue", "--expect100-timeout", "10"]
    if "follow" in case.flags:
        argv += ["--location"]
    if "h2c" in case.flags:
        argv += ["--http2-prior-knowledge"]
    if "untrusted" in case.flags:
        argv += ["--cacert", "/etc/ssl/certs/ca-certificates.crt"]
    return [*argv, case.url]


def observe(case):
    body = Body()
    with tempfile.TemporaryDirectory() as name:
        directory = Path(name)
        curl = subprocess.Popen(command(case, directory), stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        while piece := curl.stdout.read1(1 << 16):
            body.add(piece)
        figures = json.loads(curl.stderr.read())
        curl.wait()
        head = directory / "head"
        lines = head.read_bytes().decode("latin-1").split("\r\n") if head.exists() else []
    report(case, **{key: figures[key] for key in KEPT}, headers=lines, body=body.seen(case))


def observe_many(case):
    """All by one process. It waits for the first connection, to know whether one will do."""
    begin, urls, answers = time.monotonic(), numbered(case), []
    with tempfile.TemporaryDirectory() as name:
        argv = ["curl", "--silent", "--parallel", "--max-time", str(case.timeout), "--write-out", "%{json}\n"]
        argv += ["--http2-prior-knowledge"] if "h2c" in case.flags else []
        for number, url in enumerate(urls):
            argv += ["--output", f"{name}/{number}", url]
        done = subprocess.run(argv, capture_output=True, text=True)
        took = time.monotonic() - begin
        figures = [json.loads(line) for line in done.stdout.splitlines()]
        for number, url in enumerate(urls):
            body, file = Body(), Path(f"{name}/{number}")
            body.add(file.read_bytes() if file.exists() else b"")
            answers += [{key: one[key] for key in KEPT if key != "num_connects"} | body.seen(case) for one in figures if one["url"] == url]
    report(case, answers=answers, connections=sum(one["num_connects"] for one in figures), together=took < case.times * 0.15)


for one in read_cases():
    (observe_many if one.times else observe)(one)
