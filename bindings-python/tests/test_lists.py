"""Lists: a page by itself, and going on from it over everything."""

import asyncio
import pickle
import threading
import time
from typing import Any

import pytest

from storycore import AsyncPage, AsyncStoryCoreClient, InvalidRequestError, Page, Project, StoryCoreClient
from storycore.testing import LocalPlatform


@pytest.fixture
def films(client: StoryCoreClient) -> list[str]:
    """The ids of five projects, in the order in which a list has them."""
    return [client.projects.create(name=f"Film {number}").id for number in range(5)][::-1]


def test_going_over_a_list_goes_over_everything(client: StoryCoreClient, films: list[str]) -> None:
    page = client.projects.list(page_size=2)
    assert [project.id for project in page.data] == films[:2] and page.pagination.has_more
    assert [project.id for project in page] == films
    # It can be gone over again, and left in the middle.
    assert next(iter(page)).id == films[0]
    assert [project.id for project in page] == films


def test_max_items_bounds_the_whole_list_and_offset_begins_it(client: StoryCoreClient, films: list[str]) -> None:
    assert [project.id for project in client.projects.list(page_size=2, max_items=3)] == films[:3]
    assert [project.id for project in client.projects.list(page_size=2, max_items=2)] == films[:2]
    assert [project.id for project in client.projects.list(page_size=2, offset=1)] == films[1:]


def test_filters_go_along_to_the_next_pages(client: StoryCoreClient, films: list[str]) -> None:
    client.projects.update(films[1], status="on_hold")
    names = [project.name for project in client.projects.list(page_size=1, status="planned", sort="name.asc")]
    assert names == ["Film 0", "Film 1", "Film 2", "Film 4"]


def test_pages_follow_one_another(client: StoryCoreClient, films: list[str]) -> None:
    page: Page[Project] | None = client.projects.list(page_size=2)
    seen = []
    while page is not None:
        seen.append([project.id for project in page.data])
        page = page.next_page()
    assert seen == [films[:2], films[2:4], films[4:]]


def test_a_page_of_pages_goes_over_its_own_objects(client: StoryCoreClient, films: list[str]) -> None:
    assert [[project.id for project in page] for page in client.projects.pages(page_size=2)] == [
        films[:2],
        films[2:4],
        films[4:],
    ]


def test_a_list_of_something_below_an_object_goes_on_too(
    client: StoryCoreClient, storycore_platform: LocalPlatform
) -> None:
    hook = client.webhooks.create(url="http://127.0.0.1:9/hook", events=["project.created"])
    for number in range(3):
        client.projects.create(name=f"Film {number}")
    deliveries = client.webhooks.deliveries(hook.id, page_size=1)
    assert len(deliveries.data) == 1
    # A delivery that failed is tried again and is then another one.
    assert len({delivery.id for delivery in deliveries}) >= 3


def test_the_next_page_is_fetched_while_this_one_is_read(
    client: StoryCoreClient, films: list[str], storycore_platform: LocalPlatform
) -> None:
    page = client.projects.list(page_size=2)
    storycore_platform.clear_requests()
    iterator = iter(page)
    # The two at hand are not touched yet.
    deadline = 200
    while not storycore_platform.requests(path="/api/projects") and (deadline := deadline - 1):
        asyncio.run(asyncio.sleep(0.05))
    assert deadline, "nothing was asked for"
    assert [project.id for project in iterator] == films


def test_what_fails_on_the_way_is_raised_where_it_is_met(
    client: StoryCoreClient, films: list[str], storycore_platform: LocalPlatform
) -> None:
    page = client.with_options(max_retries=0).projects.list(page_size=2)
    storycore_platform.fault("/api/projects", status=400)
    seen: list[Any] = []
    with pytest.raises(InvalidRequestError):
        seen.extend(project.id for project in page)
    assert len([project for project in page.data]) == 2


def test_a_page_can_be_kept(client: StoryCoreClient, films: list[str]) -> None:
    page = client.projects.list(page_size=2)
    kept = pickle.loads(pickle.dumps(page))
    assert kept == page and type(kept) is Page
    # What was kept knows of no client.
    assert [project.id for project in kept] == films[:2] and kept.next_page() is None


def test_an_async_list_is_awaited_or_gone_through(async_client: AsyncStoryCoreClient, films: list[str]) -> None:
    async def run() -> None:
        assert [project.id async for project in async_client.projects.list(page_size=2)] == films
        page = await async_client.projects.list(page_size=2)
        assert type(page) is AsyncPage and [project.id for project in page.data] == films[:2]
        assert [project.id async for project in page] == films
        after = await page.next_page()
        assert after is not None and [project.id for project in after.data] == films[2:4]
        last = await after.next_page()
        assert last is not None and await last.next_page() is None
        assert [project.id async for project in last] == films[4:]
        with pytest.raises(TypeError, match="async for"):
            iter(page)  # type: ignore[call-overload]
        task, other = asyncio.create_task(async_client.projects.list()), async_client.projects.list()
        assert [len(page.data) for page in await asyncio.gather(task, other)] == [5, 5]
        pages = [[project.id async for project in page] async for page in async_client.projects.pages(page_size=3)]
        assert pages == [films[:3], films[3:]]

    asyncio.run(run())


@pytest.mark.filterwarnings("error")
def test_a_list_that_is_gone_through_needs_no_await(async_client: AsyncStoryCoreClient) -> None:
    async def run() -> list[Project]:
        call = async_client.projects.list()
        seen = [project async for project in call]
        with pytest.raises(RuntimeError, match="again"):
            call.__aiter__()
        return seen

    assert asyncio.run(run()) == []


def test_threads_share_an_iterator_and_each_object_comes_once(client: StoryCoreClient) -> None:
    made = {client.projects.create(name=f"Film {n}").id for n in range(60)}
    shared = client.projects.items(page_size=7)
    taken: list[str] = []

    def take() -> None:
        while True:
            try:
                taken.append(next(shared).id)
            except StopIteration:
                return
            except RuntimeError as error:
                # As a generator that is executing already: one thread at a time fetches.
                assert "already waiting" in str(error)
                time.sleep(0.001)

    threads = [threading.Thread(target=take) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert len(taken) == 60 and set(taken) == made
