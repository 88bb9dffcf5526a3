"""Ours, as its README shows it."""

from __future__ import annotations

from typing import Any

import storycore
from storycore import AsyncStoryCoreClient, StoryCoreClient

NAME = f"storycore {storycore.__version__}"


class Sync:
    def __init__(self, url: str, key: str) -> None:
        self.client = StoryCoreClient(base_url=url, api_key=key)

    def get(self, id: str) -> Any:
        return self.client.projects.get(id)

    def page(self) -> Any:
        return self.client.projects.list(page_size=100).data

    def upload(self, path: str) -> None:
        self.client.media.upload(file_path=path, name="film.mp4", type="video")


class Async:
    def __init__(self, url: str, key: str) -> None:
        self.client = AsyncStoryCoreClient(base_url=url, api_key=key)

    async def get(self, id: str) -> Any:
        return await self.client.projects.get(id)


async def opened(url: str, key: str) -> Async:
    return Async(url, key)
