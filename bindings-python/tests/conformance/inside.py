"""What becomes of a call that breaks inside: an error of kind `internal`, and the calls after it go on.

Run with the library of the conformance driver, which alone can be told to break.
"""

from __future__ import annotations

import asyncio

from storycore import APIConnectionError, AsyncStoryCoreClient, StoryCoreClient, StoryCoreError
from storycore._storycore import _panic

# Nobody listens there: an answer of its own kind, from a thread that still works.
WHERE = {"api_key": "a-key", "base_url": "http://127.0.0.1:9", "max_retries": 0}


def is_told(error: StoryCoreError) -> None:
    assert error.kind == "internal" and type(error) is StoryCoreError, repr(error)
    assert "failed inside" in str(error), str(error)


def sync() -> None:
    with StoryCoreClient(**WHERE) as client:
        for at_once in (True, False) * 3:
            try:
                _panic(client, at_once)
            except StoryCoreError as error:
                is_told(error)
            else:
                raise AssertionError("a call that broke gave something")
        try:
            client.projects.list()
        except APIConnectionError:
            return
        raise AssertionError("nobody listens there")


async def awaited() -> None:
    async with AsyncStoryCoreClient(**WHERE) as client:
        for at_once in (True, False) * 3:
            try:
                await asyncio.wait_for(_panic(client, at_once), 30)
            except StoryCoreError as error:
                is_told(error)
            else:
                raise AssertionError("a call that broke gave something")
        # More than one thread would take.
        calls = [asyncio.wait_for(client.projects.list(), 30) for _ in range(30)]
        ended = await asyncio.gather(*calls, return_exceptions=True)
        assert {type(error) for error in ended} == {APIConnectionError}, ended


sync()
asyncio.run(awaited())
