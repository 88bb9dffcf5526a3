"""A scenario's call, made as a user would make it: which method, with which arguments, and what it gives."""

from __future__ import annotations

import base64
import io
from typing import Any

from clients import TOKENS
from operations import OPERATIONS
from told import WATCHING, plain
from uploads import control

import storycore
from storycore import metrics, webhooks

GUARD = webhooks.ReplayGuard()
SIGN_INS: list[Any] = []


def verify(args: dict[str, Any]) -> Any:
    body, secrets, now = args["body"].encode(), args["secrets"], args["now"]
    options = {"platform": args["platform"]} if "platform" in args else {}
    webhook = webhooks.Webhook(secrets, clock=lambda: now, **options)
    headers = args.get("headers", {})
    match args.get("sign"):
        case None:
            pass
        case "standard":
            headers = webhooks.sign(secrets[0], body, id="evt_1", at=now)
        case "public":
            key = "whsk_" + base64.b64encode(args["private_key"].encode()).decode()
            headers = webhooks.sign(key, body, id="evt_1", at=now, scheme="v1a")
        case platform:
            headers = webhooks.sign(secrets[0], body, scheme="own", platform=platform)
    event = webhook.verify(body, headers)
    is_unknown = isinstance(event, webhooks.UnknownEvent)
    return {
        "id": event.id,
        "type": event.type,
        "organization_id": event.organization_id,
        "data": plain(event.data),
        "unknown": {"type": event.type, "raw": plain(event.raw)} if is_unknown else None,
    }


def guard(args: dict[str, Any]) -> Any:
    match args.get("say", "take"):
        case "take":
            return str(GUARD.take(args["id"]).value)
        case "done":
            return GUARD.done(args["id"])
        case _:
            return GUARD.release(args["id"])


def without_client(method: str, client: Any, args: dict[str, Any]) -> Any:
    match method:
        case "webhooks.verify":
            return verify(args)
        case "webhooks.guard":
            return guard(args)
        case "watch.spans":
            return WATCHING.began()
        case "watch.text":
            return "\n".join(WATCHING.lines)
        case "watch.metrics":
            return sorted(metrics.snapshot(), key=lambda metric: str(metric["name"]))
        case "watch.client":
            return repr(client) + repr(vars(type(client)))
        case "assets.steer":
            return getattr(control(args["control"]), args["say"])()
        case "oauth.begin":
            SIGN_INS.append(storycore.Authorization(args["client_id"], args["redirect_uri"], args["scopes"]))
            return {"url": SIGN_INS[-1].url(client)}
    return NotImplemented


def keywords(method: str, args: dict[str, Any]) -> dict[str, Any]:
    """A scenario's arguments as this method's keywords."""
    _, known = OPERATIONS[method]
    given: dict[str, Any] = {}
    for name, value in args.items():
        name = "page_size" if name == "limit" else name
        if name == "pause_ms":
            continue
        if name in known:
            given[name] = value
        elif "filters" in known:
            given.setdefault("filters", {})[name] = value
        else:
            raise TypeError(f"{method} has no argument {name}")
    return given


def begin(method: str, client: Any, args: dict[str, Any]) -> Any:
    """Begins a call: gives its result, or what is awaited or gone through for it."""
    match method:
        case "jobs.wait":
            return client.jobs.wait(args["id"], **({"timeout": args["timeout_ms"] / 1000} if "timeout_ms" in args else {}))
        case "api_keys.create":
            return client.api_keys.create(name=args["name"], permissions=["read"])
        case "jobs.create":
            return client.jobs.create(type=args["type"], parameters=args.get("parameters", {}))
        case "request":
            stream = args.get("stream")
            body = {"content": io.BytesIO(stream.encode()), "content_type": "application/json"} if stream else {}
            return client.request(args["method"], args["path"], **body)
        case "oauth.exchange":
            return SIGN_INS[-1].exchange(client, args["code"], args["state"])
    resource, name = method.split(".")
    return getattr(getattr(client, resource), name)(**keywords(method, args))


def finish(method: str, args: dict[str, Any], result: Any) -> Any:
    match method:
        case "request":
            body = result.json() if result.body else None
            return {"status": result.status, "request_id": result.request_id, "body": body}
        case "webhooks.create" | "api_keys.create":
            return {"id": result.id, "secret": result.secret}
        case "oauth.exchange":
            TOKENS[args["code"]] = result
            return {"expires_in": result.expires_in, "refreshes": result.refresh_token is not None}
    return plain(result)


def goes_on(method: str) -> bool:
    return OPERATIONS.get(method, ("value",))[0] == "iterator"
