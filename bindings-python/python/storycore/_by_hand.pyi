"""Methods that stream from files or call functions of the caller's own."""

from collections.abc import AsyncIterator, Callable, Iterable, Iterator
from datetime import timedelta
from os import PathLike
from typing import Protocol, final

from ._uploads import Progress, UploadAllProgress, UploadControl, UploadedFile
from .models import Asset, Job

_Source = str | PathLike[str] | bytes | bytearray | Readable

class Readable(Protocol):
    """What is opened in binary mode."""

    def read(self, size: int = ..., /) -> bytes: ...

class Assets:
    def upload(
        self,
        file_path: _Source,
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
        chunk_checksums: bool | None = None,
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
            max_streams: The most requests side by side, from 1 to 16. A number that is given holds. Default 16: it begins
                with 4 and adds while that brings more; from 128 MiB on, to a platform on this machine, 1.
            multipart_below: Files of fewer bytes go as one request, which cannot be continued. Default 16 MiB.
            chunk_checksums: Whether the SHA-256 of each chunk is sent, where the platform takes it. Default True.
            retries: Failures in a row that are survived. Default 8.
            stall_timeout: A request of which no byte moves for so many seconds is given up. Default 30.
            journal: A file to write the upload down in, or False for none. Default: the user's own.

        Raises:
            StoryCoreError: `UploadError` when the file cannot be read, changed meanwhile or arrived changed, and as
                every call. Whatever it is, the same upload called again goes on from what the platform has.
        """

    def upload_all(
        self,
        file_paths: Iterable[_Source],
        *,
        type: str | None = None,
        description: str | None = None,
        project_id: str | None = None,
        content_type: str | None = None,
        at_once: int | None = None,
        progress: Callable[[UploadAllProgress], object] | None = None,
        control: UploadControl | None = None,
        chunk_size: int | None = None,
        max_streams: int | None = None,
        multipart_below: int | None = None,
        chunk_checksums: bool | None = None,
        retries: int | None = None,
        stall_timeout: float | timedelta | None = None,
        journal: str | PathLike[str] | bool | None = None,
    ) -> Iterator[UploadedFile]:
        """Uploads many files side by side, and goes over them as they end: one that fails stops no other. Files are sent
        while the next one is waited for; leaving the loop stops what is under way.

        Args:
            file_paths: Paths, bytes and objects with `read`, as `upload` takes them.
            type: `video`, `audio`, `image` or `document`. Default: by each file's extension.
            description: What each shows.
            project_id: The project that they belong to.
            content_type: Their media type. Default: by each file's extension.
            at_once: The most files at a time. Default 16. Large files share 16 streams among them.
            progress: Is told of the progress over all files, at most ten times a second. What it raises ends the loop.
            control: Pauses, resumes and cancels all of them.
            chunk_size: As for `upload`, and so are the following.
            max_streams: The most requests side by side of each file, from 1 to 16.
            multipart_below: Files of fewer bytes go as one request. Default 16 MiB.
            chunk_checksums: Whether the SHA-256 of each chunk is sent. Default True.
            retries: Failures in a row that one file survives. Default 8.
            stall_timeout: A request of which no byte moves for so many seconds is given up. Default 30.
            journal: A file to write the uploads down in, or False for none. Default: the user's own.
        """
    def prepare_download(self, id: str, to: str | PathLike[str], *, max_streams: int | None = None) -> Download:
        """A download to be set up, which `send()` does: `download` with a say in how many ranges are asked for side by side.

        Args:
            id: The asset's id.
            to: The file to download into, which is there whole or not at all.
            max_streams: The most ranges side by side, from 1 to 16. Default: 1 under 64 MiB, else 4.
        """

class AsyncAssets:
    async def upload(
        self,
        file_path: _Source,
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
        chunk_checksums: bool | None = None,
        retries: int | None = None,
        stall_timeout: float | timedelta | None = None,
        journal: str | PathLike[str] | bool | None = None,
    ) -> Asset:
        """Uploads a file as `Assets.upload` does. `progress` is called in the event loop."""
    def upload_all(
        self,
        file_paths: Iterable[_Source],
        *,
        type: str | None = None,
        description: str | None = None,
        project_id: str | None = None,
        content_type: str | None = None,
        at_once: int | None = None,
        progress: Callable[[UploadAllProgress], object] | None = None,
        control: UploadControl | None = None,
        chunk_size: int | None = None,
        max_streams: int | None = None,
        multipart_below: int | None = None,
        chunk_checksums: bool | None = None,
        retries: int | None = None,
        stall_timeout: float | timedelta | None = None,
        journal: str | PathLike[str] | bool | None = None,
    ) -> AsyncIterator[UploadedFile]:
        """Uploads many files as `Assets.upload_all` does, for `async for`. `progress` is called in the event loop."""
    def prepare_download(self, id: str, to: str | PathLike[str], *, max_streams: int | None = None) -> AsyncDownload:
        """A download to be set up, as by `Assets.prepare_download`."""

@final
class Download:
    """A download that is set up and not yet begun. It may be sent more than once."""

    def send(self) -> Asset:
        """Downloads, and gives the asset. What broke off is taken up where it was, also after a crash.

        Raises:
            StoryCoreError: `ConfigError` when the target is a directory, a device or a pipe, or its directory is not there,
                `UploadError` when the file cannot be written or what arrived is not the asset, and as every call.
        """

@final
class AsyncDownload:
    """The same for asyncio."""

    async def send(self) -> Asset:
        """Downloads as `Download.send` does."""

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
