"""The SDK that users know, speaking to our server: its own way to call what it has no method for."""

from __future__ import annotations

from datetime import date, datetime
from typing import Any

import openai
from openai import AsyncOpenAI, BaseModel, OpenAI

NAME = f"openai {openai.__version__}"


class Project(BaseModel):
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


class Page(BaseModel):
    data: list[Project]
    pagination: dict[str, Any]


class Sync:
    def __init__(self, url: str, key: str) -> None:
        self.client = OpenAI(base_url=f"{url}/api", api_key=key)

    def get(self, id: str) -> Project:
        return self.client.get(f"/projects/{id}", cast_to=Project)

    def page(self) -> list[Project]:
        return self.client.get("/projects", cast_to=Page, options={"params": {"limit": 100}}).data


class Async:
    def __init__(self, url: str, key: str) -> None:
        self.client = AsyncOpenAI(base_url=f"{url}/api", api_key=key)

    async def get(self, id: str) -> Project:
        return await self.client.get(f"/projects/{id}", cast_to=Project)


async def opened(url: str, key: str) -> Async:
    return Async(url, key)
