"""Waiting for what another thread or the platform does."""

import time
from collections.abc import Callable


def until(is_so: Callable[[], object], what: str) -> None:
    end = time.monotonic() + 30
    while not is_so():
        assert time.monotonic() < end, what
        time.sleep(0.01)
