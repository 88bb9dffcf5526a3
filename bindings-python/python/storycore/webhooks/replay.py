"""The replay guard: a platform delivers an event at least once, and a receiver should do its work once.

    guard = ReplayGuard()
    with guard.once(event.id) as taken:
        if taken is Taken.FIRST:
            work(event)

An id that is being worked on is told from one that is done, so that a crash in the middle does not lose the event.
"""

from __future__ import annotations

import inspect
import threading
import time
from collections import OrderedDict
from collections.abc import AsyncIterator, Awaitable, Iterator
from contextlib import asynccontextmanager, contextmanager
from enum import Enum
from typing import Protocol, TypeVar

__all__ = ["AsyncReplayGuard", "AsyncReplayStore", "MemoryStore", "ReplayGuard", "ReplayStore", "Taken"]

T = TypeVar("T")

_PROCESSING = 300.0
_KEEP = 24 * 3600.0


class Taken(Enum):
    """Whether an id was taken before."""

    FIRST = "first"
    """Now, for the first time: do the work."""
    PROCESSING = "processing"
    """Somebody is at it: answer 409, so that the platform tries again later."""
    DONE = "done"
    """The work is done: answer 200 and do nothing."""


class ReplayStore(Protocol):
    """Where taken ids are kept. Of two that take one id at once, one alone may be told ``Taken.FIRST``."""

    def take(self, id: str, processing: float) -> Taken:
        """Takes ``id`` for ``processing`` seconds unless it was taken; says what it was."""

    def done(self, id: str, keep: float) -> None:
        """Keeps ``id`` as done for ``keep`` seconds."""

    def release(self, id: str) -> None:
        """Forgets ``id``, so that it can be taken again."""


class AsyncReplayStore(Protocol):
    """The same for asyncio."""

    async def take(self, id: str, processing: float) -> Taken: ...

    async def done(self, id: str, keep: float) -> None: ...

    async def release(self, id: str) -> None: ...


class MemoryStore:
    """Keeps ids in this process, a bounded number of them: what was touched longest ago goes first."""

    def __init__(self, most: int = 100_000) -> None:
        self._most = max(most, 1)
        self._ids: OrderedDict[str, tuple[Taken, float]] = OrderedDict()
        self._lock = threading.Lock()

    def take(self, id: str, processing: float) -> Taken:
        now = time.monotonic()
        with self._lock:
            state, until = self._ids.get(id, (Taken.FIRST, 0.0))
            if until > now:
                return state
            self._put(id, Taken.PROCESSING, now + processing)
            return Taken.FIRST

    def done(self, id: str, keep: float) -> None:
        with self._lock:
            self._put(id, Taken.DONE, time.monotonic() + keep)

    def release(self, id: str) -> None:
        with self._lock:
            self._ids.pop(id, None)

    def _put(self, id: str, state: Taken, until: float) -> None:
        self._ids[id] = (state, until)
        self._ids.move_to_end(id)
        while len(self._ids) > self._most:
            self._ids.popitem(last=False)


class ReplayGuard:
    """Takes each event once.

    Args:
        store: Where ids are kept; in memory without it, which is right for a receiver that is one process.
        processing: Seconds that work may take before its id can be taken again.
        keep: Seconds that an id is remembered, longer than a delivery is tried again.
    """

    def __init__(
        self, store: ReplayStore | None = None, *, processing: float = _PROCESSING, keep: float = _KEEP
    ) -> None:
        self._store: ReplayStore = MemoryStore() if store is None else store
        self._processing, self._keep = processing, keep

    def take(self, id: str) -> Taken:
        """Takes an event's id."""
        return self._store.take(id, self._processing)

    def done(self, id: str) -> None:
        """Says that its work is done."""
        self._store.done(id, self._keep)

    def release(self, id: str) -> None:
        """Says that its work failed: the next delivery takes it again."""
        self._store.release(id)

    @contextmanager
    def once(self, id: str) -> Iterator[Taken]:
        """Takes an id for a block of work: done when the block ends, released when it raises."""
        taken = self.take(id)
        if taken is not Taken.FIRST:
            yield taken
            return
        try:
            yield taken
        except BaseException:
            self.release(id)
            raise
        self.done(id)


class AsyncReplayGuard:
    """Takes each event once, over a store for asyncio or one that answers at once, such as ``MemoryStore``."""

    def __init__(
        self,
        store: AsyncReplayStore | ReplayStore | None = None,
        *,
        processing: float = _PROCESSING,
        keep: float = _KEEP,
    ) -> None:
        self._store: AsyncReplayStore | ReplayStore = MemoryStore() if store is None else store
        self._processing, self._keep = processing, keep

    async def take(self, id: str) -> Taken:
        """Takes an event's id."""
        return await _given(self._store.take(id, self._processing))

    async def done(self, id: str) -> None:
        """Says that its work is done."""
        await _given(self._store.done(id, self._keep))

    async def release(self, id: str) -> None:
        """Says that its work failed: the next delivery takes it again."""
        await _given(self._store.release(id))

    @asynccontextmanager
    async def once(self, id: str) -> AsyncIterator[Taken]:
        """Takes an id for a block of work: done when the block ends, released when it raises or is cancelled."""
        taken = await self.take(id)
        if taken is not Taken.FIRST:
            yield taken
            return
        try:
            yield taken
        except BaseException:
            await self.release(id)
            raise
        await self.done(id)


async def _given(value: T | Awaitable[T]) -> T:
    if inspect.isawaitable(value):
        return await value
    return value
