"""What the adapters share: who verifies, how much is read, and how a delivery is refused."""

from __future__ import annotations

from collections.abc import Sequence

from ..errors import StoryCoreError
from . import Webhook

MAX_BODY = 1024 * 1024
"""The largest delivery that is read, in bytes."""

TOO_LARGE = "the delivery is larger than 1 MiB"
BUSY = "this event is being worked on"


def verifier(given: Webhook | str | Sequence[str]) -> Webhook:
    """A webhook, also of its secret alone."""
    return given if isinstance(given, Webhook) else Webhook(given)


def refusal(code: str, message: str) -> dict[str, dict[str, str]]:
    """A body in the form of the platform's own errors."""
    return {"error": {"code": code, "message": message}}


def refused(error: StoryCoreError) -> dict[str, dict[str, str]]:
    """The body for a delivery that is not genuine."""
    return refusal(error.kind, error.message)
