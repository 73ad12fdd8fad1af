"""Unmodified clients for the tests of flows: what each got, in one form."""

import json
import sys
from dataclasses import dataclass, field

CURL = """
import json, subprocess, sys
method, url, fields, body = json.loads(sys.argv[1])
command = ["curl", "-sS", "-m", "30", "-i", "-X", method, url]
for name, value in fields.items(): command += ["-H", f"{name}: {value}"]
if body is not None: command += ["--data-binary", body]
if method == "HEAD": command += ["-I"]
out = subprocess.run(command, capture_output=True)
head, _, rest = out.stdout.partition(b"\\r\\n\\r\\n")
lines = head.decode("latin-1").split("\\r\\n")
print(json.dumps({"status": int(lines[0].split()[1]) if head else 0,
                  "fields": {k.lower(): v for k, v in (line.split(": ", 1) for line in lines[1:] if ": " in line)},
                  "body": rest.decode("latin-1"), "error": out.stderr.decode()}))
"""
PYTHON = """
import json, sys, urllib.request, urllib.error
method, url, fields, body = json.loads(sys.argv[1])
request = urllib.request.Request(url, method=method, headers=fields, data=None if body is None else body.encode())
try:
    answer = urllib.request.urlopen(request, timeout=30)
except urllib.error.HTTPError as error:
    answer = error
print(json.dumps({"status": answer.status, "fields": {k.lower(): v for k, v in answer.headers.items()},
                  "body": answer.read().decode("latin-1"), "error": ""}))
"""
NODE = """
const [method, url, fields, body] = JSON.parse(process.argv[1]);
fetch(url, {method, headers: fields, body: body === null ? undefined : body}).then(async (answer) => {
  console.log(JSON.stringify({status: answer.status, fields: Object.fromEntries(answer.headers), body: await answer.text(), error: ''}));
}).catch((error) => console.log(JSON.stringify({status: 0, fields: {}, body: '', error: String(error.cause || error)})));
"""
PROGRAMS = {
    "curl": lambda call: [sys.executable, "-c", CURL, call],
    "Python": lambda call: [sys.executable, "-c", PYTHON, call],
    "Node": lambda call: ["node", "-e", NODE, call],
}

PYTHON_IN_A_ROW = """
import json, sys, urllib.request, urllib.error
url, fields, count = json.loads(sys.argv[1])
for _ in range(count):
    try:
        print(urllib.request.urlopen(urllib.request.Request(url, headers=fields), timeout=30).status)
    except urllib.error.HTTPError as error:
        print(error.status)
"""
NODE_IN_A_ROW = """
const [url, fields, count] = JSON.parse(process.argv[1]);
(async () => {
  for (let i = 0; i < count; ++i) {
    const answer = await fetch(url, {headers: fields});
    await answer.text();
    console.log(answer.status);
  }
})();
"""
IN_A_ROW = {
    "curl": lambda url, fields, count: ["curl", "-s", "-m", "30", "-w", "%{http_code}\n", *(word for name, value in fields.items() for word in ("-H", f"{name}: {value}")),
                                        *["-o", "/dev/null", url] * count],
    "Python": lambda *call: [sys.executable, "-c", PYTHON_IN_A_ROW, json.dumps(call)],
    "Node": lambda *call: ["node", "-e", NODE_IN_A_ROW, json.dumps(call)],
}


@dataclass
class Seen:
    status: int
    fields: dict
    body: str
    error: str = ""
    json: dict = field(default=None)


def call(world, url, method="GET", fields=None, body=None, client="curl"):
    """One call from the captured cgroup."""
    words = PROGRAMS[client](json.dumps([method, url, fields or {}, body]))
    outcome, _ = world.run(words, captured=True, timeout=60)
    if outcome.status != 0:
        raise RuntimeError(f"{client} ended with {outcome.status}: {outcome.stderr[-2000:]}")
    seen = Seen(**json.loads(outcome.stdout))
    if seen.fields.get("content-type", "").startswith("application/json"):
        seen.json = json.loads(seen.body)
    return seen


def statuses(world, url, count, fields=None, client="curl"):
    """The status codes of so many calls, one after the other, by one captured process."""
    outcome, _ = world.run(IN_A_ROW[client](url, fields or {}, count), captured=True, timeout=60)
    codes = [int(line) for line in outcome.stdout.split()]
    if len(codes) != count:
        raise RuntimeError(f"{client} ended with {outcome.status} after {codes}: {outcome.stderr[-2000:]}")
    return codes
