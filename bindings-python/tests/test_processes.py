"""What the client does to the process that it lives in: forks, threads, signals, pickles."""

from __future__ import annotations

import asyncio
import gc
import logging
import multiprocessing
import os
import pickle
import signal
import subprocess
import sys
import textwrap
import threading
import time
import traceback
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import ClassVar

import pytest

from storycore import (
    APITimeoutError,
    AsyncStoryCoreClient,
    CallCancelledError,
    CircuitBreaker,
    CircuitOpenError,
    OAuthCredential,
    ServerError,
    StoryCoreClient,
)
from storycore.testing import LocalPlatform


@pytest.fixture
def stalled(storycore_platform: LocalPlatform) -> LocalPlatform:
    storycore_platform.fault("/api/projects/never", times=0, delay_ms=60_000)
    return storycore_platform


def _until(is_so: Callable[[], object], what: str) -> None:
    end = time.monotonic() + 30
    while not is_so():
        assert time.monotonic() < end, what
        time.sleep(0.01)


def test_closing_a_client_with_options_ends_its_own_calls_and_nobody_elses(
    client: StoryCoreClient, stalled: LocalPlatform
) -> None:
    derived = client.with_options(max_retries=0)
    below = derived.with_options(timeout=60)
    beside = client.with_options(max_retries=0)
    with ThreadPoolExecutor(4) as pool:
        calls = [pool.submit(each.projects.get, "never") for each in (derived, below, client, beside)]
        _until(lambda: len(stalled.requests()) == 4, "not every call has begun")
        derived.close()
        for mine in calls[:2]:
            assert isinstance(mine.exception(30), CallCancelledError)
        for closed in (derived, below):
            with pytest.raises(CallCancelledError):
                closed.projects.list()
        for still_open in (client, beside):
            assert still_open.projects.list().data == []
        client.close()
        for theirs in calls[2:]:
            assert isinstance(theirs.exception(30), CallCancelledError)
    with pytest.raises(CallCancelledError):
        beside.projects.list()


def test_an_answer_that_comes_while_the_client_is_closed_keeps_no_connection_open() -> None:
    ended = threading.Event()
    client: StoryCoreClient

    class Closing(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            # As another thread of the program does, just before the answer is there.
            client.close()
            body = b'{"id": "prj_1"}'
            self.send_response(200)
            self.send_header("content-type", "application/json")
            self.send_header("content-length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def finish(self) -> None:
            super().finish()
            ended.set()

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Closing) as server:
        server.daemon_threads = True
        threading.Thread(target=server.serve_forever, daemon=True).start()
        try:
            answered = 0
            for _ in range(10):
                ended.clear()
                client = StoryCoreClient(api_key="a-key", base_url=f"http://127.0.0.1:{server.server_port}")
                # One that takes longer than its client's next look is ended itself.
                with suppress(CallCancelledError):
                    answered += client.projects.get("prj_1").id == "prj_1"
                assert ended.wait(30), "a closed client has a connection"
            assert answered, "no answer came in time"
        finally:
            server.shutdown()


def _in_child(client: StoryCoreClient, async_client: AsyncStoryCoreClient) -> None:
    made = client.projects.create(name="from the child")
    found = asyncio.run(async_client.projects.get(made.id))
    assert found == made
    assert made.id in [project.id for project in client.projects.items()]


def test_a_forked_child_uses_the_same_client(
    client: StoryCoreClient, async_client: AsyncStoryCoreClient
) -> None:
    client.projects.create(name="from the parent")
    asyncio.run(async_client.projects.list())
    children = [
        multiprocessing.get_context("fork").Process(target=_in_child, args=(client, async_client))
        for _ in range(3)
    ]
    for child in children:
        child.start()
    # The parent goes on meanwhile, over its own connections.
    for _ in range(20):
        client.projects.list()
    for child in children:
        child.join(60)
        assert child.exitcode == 0
    assert len(list(client.projects.items())) == 4
    assert len(asyncio.run(async_client.projects.list()).data) == 4


def test_a_child_that_drops_what_it_was_forked_with_takes_nothing_from_its_parent(
    storycore_platform: LocalPlatform,
) -> None:
    with StoryCoreClient(
        base_url=storycore_platform.url,
        api_key=storycore_platform.api_key,
        attempt_timeout=10,
        max_retries=0,
    ) as client:
        for n in range(3):
            client.projects.create(name=f"Film {n}")
        storycore_platform.fault("/api/projects", delay_ms=1000, times=0)
        pages = client.projects.pages(page_size=1)
        # The next page is on its way.
        assert len(next(pages).data) == 1
        child = os.fork()
        if child == 0:
            del pages
            gc.collect()
            os._exit(0)
        assert os.waitpid(child, 0)[1] == 0
        assert [len(page.data) for page in pages] == [1, 1]


def _forked(work: Callable[[], object]) -> int:
    """How a child ends that does this and nothing else: 0, or by what."""
    child = os.fork()
    if child == 0:
        try:
            work()
            os._exit(0)
        except BaseException:
            traceback.print_exc()
            os._exit(1)
    end = time.monotonic() + 30
    while time.monotonic() < end:
        ended, status = os.waitpid(child, os.WNOHANG)
        if ended:
            return os.waitstatus_to_exitcode(status)
        time.sleep(0.01)
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    raise AssertionError("the child does not end")


def test_a_child_waits_for_no_place_in_flight_of_its_parents(stalled: LocalPlatform) -> None:
    with (
        StoryCoreClient(stalled.api_key, base_url=stalled.url, max_in_flight=1) as client,
        ThreadPoolExecutor(1) as pool,
    ):
        under_way = pool.submit(client.with_options(max_retries=0).projects.get, "never")
        _until(stalled.requests, "the call has not begun")
        hasty = client.with_options(timeout=10)
        assert _forked(hasty.projects.list) == 0
        # The parent's own limit stays as it is.
        with pytest.raises(APITimeoutError, match="no place among the calls in flight"):
            client.with_options(timeout=0.3).projects.list()
        client.close()
        assert isinstance(under_way.exception(30), CallCancelledError)


def test_a_child_tries_a_host_that_its_parent_is_trying(stalled: LocalPlatform) -> None:
    breaker = CircuitBreaker(failure_threshold=1, recovery_timeout=0.2)
    stalled.fault("/api/projects/broken", times=1, status=500)
    with (
        StoryCoreClient(stalled.api_key, base_url=stalled.url, circuit_breaker=breaker, max_retries=0) as client,
        ThreadPoolExecutor(1) as pool,
    ):
        with pytest.raises(ServerError):
            client.projects.get("broken")
        time.sleep(0.3)
        # The one call that an open circuit lets through, until it is back.
        probing = pool.submit(client.projects.get, "never")
        _until(lambda: len(stalled.requests()) == 2, "the call has not begun")
        with pytest.raises(CircuitOpenError):
            client.projects.list()
        assert _forked(client.projects.list) == 0
        client.close()
        assert isinstance(probing.exception(30), CallCancelledError)


class _Tokens(BaseHTTPRequestHandler):
    """A platform whose token endpoint answers the first time it is asked, and then when it is told to."""

    protocol_version = "HTTP/1.1"
    asked: ClassVar[int]
    renewing: ClassVar[threading.Event]
    go_on: ClassVar[threading.Event]

    def do_POST(self) -> None:
        type(self).asked += 1
        if self.asked == 2:
            self.renewing.set()
            self.go_on.wait(60)
        self._answer(b'{"access_token": "access", "token_type": "Bearer", "expires_in": 0}')

    def do_GET(self) -> None:
        self._answer(b'{"id": "prj_1"}')

    def _answer(self, body: bytes) -> None:
        self.rfile.read(int(self.headers.get("content-length", 0)))
        self.send_response(200)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        pass


def test_a_child_waits_for_no_renewal_of_its_parents() -> None:
    _Tokens.asked, _Tokens.renewing, _Tokens.go_on = 0, threading.Event(), threading.Event()
    with ThreadingHTTPServer(("127.0.0.1", 0), _Tokens) as server:
        server.daemon_threads = True
        threading.Thread(target=server.serve_forever, daemon=True).start()
        credential = OAuthCredential.client_credentials("cut", "secret-of-cut")
        url = f"http://127.0.0.1:{server.server_port}"
        try:
            with StoryCoreClient(oauth=credential, base_url=url) as client, ThreadPoolExecutor(1) as pool:
                client.projects.get("prj_1")
                under_way = pool.submit(client.projects.get, "prj_1")
                assert _Tokens.renewing.wait(30)
                assert _forked(lambda: client.with_options(timeout=10).projects.get("prj_1")) == 0
                _Tokens.go_on.set()
                assert under_way.result(30).id == "prj_1"
        finally:
            _Tokens.go_on.set()
            server.shutdown()


def test_a_child_closes_a_client_whose_calls_are_its_parents(client: StoryCoreClient, stalled: LocalPlatform) -> None:
    def close() -> None:
        # Their stacks are where those of the parent's were.
        others = [threading.Thread(target=sorted, args=(range(100_000),)) for _ in range(16)]
        for other in others:
            other.start()
        for other in others:
            other.join()
        client.close()
        with pytest.raises(CallCancelledError):
            derived.projects.list()

    derived = client.with_options(max_retries=0)
    with ThreadPoolExecutor(8) as pool:
        under_way = [pool.submit(derived.projects.get, "never") for _ in range(8)]
        _until(lambda: len(stalled.requests()) == 8, "not every call has begun")
        # They wait for their client's end since the first time that they looked for a signal.
        time.sleep(0.3)
        assert _forked(close) == 0
        assert client.projects.list().data == []
        client.close()
        assert all(isinstance(call.exception(30), CallCancelledError) for call in under_way)


def test_a_child_of_a_closed_client_has_a_closed_client(client: StoryCoreClient) -> None:
    derived = client.with_options(max_retries=0)
    client.close()

    def call() -> None:
        for closed in (client, derived):
            with pytest.raises(CallCancelledError):
                closed.projects.list()

    assert _forked(call) == 0


def test_a_child_tells_none_of_its_parents_lines(
    storycore_platform: LocalPlatform, caplog: pytest.LogCaptureFixture, tmp_path: Path
) -> None:
    caplog.set_level(logging.INFO, "storycore")
    told = tmp_path / "told.txt"

    class Kept(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            with told.open("a") as file:
                file.write(f"{os.getpid()} {record.getMessage()}\n")

    def call() -> None:
        with StoryCoreClient(storycore_platform.api_key, base_url=storycore_platform.url) as own:
            own.projects.list()

    handler = Kept()
    logging.getLogger("storycore").addHandler(handler)
    try:
        client = AsyncStoryCoreClient(storycore_platform.api_key, base_url=storycore_platform.url)

        async def main() -> None:
            calls = [asyncio.ensure_future(client.projects.get(f"prj_{n}")) for n in range(3)]
            await asyncio.sleep(0)
            # The calls end while this thread does something else, and nobody has heard of them.
            _until(lambda: len(storycore_platform.requests()) == 3, "not every call has begun")
            time.sleep(0.3)
            assert _forked(call) == 0
            await asyncio.gather(*calls, return_exceptions=True)
            await client.projects.list()

        asyncio.run(main())
        client.close()
    finally:
        logging.getLogger("storycore").removeHandler(handler)
    lines = [line.split(" ", 1) for line in told.read_text().splitlines()]
    of_child = [line for number, line in lines if int(number) != os.getpid()]
    assert all("prj" not in line and "not_found" not in line for line in of_child), of_child
    assert sum("not_found" in line for _, line in lines) == 3, lines


def test_threads_share_a_client(client: StoryCoreClient) -> None:
    with ThreadPoolExecutor(16) as pool:
        made = list(pool.map(lambda n: client.projects.create(name=f"Film {n}"), range(100)))
    assert len({project.id for project in made}) == 100


def test_other_threads_run_while_a_call_waits(
    client: StoryCoreClient, storycore_platform: LocalPlatform
) -> None:
    storycore_platform.fault("/api/projects", delay_ms=500)
    counted = 0

    def count() -> None:
        nonlocal counted
        while calling.is_alive():
            counted += 1
            time.sleep(0.001)

    calling = threading.Thread(target=client.projects.list)
    calling.start()
    count()
    # Held all the while, the interpreter would let it count once at most; how often it gets there is the machine's matter.
    assert counted >= 3


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
        timer.start()
        began = time.monotonic()
        with pytest.raises(KeyboardInterrupt):
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
