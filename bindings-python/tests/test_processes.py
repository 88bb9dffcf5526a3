"""What the client does to the process that it lives in: threads, signals, callbacks, pickles. Forks are in `test_forks.py`."""

from __future__ import annotations

import asyncio
import os
import pickle
import signal
import subprocess
import sys
import textwrap
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest
from waiting import until

from storycore import AsyncStoryCoreClient, CallCancelledError, StoryCoreClient
from storycore.testing import LocalPlatform


def test_threads_share_a_client(client: StoryCoreClient) -> None:
    with ThreadPoolExecutor(16) as pool:
        made = list(pool.map(lambda n: client.projects.create(name=f"Film {n}"), range(100)))
    assert len({project.id for project in made}) == 100


def test_other_threads_run_while_a_call_waits(
    client: StoryCoreClient, storycore_platform: LocalPlatform
) -> None:
    storycore_platform.fault("/api/projects", times=0, delay_ms=60_000)
    with ThreadPoolExecutor(1) as pool:
        calling = pool.submit(client.projects.list)
        # Held all the while, the interpreter would let this thread go on when the call has run out of time.
        until(storycore_platform.requests, "the call has not begun")
        for _ in range(100):
            time.sleep(0.001)
        assert not calling.done()
        client.close()
        assert isinstance(calling.exception(30), CallCancelledError)


def test_a_thread_that_makes_no_further_call_holds_nobody_up(client: StoryCoreClient) -> None:
    done = threading.Event()

    def call_once() -> None:
        client.projects.list()
        done.wait(60)

    threads = [threading.Thread(target=call_once) for _ in range(4)]
    for thread in threads:
        thread.start()
    try:
        with ThreadPoolExecutor(4) as pool:
            pages = list(pool.map(lambda _: client.projects.list(), range(40), timeout=30))
    finally:
        done.set()
        for thread in threads:
            thread.join()
    assert all(page.data == [] for page in pages)


@pytest.mark.usefixtures("interruptible")
def test_ctrl_c_ends_a_call_at_once(client: StoryCoreClient, storycore_platform: LocalPlatform) -> None:
    storycore_platform.fault("/api/projects", times=0, delay_ms=60_000)
    for call in (client.projects.list, lambda: next(client.projects.items())):
        timer = threading.Timer(0.3, os.kill, (os.getpid(), signal.SIGINT))
        began = time.monotonic()
        with pytest.raises(KeyboardInterrupt):
            # Here: on a busy machine the signal may come before the call has begun.
            timer.start()
            call()
        assert time.monotonic() - began < 10
        timer.join()
    storycore_platform.clear_faults()
    assert client.projects.list().data == []


@pytest.mark.usefixtures("interruptible")
def test_ctrl_c_ends_a_program_of_asyncio(storycore_platform: LocalPlatform) -> None:
    storycore_platform.fault("/api/projects", times=0, delay_ms=60_000)
    program = f"""
        import asyncio, storycore
        async def main():
            async with storycore.AsyncStoryCoreClient({storycore_platform.api_key!r}, base_url={storycore_platform.url!r}) as client:
                print("calling", flush=True)
                await client.projects.list()
        asyncio.run(main())
    """
    process = subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(program)], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    try:
        assert process.stdout is not None
        assert process.stdout.readline() == "calling\n"
        time.sleep(0.3)
        process.send_signal(signal.SIGINT)
        _, errors = process.communicate(timeout=30)
    finally:
        process.kill()
    assert "KeyboardInterrupt" in errors


def test_a_callback_may_call_the_client(client: StoryCoreClient) -> None:
    seen = []
    asset = client.media.upload(
        b"some text", file_name="a.txt", progress=lambda _: seen.append(client.projects.list())
    )
    assert asset.size == 9 and seen


def test_a_keyboard_interrupt_in_a_callback_ends_the_call(
    client: StoryCoreClient, async_client: AsyncStoryCoreClient
) -> None:
    def interrupt(_: object) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        client.media.upload(b"some text", file_name="a.txt", progress=interrupt)
    with pytest.raises(KeyboardInterrupt):
        asyncio.run(async_client.media.upload(b"some text", file_name="a.txt", progress=interrupt))
    assert client.projects.list().data == []


def test_an_exception_in_progress_ends_the_upload_and_is_the_callers_own(
    client: StoryCoreClient, async_client: AsyncStoryCoreClient
) -> None:
    class Mine(Exception):
        pass

    def fail(_: object) -> None:
        raise Mine("of the caller")

    with pytest.raises(Mine, match="of the caller"):
        client.media.upload(b"some text", file_name="a.txt", progress=fail)
    with pytest.raises(Mine, match="of the caller"):
        asyncio.run(async_client.media.upload(b"some text", file_name="a.txt", progress=fail))


def test_importing_starts_nothing_and_loads_little() -> None:
    program = """
        import sys, threading, os
        before = set(sys.modules)
        files = len(os.listdir("/proc/self/fd"))
        import storycore
        client = storycore.StoryCoreClient("sk_test", base_url="http://127.0.0.1:9")
        loaded = set(sys.modules) - before
        assert not {"asyncio", "logging", "typing", "enum", "datetime", "json"} & loaded, loaded
        assert threading.active_count() == 1 and len(os.listdir("/proc/self/task")) == 1
        assert len(os.listdir("/proc/self/fd")) == files
    """
    subprocess.run([sys.executable, "-c", textwrap.dedent(program)], check=True)


def test_objects_survive_a_pickle(client: StoryCoreClient) -> None:
    hook = client.webhooks.create(url="http://127.0.0.1:9/", events=["*"])
    again = pickle.loads(pickle.dumps(hook))
    assert again == hook and again.secret == hook.secret
    assert hook.secret not in repr(hook)
