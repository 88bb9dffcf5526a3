"""The local platform for tests: real, in a process of its own, gone when the test is.

    from storycore.testing import LocalPlatform

    with LocalPlatform() as platform:
        client = platform.client()
        client.projects.create(name="Film")

It is the ``storycore`` program of the package ``storycore-cli``. What pytest needs is in ``storycore.pytest_plugin``.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from datetime import datetime, timedelta, timezone
from http.client import HTTPConnection, HTTPException
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from ._facts import Fault, Organization, Request
from ._facts import fault as fault_of
from ._facts import request as request_of
from ._facts import time as time_of
from ._process import LocalPlatformError, Process

if TYPE_CHECKING:
    from types import TracebackType

    from storycore import AsyncStoryCoreClient, StoryCoreClient

__all__ = ["Fault", "LocalPlatform", "LocalPlatformError", "Organization", "Request"]


class LocalPlatform:
    """The whole platform on this machine, with nothing in it.

    A context manager; ``start`` and ``stop`` do the same by hand. The process ends with the block, and also when this
    program is killed: it watches a pipe that ends with us.

    Args:
        command: The ``storycore`` program. Without it the one that ``STORYCORE_CLI`` names is taken, then the one that
            ``storycore-cli`` has installed beside this Python, then one on the ``PATH``.
        strict: Refuse every field and parameter that the specification does not know.
        api_key: The text of the first key, at least 16 characters; a random one without it.
        start_timeout: Seconds within which it must be ready.
    """

    def __init__(
        self,
        *,
        command: str | os.PathLike[str] | None = None,
        strict: bool = False,
        api_key: str | None = None,
        start_timeout: float = 30.0,
    ) -> None:
        self._command = command
        self._strict = strict
        self._wanted_key = api_key
        self._start_timeout = start_timeout
        self._process: Process | None = None

    # Starting and stopping

    def start(self) -> LocalPlatform:
        """Starts it and returns when it answers.

        Raises:
            LocalPlatformError: There is no ``storycore`` program, or it did not start.
        """
        if self._process is not None:
            raise LocalPlatformError("this local platform runs already")
        arguments = ["--strict"] if self._strict else []
        if self._wanted_key is not None:
            arguments += ["--api-key", self._wanted_key]
        self._process = Process(self._command, arguments, self._start_timeout)
        return self

    def stop(self) -> None:
        """Ends the process. Does nothing when it has ended."""
        process, self._process = self._process, None
        if process is not None:
            process.stop()

    def __enter__(self) -> LocalPlatform:
        return self.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.stop()

    def __repr__(self) -> str:
        return f"<LocalPlatform {self._process.ready['url'] if self._process else 'not running'}>"

    # Where it is

    @property
    def url(self) -> str:
        """Its base URL."""
        return self._fact("url")

    @property
    def api_key(self) -> str:
        """A key that may do everything."""
        return self._fact("api_key")

    @property
    def organization_id(self) -> str:
        """Whose key it is."""
        return self._fact("organization_id")

    def environment(self) -> dict[str, str]:
        """What a program needs to find it: ``STORYCORE_BASE_URL`` and ``STORYCORE_API_KEY``."""
        return {"STORYCORE_BASE_URL": self.url, "STORYCORE_API_KEY": self.api_key}

    def client(self, **options: Any) -> StoryCoreClient:
        """A client of it. ``options`` are those of ``StoryCoreClient``."""
        from storycore import StoryCoreClient

        return StoryCoreClient(**{"base_url": self.url, "api_key": self.api_key, **options})

    def async_client(self, **options: Any) -> AsyncStoryCoreClient:
        """An asyncio client of it. ``options`` are those of ``AsyncStoryCoreClient``."""
        from storycore import AsyncStoryCoreClient

        return AsyncStoryCoreClient(**{"base_url": self.url, "api_key": self.api_key, **options})

    # What only a local platform can do

    def fault(
        self,
        path: str,
        *,
        method: str | None = None,
        nth: int = 1,
        times: int = 1,
        headers: Mapping[str, str] | None = None,
        **action: Any,
    ) -> Fault:
        """Lets coming requests go wrong.

            platform.fault("/api/projects", status=503, times=2, headers={"retry-after": "1"})
            platform.fault("/api/*", method="POST", drop_after=True)

        Args:
            path: As it is sent; ``*`` stands for any text.
            method: Any without one.
            nth: The first matching request that it hits, counted from 1.
            times: How many it hits in a row; 0 is all from then on.
            headers: Put into the answer.
            action: One or several of ``status``, ``body``, ``delay_ms``, ``drop_before``, ``drop_after``, ``truncate``,
                ``stall``, ``bad_json``, ``reset``.

        Raises:
            LocalPlatformError: The platform does not know such a fault.
        """
        wanted = {"path": path, "nth": nth, "times": times, "action": action, "headers": dict(headers or {})}
        if method is not None:
            wanted["method"] = method
        return fault_of(self._ask("POST", "/_local/faults", wanted))

    def faults(self) -> list[Fault]:
        """The planted faults."""
        return [fault_of(fault) for fault in self._ask("GET", "/_local/faults")["data"]]

    def clear_faults(self) -> None:
        """Removes every fault."""
        self._ask("DELETE", "/_local/faults")

    def requests(self, *, method: str | None = None, path: str | None = None) -> list[Request]:
        """What arrived, oldest first, the last 2000 at most; only of ``method`` and ``path`` where they are given."""
        entries = [request_of(entry) for entry in self._ask("GET", "/_local/requests")["data"]]
        return [
            request
            for request in entries
            if (method is None or request.method == method.upper()) and (path is None or request.path == path)
        ]

    def clear_requests(self) -> None:
        """Forgets what arrived."""
        self._ask("DELETE", "/_local/requests")

    def clock(self, *, now: datetime | None = None, advance: timedelta | float | None = None) -> datetime:
        """The platform's time, after it was set to ``now`` or moved by ``advance`` (seconds when it is a number)."""
        if now is not None and advance is not None:
            raise ValueError("give `now` or `advance`, not both")
        if now is not None:
            if now.tzinfo is None:
                raise ValueError("`now` needs a time zone: datetime.now(timezone.utc)")
            answer = self._ask("POST", "/_local/clock", {"now": now.astimezone(timezone.utc).isoformat()})
        elif advance is not None:
            seconds = advance.total_seconds() if isinstance(advance, timedelta) else float(advance)
            answer = self._ask("POST", "/_local/clock", {"advance_seconds": seconds})
        else:
            answer = self._ask("GET", "/_local/clock")
        return time_of(answer["now"])

    def reset(self) -> None:
        """Empties it: every object, fault and request is gone, and its clock is right. Keys like ``api_key`` stay."""
        self._ask("DELETE", "/_local/state")

    def organization(self, name: str = "Another") -> Organization:
        """Another organization, which sees nothing of the first."""
        return Organization(**self._ask("POST", "/_local/organizations", {"name": name}))

    def log(self) -> str:
        """What it has written to its log."""
        return "" if self._process is None else self._process.log()

    # Behind it

    def _fact(self, name: str) -> str:
        if self._process is None:
            raise LocalPlatformError("this local platform does not run: use it in a `with` block")
        return self._process.ready[name]

    def _ask(self, method: str, path: str, body: object = None) -> Any:
        address = urlsplit(self.url)
        # Straight to it: a proxy of the environment is not meant for this machine.
        connection = HTTPConnection(address.hostname or "", address.port, timeout=30)
        try:
            content = None if body is None else json.dumps(body).encode()
            connection.request(method, path, content, {"content-type": "application/json"})
            answer = connection.getresponse()
            text = answer.read()
        except (OSError, HTTPException) as error:
            raise LocalPlatformError(f"the local platform does not answer: {error}") from error
        finally:
            connection.close()
        if answer.status >= 400:
            raise LocalPlatformError(_refusal(text, answer.status))
        return json.loads(text)


def _refusal(text: bytes, status: int) -> str:
    try:
        error = json.loads(text)["error"]
        details = "; ".join(f"{d.get('field', '')}: {d.get('message', '')}" for d in error.get("details") or [])
        return f"the local platform refuses: {error['message']}" + (f" ({details})" if details else "")
    except (ValueError, KeyError, TypeError, AttributeError):
        return f"the local platform answers {status}"


