"""Calls before and after a fork, and from several threads: what each of them gave."""

from __future__ import annotations

import json
import os
import threading
from collections.abc import Callable
from typing import Any

from told import error_told

from storycore import StoryCoreError


def answer(call: Callable[[], Any]) -> dict[str, Any]:
    try:
        return {"result": call()}
    except StoryCoreError as error:
        return {"error": error_told(error)}


def forked(call: Callable[[], Any]) -> dict[str, Any]:
    """The call before a fork, in the child, and in the parent after it."""
    before = answer(call)
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            os.write(writer, json.dumps(answer(call)).encode())
        finally:
            os._exit(0)
    os.close(writer)
    after = answer(call)
    with os.fdopen(reader) as told:
        in_child = json.loads(told.read())
    os.waitpid(child, 0)
    return {"before": before, "child": in_child, "after": after}


def in_threads(call: Callable[[], Any]) -> list[Any]:
    """Two calls, each in a thread of its own, and of asyncio each in a loop of its own."""
    results: list[Any] = []
    for _ in range(2):
        thread = threading.Thread(target=lambda: results.append(call()))
        thread.start()
        thread.join()
    return results
