"""What an upload tells of itself, and what steers it. The extension has them in `_storycore`."""

from typing import Any, final

from .errors import StoryCoreError
from .models import Asset

@final
class Progress:
    """How far an upload is."""

    @property
    def sent(self) -> int:
        """Bytes of the file given to the network; less than before when some are to be sent again."""
    @property
    def acknowledged(self) -> int:
        """Bytes that the platform said it has."""
    @property
    def total(self) -> int:
        """Bytes of the file. Of a stream of unknown length, what was read of it so far."""
    @property
    def rate(self) -> float:
        """Bytes a second over the last five seconds."""
    @property
    def time_left(self) -> float | None:
        """Seconds left at that rate, once there is one."""
    @property
    def elapsed(self) -> float:
        """Seconds since the upload began."""

@final
class UploadAllProgress:
    """How far the upload of many files is."""

    @property
    def files(self) -> int:
        """Files in all."""
    @property
    def files_done(self) -> int:
        """Files that are there."""
    @property
    def files_failed(self) -> int:
        """Files that failed."""
    @property
    def bytes(self) -> Progress:
        """The bytes of all files together; of a file object what was read so far, of files that cannot be read none."""

@final
class UploadedFile:
    """How one file of several ended: `asset` is there, or `error`."""

    @property
    def index(self) -> int:
        """Its place among those that were given, from 0."""
    @property
    def file_path(self) -> Any:
        """What was given for it."""
    @property
    def asset(self) -> Asset | None:
        """What it has become on the platform, or None where it failed."""
    @property
    def error(self) -> StoryCoreError | None:
        """The error by which it failed, or None. The same file uploaded again goes on from what the platform has."""
    @property
    def sent(self) -> int | None:
        """Bytes of the file that went out, also those that went twice; fewer than the file has when an earlier upload was
        continued. None where it failed.
        """
    @property
    def failures(self) -> int | None:
        """Requests that failed and were made good. To be told that the joining of the parts is under way is no failure. None
        where it failed itself.
        """
    @property
    def restarts(self) -> list[str] | None:
        """What had to be begun anew, and why, in words. None where it failed."""

@final
class UploadControl:
    """Pauses, resumes and cancels the upload that it is given to, and knows how it went."""

    def __new__(cls) -> UploadControl: ...
    def pause(self) -> None:
        """Stops the requests at once; what arrived is kept. A small file's single request is not begun; one that is
        on its way goes on.
        """
    def resume(self) -> None:
        """Goes on from where the platform is."""
    def cancel(self) -> None:
        """Ends the upload with a `CallCancelledError`, and takes back what the platform has of it, the asset too that
        it may just have become: within five seconds. A small file whose single request had arrived whole is an asset
        that stays; so is what the platform needs longer than three seconds to join or to finish. Taking back needs
        the permission `admin`; without it, what arrived stays until it expires. The next upload of the same file goes
        on with what stayed.
        """
    @property
    def sent(self) -> int | None:
        """Of an upload that is there: bytes of the file that went out, also those that went twice; fewer than the file
        has when an earlier upload was continued.
        """
    @property
    def failures(self) -> int | None:
        """Of an upload that is there: requests that failed and were made good. To be told that the joining of the parts is
        under way is no failure.
        """
    @property
    def restarts(self) -> list[str] | None:
        """Of an upload that is there: what had to be begun anew, and why, in words."""
