"""Waiting for a condition with a deadline, for things that offer no event to wait on."""

import time


def wait_until(condition, seconds, what):
    """Returns the first truthy value of condition(); raises TimeoutError naming `what`."""
    end = time.monotonic() + seconds
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > end:
            raise TimeoutError(f"not within {seconds} s: {what() if callable(what) else what}")
        time.sleep(0.02)
