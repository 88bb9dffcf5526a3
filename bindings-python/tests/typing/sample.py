"""User code that type checkers must accept; a line that they must refuse says so, and is checked for that."""

from __future__ import annotations

import asyncio
from datetime import date, datetime
from pathlib import Path

from storycore import (
    OMIT,
    Asset,
    AsyncPage,
    AsyncStoryCoreClient,
    Capture,
    Job,
    JobFailedError,
    NotFoundError,
    Page,
    Progress,
    Project,
    ProjectStatus,
    RawResponse,
    StoryCoreClient,
    StoryCoreError,
    metrics,
)
from storycore.inputs import VideoSettings


def told(progress: Progress) -> None:
    print(progress.acknowledged / progress.total)


def sync(client: StoryCoreClient) -> None:
    project: Project = client.projects.create(
        name="Film", settings={"fps": 25}, start_date=date(2026, 1, 31), status=ProjectStatus.PLANNED
    )
    name: str = project.name
    made: datetime | None = project.created_at
    status: ProjectStatus = project.status
    client.projects.update(project.id, name=OMIT, description=None, status="on_hold")
    page: Page[Project] = client.projects.list(status="planned", page_size=10)
    first: Project = page.data[0]
    behind: Page[Project] | None = page.next_page()
    everything: list[Project] = list(client.projects.list())
    total: int = page.pagination.total
    for each in client.projects.items(max_items=3):
        print(each.budget, each["name"], each.extra)
    settings: VideoSettings = {"quality": "high"}
    asset: Asset = client.media.upload(file_path=Path("film.mp4"), name="Film", progress=told)
    job: Job = client.media.process(asset_id=asset.id, output_settings=settings)
    try:
        done: Job = client.jobs.wait(job.id, timeout=60)
    except JobFailedError as error:
        print(error.job, error.retryable)
    except NotFoundError as error:
        code: str | None = error.code
        print(code)
    except StoryCoreError as error:
        print(error.request_id)
    else:
        print(done.output_asset, name, made, status, first, total, behind, everything)
    capture = Capture()
    client.with_options(capture=capture).projects.get(project.id)
    answer: RawResponse | None = capture.response
    for file in client.media.upload_all(["a.mp4", Path("b.mp4")], project_id=project.id):
        done_or_not: Asset | StoryCoreError | None = file.asset or file.error
        print(done_or_not, answer)
    back: Asset = client.media.prepare_download(asset.id, "film.mp4", max_streams=8).send()
    print(back)
    client.projects.create()  # type: ignore[call-arg]  # pyright: ignore[reportCallIssue]
    client.projects.get(7)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    project.name = "Other"  # type: ignore[misc]  # pyright: ignore[reportAttributeAccessIssue]


class Ours(StoryCoreClient):
    pass


def ours() -> Ours:
    client: Ours = Ours.from_env(timeout=5, headers={"x-team": "cut"})
    StoryCoreClient.from_env(timeout="soon")  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    return client.with_options(max_retries=0)


async def main() -> None:
    closed = AsyncStoryCoreClient.from_env(api_key="sk_test")
    await closed.close()
    closed.close()
    async with AsyncStoryCoreClient(api_key="sk_test", timeout=5.0) as client:
        project: Project = await client.projects.get("prj_1")
        task: asyncio.Task[Project] = asyncio.create_task(client.projects.get(project.id))
        one, page = await asyncio.gather(task, client.projects.list())
        names: list[str] = [each.name for each in page.data]
        async for each in client.projects.list(status="planned"):
            names.append(each.name)
        more: AsyncPage[Project] | None = await (await client.projects.list()).next_page()
        async for file in client.media.upload_all(["a.mp4"]):
            print(file.index, more)
        await client.media.prepare_download("ast_1", "film.mp4").send()
        async for event in client.jobs.events("job_1"):
            print(event.job.progress, one.name, names)
        asset: Asset = await client.media.upload(b"bytes", file_name="a.txt")
        content: bytes = await client.media.content(asset.id)
        print(content, metrics.snapshot())
