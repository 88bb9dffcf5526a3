"""Uploads as scenarios want them, and what is told of them."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

from told import plain

import storycore

CONTROLS: dict[str, Any] = {}


class Upload:
    """An upload as a scenario wants it, and what was told of it."""

    def __init__(self, args: dict[str, Any]) -> None:
        path = Path(args["path"])
        self.file: Any = path
        self.told: list[Any] = []
        self.control = control(args["control"]) if "control" in args else storycore.UploadControl()
        self.options: dict[str, Any] = {
            "type": "document",
            "journal": args.get("journal", False),
            "control": self.control,
            "progress": self.told.append,
        }
        if args.get("source") in ("bytes", "stream"):
            content = path.read_bytes()
            self.file = content if args["source"] == "bytes" else io.BytesIO(content)
            self.options["file_name"] = "film.bin"
        if "chunk_kib" in args:
            self.options["chunk_size"] = args["chunk_kib"] * 1024
        if "streams" in args:
            self.options["max_streams"] = args["streams"]
        if "stall_ms" in args:
            self.options["stall_timeout"] = args["stall_ms"] / 1000

    def told_of(self, asset: Any) -> dict[str, Any]:
        times = [progress.elapsed for progress in self.told][:-1]
        gaps = [int((after - before) * 1000) for before, after in zip(times, times[1:])]
        last = self.told[-1] if self.told else None
        return {
            "asset": plain(asset),
            "sent": self.control.sent,
            "failures": self.control.failures,
            "restarts": self.control.restarts,
            "progress": {
                "last": {"acknowledged": last.acknowledged, "total": last.total} if last else None,
                "shortest_ms": min(gaps) if gaps else None,
            },
        }


def control(name: str) -> Any:
    return CONTROLS.setdefault(name, storycore.UploadControl())
