"""What every test file here has: pytest's own fixture for testing plugins, and clients of an empty platform."""

import signal
from collections.abc import Iterator

import pytest

from storycore import AsyncStoryCoreClient, StoryCoreClient
from storycore.testing import LocalPlatform

pytest_plugins = ["pytester"]


@pytest.fixture
def client(storycore_platform: LocalPlatform) -> Iterator[StoryCoreClient]:
    with StoryCoreClient(api_key=storycore_platform.api_key, base_url=storycore_platform.url) as client:
        yield client


@pytest.fixture
def async_client(storycore_platform: LocalPlatform) -> Iterator[AsyncStoryCoreClient]:
    client = AsyncStoryCoreClient(api_key=storycore_platform.api_key, base_url=storycore_platform.url)
    yield client
    client.close()


@pytest.fixture
def stalled(storycore_platform: LocalPlatform) -> LocalPlatform:
    """A platform that answers one path only after the test."""
    storycore_platform.fault("/api/projects/never", times=0, delay_ms=60_000)
    return storycore_platform


@pytest.fixture
def interruptible() -> Iterator[None]:
    """What a shell starts in the background ignores Ctrl-C, and so would these tests."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)
