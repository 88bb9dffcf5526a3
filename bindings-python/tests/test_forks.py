"""A forked child and the clients of its parent."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import logging
import multiprocessing
import os
import signal
import subprocess
import sys
import threading
import time
import traceback
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import ClassVar

import pytest
from waiting import until

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
        until(stalled.requests, "the call has not begun")
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
        until(lambda: len(stalled.requests()) == 2, "the call has not begun")
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
        until(lambda: len(stalled.requests()) == 8, "not every call has begun")
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
            until(lambda: len(storycore_platform.requests()) == 3, "not every call has begun")
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


# The certificates are read from a pipe into which nobody writes, so that the fork comes while they are.
WHILE_ROOTS_ARE_READ = """
import os, sys, threading
from storycore import StoryCoreClient

pipe, empty, url, key = sys.argv[1:]

def call():
    with StoryCoreClient(key, base_url=url) as client:
        client.projects.list()

os.environ["SSL_CERT_FILE"] = pipe
first = threading.Thread(target=call)
first.start()
writer = os.open(pipe, os.O_WRONLY)
child = os.fork()
if child == 0:
    os.environ["SSL_CERT_FILE"] = empty
    call()
    os._exit(0)
_, status = os.waitpid(child, 0)
os.close(writer)
first.join()
sys.exit(os.waitstatus_to_exitcode(status))
"""


def test_a_child_that_was_forked_while_the_certificates_were_read_makes_calls(
    storycore_platform: LocalPlatform, tmp_path: Path
) -> None:
    pipe, empty = tmp_path / "pipe.pem", tmp_path / "empty.pem"
    os.mkfifo(pipe)
    empty.touch()
    arguments = [str(pipe), str(empty), storycore_platform.url, storycore_platform.api_key]
    # A process of its own, which has read none yet; a group of its own, so that its child ends with it.
    command = [sys.executable, "-c", WHILE_ROOTS_ARE_READ, *arguments]
    with subprocess.Popen(command, start_new_session=True) as process:
        try:
            assert process.wait(60) == 0
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
