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
import queue
import shutil
import subprocess
import sys
import sysconfig
import tempfile
import threading
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta, timezone
from http.client import HTTPConnection, HTTPException
from typing import IO, TYPE_CHECKING, Any
from urllib.parse import urlsplit

if TYPE_CHECKING:
    from types import TracebackType

    from storycore import AsyncStoryCoreClient, StoryCoreClient

__all__ = ["Fault", "LocalPlatform", "LocalPlatformError", "Organization", "Request"]

_PROGRAM = "storycore"
_VARIABLE = "STORYCORE_CLI"


class LocalPlatformError(RuntimeError):
    """The local platform cannot be started, has ended, or refuses what it was told."""


@dataclass(frozen=True)
class Fault:
    """Something that is to go wrong with coming requests. ``LocalPlatform.fault`` plants one."""

    path: str
    """The path as it is sent; ``*`` stands for any text."""
    method: str | None = None
    """Any without one."""
    nth: int = 1
    """The first matching request that it hits, counted from 1."""
    times: int = 1
    """How many it hits in a row; 0 is all from then on."""
    action: Mapping[str, Any] = field(default_factory=dict)
    """What happens, as ``spec/local.yaml`` words it."""
    headers: Mapping[str, str] = field(default_factory=dict)
    """Put into the answer."""


@dataclass(frozen=True)
class Request:
    """A request that arrived, without its credential."""

    at: datetime
    """By the machine's clock, not the platform's."""
    method: str
    path: str
    query: str | None
    headers: Mapping[str, str]
    """Names in lower case."""
    body: str | None
    """At most 16 KiB, and nothing of a file."""
    status: int | None
    """Of the answer; ``None`` while there is none."""

    def json(self) -> Any:
        """The body, read as JSON."""
        return json.loads(self.body or "null")


@dataclass(frozen=True)
class Organization:
    """Another organization on the same platform, with a key that may do everything in it."""

    organization_id: str
    user_id: str
    api_key: str = field(repr=False)


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
        self._process: subprocess.Popen[bytes] | None = None
        self._owner = 0
        self._log: IO[bytes] | None = None
        self._ready: dict[str, str] = {}

    # Starting and stopping

    def start(self) -> LocalPlatform:
        """Starts it and returns when it answers.

        Raises:
            LocalPlatformError: There is no ``storycore`` program, or it did not start.
        """
        if self._process is not None:
            raise LocalPlatformError("this local platform runs already")
        arguments = [_program(self._command), "dev", "--in-memory", "--listen", "127.0.0.1:0"]
        arguments += ["--json", "--stop-with-stdin"]
        if self._strict:
            arguments.append("--strict")
        if self._wanted_key is not None:
            arguments += ["--api-key", self._wanted_key]
        # A file, since a pipe that nobody reads would stop the platform when it is full.
        self._log = tempfile.TemporaryFile(prefix="storycore-", suffix=".log")
        try:
            self._process = subprocess.Popen(
                arguments,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=self._log,
                bufsize=0,
                # Ctrl-C in the terminal is for the tests; they end the platform when they are done with it.
                start_new_session=True,
            )
        except OSError as error:
            self._close_log()
            raise LocalPlatformError(f"cannot start {arguments[0]}: {error}") from error
        self._owner = os.getpid()
        try:
            self._ready = _ready(_first_line(self._process, self._start_timeout))
        except BaseException as error:
            said = self.log().strip()
            self.stop()
            if isinstance(error, LocalPlatformError) and said:
                raise LocalPlatformError(f"{error}; it says:\n{said}") from None
            raise
        return self

    def stop(self) -> None:
        """Ends the process. Does nothing when it has ended."""
        process, self._process = self._process, None
        self._ready = {}
        if process is None or self._owner != os.getpid():
            return  # A forked child's copy: the platform belongs to its parent.
        assert process.stdin is not None and process.stdout is not None
        process.stdin.close()
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        finally:
            process.stdout.close()
            self._close_log()

    def __enter__(self) -> LocalPlatform:
        return self.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.stop()

    def __repr__(self) -> str:
        return f"<LocalPlatform {self._ready.get('url', 'not running')}>"

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
        return _fault(self._ask("POST", "/_local/faults", wanted))

    def faults(self) -> list[Fault]:
        """The planted faults."""
        return [_fault(fault) for fault in self._ask("GET", "/_local/faults")["data"]]

    def clear_faults(self) -> None:
        """Removes every fault."""
        self._ask("DELETE", "/_local/faults")

    def requests(self, *, method: str | None = None, path: str | None = None) -> list[Request]:
        """What arrived, oldest first, the last 2000 at most; only of ``method`` and ``path`` where they are given."""
        entries = [_request(entry) for entry in self._ask("GET", "/_local/requests")["data"]]
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
        return _time(answer["now"])

    def reset(self) -> None:
        """Empties it: every object, fault and request is gone, and its clock is right. Keys like ``api_key`` stay."""
        self._ask("DELETE", "/_local/state")

    def organization(self, name: str = "Another") -> Organization:
        """Another organization, which sees nothing of the first."""
        return Organization(**self._ask("POST", "/_local/organizations", {"name": name}))

    def log(self) -> str:
        """What it has written to its log."""
        if self._log is None:
            return ""
        # `pread` leaves the position alone, which the platform's own writing shares.
        size = os.fstat(self._log.fileno()).st_size
        if hasattr(os, "pread"):
            text = os.pread(self._log.fileno(), size, 0)
        else:
            text = _read_shared(self._log)
        return text.decode("utf-8", "replace")

    # Behind it

    def _fact(self, name: str) -> str:
        try:
            return self._ready[name]
        except KeyError:
            raise LocalPlatformError("this local platform does not run: use it in a `with` block") from None

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

    def _close_log(self) -> None:
        if self._log is not None:
            self._log.close()
            self._log = None


def _program(given: str | os.PathLike[str] | None) -> str:
    """The path of the ``storycore`` program, the most deliberate choice first."""
    for path, source in ((given, "`command`"), (os.environ.get(_VARIABLE) or None, _VARIABLE)):
        if path is not None:
            found = shutil.which(os.fspath(path))
            if found is None:
                raise LocalPlatformError(f"{source} is {os.fspath(path)!r}, which is no program that can be run")
            return found
    # The environment's own folder is not on the path where its Python is run without activating it.
    beside = [sysconfig.get_path("scripts"), os.path.dirname(sys.executable)]
    if sysconfig.get_default_scheme() != "venv":
        beside.append(sysconfig.get_path("scripts", f"{os.name}_user"))
    for folders in (os.pathsep.join(beside), None):
        found = shutil.which(_PROGRAM, path=folders)
        if found is not None:
            return found
    raise LocalPlatformError(
        f"the local platform needs the `{_PROGRAM}` program: pip install storycore-cli, or set {_VARIABLE} to its path"
    )


def _first_line(process: subprocess.Popen[bytes], timeout: float) -> bytes:
    assert process.stdout is not None
    lines: queue.SimpleQueue[bytes] = queue.SimpleQueue()
    # A thread, since Windows cannot wait for a pipe with a time limit. It ends with the process at the latest.
    read = process.stdout.readline
    threading.Thread(target=lambda: lines.put(read()), name="storycore-ready", daemon=True).start()
    try:
        line = lines.get(timeout=timeout)
    except queue.Empty:
        process.kill()
        raise LocalPlatformError(f"the local platform was not ready within {timeout:g} s") from None
    if not line.endswith(b"\n"):
        raise LocalPlatformError(f"the local platform ended with code {process.wait()} before it was ready")
    return line


def _ready(line: bytes) -> dict[str, str]:
    try:
        ready = json.loads(line)
        return {name: str(ready[name]) for name in ("url", "api_key", "organization_id")}
    except (ValueError, KeyError, TypeError):
        raise LocalPlatformError("the program is no `storycore`: its first line is not the one of `storycore dev`") from None


def _fault(fields: Mapping[str, Any]) -> Fault:
    action = {name: value for name, value in fields["action"].items() if value not in (None, False)}
    return Fault(
        path=fields["path"],
        method=fields.get("method"),
        nth=fields.get("nth", 1),
        times=fields.get("times", 1),
        action=action,
        headers=fields.get("headers") or {},
    )


def _request(entry: Mapping[str, Any]) -> Request:
    names = ("method", "path", "query", "headers", "body", "status")
    return Request(at=_time(entry["at"]), **{name: entry[name] for name in names})


def _time(text: str) -> datetime:
    # Python 3.10 reads neither `Z` nor fractions of other lengths than 3 and 6; the platform writes 3.
    return datetime.fromisoformat(text.replace("Z", "+00:00"))


def _refusal(text: bytes, status: int) -> str:
    try:
        error = json.loads(text)["error"]
        details = "; ".join(f"{d.get('field', '')}: {d.get('message', '')}" for d in error.get("details") or [])
        return f"the local platform refuses: {error['message']}" + (f" ({details})" if details else "")
    except (ValueError, KeyError, TypeError, AttributeError):
        return f"the local platform answers {status}"


def _read_shared(log: IO[bytes]) -> bytes:
    log.seek(0)
    return log.read()
