"""Methods that stream from files or call functions of the caller's own."""

from collections.abc import Callable
from datetime import timedelta
from os import PathLike
from typing import Protocol

from ._storycore import Progress, UploadControl
from .models import Asset, Job

class Readable(Protocol):
    """What is opened in binary mode."""

    def read(self, size: int = ..., /) -> bytes: ...

class Assets:
    def upload(
        self,
        file_path: str | PathLike[str] | bytes | bytearray | Readable,
        *,
        name: str | None = None,
        type: str | None = None,
        description: str | None = None,
        project_id: str | None = None,
        content_type: str | None = None,
        file_name: str | None = None,
        progress: Callable[[Progress], object] | None = None,
        control: UploadControl | None = None,
        chunk_size: int | None = None,
        max_streams: int | None = None,
        multipart_below: int | None = None,
        retries: int | None = None,
        stall_timeout: float | timedelta | None = None,
        journal: str | PathLike[str] | bool | None = None,
    ) -> Asset:
        """Uploads a file, whatever its size, with flat memory: small ones in one request, larger ones in parallel parts
        that survive broken connections, and a crash: the same call then goes on from where it was.

        Args:
            file_path: A path, bytes, or an object with `read`. The last can be read once only: an upload of it survives
                no crash.
            name: Its name. Default: the file's.
            type: `video`, `audio`, `image` or `document`. Default: by the file's extension.
            description: What it shows.
            project_id: The project it belongs to.
            content_type: Its media type. Default: by the file's extension.
            file_name: The file's name, where bytes or a file object have none.
            progress: Is told of the progress, at most ten times a second. What it raises stops the upload, which the
                same call continues.
            control: Pauses, resumes and cancels it.
            chunk_size: The bytes of a chunk. Default: 5 to 64 MiB, so that each takes 2 to 8 s.
            max_streams: The most requests side by side, from 1 to 16.
            multipart_below: Files of fewer bytes go as one request, which cannot be continued. Default 16 MiB.
            retries: Failures in a row that are survived. Default 8.
            stall_timeout: A request of which no byte moves for so many seconds is given up. Default 30.
            journal: A file to write the upload down in, or False for none. Default: the user's own.

        Raises:
            StoryCoreError: `UploadError` when the file cannot be read, changed meanwhile or arrived changed, and as
                every call. Whatever it is, the same upload called again goes on from what the platform has.
        """

class AsyncAssets:
    async def upload(
        self,
        file_path: str | PathLike[str] | bytes | bytearray | Readable,
        *,
        name: str | None = None,
        type: str | None = None,
        description: str | None = None,
        project_id: str | None = None,
        content_type: str | None = None,
        file_name: str | None = None,
        progress: Callable[[Progress], object] | None = None,
        control: UploadControl | None = None,
        chunk_size: int | None = None,
        max_streams: int | None = None,
        multipart_below: int | None = None,
        retries: int | None = None,
        stall_timeout: float | timedelta | None = None,
        journal: str | PathLike[str] | bool | None = None,
    ) -> Asset:
        """Uploads a file as `Assets.upload` does. `progress` is called in the event loop."""

class Jobs:
    def wait(
        self,
        id: str,
        *,
        timeout: float | timedelta | None = None,
        on_progress: Callable[[Job], object] | None = None,
    ) -> Job:
        """Waits until the job has completed, for 30 minutes at most. What is not waited for any more goes on.

        Args:
            id: The job's id.
            timeout: How long to wait at most, in seconds. Default 30 minutes.
            on_progress: Is told of the job each time that it is seen. What it raises ends the waiting.

        Raises:
            StoryCoreError: `JobFailedError`, `JobCancelledError` or `WaitTimeoutError`, each carrying the job, and as
                every call.
        """

class AsyncJobs:
    async def wait(
        self,
        id: str,
        *,
        timeout: float | timedelta | None = None,
        on_progress: Callable[[Job], object] | None = None,
    ) -> Job:
        """Waits as `Jobs.wait` does. `on_progress` is called in the event loop."""
