"""Prints what the access log knows about the newest request to a host: attribution.py LOG HOST"""

import json
import sys

path, host = sys.argv[1:]
with open(path, encoding="utf-8") as log:
    entries = [entry for entry in map(json.loads, log) if entry["host"].partition(":")[0] == host]
if not entries:
    sys.exit(f"{path} has no request to {host}")
newest = entries[-1]
print(f'{newest["method"]} {newest["url"]}  status {newest["status_code"]}  {newest["total_duration"]} ms')
for key, value in newest["process"].items():
    if value not in (None, "", []):
        print(f"  {key:10} {value}")
