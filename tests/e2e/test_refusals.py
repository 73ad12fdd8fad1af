"""A provider that fails looks as TCP shows it, never as an HTTP status made up by the gateway."""

import sys
import time

import pytest

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


def attempt(world, host, port=80, captured=True, patience=3, settings=None):
    outcome, cgroup = world.run([sys.executable, "-c", PROBE, host, str(port), str(patience)], captured=captured)
    return outcome.stdout.strip(), float(outcome.stderr.split()[-1]), cgroup


def test_a_refusing_provider_is_a_refusal_or_a_reset_and_never_an_answer(lunard, world):
    assert attempt(world, "refusing4.example.com", captured=False)[0] == "ConnectionRefusedError"
    result, seconds, _ = attempt(world, "refusing4.example.com")
    assert result in ("ConnectionRefusedError", "ConnectionResetError")
    assert seconds < 1


def test_the_retry_to_a_refusing_provider_sees_the_true_error(lunard, world):
    address = "198.18.1.9"
    time.sleep(1.1)  # what an earlier test taught the hook lasts for a second
    first, _, _ = attempt(world, address, port=4001)
    second, _, _ = attempt(world, address, port=4001)
    assert first in ("ConnectionRefusedError", "ConnectionResetError")
    assert second == "ConnectionRefusedError"


def test_a_refusing_provider_over_ipv6_behaves_alike(lunard, world):
    first, _, _ = attempt(world, "2001:db8:1::9", port=4002)
    second, _, _ = attempt(world, "2001:db8:1::9", port=4002)
    assert first in ("ConnectionRefusedError", "ConnectionResetError")
    assert second == "ConnectionRefusedError"


def test_an_unreachable_provider_is_an_error_at_once(lunard, world):
    assert attempt(world, "unreachable.example.com", captured=False)[0] == "OSError"
    result, seconds, _ = attempt(world, "unreachable.example.com")
    assert result in ("OSError", "ConnectionResetError")
    assert seconds < 1


def test_a_silent_provider_is_silence_until_the_client_gives_up(lunard, world):
    result, seconds, _ = attempt(world, "silent.example.com", patience=1.5)
    assert result == "TimeoutError"
    assert 1.4 < seconds < 4


@pytest.mark.limit(60)
def test_a_silent_provider_is_reset_after_the_connect_timeout(make_lunard, world):
    lunard = make_lunard({"timeouts": {"connect": "1s"}})
    lunard.attach(world.captured)
    result, seconds, _ = attempt(world, "silent.example.com", patience=10)
    assert result == "ConnectionResetError"
    assert 0.8 < seconds < 3
