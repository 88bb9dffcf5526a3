"""Webhooks in Django.

    from storycore.webhooks.django import verified

    @verified("whsec_…")
    def told(request, event):
        print(event.type, event.id)
        return HttpResponse(status=204)

    urlpatterns = [path("hook", told)]

Async views likewise. What is not genuine is answered with 400 and never reaches the view.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import wraps
from inspect import iscoroutinefunction
from typing import Any

from django.core.exceptions import RequestDataTooBig
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.http.request import RawPostDataException, UnreadablePostError
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_POST

from ..errors import StoryCoreError, WebhookSignatureError
from . import AsyncReplayGuard, Event, ReplayGuard, Taken, Webhook
from ._receiving import BUSY, MAX_BODY, TOO_LARGE, refusal, refused, verifier

__all__ = ["verified"]

_View = Callable[..., Any]


def verified(
    webhook: Webhook | str | Sequence[str], *, guard: ReplayGuard | AsyncReplayGuard | None = None
) -> Callable[[_View], _View]:
    """Verifies a delivery before the view runs, which gets the event behind the request.

    The view takes POST alone and needs no CSRF token: the signature stands in for it.

    Args:
        webhook: What verifies, or its secret.
        guard: Lets an event reach the view once: a repeated one is answered with 200, and with 409 while the first is still
            being worked on. A view that raises, or answers with 500 or more, gets the event again. An async view needs
            an ``AsyncReplayGuard``, another a ``ReplayGuard``.
    """
    webhook = verifier(webhook)

    def decorate(view: _View) -> _View:
        receive: _View
        if iscoroutinefunction(view):
            if isinstance(guard, ReplayGuard):
                raise TypeError("an async view needs an AsyncReplayGuard")
            receive = _async(view, webhook, guard)
        else:
            if isinstance(guard, AsyncReplayGuard):
                raise TypeError("a view that is not async needs a ReplayGuard")
            receive = _sync(view, webhook, guard)
        decorated: _View = csrf_exempt(require_POST(wraps(view)(receive)))
        return decorated

    return decorate


def _sync(view: _View, webhook: Webhook, guard: ReplayGuard | None) -> _View:
    def receive(request: HttpRequest, *args: Any, **kwargs: Any) -> Any:
        event = _event(webhook, request)
        if isinstance(event, HttpResponse):
            return event
        if guard is None:
            return view(request, event, *args, **kwargs)
        taken = guard.take(event.id)
        if taken is not Taken.FIRST:
            return _repeated(taken)
        try:
            answer = view(request, event, *args, **kwargs)
        except BaseException:
            guard.release(event.id)
            raise
        (guard.release if answer.status_code >= 500 else guard.done)(event.id)
        return answer

    return receive


def _async(view: _View, webhook: Webhook, guard: AsyncReplayGuard | None) -> _View:
    async def receive(request: HttpRequest, *args: Any, **kwargs: Any) -> Any:
        event = _event(webhook, request)
        if isinstance(event, HttpResponse):
            return event
        if guard is None:
            return await view(request, event, *args, **kwargs)
        taken = await guard.take(event.id)
        if taken is not Taken.FIRST:
            return _repeated(taken)
        try:
            answer = await view(request, event, *args, **kwargs)
        except BaseException:
            await guard.release(event.id)
            raise
        await (guard.release if answer.status_code >= 500 else guard.done)(event.id)
        return answer

    return receive


def _event(webhook: Webhook, request: HttpRequest) -> Event | HttpResponse:
    try:
        body = request.body
        if len(body) > MAX_BODY:
            raise RequestDataTooBig
        return webhook.verify(body, request.headers)
    except RequestDataTooBig:
        return JsonResponse(refusal("payload_too_large", TOO_LARGE), status=413)
    except UnreadablePostError:
        return JsonResponse(refusal("webhook_signature", "the delivery broke off"), status=400)
    except RawPostDataException as error:
        text = "the request's body was read as a stream or a form before: the bytes that were signed are gone"
        raise StoryCoreError(text, {"message": text, "kind": "config"}) from error
    except WebhookSignatureError as error:
        return JsonResponse(refused(error), status=400)


def _repeated(taken: Taken) -> HttpResponse:
    if taken is Taken.DONE:
        return JsonResponse({})
    return JsonResponse(refusal("conflict", BUSY), status=409)
