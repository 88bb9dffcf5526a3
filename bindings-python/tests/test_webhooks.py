"""``storycore.webhooks``: what is genuine, what is refused and how, and events as objects."""

from __future__ import annotations

import asyncio
import base64
import json
import pickle
import random
import threading
import time
from datetime import datetime, timedelta, timezone
from typing import Any

import pytest

from storycore import ConfigError, StoryCoreError, WebhookSignatureError
from storycore.webhooks import (
    AsyncReplayGuard,
    Event,
    JobEvent,
    MemoryStore,
    ParsedBodyError,
    PortfolioEvent,
    ProjectEvent,
    ReplayGuard,
    Taken,
    UnknownEvent,
    Webhook,
    new_secret,
    sign,
)

SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
BODY = (
    b'{"id":"evt_1","event":"job.completed","timestamp":"2026-01-02T03:04:05Z","organization_id":"org_1",'
    b'"data":{"id":"job_1","type":"thumbnail","status":"completed"},"job_id":"job_1"}'
)


def test_a_genuine_delivery_is_an_event() -> None:
    event = Webhook(SECRET).verify(BODY, sign(SECRET, BODY))
    assert isinstance(event, JobEvent)
    assert (event.id, event.type, event.organization_id) == ("evt_1", "job.completed", "org_1")
    assert event.timestamp == datetime(2026, 1, 2, 3, 4, 5, tzinfo=timezone.utc)
    assert (event.data.id, event.data.status) == ("job_1", "completed")
    assert event["data"] == event.data and event["job_id"] == event.extra["job_id"] == "job_1"
    assert event.raw == BODY and event.to_dict() == json.loads(BODY)
    assert repr(event) == "JobEvent(id='evt_1', type='job.completed')"
    with pytest.raises(KeyError):
        event["nothing"]


def test_an_event_is_a_value() -> None:
    verify = Webhook(SECRET).verify
    event, again = verify(BODY, sign(SECRET, BODY)), verify(BODY, sign(SECRET, BODY))
    assert event == again and len({event, again}) == 1
    kept = pickle.loads(pickle.dumps(event))
    assert kept == event and type(kept) is JobEvent and kept.data == event.data
    with pytest.raises(AttributeError):
        event.id = "another"  # type: ignore[misc]


@pytest.mark.parametrize(
    ("type", "family"),
    [
        ("project.created", ProjectEvent),
        ("risk.escalated", PortfolioEvent),
        ("something.new", UnknownEvent),
    ],
)
def test_each_family_has_its_class_and_new_ones_are_kept(type: str, family: type[Event]) -> None:
    body = json.dumps({"id": "evt_2", "event": type, "data": {"id": "x_1", "name": "Film"}}).encode()
    event = Webhook(SECRET).verify(body, sign(SECRET, body))
    assert isinstance(event, family) and event.type == type and event["data"]["name"] == "Film"


@pytest.mark.parametrize("scheme", ["v1", "own"])
@pytest.mark.parametrize("secret", [SECRET, "a secret of one's own"])
def test_both_schemes_and_forms_of_secrets(scheme: Any, secret: str) -> None:
    assert Webhook(secret).verify(BODY, sign(secret, BODY, scheme=scheme)).id == "evt_1"
    with pytest.raises(WebhookSignatureError):
        Webhook(new_secret()).verify(BODY, sign(secret, BODY, scheme=scheme))


def test_another_platforms_own_header() -> None:
    headers = sign(SECRET, BODY, scheme="own", platform="powalyze")
    assert Webhook(SECRET, platform="powalyze").verify(BODY, headers).id == "evt_1"
    with pytest.raises(WebhookSignatureError):
        Webhook(SECRET, platform="hub_chantier").verify(BODY, headers)
    with pytest.raises(ConfigError):
        Webhook(SECRET, platform="nobody's")


def test_a_public_key_verifies_what_its_owner_signed() -> None:
    # RFC 8032, section 7.1, test 1.
    private = bytes.fromhex("9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60")
    public = bytes.fromhex("d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a")
    key, whpk = (prefix + base64.b64encode(raw).decode() for prefix, raw in [("whsk_", private), ("whpk_", public)])
    headers = sign(key, BODY, scheme="v1a")
    assert Webhook(whpk).verify(BODY, headers).id == "evt_1"
    with pytest.raises(WebhookSignatureError):
        Webhook(whpk).verify(BODY + b" ", headers)
    with pytest.raises(ValueError, match="whsk_"):
        sign(SECRET, BODY, scheme="v1a")


def test_old_and_new_secret_are_good_while_it_rotates() -> None:
    new = new_secret()
    both = Webhook([new, SECRET])
    for secret in (new, SECRET):
        assert both.verify(BODY, sign(secret, BODY)).id == "evt_1"
    several = sign(SECRET, BODY)
    several["webhook-signature"] += " " + sign(new, BODY)["webhook-signature"]
    assert Webhook(new).verify(BODY, several).id == "evt_1"


def test_time_is_five_minutes_both_ways_and_can_be_given() -> None:
    now = datetime(2026, 6, 1, tzinfo=timezone.utc)
    webhook = Webhook(SECRET, clock=lambda: now)
    for apart, good in [(-301, False), (-299, True), (299, True), (301, False)]:
        headers = sign(SECRET, BODY, at=now + timedelta(seconds=apart))
        if good:
            assert webhook.verify(BODY, headers).id == "evt_1"
        else:
            with pytest.raises(WebhookSignatureError, match="too old|future"):
                webhook.verify(BODY, headers)
    patient = Webhook(SECRET, clock=now.timestamp, tolerance=timedelta(hours=2))
    assert patient.verify(BODY, sign(SECRET, BODY, at=now.timestamp() - 3600)).id == "evt_1"


def test_the_own_signature_alone_can_be_refused() -> None:
    own = sign(SECRET, BODY, scheme="own")
    with pytest.raises(WebhookSignatureError):
        Webhook(SECRET, require_standard=True).verify(BODY, own)
    # It cannot stand in for a signature that somebody took away.
    with pytest.raises(WebhookSignatureError):
        Webhook(SECRET).verify(BODY, own | {"webhook-id": "evt_1"})


@pytest.mark.parametrize("form", [bytes, bytearray, memoryview, bytes.decode])
def test_a_body_is_bytes_in_any_form(form: Any) -> None:
    assert Webhook(SECRET).verify(form(BODY), sign(SECRET, BODY)).raw == BODY


def test_headers_come_as_each_framework_has_them() -> None:
    headers = sign(SECRET, BODY)
    forms: list[Any] = [
        headers,
        {name.title(): value for name, value in headers.items()},
        list(headers.items()),
        [(name.encode(), value.encode()) for name, value in headers.items()],
        {"HTTP_" + name.upper().replace("-", "_"): value for name, value in headers.items()} | {"wsgi.input": object()},
        {name: [value] for name, value in headers.items()},
    ]
    for form in forms:
        assert Webhook(SECRET).verify(BODY, form).id == "evt_1"


@pytest.mark.parametrize("body", [json.loads(BODY), [], None, 7, object()])
def test_parsed_json_has_an_error_of_its_own(body: Any) -> None:
    with pytest.raises(ParsedBodyError, match="bytes as they arrived") as caught:
        Webhook(SECRET).verify(body, sign(SECRET, BODY))
    error = caught.value
    assert isinstance(error, StoryCoreError) and isinstance(error, TypeError)
    assert not isinstance(error, WebhookSignatureError)
    assert (str(pickle.loads(pickle.dumps(error))), error.kind) == (str(error), "config")


def test_json_that_was_written_again_is_told_so() -> None:
    with pytest.raises(WebhookSignatureError, match="read and written again"):
        Webhook(SECRET).verify(json.dumps(json.loads(BODY)), sign(SECRET, BODY))


@pytest.mark.parametrize("body", [b"", b"[]", b"{}", b'{"id":1,"event":2}', b'{"id":"e","event":"x","data":', b"\xff\xfe"])
def test_what_is_signed_and_no_event_is_the_same_error(body: bytes) -> None:
    with pytest.raises(WebhookSignatureError):
        Webhook(SECRET).verify(body, sign(SECRET, body))


def test_whatever_arrives_is_refused_by_one_error() -> None:
    chance = random.Random(7)
    webhook, good = Webhook(SECRET), sign(SECRET, BODY)
    names = [*good, "x-storycore-signature", "x-other"]
    for _ in range(2000):
        headers: dict[Any, Any] = dict(good) if chance.random() < 0.5 else {}
        for _ in range(chance.randrange(1, 4)):
            value: Any = chance.choice(
                ["", " ", "v1,", "v1a,AAAA", "-1", "9" * 40, "\udcff", "é", b"\xff", None, 3.5, [], ["x"], good["webhook-signature"][:-1]]
            )
            headers[chance.choice(names)] = value
        body = bytearray(BODY)
        for _ in range(chance.randrange(1, 4)):
            body[chance.randrange(len(body))] = chance.randrange(256)
        if bytes(body) == BODY:
            continue
        bodies: list[bytes | str] = [bytes(body), BODY[:-1], "\udcff"]
        sent = chance.choice(bodies)
        with pytest.raises(WebhookSignatureError) as caught:
            webhook.verify(sent, headers)
        assert SECRET not in str(caught.value)


@pytest.mark.parametrize("secret", ["", "short", " " + SECRET, "whsec_?", "whpk_AAAA", []])
def test_a_secret_that_is_none_is_refused_when_it_is_given(secret: Any) -> None:
    with pytest.raises(ConfigError):
        Webhook(secret)


def test_secrets_are_not_shown() -> None:
    assert SECRET not in repr(Webhook(SECRET)) and SECRET[6:] not in repr(Webhook(SECRET))


def test_a_failing_clock_is_the_callers_own_error() -> None:
    def broken() -> float:
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        Webhook(SECRET, clock=broken).verify(BODY, sign(SECRET, BODY))
    with pytest.raises(TypeError):
        Webhook(SECRET, clock=5)  # type: ignore[arg-type]


def test_a_verifier_is_shared_by_threads() -> None:
    webhook, large = Webhook(SECRET), BODY[:-1] + b" " * 100_000 + b"}"
    headers = sign(SECRET, large)
    seen: list[str] = []
    threads = [
        threading.Thread(target=lambda: seen.extend(webhook.verify(large, headers).id for _ in range(50)))
        for _ in range(8)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert seen == ["evt_1"] * 400


# The replay guard


def test_an_id_is_taken_once_and_again_after_a_failure() -> None:
    guard = ReplayGuard()
    with guard.once("evt_1") as taken:
        assert taken is Taken.FIRST
        with guard.once("evt_1") as meanwhile:
            assert meanwhile is Taken.PROCESSING
    with guard.once("evt_1") as later:
        assert later is Taken.DONE
    with pytest.raises(ZeroDivisionError), guard.once("evt_2"):
        raise ZeroDivisionError
    assert guard.take("evt_2") is Taken.FIRST


def test_work_that_hangs_and_old_ids_are_let_go() -> None:
    guard = ReplayGuard(processing=0.02, keep=0.02)
    assert guard.take("evt_1") is Taken.FIRST
    time.sleep(0.03)
    assert guard.take("evt_1") is Taken.FIRST
    guard.done("evt_1")
    time.sleep(0.03)
    assert guard.take("evt_1") is Taken.FIRST


def test_memory_is_bounded() -> None:
    guard = ReplayGuard(MemoryStore(most=10))
    for n in range(100):
        guard.take(f"evt_{n}")
    assert guard.take("evt_99") is Taken.PROCESSING
    assert guard.take("evt_0") is Taken.FIRST


def test_of_many_threads_one_is_first() -> None:
    guard, results = ReplayGuard(), []
    gate = threading.Barrier(16)

    def take() -> None:
        gate.wait()
        results.append(guard.take("evt_1"))

    threads = [threading.Thread(target=take) for _ in range(16)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert results.count(Taken.FIRST) == 1 and results.count(Taken.PROCESSING) == 15


class OwnStore:
    """A store of one's own, as one over a database would be."""

    def __init__(self) -> None:
        self.memory = MemoryStore()
        self.calls: list[str] = []

    async def take(self, id: str, processing: float) -> Taken:
        self.calls.append("take")
        await asyncio.sleep(0)
        return self.memory.take(id, processing)

    async def done(self, id: str, keep: float) -> None:
        self.calls.append("done")
        self.memory.done(id, keep)

    async def release(self, id: str) -> None:
        self.calls.append("release")
        self.memory.release(id)


def test_a_store_of_ones_own_under_asyncio() -> None:
    store = OwnStore()

    async def run() -> None:
        for guard in (AsyncReplayGuard(store), AsyncReplayGuard()):
            async with guard.once("evt_1") as taken:
                assert taken is Taken.FIRST
            async with guard.once("evt_1") as taken:
                assert taken is Taken.DONE
            # A cancelled task has not done its work.
            work = asyncio.create_task(hangs(guard))
            await asyncio.sleep(0.01)
            work.cancel()
            with pytest.raises(asyncio.CancelledError):
                await work
            assert await guard.take("evt_2") is Taken.FIRST

    async def hangs(guard: AsyncReplayGuard) -> None:
        async with guard.once("evt_2"):
            await asyncio.sleep(600)

    asyncio.run(run())
    assert store.calls == ["take", "done", "take", "take", "release", "take"]
