"""Mistakes that users make: each is told in Python's words, with the method's name and the argument's."""

from __future__ import annotations

import pydoc
from collections.abc import Callable
from datetime import date, datetime
from typing import Any

import pytest

import storycore
from storycore import APIConnectionError, InvalidRequestError, StoryCoreClient
from storycore.testing import LocalPlatform
from storycore.webhooks import Webhook

SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"

WRONG: list[tuple[Callable[[Any], object], type[Exception], str]] = [
    (lambda c: c.projects.create(name=7), TypeError, "Projects.create() argument 'name' must be str, not int"),
    (
        lambda c: c.projects.create(name="Film \ud800"),
        ValueError,
        "Projects.create() argument 'name' has a lone surrogate at 5, which UTF-8 cannot hold",
    ),
    (
        lambda c: c.projects.create(name="a", settings={"a": {"b\ud800": 1}}),
        ValueError,
        "Projects.create() argument 'settings' has a lone surrogate at 1, which UTF-8 cannot hold",
    ),
    (
        lambda c: c.projects.list(filters={"name": "\udfff"}),
        ValueError,
        "Projects.list() argument 'filters' has a setting \"name\" that has a lone surrogate at 0, which UTF-8 cannot hold",
    ),
    (
        lambda c: c.api_keys.create(name="k", permissions=["read", "\ud800"]),
        ValueError,
        "ApiKeys.create() argument 'permissions' has a lone surrogate at 0, which UTF-8 cannot hold",
    ),
    (
        lambda c: StoryCoreClient("sk_\ud800"),
        ValueError,
        "StoryCoreClient() argument 'api_key' has a lone surrogate at 3, which UTF-8 cannot hold",
    ),
    (
        lambda c: c.projects.create(name="a", budget=10**400),
        ValueError,
        "Projects.create() argument 'budget' must be a number that a float can hold",
    ),
    (
        lambda c: c.projects.create(name="a", start_date="2026-01-31garbage"),
        ValueError,
        "Projects.create() argument 'start_date' must be a date such as 2026-01-31, not \"2026-01-31garbage\"",
    ),
    (lambda c: c.projects.get(7), TypeError, "Projects.get() argument 'id' must be str, not int"),
    (
        lambda c: c.projects.create(name="a", settings="x"),
        TypeError,
        "Projects.create() argument 'settings' must be a mapping such as {\"fps\": 25}, not str",
    ),
    (
        lambda c: c.projects.create(name="a", settings={"a": object()}),
        TypeError,
        "Projects.create() argument 'settings' has a value of type object, which JSON cannot hold",
    ),
    (
        lambda c: c.projects.create(name="a", start_date="soon"),
        ValueError,
        "Projects.create() argument 'start_date' must be a date such as 2026-01-31, not \"soon\"",
    ),
    (
        lambda c: c.webhooks.create(url="http://127.0.0.1:9", events="project.created"),
        TypeError,
        "Webhooks.create() argument 'events' must be a list of str, not str",
    ),
    (
        lambda c: c.api_keys.create(name="k", permissions=[1]),
        TypeError,
        "ApiKeys.create() argument 'permissions' must be a list of str, and holds int",
    ),
    (
        lambda c: c.media.process(asset_id="a", output_settings={"quality": 7}),
        TypeError,
        "Assets.process() argument 'output_settings' has a setting \"quality\" that must be str, not int",
    ),
    (
        lambda c: c.media.upload(7),
        TypeError,
        "Assets.upload() argument 'file_path' must be a path, bytes or an object with read(), not int",
    ),
    (
        lambda c: c.media.upload(b"a", progress=3),
        TypeError,
        "Assets.upload() argument 'progress' must be a function, not int",
    ),
    (
        lambda c: c.media.upload(b"a", retries=-1),
        ValueError,
        "Assets.upload() argument 'retries' must be from 0 to 4294967295, not -1",
    ),
    (
        lambda c: c.projects.list(page_size="many"),
        TypeError,
        "Projects.list() argument 'page_size' must be int, not str",
    ),
    (
        lambda c: c.projects.items(filters={"name": [1]}),
        TypeError,
        "Projects.items() argument 'filters' has a setting \"name\" that must be str, a number or bool, not list",
    ),
    (
        lambda c: c.with_options(timeout="soon"),
        TypeError,
        "StoryCoreClient.with_options() argument 'timeout' must be seconds or a timedelta, not str",
    ),
    (lambda c: StoryCoreClient(7), TypeError, "StoryCoreClient() argument 'api_key' must be str, not int"),  # type: ignore[arg-type]
    (
        lambda c: StoryCoreClient("k", timeout=-1),
        ValueError,
        "StoryCoreClient() argument 'timeout' must be a number of seconds to wait, not -1",
    ),
]


@pytest.mark.parametrize(("call", "kind", "told"), WRONG, ids=[told.split(" ", 3)[0] for _, _, told in WRONG])
def test_a_wrong_argument_is_told_by_its_name(
    client: StoryCoreClient, call: Callable[[Any], object], kind: type[Exception], told: str
) -> None:
    with pytest.raises(kind) as caught:
        call(client)
    assert type(caught.value) is kind and str(caught.value) == told


def test_what_the_callers_own_code_raises_stays_as_it_is(client: StoryCoreClient) -> None:
    class Odd(dict[str, object]):
        def items(self) -> Any:
            raise LookupError("gone")

    class Path:
        def __fspath__(self) -> str:
            raise LookupError("gone")

    class Number:
        def __float__(self) -> float:
            raise LookupError("gone")

    for call in (
        lambda: client.projects.create(name="Film", budget=Number()),  # type: ignore[arg-type]
        lambda: client.with_options(timeout=Number()),  # type: ignore[arg-type]
    ):
        with pytest.raises(LookupError, match="^'?gone'?$"):
            call()
    with pytest.raises(LookupError, match="^'?gone'?$"):
        client.media.upload_all(name for name in [Path().__fspath__()])
    assert client.projects.create(name="Film", settings=Odd(fps=25)).settings == {"fps": 25}


def test_a_datetime_is_a_date_and_its_time_is_left_out(client: StoryCoreClient) -> None:
    for given in (date(2026, 1, 31), datetime(2026, 1, 31, 23, 59), "2026-01-31"):
        project = client.projects.create(name="Film", start_date=given)
        assert project.start_date == date(2026, 1, 31)


@pytest.mark.parametrize("size", [0, 101])
def test_a_wrong_page_size_is_called_so(client: StoryCoreClient, size: int) -> None:
    for call in (lambda: client.projects.list(page_size=size), lambda: list(client.projects.items(page_size=size))):
        with pytest.raises(InvalidRequestError, match=f"page_size must be from 1 to 100, not {size}") as caught:
            call()
        assert caught.value.param == "page_size"


def test_https_where_there_is_none_is_told_and_not_tried_again(storycore_platform: LocalPlatform) -> None:
    url = storycore_platform.url.replace("http:", "https:")
    with StoryCoreClient("sk_test_0123456789", base_url=url) as client:
        with pytest.raises(APIConnectionError, match="speaks no TLS; a base URL with http://") as caught:
            client.projects.list()
    assert caught.value.attempts == 1 and caught.value.__cause__ is not None


def test_help_shows_every_method_where_users_look_for_it() -> None:
    shown = pydoc.plain(pydoc.render_doc(storycore.Assets))
    assert "ByHand" not in shown and "Methods inherited" not in shown
    assert "upload(self, /, file_path, *, name=None" in shown and "upload_all(" in shown
    assert "Verifies a delivery and reads it." in pydoc.plain(pydoc.render_doc(Webhook))


def test_a_webhook_tells_of_itself_without_its_secret() -> None:
    shown = repr(Webhook([SECRET, SECRET], require_standard=True))
    assert shown == 'Webhook(secrets=2, platform="storycore", require_standard=True)'
