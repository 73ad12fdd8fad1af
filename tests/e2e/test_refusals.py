"""A provider that fails looks as TCP shows it, never as an HTTP status made up by the gateway."""

import sys
import time

from attempt import attempt
from world.deadline import wait_until


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
    assert seconds < 2.5  # the kernel may believe the ICMP error only at its second attempt, after a second


def test_a_silent_provider_is_silence_until_the_client_gives_up(lunard, world):
    result, seconds, _ = attempt(world, "silent.example.com", patience=1.5)
    assert result == "TimeoutError"
    assert 1.4 < seconds < 4


UPLOADS = """
import http.client
for _ in range(30):
    calls = http.client.HTTPConnection("python.example.com", timeout=10)
    calls.putrequest("POST", "/upload")
    for name, value in (("Content-Type", "text/plain"), ("Content-Type", "text/html"), ("Content-Length", str(2 << 20))):
        calls.putheader(name, value)
    calls.endheaders()
    try:
        calls.send(b"x" * (2 << 20))
        assert calls.getresponse().status == 400
    except OSError:
        pass  # the provider has refused the head and gone; its reset may overtake its answer, as without a gateway
"""


def test_a_provider_that_refuses_an_upload_and_resets_is_not_taken_for_unreachable(lunard, world):
    """Or else the next calls would go direct, past every flow."""
    outcome, cgroup = world.run([sys.executable, "-c", UPLOADS], captured=True)
    assert outcome.status == 0, outcome

    def uploads():
        return [line for line in lunard.lines_of(cgroup) if line["path"] == "/upload"]
    wait_until(lambda: len(uploads()) == 30, 5, uploads)
    assert "refused" not in {line["termination_state"] for line in lunard.lines_of(cgroup)}
