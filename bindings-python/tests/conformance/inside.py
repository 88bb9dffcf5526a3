"""What only the library of the conformance driver can be told: a call that breaks inside is an error of kind `internal`, and the
calls after it go on; a clock that was moved is moved for every call from then on.
"""

from __future__ import annotations

import asyncio
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import ClassVar

from storycore import APIConnectionError, AsyncStoryCoreClient, OAuthCredential, StoryCoreClient, StoryCoreError
from storycore._storycore import _advance, _panic

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


class Platform(BaseHTTPRequestHandler):
    """Gives tokens that hold for an hour, counts them, and has no project."""

    protocol_version = "HTTP/1.1"
    tokens: ClassVar[int] = 0

    def do_POST(self) -> None:
        type(self).tokens += 1
        self.answer(b'{"access_token": "access", "token_type": "Bearer", "expires_in": 3600}')

    def do_GET(self) -> None:
        self.answer(b'{"data": []}')

    def answer(self, body: bytes) -> None:
        self.rfile.read(int(self.headers.get("content-length", 0)))
        self.send_response(200)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        pass


async def moved(url: str) -> None:
    credential = OAuthCredential.client_credentials("cut", "secret-of-cut")
    async with AsyncStoryCoreClient(oauth=credential, base_url=url, max_retries=0) as client:
        await client.projects.list()
        for times in range(1, 31):
            assert Platform.tokens == times
            # For a call that is made at once its token has ended, and its own time has not.
            _advance(3_700_000)
            await client.projects.list()


def clock() -> None:
    with ThreadingHTTPServer(("127.0.0.1", 0), Platform) as server:
        server.daemon_threads = True
        threading.Thread(target=server.serve_forever, daemon=True).start()
        try:
            asyncio.run(moved(f"http://127.0.0.1:{server.server_port}"))
        finally:
            server.shutdown()


sync()
asyncio.run(awaited())
clock()
