"""httpx with pydantic: what most would write."""

from __future__ import annotations

from datetime import date, datetime
from typing import Any

import httpx
import pydantic

NAME = f"httpx {httpx.__version__} with pydantic {pydantic.VERSION}"


class Project(pydantic.BaseModel):
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


class Page(pydantic.BaseModel):
    data: list[Project]
    pagination: dict[str, Any]


class Sync:
    def __init__(self, url: str, key: str) -> None:
        self.client = httpx.Client(base_url=url, headers={"authorization": f"Bearer {key}"}, trust_env=False)

    def get(self, id: str) -> Project:
        answer = self.client.get(f"/api/projects/{id}")
        answer.raise_for_status()
        return Project.model_validate_json(answer.content)

    def page(self) -> list[Project]:
        answer = self.client.get("/api/projects", params={"limit": 100})
        answer.raise_for_status()
        return Page.model_validate_json(answer.content).data
