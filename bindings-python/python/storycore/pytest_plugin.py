"""Fixtures for pytest, found by themselves where storycore-sdk is installed.

    def test_a_film_is_made(storycore_platform):
        storycore_platform.client().projects.create(name="Film")

The platform itself is ``storycore.testing``. Nothing starts before a test asks for it.
"""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from storycore.testing import LocalPlatform


@pytest.fixture(scope="session")
def storycore_platform_process() -> Iterator[LocalPlatform]:
    """One local platform for the whole run (with xdist one a worker), in whatever state the tests left it."""
    with LocalPlatform() as platform:
        yield platform


@pytest.fixture
def storycore_platform(storycore_platform_process: LocalPlatform) -> LocalPlatform:
    """An empty local platform: the run's one, reset before each test."""
    storycore_platform_process.reset()
    return storycore_platform_process
