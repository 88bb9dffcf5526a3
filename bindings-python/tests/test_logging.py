"""The client's lines in `logging`: when they come, and what is in none of them."""

from __future__ import annotations

import asyncio
import logging
import os
import signal
import threading
import time

import pytest

from storycore import AsyncStoryCoreClient, NotFoundError, StoryCoreClient
from storycore.testing import LocalPlatform


def calls(caplog: pytest.LogCaptureFixture) -> list[dict[str, object]]:
    """The fields of each call that was told of."""
    told = [getattr(record, "storycore", {}) for record in caplog.records if record.name == "storycore"]
    return [line["fields"] for line in told if line.get("span") == "storycore.call"]


def test_a_program_that_listens_hears_of_each_call_and_of_no_secret(
    storycore_platform: LocalPlatform, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG, "storycore")
    with StoryCoreClient(storycore_platform.api_key, base_url=storycore_platform.url) as client:
        project = client.projects.create(name="A film that nobody may hear of")
        with pytest.raises(NotFoundError):
            client.projects.get("prj_none")
    made, missed = calls(caplog)
    assert (made["http.request.method"], made["url.template"]) == ("POST", "/projects")
    assert missed["error.type"] == "not_found"
    everything = " ".join(f"{record.getMessage()} {vars(record)}" for record in caplog.records)
    for secret in (storycore_platform.api_key, "nobody may hear", project.id):
        assert secret not in everything


def test_an_attempt_that_fails_is_told_before_the_call_ends_well(
    storycore_platform: LocalPlatform, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG, "storycore")
    storycore_platform.fault("/api/projects", times=1, status=503)
    with StoryCoreClient(storycore_platform.api_key, base_url=storycore_platform.url) as client:
        client.projects.list()
    assert any("trying again" in record.getMessage() for record in caplog.records)


def test_calls_of_asyncio_are_told_too(
    storycore_platform: LocalPlatform, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG, "storycore")

    async def main() -> None:
        async with AsyncStoryCoreClient(storycore_platform.api_key, base_url=storycore_platform.url) as client:
            await asyncio.gather(*(client.projects.create(name=f"Film {n}") for n in range(10)))
            # Lines are handed over when the loop is told of calls that ended.
            await client.projects.list()

    asyncio.run(main())
    assert len(calls(caplog)) >= 10


def test_a_program_that_wants_warnings_is_told_of_no_call(
    storycore_platform: LocalPlatform, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.WARNING, "storycore")
    with StoryCoreClient(storycore_platform.api_key, base_url=storycore_platform.url) as client:
        client.projects.create(name="Film")
    assert not [record for record in caplog.records if record.name == "storycore"]


@pytest.mark.usefixtures("interruptible")
def test_ctrl_c_is_not_lost_while_lines_are_handed_over(
    storycore_platform: LocalPlatform, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "storycore")
    storycore_platform.fault("/api/projects", times=0, delay_ms=5)
    with StoryCoreClient(storycore_platform.api_key, base_url=storycore_platform.url) as client:
        for number in range(20):
            # Not always at the same place within a call.
            timer = threading.Timer(0.03 + number / 1000, os.kill, (os.getpid(), signal.SIGINT))
            end = time.monotonic() + 30
            with pytest.raises(KeyboardInterrupt):
                # Here: on a busy machine the signal may come before the first call has begun.
                timer.start()
                while time.monotonic() < end:
                    client.projects.list()
            timer.join()
            caplog.clear()
        client.projects.list()
    assert calls(caplog)


@pytest.mark.parametrize("of", ["filter", "level"])
def test_what_a_logger_raises_fails_no_call_and_an_interrupt_does(
    storycore_platform: LocalPlatform, caplog: pytest.LogCaptureFixture, of: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    caplog.set_level(logging.INFO, "storycore")
    logger, raised = logging.getLogger("storycore"), [KeyboardInterrupt(), ValueError("mine")]

    def fail(*_: object) -> bool:
        if raised and started:
            raise raised.pop()
        return True

    started = False
    unraisable: list[object] = []
    monkeypatch.setattr("sys.unraisablehook", lambda told: unraisable.append(told.exc_value))
    with StoryCoreClient(storycore_platform.api_key, base_url=storycore_platform.url) as client:
        client.projects.list()
        if of == "filter":
            logger.addFilter(fail)
        else:
            monkeypatch.setattr(logger, "getEffectiveLevel", lambda: fail() and logging.INFO)
        try:
            started = True
            interrupted = 0
            end = time.monotonic() + 30
            while raised and time.monotonic() < end:
                try:
                    client.projects.list()
                except KeyboardInterrupt:
                    interrupted += 1
            assert (interrupted, raised) == (1, [])
            caplog.clear()
            client.projects.list()
            # A level that could not be had is asked for again.
            while not calls(caplog) and time.monotonic() < end:
                client.projects.list()
            assert calls(caplog)
        finally:
            logger.removeFilter(fail)
    if of == "filter":
        assert [type(error) for error in unraisable] == [ValueError]
