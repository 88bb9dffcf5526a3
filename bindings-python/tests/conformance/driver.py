"""The conformance suite's driver for Python: makes the calls that it is told on standard input, one JSON object a line.

    python driver.py sync | async

The protocol is in `tests/conformance/src/driver.rs`. Which calls there are, is generated: `operations.py`.
"""

from __future__ import annotations

import asyncio
import json
import logging
import sys
import tempfile
import threading
import time
from pathlib import Path
from typing import Any

from calls import begin, finish, goes_on, without_client
from clients import IS_ASYNC, configured, make
from processes import answer, forked, in_threads
from told import WATCHING, error_told, outcome
from uploads import Upload

from storycore import StoryCoreError, _storycore, metrics


def call_sync(client: Any, operation: dict[str, Any]) -> Any:
    method, args = operation["method"], operation.get("args") or {}
    if (result := without_client(method, client, args)) is not NotImplemented:
        return result
    match method:
        case "process.fork":
            return forked(lambda: call_sync(client, args))
        case "process.runtimes":
            return in_threads(lambda: answer(lambda: call_sync(client, args)))
        case "assets.download":
            with tempfile.TemporaryDirectory() as folder:
                client.assets.download(args["id"], Path(folder, "download"))
                return Path(folder, "download").read_text()
        case "assets.upload":
            upload = Upload(args)
            return upload.told_of(client.assets.upload(upload.file, **upload.options))
    result = begin(method, client, args)
    if goes_on(method):
        items = []
        for item in result:
            items.append(item)
            time.sleep(args.get("pause_ms", 0) / 1000)
        result = items
    return finish(method, args, result)


async def call_async(client: Any, operation: dict[str, Any]) -> Any:
    method, args = operation["method"], operation.get("args") or {}
    if (result := without_client(method, client, args)) is not NotImplemented:
        return result
    match method:
        case "process.fork":
            return await asyncio.to_thread(forked, lambda: asyncio.run(call_async(client, args)))
        case "process.runtimes":
            return await asyncio.to_thread(in_threads, lambda: answer(lambda: asyncio.run(call_async(client, args))))
        case "assets.download":
            with tempfile.TemporaryDirectory() as folder:
                await client.assets.download(args["id"], Path(folder, "download"))
                return Path(folder, "download").read_text()
        case "assets.upload":
            upload = Upload(args)
            return upload.told_of(await client.assets.upload(upload.file, **upload.options))
    result = begin(method, client, args)
    if goes_on(method):
        items = []
        async for item in result:
            items.append(item)
            await asyncio.sleep(args.get("pause_ms", 0) / 1000)
        result = items
    else:
        result = await result
    return finish(method, args, result)


WRITING = threading.Lock()


def write(line: dict[str, Any]) -> None:
    # Calls end on threads of their own, and a text stream is for one at a time.
    with WRITING:
        sys.stdout.write(json.dumps(line) + "\n")
        sys.stdout.flush()


class Driver:
    """What the two drivers share: clients, and what is not a call."""

    def __init__(self) -> None:
        self.clients: dict[str, Any] = {}

    def plain(self, operation: dict[str, Any]) -> bool:
        """Does what is not a call, and says whether it was that."""
        id = operation["id"]
        match operation["op"]:
            case "client":
                try:
                    self.clients[operation.get("client", "a")] = make(operation["options"])
                    write({"id": id, "result": None})
                except StoryCoreError as error:
                    write({"id": id, "error": error_told(error)})
            case "advance":
                if not hasattr(_storycore, "_advance"):
                    told = {"kind": "not_here", "message": "this build has no clock that can be moved"}
                    write({"id": id, "error": told})
                    return True
                _storycore._advance(operation["ms"])
                write({"id": id, "result": None})
            case _:
                return False
        return True


def run_sync() -> None:
    driver = Driver()
    calls: dict[int, Any] = {}

    def call(operation: dict[str, Any], client: Any) -> None:
        try:
            line = outcome(operation["id"], None, call_sync(client, operation))
        except BaseException as error:
            line = outcome(operation["id"], error, None)
        calls.pop(operation["id"], None)
        write(line)

    for line in sys.stdin:
        operation = json.loads(line)
        if driver.plain(operation):
            continue
        if operation["op"] == "cancel":
            # A sync call is ended from elsewhere by closing the client that it was made through.
            client = calls.pop(operation["target"], None)
            if client is not None:
                client.close()
            write({"id": operation["id"], "result": None})
            continue
        try:
            given = driver.clients.get(operation.get("client", "a"))
            client = None if given is None else configured(given, operation)
        except StoryCoreError as error:
            write({"id": operation["id"], "error": error_told(error)})
            continue
        calls[operation["id"]] = client
        threading.Thread(target=call, args=(operation, client), daemon=True).start()


async def run_async() -> None:
    driver = Driver()
    tasks: dict[int, asyncio.Task[None]] = {}
    loop = asyncio.get_running_loop()
    lines: asyncio.Queue[str | None] = asyncio.Queue()

    def read() -> None:
        for line in sys.stdin:
            loop.call_soon_threadsafe(lines.put_nowait, line)
        loop.call_soon_threadsafe(lines.put_nowait, None)

    # A thread of its own: a scenario that counts the process's threads is not to see them come and go.
    threading.Thread(target=read, daemon=True).start()

    async def call(operation: dict[str, Any]) -> None:
        try:
            given = driver.clients.get(operation.get("client", "a"))
            client = None if given is None else configured(given, operation)
            line = outcome(operation["id"], None, await call_async(client, operation))
        except BaseException as error:
            line = outcome(operation["id"], error, None)
        tasks.pop(operation["id"], None)
        write(line)

    while (line := await lines.get()) is not None:
        operation = json.loads(line)
        if driver.plain(operation):
            continue
        if operation["op"] == "cancel":
            task = tasks.get(operation["target"])
            if task is not None:
                task.cancel()
            write({"id": operation["id"], "result": None})
            continue
        tasks[operation["id"]] = loop.create_task(call(operation))


def main() -> None:
    logger = logging.getLogger("storycore")
    logger.setLevel(logging.DEBUG)
    logger.addHandler(WATCHING)
    logger.propagate = False
    metrics.enable()
    if IS_ASYNC:
        asyncio.run(run_async())
    else:
        run_sync()


if __name__ == "__main__":
    main()
