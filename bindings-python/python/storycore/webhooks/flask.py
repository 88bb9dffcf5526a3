"""Webhooks in Flask.

    from storycore.webhooks.flask import verified

    @app.post("/hook")
    @verified("whsec_…")
    def told(event):
        print(event.type, event.id)
        return "", 204

What is not genuine is answered with 400 and never reaches the view.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import wraps
from typing import Any

from flask import current_app, jsonify, make_response, request
from flask.wrappers import Response
from werkzeug.exceptions import RequestEntityTooLarge

from ..errors import WebhookSignatureError
from . import ReplayGuard, Taken, Webhook
from ._receiving import BUSY, MAX_BODY, TOO_LARGE, refusal, refused, verifier

__all__ = ["verified"]

_View = Callable[..., Any]


def verified(
    webhook: Webhook | str | Sequence[str], *, guard: ReplayGuard | None = None
) -> Callable[[_View], Callable[..., Any]]:
    """Verifies a delivery before the view runs, which gets the event as its first argument.

    Args:
        webhook: What verifies, or its secret.
        guard: Lets an event reach the view once: a repeated one is answered with 200, and with 409 while the first is still
            being worked on. A view that raises, or answers with 500 or more, gets the event again.
    """
    webhook = verifier(webhook)

    def decorate(view: _View) -> Callable[..., Any]:
        @wraps(view)
        def receive(*args: Any, **kwargs: Any) -> Any:
            try:
                body = _body()
                event = webhook.verify(body, request.headers)
            except RequestEntityTooLarge:
                return _answer(413, refusal("payload_too_large", TOO_LARGE))
            except WebhookSignatureError as error:
                return _answer(400, refused(error))
            call = current_app.ensure_sync(view)
            if guard is None:
                return call(event, *args, **kwargs)
            taken = guard.take(event.id)
            if taken is Taken.DONE:
                return _answer(200, {})
            if taken is Taken.PROCESSING:
                return _answer(409, refusal("conflict", BUSY))
            try:
                answer = make_response(call(event, *args, **kwargs))
            except BaseException:
                guard.release(event.id)
                raise
            (guard.release if answer.status_code >= 500 else guard.done)(event.id)
            return answer

        return receive

    return decorate


def _body() -> bytes:
    # Flask's own limit may be smaller; it then raises the same.
    if request.content_length is not None and request.content_length > MAX_BODY:
        raise RequestEntityTooLarge
    if request.content_length is None and request.max_content_length is None:
        request.max_content_length = MAX_BODY
    return request.get_data()


def _answer(status: int, body: dict[str, Any]) -> Response:
    answer: Response = jsonify(body)
    answer.status_code = status
    return answer
