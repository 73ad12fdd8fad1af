"""One connection attempt of a captured or direct program: what it saw and how long that took."""

import sys

PROBE = """
import socket, sys, time
host, port, patience = sys.argv[1], int(sys.argv[2]), float(sys.argv[3])
begin = time.monotonic()
try:
    with socket.create_connection((host, port), patience) as connection:
        connection.sendall(b"GET / HTTP/1.1\\r\\nHost: x\\r\\n\\r\\n")
        print("bytes", len(connection.recv(100)))
except OSError as error:
    print(type(error).__name__)
print(time.monotonic() - begin, file=sys.stderr)
"""


def attempt(world, host, port=80, captured=True, patience=3):
    outcome, cgroup = world.run([sys.executable, "-c", PROBE, host, str(port), str(patience)], captured=captured)
    return outcome.stdout.strip(), float(outcome.stderr.split()[-1]), cgroup
