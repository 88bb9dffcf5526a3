"""The `storycore` program: which one is run, and how it starts, speaks and ends."""

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
from typing import IO

_PROGRAM = "storycore"
_VARIABLE = "STORYCORE_CLI"


class LocalPlatformError(RuntimeError):
    """The local platform cannot be started, has ended, or refuses what it was told."""


class Process:
    """A local platform's process. It ends with `stop`, and also when this program is killed: it watches a pipe that ends
    with us.

    Raises:
        LocalPlatformError: It cannot be started, or is not ready within `timeout` seconds.
    """

    def __init__(self, command: str | os.PathLike[str] | None, arguments: list[str], timeout: float) -> None:
        program = _program(command)
        # A file, since a pipe that nobody reads would stop the platform when it is full.
        self._log: IO[bytes] = tempfile.TemporaryFile(prefix="storycore-", suffix=".log")
        try:
            self._process = subprocess.Popen(
                [program, "dev", "--in-memory", "--listen", "127.0.0.1:0", "--json", "--stop-with-stdin", *arguments],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=self._log,
                bufsize=0,
                # Ctrl-C in the terminal is for the tests; they end the platform when they are done with it.
                start_new_session=True,
            )
        except OSError as error:
            self._log.close()
            raise LocalPlatformError(f"cannot start {program}: {error}") from error
        self._owner = os.getpid()
        try:
            self.ready = _ready(_first_line(self._process, timeout))
        except BaseException as error:
            said = self.log().strip()
            self.stop()
            if isinstance(error, LocalPlatformError) and said:
                raise LocalPlatformError(f"{error}; it says:\n{said}") from None
            raise

    def stop(self) -> None:
        """Ends it, unless this is a forked child's copy: the platform belongs to its parent."""
        process = self._process
        if self._owner != os.getpid():
            return
        assert process.stdin is not None and process.stdout is not None
        process.stdin.close()
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        finally:
            process.stdout.close()
            self._log.close()

    def log(self) -> str:
        """What it has written to its log."""
        # `pread` leaves the position alone, which the platform's own writing shares.
        size = os.fstat(self._log.fileno()).st_size
        if hasattr(os, "pread"):
            text = os.pread(self._log.fileno(), size, 0)
        else:
            text = _read_shared(self._log)
        return text.decode("utf-8", "replace")


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


def _read_shared(log: IO[bytes]) -> bytes:
    log.seek(0)
    return log.read()
