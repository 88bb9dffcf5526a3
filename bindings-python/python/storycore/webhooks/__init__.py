"""Webhooks as they arrive: verifying, reading and signing them, and taking each once.

    from storycore.webhooks import Webhook

    webhook = Webhook("whsec_…")
    event = webhook.verify(body, headers)  # the bytes as they arrived, and their headers
    if event.type == "job.completed":
        print(event.data.id, "is done")

Adapters are in ``storycore.webhooks.fastapi`` (Starlette too), ``.flask`` and ``.django``. To subscribe is a resource of the
client, ``client.webhooks``. What is typed here is in ``__init__.pyi``.
"""

from __future__ import annotations

from .._storycore import webhooks as _native
from ..errors import StoryCoreError
from .replay import AsyncReplayGuard, AsyncReplayStore, MemoryStore, ReplayGuard, ReplayStore, Taken

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

Webhook = _native.Webhook
Event = _native.Event
ProjectEvent = _native.ProjectEvent
AssetEvent = _native.AssetEvent
JobEvent = _native.JobEvent
PortfolioEvent = _native.PortfolioEvent
UnknownEvent = _native.UnknownEvent
sign = _native.sign
new_secret = _native.new_secret


class ParsedBodyError(StoryCoreError, TypeError):
    """The receiver handed in something else than the bytes as they arrived, such as JSON that was read already.

    A mistake of the receiver's code and not of the sender: it is no ``WebhookSignatureError``.
    """

    kind = "config"
