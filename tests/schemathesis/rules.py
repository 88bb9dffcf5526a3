"""Rules of the contract that JSON Schema has no words for. A generated request that keeps the schema is made to keep these
too, so that its refusal is always a fault; one that breaks the schema on purpose stays broken.
"""

import re
import secrets
import uuid

import schemathesis
from schemathesis.core.failures import AcceptedNegativeData
from schemathesis.openapi.checks import UseAfterFree

from world import CALLBACK

ID = re.compile(r"^[a-z]{3}_[0-9a-f]{24}$")
URL = re.compile(r"^https?://[^/\\\s\x00-\x1f\x7f-\x9f][^\\\s\x00-\x1f\x7f-\x9f]*$", re.IGNORECASE)
MOST_KEYS = 7
# Every event goes to each of them: with hundreds there would be little else to do.
MOST_WEBHOOKS = 12


class Rules:
    """Applies the rules to each request before it is sent."""

    def __init__(self):
        # The running platform, set before the first request to it.
        self.world = None
        self.used_keys = set()

    def install(self):
        @schemathesis.serializer("application/offset+octet-stream")
        def bytes_as_they_are(_context, value):
            return value if isinstance(value, bytes) else str(value).encode()

        @schemathesis.hook("before_call")
        def before_call(_context, case, _kwargs):
            self.apply(case)

        @schemathesis.hook("filter_failure")
        def filter_failure(_context, failure, case, _response):
            revoked = isinstance(failure, UseAfterFree) and self.is_revoked_key(case)
            return not revoked and not is_unknown_header(failure)

    def is_revoked_key(self, case):
        """DELETE revokes a key, and the contract goes on showing it, as `revoked`: that is no use after its end."""
        return case.path.startswith("/api/auth/api-keys/{id}") and self.world.is_revoked(case.path_parameters["id"])

    def apply(self, case):
        self._own_things_stay(case)
        self._idempotency_key_is_new(case)
        if isinstance(case.body, dict):
            body = dict(case.body)
            if is_id(body.get("project_id")):
                body["project_id"] = self.world.project
            if isinstance(body.get("url"), str) and URL.match(body["url"]) and len(body["url"]) <= 2048:
                body["url"] = f"{self.world.receiver}/hook"
            rule = BODIES.get(case.operation.label)
            if rule and is_good(case):
                rule(self.world, case, body)
            case.body = body
        rule = OTHERS.get(case.operation.label)
        if rule and is_good(case):
            rule(self.world, case)
        # What was valid still is, and what was broken too: schemathesis need not judge anew, which it cannot with files.
        case._record_starting_state()

    def _own_things_stay(self, case):
        """What the run stands on is neither deleted nor changed."""
        identity = (case.path_parameters or {}).get("id")
        ends = case.method == "DELETE" or case.path.endswith("/rotate")
        ends = ends or (case.method == "PUT" and identity == self.world.webhook)
        if ends and identity in self.world.kept:
            case.path_parameters = {**case.path_parameters, "id": identity[:4] + secrets.token_hex(12)}

    def _idempotency_key_is_new(self, case):
        """A key stands for one request: the same with another is a mistake."""
        for name, value in dict(case.headers or {}).items():
            if name.lower() == "idempotency-key" and isinstance(value, str) and 1 <= len(value) <= 255:
                if value in self.used_keys:
                    case.headers[name] = value = str(uuid.uuid4())
                self.used_keys.add(value)


def is_unknown_header(failure):
    """Nobody refuses a request for a header that he does not know (RFC 9110, section 5.1)."""
    unknown = "in header - object with unexpected properties"
    return isinstance(failure, AcceptedNegativeData) and unknown in failure.message


def is_good(case):
    return case.meta is None or case.meta.generation.mode.is_positive


def is_id(value):
    return isinstance(value, str) and ID.match(value)


def dates_in_order(_world, _case, body):
    """A project does not end before it starts; what is left out may be stored already."""
    start, end = body.get("start_date"), body.get("end_date")
    if isinstance(start, str) and isinstance(end, str):
        body["start_date"], body["end_date"] = sorted([start, end])
    elif isinstance(start, str):
        body["end_date"] = None
    elif isinstance(end, str):
        body["start_date"] = None


def input_exists(world, _case, body):
    parameters = dict(body.get("parameters") or {})
    if is_id(parameters.get("input")):
        parameters["input"] = world.text if body.get("type") == "thumbnail" else world.sound
        body["parameters"] = parameters


def room_for_a_key(world, _case, _body):
    """A user has at most ten."""
    for key in world.live_keys()[MOST_KEYS:]:
        world.revoke(key)


def few_webhooks(world, _case, _body):
    for webhook in world.webhooks()[MOST_WEBHOOKS:]:
        world.delete_webhook(webhook)


def user_decides(world, case, body):
    decision = body.get("decision", "allow")
    form, csrf = world.consent(secrets.token_urlsafe(48), decision)
    body.clear()
    body.update(form)
    case.cookies = {"storycore_consent": csrf}


def client_is_known(world, _case, body):
    body["client_id"], body["client_secret"] = world.client


def grant_is_good(world, case, body):
    client_is_known(world, case, body)
    if body.get("grant_type") == "authorization_code":
        verifier = secrets.token_urlsafe(48)
        body.update(code=world.code(verifier), code_verifier=verifier, redirect_uri=CALLBACK)
    elif body.get("grant_type") == "refresh_token":
        body["refresh_token"] = world.refresh_token()
        body.pop("scope", None)


def program_is_known(world, case):
    case.query = {**(case.query or {}), "client_id": world.client[0], "redirect_uri": CALLBACK}


def event_exists(world, case):
    """No operation makes one and tells its id; every second time it may be any."""
    if next(world.turns) % 2:
        case.path_parameters = {"id": world.event}


def delivery_exists(world, case):
    """Two ids that belong together are not met by chance; every second time they may be any."""
    if next(world.turns) % 2:
        case.path_parameters = {"id": world.webhook, "delivery_id": world.delivery}


def upload_begins(world, case):
    """Its length is said or put off; what it is made of, and how its bytes are checked, are tested elsewhere."""
    body = sent(case)
    case.headers = other_headers(case, "Upload-")
    turn = next(world.turns)
    if turn % 2:
        case.headers["Upload-Defer-Length"] = "1"
    else:
        case.headers["Upload-Length"] = str(len(body) + turn % 10)
    case.body = body


def upload_goes_on(world, case):
    """At its offset and within its length."""
    case.headers = {**other_headers(case, "Upload-"), "Upload-Offset": "0"}
    case.body = sent(case)
    case.path_parameters = {"id": world.upload(len(case.body) + next(world.turns) % 2)}


def upload_exists(world, case):
    """Every second time it may be any."""
    if next(world.turns) % 2:
        case.path_parameters = {"id": world.upload(10)}


def sent(case):
    return case.body if isinstance(case.body, bytes) else b"some bytes"


def other_headers(case, prefix):
    headers = dict(case.headers or {})
    return {name: value for name, value in headers.items() if not name.lower().startswith(prefix.lower())}


BODIES = {
    "POST /api/projects": dates_in_order,
    "PUT /api/projects/{id}": dates_in_order,
    "POST /api/jobs": input_exists,
    "POST /api/webhooks": few_webhooks,
    "POST /api/auth/api-keys": room_for_a_key,
    "POST /auth/oauth/authorize": user_decides,
    "POST /auth/oauth/token": grant_is_good,
    "POST /auth/oauth/revoke": client_is_known,
}
OTHERS = {
    "POST /api/assets/uploads": upload_begins,
    "PATCH /api/assets/uploads/{id}": upload_goes_on,
    "HEAD /api/assets/uploads/{id}": upload_exists,
    "DELETE /api/assets/uploads/{id}": upload_exists,
    "GET /auth/oauth/authorize": program_is_known,
    "GET /api/events/{id}": event_exists,
    "POST /api/webhooks/{id}/deliveries/{delivery_id}/redeliver": delivery_exists,
}
