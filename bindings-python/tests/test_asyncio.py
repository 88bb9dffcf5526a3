"""The async client: real coroutines, cancelled with their task, in any number of event loops."""

from __future__ import annotations

import asyncio
import gc
import os
import sys
import warnings
from concurrent.futures import ThreadPoolExecutor
from functools import partial

import pytest

from storycore import AsyncStoryCoreClient, CallCancelledError, NotFoundError
from storycore.testing import LocalPlatform


def test_calls_run_side_by_side(async_client: AsyncStoryCoreClient) -> None:
    async def main() -> None:
        made = await asyncio.gather(*[async_client.projects.create(name=f"Film {n}") for n in range(50)])
        assert len({project.id for project in made}) == 50
        found = [project.name async for project in async_client.projects.items(page_size=7, sort="name.asc")]
        assert sorted(found) == sorted(project.name for project in made)
        pages = [len(page.data) async for page in async_client.projects.pages(page_size=20)]
        assert pages == [20, 20, 10]
        with pytest.raises(NotFoundError):
            await async_client.projects.get("prj_none")

    asyncio.run(main())


def test_a_call_is_a_coroutine_for_every_tool_of_asyncio(async_client: AsyncStoryCoreClient) -> None:
    async def main() -> None:
        call = async_client.projects.create(name="Film")
        assert asyncio.iscoroutine(call)
        project = await asyncio.create_task(call)
        assert (await asyncio.wait_for(async_client.projects.get(project.id), 30)).name == "Film"
        assert (await asyncio.shield(async_client.projects.get(project.id))).id == project.id
        done, _ = await asyncio.wait([asyncio.ensure_future(async_client.projects.get(project.id))])
        assert done.pop().result() == project
        with pytest.raises(RuntimeError, match="already awaited"):
            await call

    asyncio.run(main())
    assert len(asyncio.run(async_client.projects.list()).data) == 1


def test_one_client_works_in_one_loop_after_another(async_client: AsyncStoryCoreClient) -> None:
    ids = [asyncio.run(async_client.projects.create(name=f"Film {n}")).id for n in range(20)]
    assert len(set(ids)) == 20


def test_loops_that_ended_leave_no_files_open(async_client: AsyncStoryCoreClient) -> None:
    asyncio.run(async_client.projects.list())
    gc.collect()
    before = len(os.listdir("/proc/self/fd"))
    for _ in range(20):
        asyncio.run(async_client.projects.list())
    gc.collect()
    assert len(os.listdir("/proc/self/fd")) <= before + 2


def test_a_loop_that_is_come_back_to_opens_no_more_files(async_client: AsyncStoryCoreClient) -> None:
    first, second = asyncio.new_event_loop(), asyncio.new_event_loop()

    def both() -> None:
        for loop in (first, second):
            assert loop.run_until_complete(async_client.projects.list()).data == []

    try:
        both()
        before = len(os.listdir("/proc/self/fd"))
        for _ in range(50):
            both()
        assert len(os.listdir("/proc/self/fd")) <= before + 2
        # Threads that take turns with one loop share what it watches.
        for _ in range(10):
            with ThreadPoolExecutor(1) as pool:
                pool.submit(both).result(30)
        assert len(os.listdir("/proc/self/fd")) <= before + 2
    finally:
        first.close()
        second.close()
    both_closed = len(os.listdir("/proc/self/fd"))
    assert both_closed < before


def test_close_may_be_awaited(storycore_platform: LocalPlatform) -> None:
    async def main() -> None:
        client = AsyncStoryCoreClient(storycore_platform.api_key, base_url=storycore_platform.url)
        assert (await client.projects.list()).data == []
        assert await client.close() is None
        with pytest.raises(CallCancelledError):
            client.projects.list()

    asyncio.run(main())


def test_a_cancelled_task_stops_its_request(
    async_client: AsyncStoryCoreClient, storycore_platform: LocalPlatform
) -> None:
    # It is tried again in two seconds, however long it takes until it is cancelled.
    storycore_platform.fault("/api/projects/*", times=0, status=503, headers={"retry-after": "2"})

    async def main() -> None:
        task = asyncio.create_task(async_client.projects.get("prj_1"))
        while not storycore_platform.requests():
            await asyncio.sleep(0.01)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        await asyncio.sleep(2.5)
        assert len(storycore_platform.requests()) == 1

    asyncio.run(main())


def test_a_timeout_of_asyncio_ends_a_call(
    async_client: AsyncStoryCoreClient, storycore_platform: LocalPlatform
) -> None:
    storycore_platform.fault("/api/projects", times=0, delay_ms=60_000)

    async def main() -> None:
        with pytest.raises(asyncio.TimeoutError):
            await asyncio.wait_for(async_client.projects.list(), 0.2)

    asyncio.run(main())


def test_closing_ends_what_is_under_way(
    async_client: AsyncStoryCoreClient, storycore_platform: LocalPlatform
) -> None:
    storycore_platform.fault("/api/projects", times=0, delay_ms=60_000)

    async def main() -> None:
        async with async_client as client:
            task = asyncio.create_task(client.projects.list())
            while not storycore_platform.requests():
                await asyncio.sleep(0.01)
        with pytest.raises(CallCancelledError):
            await task
        with pytest.raises(CallCancelledError):
            client.projects.list()

    asyncio.run(main())


def test_closing_a_client_with_options_ends_its_own_calls_and_nobody_elses(
    async_client: AsyncStoryCoreClient, storycore_platform: LocalPlatform
) -> None:
    storycore_platform.fault("/api/projects/never", times=0, delay_ms=60_000)

    async def main() -> None:
        async with async_client.with_options(max_retries=0) as derived:
            mine = asyncio.create_task(derived.projects.get("never"))
            theirs = asyncio.create_task(async_client.projects.get("never"))
            while len(storycore_platform.requests()) < 2:
                await asyncio.sleep(0.01)
        with pytest.raises(CallCancelledError):
            await mine
        with pytest.raises(CallCancelledError):
            derived.projects.list()
        assert (await async_client.projects.list()).data == [] and not theirs.done()
        await async_client.aclose()
        with pytest.raises(CallCancelledError):
            await theirs

    asyncio.run(main())


def test_a_call_that_nobody_awaits_is_told(async_client: AsyncStoryCoreClient) -> None:
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        async_client.projects.list()
        gc.collect()
    assert any("never awaited" in str(warning.message) for warning in caught)


def test_an_error_in_a_task_leaves_the_others_alone(async_client: AsyncStoryCoreClient) -> None:
    async def main() -> None:
        made = await async_client.projects.create(name="Film")
        calls = [async_client.projects.get(id) for id in (made.id, "prj_none", made.id)]
        first, second, third = await asyncio.gather(*calls, return_exceptions=True)
        assert first == third == made and isinstance(second, NotFoundError)

    asyncio.run(main())


@pytest.mark.parametrize("slip", ["async with", "async for", "for", "len", "item", "plus", "call"])
def test_what_was_not_awaited_is_a_type_error_that_python_itself_words(
    async_client: AsyncStoryCoreClient, slip: str
) -> None:
    async def main() -> None:
        call = partial(async_client.projects.get, "prj_1")
        if slip == "async with":
            async with call():  # type: ignore[attr-defined]
                pass
        elif slip == "async for":
            async for _ in call():  # type: ignore[attr-defined]
                pass
        elif slip == "for":
            for _ in call():  # type: ignore[attr-defined]
                pass
        elif slip == "len":
            len(call())  # type: ignore[arg-type]
        elif slip == "item":
            call()["data"]  # type: ignore[index]
        elif slip == "plus":
            call() + 1  # type: ignore[operator]
        else:
            call()()  # type: ignore[operator]

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)
        expected = AttributeError if slip == "async with" and sys.version_info < (3, 11) else TypeError
        with pytest.raises(expected):
            asyncio.run(main())
