"""The objects, as msgspec reads them."""

from __future__ import annotations

from datetime import date, datetime
from typing import Any

import msgspec


class Project(msgspec.Struct):
    id: str
    name: str
    description: str | None
    status: str
    rag_status: str
    progress: float | None
    budget: float | None
    spent: float | None
    start_date: date | None
    end_date: date | None
    settings: dict[str, Any]
    organization_id: str | None
    created_at: datetime
    updated_at: datetime


class Page(msgspec.Struct):
    data: list[Project]
    pagination: dict[str, Any]
