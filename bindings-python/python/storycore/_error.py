"""The root of all errors: the fields that each has, and how it is pickled. The classes of the kinds are in `errors`."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from .models import Job


class StoryCoreError(Exception):
    """Any failure of the client. Its class, and `kind`, say what to do about it.

    No credential, webhook secret or one-time token is ever in it.
    """

    kind: str = ""
    """The kind's name, the same in every language: `not_found`, `rate_limited`, …"""

    def __init__(self, text: str, fields: dict[str, Any] | None = None) -> None:
        super().__init__(text)
        fields = fields or {}
        self.kind = fields.get("kind", self.kind)
        #: What went wrong, in words, without the fields below.
        self.message: str = fields.get("message", text)
        #: The HTTP status, where an answer arrived.
        self.status: int | None = fields.get("status")
        #: The platform's own code, such as `idempotency_mismatch`.
        self.code: str | None = fields.get("code")
        #: The parameter, field or JSON path at fault.
        self.param: str | None = fields.get("param")
        #: The platform's `details`, usually a message for each field.
        self.details: Any = fields.get("details")
        #: The platform's id of the request, to quote to its support.
        self.request_id: str | None = fields.get("request_id")
        #: The idempotency key that was sent. Calling again with it cannot do the work twice.
        self.idempotency_key: str | None = fields.get("idempotency_key")
        #: How long the platform asked to wait before the next request, in seconds.
        self.retry_after: float | None = fields.get("retry_after")
        #: How many requests were sent; 0 when it failed before the first.
        self.attempts: int = fields.get("attempts", 0)
        #: Seconds from the call's start to this error, all attempts and delays included.
        self.elapsed: float = fields.get("elapsed", 0.0)
        #: Whether the same call may succeed later without being changed.
        self.retryable: bool = fields.get("retryable", False)
        #: The answer's body as text, a bounded part of it, secrets blanked.
        self.body: str | None = fields.get("body")
        #: The job that was waited for, as it was last seen.
        self.job: Job | None = fields.get("job")

    def __reduce__(self) -> tuple[Any, ...]:
        return (type(self), self.args, self.__dict__)
