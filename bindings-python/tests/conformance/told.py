"""What the driver tells a scenario: results, errors, and what a program that watches the client sees."""

from __future__ import annotations

import asyncio
import logging
from typing import Any

import storycore
from storycore import StoryCoreError


class Watching(logging.Handler):
    """What a program that watches the client sees."""

    def __init__(self) -> None:
        super().__init__()
        self.lines: list[str] = []
        self.spans: list[dict[str, Any]] = []

    def emit(self, record: logging.LogRecord) -> None:
        told = getattr(record, "storycore", {})
        self.lines.append(f"{record.getMessage()} {told}")
        if "span" in told:
            self.spans.append(told)

    def began(self) -> list[dict[str, Any]]:
        """The spans in the order in which they began."""
        ordered = sorted(self.spans, key=lambda span: span["number"])
        return [{"name": span["span"], "parent": span["parent"], "fields": span["fields"]} for span in ordered]


WATCHING = Watching()


def plain(value: Any) -> Any:
    """A result as JSON has it."""
    if isinstance(value, bytes):
        return value.decode(errors="replace")
    if isinstance(value, list):
        return [plain(item) for item in value]
    if isinstance(value, storycore.JobEvent):
        return {"id": value.id, "type": value.type, "progress": value.job.progress, "status": value.job.status}
    return value.to_dict() if hasattr(value, "to_dict") else value


def error_told(error: StoryCoreError) -> dict[str, Any]:
    fields = dict(vars(error))
    fields["elapsed_ms"] = int(fields.pop("elapsed") * 1000)
    after = fields.pop("retry_after")
    fields["retry_after_ms"] = None if after is None else int(after * 1000)
    fields["job"] = plain(error.job)
    fields["cause"] = None if error.__cause__ is None else str(error.__cause__)
    fields["text"] = f"{error} {error!r} {error.__cause__!r}"
    return fields


def outcome(id: int, error: BaseException | None, result: Any) -> dict[str, Any]:
    match error:
        case None:
            return {"id": id, "result": result}
        case StoryCoreError():
            return {"id": id, "error": error_told(error)}
        case asyncio.CancelledError():
            return {"id": id, "error": {"kind": "cancelled", "message": "the call was cancelled"}}
        case _:
            return {"id": id, "error": {"kind": "broken driver", "message": repr(error)}}
