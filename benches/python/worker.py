"""One side of the comparison as a process: reads what to measure as a JSON object a line, and answers likewise.

usage: worker.py SIDE URL KEY     SIDE is a module of sides/; started by benches/src/bin/python-bench.rs
"""

from __future__ import annotations

import asyncio
import importlib
import json
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

ID = "prj_ebb969b953c99f063d7c6ba7"


def main(module: str, url: str, key: str) -> None:
    sys.path.insert(0, str(Path(__file__).parent))
    side = importlib.import_module(f"sides.{module}")
    answer({"name": side.NAME})
    worker = Worker(side, url, key)
    for line in sys.stdin:
        task = json.loads(line)
        answer(getattr(worker, task.pop("what"))(**task))


def answer(value: dict[str, Any]) -> None:
    print(json.dumps(value), flush=True)


class Worker:
    """What can be measured of a side."""

    def __init__(self, side: Any, url: str, key: str) -> None:
        self.side, self.url, self.key = side, url, key
        self.client: Any = None
        self.loop: asyncio.AbstractEventLoop | None = None
        self.async_client: Any = None

    def sync(self, at_once: int, seconds: float) -> dict[str, float]:
        """One object a call, from so many threads."""
        get = self.opened().get
        return measured(lambda: in_threads(lambda: get(ID), at_once, seconds))

    def page(self, at_once: int, seconds: float) -> dict[str, float]:
        """A page of 100 objects a call."""
        return measured(lambda: repeated(self.opened().page, seconds))

    def page_read(self, at_once: int, seconds: float) -> dict[str, float]:
        """The same, and every field of every object is read."""
        client = self.opened()

        def read() -> None:
            for p in client.page():
                p.id, p.name, p.description, p.status, p.rag_status, p.progress, p.budget, p.spent  # noqa: B018
                p.start_date, p.end_date, p.settings, p.organization_id, p.created_at, p.updated_at  # noqa: B018

        return measured(lambda: repeated(read, seconds))

    def opened(self) -> Any:
        if self.client is None:
            self.client = self.side.Sync(self.url, self.key)
            project, page = self.client.get(ID), self.client.page()
            assert project.id == ID and project.settings["fps"] == 24 and project.created_at.year == 2026
            assert len(page) == 100 and page[99].created_at == project.created_at
        return self.client

    # `async` is a keyword; the task's name is looked up with `getattr`.
    def _async(self, at_once: int, seconds: float) -> dict[str, float]:
        """One object a call, so many in flight on one event loop."""
        if self.loop is None:
            self.loop = asyncio.new_event_loop()
            self.async_client = self.loop.run_until_complete(self.side.opened(self.url, self.key))
            assert self.loop.run_until_complete(self.async_client.get(ID)).settings["fps"] == 24
        get = self.async_client.get

        async def load() -> int:
            end = time.perf_counter() + seconds

            async def one_after_another() -> int:
                calls = 0
                while time.perf_counter() < end:
                    await get(ID)
                    calls += 1
                return calls

            return sum(await asyncio.gather(*(one_after_another() for _ in range(at_once))))

        loop = self.loop
        return measured(lambda: loop.run_until_complete(load()))

    def failing(self, calls: int) -> dict[str, float]:
        """Memory after calls that fail, beyond what a tenth of them had left."""
        client = self.side.Sync(self.url, self.key)

        def fail(times: int) -> None:
            for _ in range(times):
                try:
                    client.get("missing")
                except Exception as error:
                    assert "missing" in str(error), error
                else:
                    raise AssertionError("it did not fail")

        fail(calls // 10)
        before = resident()
        fail(calls - calls // 10)
        return {"mib": resident() - before}

    def failing_async(self, calls: int) -> dict[str, float]:
        """The same with 64 in flight."""

        async def run() -> float:
            client = await self.side.opened(self.url, self.key)

            async def fail(times: int) -> None:
                for _ in range(times):
                    try:
                        await client.get("missing")
                    except Exception as error:
                        assert "missing" in str(error), error
                    else:
                        raise AssertionError("it did not fail")

            await asyncio.gather(*(fail(calls // 640) for _ in range(64)))
            before = resident()
            await asyncio.gather(*(fail((calls - calls // 10) // 64) for _ in range(64)))
            return resident() - before

        return {"mib": asyncio.run(run())}

    def upload(self, mib: int) -> dict[str, float]:
        """The most memory that the upload of a file takes, beyond what the process had."""
        client = self.side.Sync(self.url, self.key)
        with tempfile.NamedTemporaryFile(suffix=".mp4") as file:
            file.truncate(mib * 1024 * 1024)
            client.upload(__file__)  # What the first upload needs at all: a journal, connections.
            before = resident()
            Path("/proc/self/clear_refs").write_text("5")  # The peak is counted from here.
            client.upload(file.name)
            return {"mib": peak() - before}


setattr(Worker, "async", Worker._async)


def measured(work: Callable[[], int]) -> dict[str, float]:
    started, cpu, own = time.perf_counter(), time.process_time(), time.thread_time()
    calls = work()
    own, cpu, ended = time.thread_time() - own, time.process_time() - cpu, time.perf_counter()
    return {"calls": calls, "seconds": ended - started, "cpu": cpu, "own_thread": own}


def repeated(call: Callable[[], object], seconds: float) -> int:
    calls, end = 0, time.perf_counter() + seconds
    while time.perf_counter() < end:
        call()
        calls += 1
    return calls


def in_threads(call: Callable[[], object], threads: int, seconds: float) -> int:
    if threads == 1:
        return repeated(call, seconds)
    counts: list[int] = []
    running = [threading.Thread(target=lambda: counts.append(repeated(call, seconds))) for _ in range(threads)]
    for thread in running:
        thread.start()
    for thread in running:
        thread.join()
    assert len(counts) == threads, "a thread has failed"
    return sum(counts)


def resident() -> float:
    return status("VmRSS")


def peak() -> float:
    return status("VmHWM")


def status(name: str) -> float:
    """In MiB."""
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith(name + ":"):
            return int(line.split()[1]) / 1024
    raise LookupError(name)


if __name__ == "__main__":
    main(*sys.argv[1:])
