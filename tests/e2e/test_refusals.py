"""A provider that fails looks as TCP shows it, never as an HTTP status made up by the gateway."""

import time

from attempt import attempt

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
