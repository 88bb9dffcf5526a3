"""What a local platform tells of itself: faults that were planted, requests that arrived, organizations."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any


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


def fault(fields: Mapping[str, Any]) -> Fault:
    action = {name: value for name, value in fields["action"].items() if value not in (None, False)}
    return Fault(
        path=fields["path"],
        method=fields.get("method"),
        nth=fields.get("nth", 1),
        times=fields.get("times", 1),
        action=action,
        headers=fields.get("headers") or {},
    )


def request(entry: Mapping[str, Any]) -> Request:
    names = ("method", "path", "query", "headers", "body", "status")
    return Request(at=time(entry["at"]), **{name: entry[name] for name in names})


def time(text: str) -> datetime:
    # Python 3.10 reads neither `Z` nor fractions of other lengths than 3 and 6; the platform writes 3.
    return datetime.fromisoformat(text.replace("Z", "+00:00"))
