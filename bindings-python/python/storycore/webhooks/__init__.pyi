from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, Literal, final

from storycore import Asset, Job, Project
from storycore.errors import StoryCoreError

from .replay import AsyncReplayGuard as AsyncReplayGuard
from .replay import AsyncReplayStore as AsyncReplayStore
from .replay import MemoryStore as MemoryStore
from .replay import ReplayGuard as ReplayGuard
from .replay import ReplayStore as ReplayStore
from .replay import Taken as Taken

__all__ = [
    "AssetEvent",
    "AsyncReplayGuard",
    "AsyncReplayStore",
    "Event",
    "JobEvent",
    "MemoryStore",
    "ParsedBodyError",
    "PortfolioEvent",
    "ProjectEvent",
    "ReplayGuard",
    "ReplayStore",
    "Taken",
    "UnknownEvent",
    "Webhook",
    "new_secret",
    "sign",
]

_Body = bytes | bytearray | memoryview | str
_Headers = Mapping[str, Any] | Iterable[tuple[str | bytes, str | bytes]]

@final
class Webhook:
    """Verifies what a webhook receives.

    Where the Standard Webhooks headers are there they must hold; the platform's own signature is taken alone where they are
    absent.

    Args:
        secret: ``whsec_…``, or ``whpk_…`` for ``v1a``. Several while a secret rotates, each of them good.
        platform: Whose own signature is taken.
        tolerance: How far a webhook's time may be from now, both ways; seconds when it is a number.
        clock: What time it is, as a ``datetime`` or seconds since 1970; the system's without it.
        require_standard: Takes no delivery without the Standard Webhooks headers.

    Raises:
        ConfigError: The secret cannot be one.
    """

    def __new__(
        cls,
        secret: str | Sequence[str],
        *,
        platform: str | None = None,
        tolerance: float | timedelta | None = None,
        clock: Callable[[], float | datetime] | None = None,
        require_standard: bool = False,
    ) -> Webhook: ...
    def verify(self, body: _Body, headers: _Headers) -> Event:
        """Verifies a delivery and reads it.

        Args:
            body: The bytes as they arrived: JSON that was read and written again has other bytes.
            headers: A mapping, pairs of names and values, or a WSGI environment.

        Raises:
            WebhookSignatureError: It is not what it claims to be, too old, or no event.
            ParsedBodyError: The body is something else than bytes.
        """

class Event:
    """What happened, as the platform told it. Its class is the family's: ``JobEvent``, ``AssetEvent``, …"""

    @property
    def id(self) -> str:
        """Its id, such as ``evt_…``: the same however often it is delivered."""
    @property
    def type(self) -> str:
        """What happened, such as ``job.completed``."""
    @property
    def timestamp(self) -> datetime | None:
        """When it happened."""
    @property
    def organization_id(self) -> str | None:
        """In which organization."""
    @property
    def data(self) -> Any:
        """The object that it is about."""
    @property
    def extra(self) -> dict[str, Any]:
        """Fields beside these, by name."""
    @property
    def raw(self) -> bytes:
        """The delivery as it arrived."""
    def to_dict(self) -> dict[str, Any]:
        """The delivery as plain JSON."""
    def keys(self) -> list[str]: ...
    def __getitem__(self, name: str) -> Any: ...
    def __hash__(self) -> int: ...

@final
class ProjectEvent(Event):
    """``project.created``, ``project.updated``, ``project.deleted``, ``project.status_changed``."""

    @property
    def data(self) -> Project: ...

@final
class AssetEvent(Event):
    """``asset.ready``, ``asset.failed``."""

    @property
    def data(self) -> Asset: ...

@final
class JobEvent(Event):
    """``job.completed``, ``job.failed``, ``job.cancelled``."""

    @property
    def data(self) -> Job: ...

@final
class PortfolioEvent(Event):
    """Risks, decisions, reports, people and sprints: known by name, their data as it came."""

    @property
    def data(self) -> dict[str, Any]: ...

@final
class UnknownEvent(Event):
    """An event that this version does not know, its data as it came."""

class ParsedBodyError(StoryCoreError, TypeError):
    """The receiver handed in something else than the bytes as they arrived, such as JSON that was read already.

    A mistake of the receiver's code and not of the sender: it is no ``WebhookSignatureError``.
    """

def sign(
    secret: str,
    body: _Body,
    *,
    id: str | None = None,
    at: float | datetime | None = None,
    scheme: Literal["v1", "v1a", "own"] = "v1",
    platform: str | None = None,
) -> dict[str, str]:
    """The headers of a delivery as the platform sends it, for tests of a receiver.

    Args:
        secret: The webhook's secret; for ``v1a`` the private key, ``whsk_`` and base64 of 32 bytes.
        body: The delivery's bytes.
        id: Its ``webhook-id``; without it the event's own id.
        at: When it was sent; now without it.
        scheme: Standard Webhooks ``v1`` or ``v1a``, or the platform's own header.
        platform: Whose header that is.
    """

def new_secret() -> str:
    """A new secret: ``whsec_`` and base64 of 32 random bytes."""
