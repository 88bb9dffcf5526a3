"""Clients of the caller's own class, and of the environment."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from storycore import AsyncStoryCoreClient, CallCancelledError, ConfigError, StoryCoreClient
from storycore.testing import LocalPlatform


@pytest.fixture
def environment(storycore_platform: LocalPlatform, monkeypatch: pytest.MonkeyPatch) -> LocalPlatform:
    for name in ("API_KEY", "BASE_URL", "PLATFORM", "TIMEOUT", "MAX_RETRIES"):
        monkeypatch.delenv(f"STORYCORE_{name}", raising=False)
    monkeypatch.setenv("STORYCORE_API_KEY", storycore_platform.api_key)
    monkeypatch.setenv("STORYCORE_BASE_URL", storycore_platform.url)
    return storycore_platform


class Ours(StoryCoreClient):
    team = "nobody"

    def films(self) -> list[str]:
        return [project.name for project in self.projects.items()]


class AsyncOurs(AsyncStoryCoreClient):
    pass


class Of(StoryCoreClient):
    """One that is made of something of its own."""

    def __new__(cls, team: str, **settings: Any) -> Of:
        return super().__new__(cls, **settings)

    def __init__(self, team: str, **settings: Any) -> None:
        self.team = team


@pytest.mark.usefixtures("environment")
def test_a_client_of_ones_own_class_stays_one() -> None:
    ours = Ours.from_env()
    assert type(ours) is Ours
    derived = ours.with_options(timeout=30)
    assert type(derived) is Ours and derived.films() == [] and derived is not ours
    assert type(derived.with_options(max_retries=0)) is Ours
    assert type(StoryCoreClient.from_env()) is StoryCoreClient
    assert type(StoryCoreClient.from_env().with_options(max_retries=0)) is StoryCoreClient

    their = AsyncOurs.from_env()
    assert type(their) is AsyncOurs and type(their.with_options(max_retries=0)) is AsyncOurs
    assert asyncio.run(their.with_options(max_retries=0).projects.list()).data == []
    their.close()


def test_what_a_client_of_ones_own_class_keeps_goes_along(environment: LocalPlatform) -> None:
    client = Of("cut", api_key=environment.api_key, base_url=environment.url)
    derived = client.with_options(max_retries=0)
    assert type(derived) is Of and derived.team == "cut"
    assert derived.projects.list().data == []
    derived.team = "sound"
    assert client.team == "cut"
    client.close()
    with pytest.raises(CallCancelledError):
        derived.projects.list()


def test_settings_that_are_given_go_before_the_environment(
    environment: LocalPlatform, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("STORYCORE_PLATFORM", "agents")
    assert StoryCoreClient.from_env().platform == "agents"
    assert StoryCoreClient.from_env(platform=None, timeout=5).platform == "agents"
    monkeypatch.setenv("STORYCORE_MAX_RETRIES", "0")
    with StoryCoreClient.from_env(platform="storycore", max_retries=1, headers={"x-team": "cut"}) as client:
        environment.fault("/api/projects", times=1, status=503)
        assert client.platform == "storycore" and client.projects.list().data == []
    assert [asked.headers["x-team"] for asked in environment.requests()] == ["cut", "cut"]

    monkeypatch.setenv("STORYCORE_BASE_URL", "http://127.0.0.1:9")
    monkeypatch.setenv("STORYCORE_API_KEY", "sk_another")
    monkeypatch.delenv("STORYCORE_PLATFORM")
    with StoryCoreClient.from_env(api_key=environment.api_key, base_url=environment.url) as client:
        assert client.projects.list().data == []

    monkeypatch.setenv("STORYCORE_TIMEOUT", "soon")
    with pytest.raises(ConfigError, match="STORYCORE_TIMEOUT"):
        StoryCoreClient.from_env()
    StoryCoreClient.from_env(timeout=5).close()
    monkeypatch.delenv("STORYCORE_TIMEOUT")

    with pytest.raises(TypeError, match="nothing"):
        StoryCoreClient.from_env(nothing=1)  # type: ignore[call-arg]


@pytest.mark.usefixtures("environment")
def test_another_credential_takes_the_place_of_the_key(monkeypatch: pytest.MonkeyPatch) -> None:
    StoryCoreClient.from_env(anonymous=True).close()
    monkeypatch.delenv("STORYCORE_API_KEY")
    StoryCoreClient.from_env(anonymous=True).close()
    StoryCoreClient.from_env(api_key="sk_test").close()
    for without in ({}, {"anonymous": False}, {"api_key": None}):
        with pytest.raises(ConfigError, match="STORYCORE_API_KEY is not set"):
            StoryCoreClient.from_env(**without)  # type: ignore[arg-type]
