"""aiohttp with msgspec: the fast choice of asyncio programs."""

from __future__ import annotations

import aiohttp
import msgspec

from sides.msgspec_models import Project

NAME = f"aiohttp {aiohttp.__version__} with msgspec {msgspec.__version__}"


class Async:
    def __init__(self, session: aiohttp.ClientSession) -> None:
        self.session = session
        self.decode = msgspec.json.Decoder(Project).decode

    async def get(self, id: str) -> Project:
        async with self.session.get(f"/api/projects/{id}") as answer:
            answer.raise_for_status()
            return self.decode(await answer.read())


async def opened(url: str, key: str) -> Async:
    return Async(aiohttp.ClientSession(url, headers={"authorization": f"Bearer {key}"}))
