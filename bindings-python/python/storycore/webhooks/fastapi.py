"""Webhooks in FastAPI and Starlette.

    from storycore.webhooks import Event
    from storycore.webhooks.fastapi import verified

    genuine = verified("whsec_…")

    @app.post("/hook", status_code=204)
    async def told(event: Annotated[Event, Depends(genuine)]) -> None:
        print(event.type, event.id)

In Starlette the same object is a decorator:

    @genuine.endpoint
    async def told(request, event): ...

What is not genuine is answered with 400 and never reaches the handler.
"""

from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from functools import wraps
from typing import Any

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from ..errors import WebhookSignatureError
from . import AsyncReplayGuard, Event, Taken, Webhook
from ._receiving import BUSY, MAX_BODY, TOO_LARGE, refusal, refused, verifier

__all__ = ["Verified", "verified"]


class Verified:
    """Verifies a delivery before the handler runs: a dependency for FastAPI, a decorator for Starlette.

    Args:
        webhook: What verifies, or its secret.
        guard: Lets an event reach the handler once: a repeated one is answered with 200, and with 409 while the first is
            still being worked on. A handler that raises, an ``HTTPException`` too, gets the event again.
    """

    def __init__(
        self, webhook: Webhook | str | Sequence[str], *, guard: AsyncReplayGuard | None = None
    ) -> None:
        self._webhook = verifier(webhook)
        self._guard = guard

    async def __call__(self, request: Request) -> AsyncIterator[Event]:
        """The event, for ``Depends``."""
        async with self._received(request) as event:
            yield event

    def endpoint(self, handler: Callable[[Request, Event], Awaitable[Response]]) -> Callable[[Request], Awaitable[Response]]:
        """A Starlette endpoint of a handler that takes the request and the event."""

        @wraps(handler)
        async def receive(request: Request) -> Response:
            try:
                async with self._received(request) as event:
                    answer = await handler(request, event)
                    if answer.status_code >= 500:
                        raise _Failed(answer)
                    return answer
            except _Failed as failed:
                return failed.answer
            except Refused as error:
                return JSONResponse(error.body, error.status_code)

        return receive

    @asynccontextmanager
    async def _received(self, request: Request) -> AsyncIterator[Event]:
        body = await _body(request)
        try:
            event = self._webhook.verify(body, request.headers.raw)
        except WebhookSignatureError as error:
            raise Refused(400, refused(error)) from error
        if self._guard is None:
            yield event
            return
        async with self._guard.once(event.id) as taken:
            if taken is Taken.PROCESSING:
                raise Refused(409, refusal("conflict", BUSY))
            if taken is Taken.DONE:
                raise Refused(200, {})
            yield event


def verified(webhook: Webhook | str | Sequence[str], *, guard: AsyncReplayGuard | None = None) -> Verified:
    """A `Verified`, by the name that the adapters of the other frameworks have."""
    return Verified(webhook, guard=guard)


class Refused(HTTPException):
    """The answer to a delivery that does not reach the handler. Its ``body`` has the form of the platform's errors."""

    def __init__(self, status: int, body: dict[str, Any]) -> None:
        error = body.get("error", {})
        super().__init__(status, error.get("message", ""))
        self.body = body


class _Failed(Exception):
    def __init__(self, answer: Response) -> None:
        super().__init__()
        self.answer = answer


async def _body(request: Request) -> bytes:
    parts = bytearray()
    async for part in request.stream():
        parts += part
        if len(parts) > MAX_BODY:
            raise Refused(413, refusal("payload_too_large", TOO_LARGE))
    return bytes(parts)
