"""The adapters in the real frameworks, with deliveries of the real platform, and with forged ones."""

from __future__ import annotations

import json
import sys
import threading
import time
import types
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from typing import Any

import django
import flask
import pytest
from django.conf import settings
from django.http import HttpRequest, HttpResponse
from fastapi import Depends, FastAPI
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

import receivers
import storycore.webhooks.django
import storycore.webhooks.fastapi
import storycore.webhooks.flask
from storycore.testing import LocalPlatform
from storycore.webhooks import AsyncReplayGuard, Event, ProjectEvent, ReplayGuard, Webhook, new_secret, sign

DEADLINE = 30.0
SECRET = new_secret()


class Work:
    """What the handlers do: note the event, or fail as often as they are told to."""

    def __init__(self) -> None:
        self.events: list[Event] = []
        self.failures = 0
        self.came = threading.Condition()

    def __call__(self, event: Event) -> None:
        with self.came:
            if self.failures:
                self.failures -= 1
                raise RuntimeError("the work failed")
            self.events.append(event)
            self.came.notify_all()

    def wait_for(self, type: str) -> Event:
        def there() -> list[Event]:
            return [event for event in self.events if event.type == type]

        with self.came:
            assert self.came.wait_for(there, DEADLINE), f"no {type} came, but {self.events}"
            return there()[0]


def in_fastapi(work: Work) -> AbstractContextManager[str]:
    app = FastAPI()
    verified = storycore.webhooks.fastapi.verified(SECRET, guard=AsyncReplayGuard())

    @app.post("/hook", status_code=204)
    async def told(event: Event = Depends(verified)) -> None:
        work(event)

    return receivers.asgi(app)


def in_starlette(work: Work) -> AbstractContextManager[str]:
    verified = storycore.webhooks.fastapi.Verified(Webhook(SECRET), guard=AsyncReplayGuard())

    @verified.endpoint
    async def told(request: Request, event: Event) -> Response:
        work(event)
        return Response(status_code=204)

    return receivers.asgi(Starlette(routes=[Route("/hook", told, methods=["POST"])]))


def in_flask(work: Work) -> AbstractContextManager[str]:
    app = flask.Flask("receiver")

    @app.post("/hook")
    @storycore.webhooks.flask.verified([new_secret(), SECRET], guard=ReplayGuard())
    def told(event: Event) -> tuple[str, int]:
        work(event)
        return "", 204

    return receivers.wsgi(app)


def django_application(view: Callable[..., Any], kind: str) -> Any:
    from django.core.asgi import get_asgi_application
    from django.core.wsgi import get_wsgi_application
    from django.urls import clear_url_caches, path

    if not settings.configured:
        settings.configure(
            ALLOWED_HOSTS=["127.0.0.1"],
            DATA_UPLOAD_MAX_MEMORY_SIZE=8 * 1024 * 1024,
            LOGGING_CONFIG=None,
            MIDDLEWARE=["django.middleware.csrf.CsrfViewMiddleware"],
            ROOT_URLCONF="receiver_urls",
            SECRET_KEY="only for this test",
        )
        django.setup()
    urls = types.ModuleType("receiver_urls")
    urls.urlpatterns = [path("hook", view)]  # type: ignore[attr-defined]
    sys.modules["receiver_urls"] = urls
    clear_url_caches()
    return get_asgi_application() if kind == "asgi" else get_wsgi_application()


def in_django(work: Work) -> AbstractContextManager[str]:
    @storycore.webhooks.django.verified(SECRET, guard=ReplayGuard())
    def told(request: HttpRequest, event: Event) -> HttpResponse:
        work(event)
        return HttpResponse(status=204)

    return receivers.wsgi(django_application(told, "wsgi"))


def in_async_django(work: Work) -> AbstractContextManager[str]:
    @storycore.webhooks.django.verified(SECRET, guard=AsyncReplayGuard())
    async def told(request: HttpRequest, event: Event) -> HttpResponse:
        work(event)
        return HttpResponse(status=204)

    return receivers.asgi(django_application(told, "asgi"))


@pytest.fixture
def work() -> Work:
    return Work()


@pytest.fixture(params=[in_fastapi, in_starlette, in_flask, in_django, in_async_django])
def hook(request: pytest.FixtureRequest, work: Work) -> Iterator[str]:
    """The address of a receiver in each framework."""
    with request.param(work) as url:
        yield url + "/hook"


def post(url: str, body: bytes, headers: dict[str, str]) -> tuple[int, Any]:
    request = urllib.request.Request(url, body, {"content-type": "application/json", **headers})
    try:
        with urllib.request.urlopen(request, timeout=DEADLINE) as answer:
            return answer.status, answer.read()
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.read()


def ask(platform: LocalPlatform, path: str, body: object = None) -> Any:
    headers = {"authorization": f"Bearer {platform.api_key}"}
    status, answer = post(platform.url + path, json.dumps(body or {}).encode(), headers)
    assert status < 400, answer
    return json.loads(answer)


def delivery(id: str) -> tuple[bytes, dict[str, str]]:
    body = json.dumps({"id": id, "event": "webhook.test", "data": {}}).encode()
    return body, sign(SECRET, body)


def test_the_platforms_deliveries_arrive(storycore_platform: LocalPlatform, hook: str, work: Work) -> None:
    webhook = ask(
        storycore_platform, "/api/webhooks", {"url": hook, "events": ["project.created"], "secret": SECRET}
    )
    tested = ask(storycore_platform, f"/api/webhooks/{webhook['id']}/test")
    assert tested["status_code"] in (200, 204), tested
    assert work.wait_for("webhook.test").id == tested["event_id"]
    film = ask(storycore_platform, "/api/projects", {"name": "Film"})
    event = work.wait_for("project.created")
    assert isinstance(event, ProjectEvent)
    assert (event.data.id, event.data.name) == (film["id"], "Film")


def test_what_is_not_genuine_does_not_reach_the_handler(hook: str, work: Work) -> None:
    body, headers = delivery("evt_1")
    forged = sign(new_secret(), body)
    old = sign(SECRET, body, at=time.time() - 3600)
    for sent, given in [(body, forged), (body, {}), (body + b" ", headers), (body, old), (b"", headers)]:
        status, answer = post(hook, sent, given)
        assert status == 400, (status, answer)
        assert SECRET not in str(answer)
    assert work.events == []
    assert post(hook, body, headers)[0] in (200, 204)
    assert [event.id for event in work.events] == ["evt_1"]


def test_an_event_reaches_the_handler_once(hook: str, work: Work) -> None:
    body, headers = delivery("evt_twice")
    assert [post(hook, body, headers)[0] < 300 for _ in range(3)] == [True, True, True]
    assert len(work.events) == 1


def test_work_that_failed_is_done_at_the_next_delivery(hook: str, work: Work) -> None:
    body, headers = delivery("evt_again")
    work.failures = 1
    assert post(hook, body, headers)[0] == 500
    assert work.events == []
    assert post(hook, body, headers)[0] < 300
    assert len(work.events) == 1


def test_a_body_without_end_is_not_read(hook: str, work: Work) -> None:
    body = b" " * (1024 * 1024 + 1)
    assert post(hook, body, sign(SECRET, body))[0] == 413
    assert work.events == []
