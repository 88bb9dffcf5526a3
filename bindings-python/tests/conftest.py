"""What every test file here has: pytest's own fixture for testing plugins, and clients of an empty platform."""

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
