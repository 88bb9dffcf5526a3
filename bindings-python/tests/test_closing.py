"""What a client's end ends: its own calls and connections, and nobody else's. Async clients are in `test_asyncio.py`."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from waiting import until

from storycore import CallCancelledError, StoryCoreClient
from storycore.testing import LocalPlatform


def test_closing_a_client_with_options_ends_its_own_calls_and_nobody_elses(
    client: StoryCoreClient, stalled: LocalPlatform
) -> None:
    derived = client.with_options(max_retries=0)
    below = derived.with_options(timeout=60)
    beside = client.with_options(max_retries=0)
    with ThreadPoolExecutor(4) as pool:
        calls = [pool.submit(each.projects.get, "never") for each in (derived, below, client, beside)]
        until(lambda: len(stalled.requests()) == 4, "not every call has begun")
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
