"""Receives webhooks and downloads what a job has made: STORYCORE_WEBHOOK_SECRET=whsec_… uvicorn receiver:app

Every delivery is verified before it reaches the handler, and an event's work is done once, however often it is delivered.
"""

import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Annotated

from fastapi import Depends, FastAPI
from storycore import AsyncStoryCoreClient
from storycore.webhooks import AsyncReplayGuard, Event, JobEvent
from storycore.webhooks.fastapi import verified

client = AsyncStoryCoreClient.from_env()
genuine = verified(os.environ["STORYCORE_WEBHOOK_SECRET"], guard=AsyncReplayGuard())


@asynccontextmanager
async def lifespan(app: FastAPI) -> AsyncIterator[None]:
    async with client:
        yield


app = FastAPI(lifespan=lifespan)


@app.post("/storycore", status_code=204)
async def told(event: Annotated[Event, Depends(genuine)]) -> None:
    if isinstance(event, JobEvent) and event.type == "job.completed" and event.data.output_asset:
        result = await client.media.download(event.data.output_asset, f"{event.data.id}.mp4")
        print(f"{event.data.id} made {result.name}", flush=True)
