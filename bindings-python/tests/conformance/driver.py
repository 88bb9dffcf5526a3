"""The conformance suite's driver for Python: makes the calls that it is told on standard input, one JSON object a line.

    python driver.py sync | async

The protocol is in `tests/conformance/src/driver.rs`. Which calls there are, is generated: `operations.py`.
"""

from __future__ import annotations

import asyncio
import base64
import io
import json
import logging
import os
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from operations import OPERATIONS

import storycore
from storycore import AsyncStoryCoreClient, StoryCoreClient, StoryCoreError, metrics, webhooks

IS_ASYNC = sys.argv[1:] == ["async"]
CLASS: Any = AsyncStoryCoreClient if IS_ASYNC else StoryCoreClient


class NotHere(Exception):
    """Something that Python does not have."""


class Watching(logging.Handler):
    """What a program that watches the client sees."""

    def __init__(self) -> None:
        super().__init__()
        self.lines: list[str] = []
        self.spans: list[dict[str, Any]] = []

    def emit(self, record: logging.LogRecord) -> None:
        told = getattr(record, "storycore", {})
        self.lines.append(f"{record.getMessage()} {told}")
        if "span" in told:
            self.spans.append(told)

    def began(self) -> list[dict[str, Any]]:
        """The spans in the order in which they began."""
        ordered = sorted(self.spans, key=lambda span: span["number"])
        return [{"name": span["span"], "parent": span["parent"], "fields": span["fields"]} for span in ordered]


WATCHING = Watching()
GUARD = webhooks.ReplayGuard()
SIGN_INS: list[Any] = []
TOKENS: dict[str, Any] = {}
CONTROLS: dict[str, Any] = {}


def make(options: dict[str, Any]) -> Any:
    """A client as a scenario sets it up."""
    if options.get("from_env"):
        return CLASS.from_env()
    given: dict[str, Any] = {}
    for name, value in options.items():
        if name.endswith("_ms"):
            given[name[:-3]] = value / 1000
        elif name == "breaker":
            given["circuit_breaker"] = storycore.CircuitBreaker(**seconds(value))
        elif name == "app_info":
            given[name] = (value["name"], value["version"])
        elif name == "roots":
            given["ca_certificates"] = value
        elif name == "certificate":
            given["client_certificate"] = (value["chain"], value["key"])
        elif name == "jwt":
            jwt = dict(value)
            if "lifetime_s" in jwt:
                jwt["lifetime"] = jwt.pop("lifetime_s")
            given[name] = storycore.JwtCredential(**jwt)
        elif name == "oauth":
            given[name] = storycore.OAuthCredential.client_credentials(**value)
        elif name == "signed_in":
            given["oauth"] = storycore.OAuthCredential.tokens(value["client_id"], TOKENS[value["code"]])
        else:
            given[name] = value
    return CLASS(**given)


def seconds(options: dict[str, Any]) -> dict[str, Any]:
    return {n.removesuffix("_ms"): v / 1000 if n.endswith("_ms") else v for n, v in options.items()}


def plain(value: Any) -> Any:
    """A result as JSON has it."""
    if isinstance(value, bytes):
        return value.decode(errors="replace")
    if isinstance(value, list):
        return [plain(item) for item in value]
    if isinstance(value, storycore.JobEvent):
        return {"id": value.id, "type": value.type, "progress": value.job.progress, "status": value.job.status}
    return value.to_dict() if hasattr(value, "to_dict") else value


def error_told(error: StoryCoreError) -> dict[str, Any]:
    fields = dict(vars(error))
    fields["elapsed_ms"] = int(fields.pop("elapsed") * 1000)
    after = fields.pop("retry_after")
    fields["retry_after_ms"] = None if after is None else int(after * 1000)
    fields["job"] = plain(error.job)
    fields["cause"] = None if error.__cause__ is None else str(error.__cause__)
    fields["text"] = f"{error} {error!r} {error.__cause__!r}"
    return fields


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


class Upload:
    """An upload as a scenario wants it, and what was told of it."""

    def __init__(self, args: dict[str, Any]) -> None:
        path = Path(args["path"])
        self.file: Any = path
        self.told: list[tuple[float, Any]] = []
        self.control = control(args["control"]) if "control" in args else storycore.UploadControl()
        self.options: dict[str, Any] = {
            "type": "document",
            "journal": args.get("journal", False),
            "control": self.control,
            "progress": lambda progress: self.told.append((time.monotonic(), progress)),
        }
        if args.get("source") in ("bytes", "stream"):
            content = path.read_bytes()
            self.file = content if args["source"] == "bytes" else io.BytesIO(content)
            self.options["file_name"] = "film.bin"
        if "chunk_kib" in args:
            self.options["chunk_size"] = args["chunk_kib"] * 1024
        if "streams" in args:
            self.options["max_streams"] = args["streams"]
        if "stall_ms" in args:
            self.options["stall_timeout"] = args["stall_ms"] / 1000

    def told_of(self, asset: Any) -> dict[str, Any]:
        times = [at for at, _ in self.told][:-1]
        gaps = [int((after - before) * 1000) for before, after in zip(times, times[1:])]
        last = self.told[-1][1] if self.told else None
        return {
            "asset": plain(asset),
            "sent": self.control.sent,
            "failures": self.control.failures,
            "restarts": self.control.restarts,
            "progress": {
                "last": {"acknowledged": last.acknowledged, "total": last.total} if last else None,
                "shortest_ms": min(gaps) if gaps else None,
            },
        }


def control(name: str) -> Any:
    return CONTROLS.setdefault(name, storycore.UploadControl())


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


def configured(client: Any, operation: dict[str, Any]) -> Any:
    return client.with_options(**seconds(operation.get("options") or {}))


def call_sync(client: Any, operation: dict[str, Any]) -> Any:
    method, args = operation["method"], operation.get("args") or {}
    if (result := without_client(method, client, args)) is not NotImplemented:
        return result
    match method:
        case "process.fork":
            return forked(lambda: call_sync(client, args))
        case "process.runtimes":
            return in_threads(lambda: answer(lambda: call_sync(client, args)))
        case "assets.download":
            with tempfile.TemporaryDirectory() as folder:
                client.assets.download(args["id"], Path(folder, "download"))
                return Path(folder, "download").read_text()
        case "assets.upload":
            upload = Upload(args)
            return upload.told_of(client.assets.upload(upload.file, **upload.options))
    result = begin(method, client, args)
    if goes_on(method):
        items = []
        for item in result:
            items.append(item)
            time.sleep(args.get("pause_ms", 0) / 1000)
        result = items
    return finish(method, args, result)


async def call_async(client: Any, operation: dict[str, Any]) -> Any:
    method, args = operation["method"], operation.get("args") or {}
    if (result := without_client(method, client, args)) is not NotImplemented:
        return result
    match method:
        case "process.fork":
            return await asyncio.to_thread(forked, lambda: asyncio.run(call_async(client, args)))
        case "process.runtimes":
            return await asyncio.to_thread(in_threads, lambda: answer(lambda: asyncio.run(call_async(client, args))))
        case "assets.download":
            with tempfile.TemporaryDirectory() as folder:
                await client.assets.download(args["id"], Path(folder, "download"))
                return Path(folder, "download").read_text()
        case "assets.upload":
            upload = Upload(args)
            return upload.told_of(await client.assets.upload(upload.file, **upload.options))
    result = begin(method, client, args)
    if goes_on(method):
        items = []
        async for item in result:
            items.append(item)
            await asyncio.sleep(args.get("pause_ms", 0) / 1000)
        result = items
    else:
        result = await result
    return finish(method, args, result)


def answer(call: Callable[[], Any]) -> dict[str, Any]:
    try:
        return {"result": call()}
    except StoryCoreError as error:
        return {"error": error_told(error)}


def forked(call: Callable[[], Any]) -> dict[str, Any]:
    """The call before a fork, in the child, and in the parent after it."""
    before = answer(call)
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            os.write(writer, json.dumps(answer(call)).encode())
        finally:
            os._exit(0)
    os.close(writer)
    after = answer(call)
    with os.fdopen(reader) as told:
        in_child = json.loads(told.read())
    os.waitpid(child, 0)
    return {"before": before, "child": in_child, "after": after}


def in_threads(call: Callable[[], Any]) -> list[Any]:
    """Two calls, each in a thread of its own, and of asyncio each in a loop of its own."""
    results: list[Any] = []
    for _ in range(2):
        thread = threading.Thread(target=lambda: results.append(call()))
        thread.start()
        thread.join()
    return results


def write(line: dict[str, Any]) -> None:
    sys.stdout.write(json.dumps(line) + "\n")
    sys.stdout.flush()


def outcome(id: int, error: BaseException | None, result: Any) -> dict[str, Any]:
    match error:
        case None:
            return {"id": id, "result": result}
        case StoryCoreError():
            return {"id": id, "error": error_told(error)}
        case asyncio.CancelledError():
            return {"id": id, "error": {"kind": "cancelled", "message": "the call was cancelled"}}
        case NotHere():
            return {"id": id, "error": {"kind": "not_here", "message": str(error)}}
        case _:
            return {"id": id, "error": {"kind": "broken driver", "message": repr(error)}}


class Driver:
    """What the two drivers share: clients, and what is not a call."""

    def __init__(self) -> None:
        self.clients: dict[str, Any] = {}

    def plain(self, operation: dict[str, Any]) -> bool:
        """Does what is not a call, and says whether it was that."""
        id = operation["id"]
        match operation["op"]:
            case "client":
                try:
                    self.clients[operation.get("client", "a")] = make(operation["options"])
                    write({"id": id, "result": None})
                except StoryCoreError as error:
                    write({"id": id, "error": error_told(error)})
            case "advance":
                write({"id": id, "error": {"kind": "not_here", "message": "Python's timers go by the real clock"}})
            case _:
                return False
        return True


def run_sync() -> None:
    driver = Driver()
    calls: dict[int, Any] = {}

    def call(operation: dict[str, Any], client: Any) -> None:
        try:
            line = outcome(operation["id"], None, call_sync(client, operation))
        except BaseException as error:
            line = outcome(operation["id"], error, None)
        calls.pop(operation["id"], None)
        write(line)

    for line in sys.stdin:
        operation = json.loads(line)
        if driver.plain(operation):
            continue
        if operation["op"] == "cancel":
            # A sync call is ended from elsewhere by closing the client that it was made through.
            client = calls.pop(operation["target"], None)
            if client is not None:
                client.close()
            write({"id": operation["id"], "result": None})
            continue
        try:
            given = driver.clients.get(operation.get("client", "a"))
            client = None if given is None else configured(given, operation)
        except StoryCoreError as error:
            write({"id": operation["id"], "error": error_told(error)})
            continue
        calls[operation["id"]] = client
        threading.Thread(target=call, args=(operation, client), daemon=True).start()


async def run_async() -> None:
    driver = Driver()
    tasks: dict[int, asyncio.Task[None]] = {}
    loop = asyncio.get_running_loop()
    lines: asyncio.Queue[str | None] = asyncio.Queue()

    def read() -> None:
        for line in sys.stdin:
            loop.call_soon_threadsafe(lines.put_nowait, line)
        loop.call_soon_threadsafe(lines.put_nowait, None)

    # A thread of its own: a scenario that counts the process's threads is not to see them come and go.
    threading.Thread(target=read, daemon=True).start()

    async def call(operation: dict[str, Any]) -> None:
        try:
            given = driver.clients.get(operation.get("client", "a"))
            client = None if given is None else configured(given, operation)
            line = outcome(operation["id"], None, await call_async(client, operation))
        except BaseException as error:
            line = outcome(operation["id"], error, None)
        tasks.pop(operation["id"], None)
        write(line)

    while (line := await lines.get()) is not None:
        operation = json.loads(line)
        if driver.plain(operation):
            continue
        if operation["op"] == "cancel":
            task = tasks.get(operation["target"])
            if task is not None:
                task.cancel()
            write({"id": operation["id"], "result": None})
            continue
        tasks[operation["id"]] = loop.create_task(call(operation))


def main() -> None:
    logger = logging.getLogger("storycore")
    logger.setLevel(logging.DEBUG)
    logger.addHandler(WATCHING)
    logger.propagate = False
    metrics.enable()
    if IS_ASYNC:
        asyncio.run(run_async())
    else:
        run_sync()


if __name__ == "__main__":
    main()
