"""What the extension defines by hand. Objects are in `models`, calls in `resources`, webhooks in `webhooks`."""

from collections.abc import AsyncIterator, Awaitable, Coroutine, Generator, Iterator, Mapping
from datetime import timedelta
from types import TracebackType
from typing import Any, Generic, Self, TypedDict, TypeVar, Unpack, final

from ._by_hand import Readable
from ._credentials import Authorization as Authorization
from ._credentials import JwtCredential as JwtCredential
from ._credentials import OAuthCredential as OAuthCredential
from ._credentials import TokenSet as TokenSet
from ._uploads import Progress as Progress
from ._uploads import UploadAllProgress as UploadAllProgress
from ._uploads import UploadControl as UploadControl
from ._uploads import UploadedFile as UploadedFile
from .models import Pagination
from .resources import AsyncResources, Resources

__version__: str

_T = TypeVar("_T")
_Time = float | timedelta

@final
class Omit:
    """What an update leaves as it is."""

    def __bool__(self) -> bool: ...

OMIT: Omit

class _Settings(TypedDict, total=False):
    """What a client is made with, by name."""

    api_key: str | None
    base_url: str | None
    platform: str | None
    jwt: JwtCredential | None
    oauth: OAuthCredential | None
    timeout: _Time | None
    attempt_timeout: _Time | None
    connect_timeout: _Time | None
    max_retries: int | None
    max_retry_after: _Time | None
    max_in_flight: int | None
    circuit_breaker: CircuitBreaker | None
    headers: Mapping[str, object] | None
    app_info: tuple[str, str] | None
    anonymous: bool
    allow_insecure_http: bool
    ca_certificates: str | bytes | None
    client_certificate: tuple[str | bytes, str | bytes] | None
    proxy: str | None

class StoryCoreClient(Resources):
    """A client of one platform. Each method returns when it is done; the client may be shared between threads.

    It has no connection before its first call and starts nothing by itself.
    """

    def __new__(
        cls,
        api_key: str | None = None,
        *,
        base_url: str | None = None,
        platform: str | None = None,
        jwt: JwtCredential | None = None,
        oauth: OAuthCredential | None = None,
        timeout: _Time | None = None,
        attempt_timeout: _Time | None = None,
        connect_timeout: _Time | None = None,
        max_retries: int | None = None,
        max_retry_after: _Time | None = None,
        max_in_flight: int | None = None,
        circuit_breaker: CircuitBreaker | None = None,
        headers: Mapping[str, object] | None = None,
        app_info: tuple[str, str] | None = None,
        anonymous: bool = False,
        allow_insecure_http: bool = False,
        ca_certificates: str | bytes | None = None,
        client_certificate: tuple[str | bytes, str | bytes] | None = None,
        proxy: str | None = None,
    ) -> Self:
        """A client with these settings; what is not given is as it usually is.

        Args:
            api_key: Opens the platform. One of this, `jwt`, `oauth` and `anonymous` is needed.
            base_url: Where the platform is, without path and query. Default: the platform's own address.
            platform: `storycore`, `powalyze`, `hub_chantier`, `agents` or `registry`. Default `storycore`.
            jwt: Opens it with JWTs that the client signs and renews.
            oauth: Opens it with tokens that the client gets and renews.
            timeout: The most that a call may take, retries and waits included, in seconds. Default 180. An upload or a
                download takes as long as its bytes move: there it bounds each request that carries none of them.
            attempt_timeout: The most that one attempt may take, in seconds. Default 30.
            connect_timeout: The most that making a connection may take, in seconds. Default 5.
            max_retries: Attempts after the first. Default 2; 0 means none.
            max_retry_after: A platform that asks for a longer wait is not waited for, in seconds. Default 120.
            max_in_flight: Turns pacing on: at most so many calls at a time, none sooner than the rate limit allows.
            circuit_breaker: Turns the circuit breaker on.
            headers: Headers of every request.
            app_info: The program's name and version, for `User-Agent`.
            anonymous: Opens it with nothing: for signing in, and for what needs no credential.
            allow_insecure_http: Allows `http://` to other machines, which shows the credential to everyone between.
            ca_certificates: Further roots to trust, in PEM, beside the system's.
            client_certificate: A certificate's chain and its key, in PEM.
            proxy: A proxy for every request. Default: `HTTPS_PROXY` and `NO_PROXY`.

        Raises:
            ConfigError: saying which setting is wrong.
        """
    @classmethod
    def from_env(cls, **settings: Unpack[_Settings]) -> Self:
        """A client set up by the environment: `STORYCORE_API_KEY`, `STORYCORE_BASE_URL`, `STORYCORE_PLATFORM`,
        `STORYCORE_TIMEOUT` (seconds) and `STORYCORE_MAX_RETRIES`. Nothing else reads them. Settings that are given here, the
        same as those of the class, go before the environment.
        """
    def with_options(
        self,
        *,
        timeout: _Time | None = None,
        max_retries: int | None = None,
        idempotency_key: str | None = None,
        headers: Mapping[str, object] | None = None,
        capture: Capture | None = None,
    ) -> Self:
        """The same client with options for the calls made through it. It shares this one's connections and limits,
        and ends with it; closing it ends its own calls alone.

        Args:
            timeout: The most that the whole call may take, retries and waits included, in seconds: of an upload or a download,
                too, to the last byte. Default: the client's, which does not bound these two as a whole.
            max_retries: Attempts after the first; 0 means none.
            idempotency_key: The key of a POST, in place of a random one.
            headers: Further headers, or others in the place of the client's own.
            capture: Keeps the last answer as it came, beside what a call gives.
        """
    @property
    def platform(self) -> str:
        """The name of the platform that it speaks to."""
    def request(
        self,
        method: str,
        path: str,
        *,
        query: Mapping[str, object] | None = None,
        json: object = None,
        content: bytes | Readable | None = None,
        content_type: str | None = None,
        headers: Mapping[str, object] | None = None,
    ) -> RawResponse:
        """Sends what is not typed here, with retries, limits and credentials as every call. `path` stands below the
        base URL. `content` is bytes or an object with `read`, in place of `json`; the latter can be sent once only, so
        that a request that fails with it is not tried again.
        """
    def close(self) -> None:
        """Ends what is under way and closes the connections. A client that was closed makes no more calls. Of a client that
        `with_options` gave it ends that one's calls alone: the connections are those of the client that it was made of.
        """
    def __enter__(self) -> Self: ...
    def __exit__(
        self,
        error_type: type[BaseException] | None = None,
        error: BaseException | None = None,
        traceback: TracebackType | None = None,
    ) -> None: ...

class AsyncStoryCoreClient(AsyncResources):
    """A client of one platform for asyncio. Each method that calls the platform is awaited.

    It has no connection before its first call and starts nothing by itself.
    """

    def __new__(
        cls,
        api_key: str | None = None,
        *,
        base_url: str | None = None,
        platform: str | None = None,
        jwt: JwtCredential | None = None,
        oauth: OAuthCredential | None = None,
        timeout: _Time | None = None,
        attempt_timeout: _Time | None = None,
        connect_timeout: _Time | None = None,
        max_retries: int | None = None,
        max_retry_after: _Time | None = None,
        max_in_flight: int | None = None,
        circuit_breaker: CircuitBreaker | None = None,
        headers: Mapping[str, object] | None = None,
        app_info: tuple[str, str] | None = None,
        anonymous: bool = False,
        allow_insecure_http: bool = False,
        ca_certificates: str | bytes | None = None,
        client_certificate: tuple[str | bytes, str | bytes] | None = None,
        proxy: str | None = None,
    ) -> Self:
        """A client with these settings, which are those of `StoryCoreClient`."""
    @classmethod
    def from_env(cls, **settings: Unpack[_Settings]) -> Self:
        """A client set up by the environment, as `StoryCoreClient.from_env`."""
    def with_options(
        self,
        *,
        timeout: _Time | None = None,
        max_retries: int | None = None,
        idempotency_key: str | None = None,
        headers: Mapping[str, object] | None = None,
        capture: Capture | None = None,
    ) -> Self:
        """The same client with options for the calls made through it. It shares this one's connections and limits,
        and ends with it; closing it ends its own calls alone.

        Args:
            timeout: The most that the whole call may take, retries and waits included, in seconds: of an upload or a download,
                too, to the last byte. Default: the client's, which does not bound these two as a whole.
            max_retries: Attempts after the first; 0 means none.
            idempotency_key: The key of a POST, in place of a random one.
            headers: Further headers, or others in the place of the client's own.
            capture: Keeps the last answer as it came, beside what a call gives.
        """
    @property
    def platform(self) -> str:
        """The name of the platform that it speaks to."""
    async def request(
        self,
        method: str,
        path: str,
        *,
        query: Mapping[str, object] | None = None,
        json: object = None,
        content: bytes | Readable | None = None,
        content_type: str | None = None,
        headers: Mapping[str, object] | None = None,
    ) -> RawResponse:
        """Sends what is not typed here, as `StoryCoreClient.request` does."""
    def close(self) -> Awaitable[None]:
        """Ends what is under way and closes the connections. A client that was closed makes no more calls. Of a client that
        `with_options` gave it ends that one's calls alone: the connections are those of the client that it was made of.

        All of that is done when this returns; what it gives may be awaited, and need not be.
        """
    def aclose(self) -> Awaitable[None]:
        """The same as `close`."""
    async def __aenter__(self) -> Self: ...
    async def __aexit__(
        self,
        error_type: type[BaseException] | None = None,
        error: BaseException | None = None,
        traceback: TracebackType | None = None,
    ) -> None: ...

@final
class Page(Generic[_T]):
    """One page of a list: its objects in `data`, where it stands in `pagination`. Going over it goes over all objects from
    here on, those of the following pages too, each fetched while the one before it is read.

    A page of `pages()`, and one that was pickled, goes over its own objects alone.
    """

    def __new__(cls, data: list[_T], pagination: Pagination) -> Page[_T]: ...
    @property
    def data(self) -> list[_T]:
        """Its own objects."""
    @property
    def pagination(self) -> Pagination:
        """Where it stands in the whole list."""
    def next_page(self) -> Page[_T] | None:
        """The page after this one, or None after the last. It holds `page_size` objects as this one does."""
    def to_dict(self) -> dict[str, Any]:
        """The page as plain JSON, as the platform has it."""
    def __iter__(self) -> Iterator[_T]: ...

@final
class AsyncPage(Generic[_T]):
    """The same as `Page` for asyncio: it is gone over with `async for`."""

    def __new__(cls, data: list[_T], pagination: Pagination) -> AsyncPage[_T]: ...
    @property
    def data(self) -> list[_T]:
        """Its own objects."""
    @property
    def pagination(self) -> Pagination:
        """Where it stands in the whole list."""
    async def next_page(self) -> AsyncPage[_T] | None:
        """The page after this one, or None after the last. It holds `page_size` objects as this one does."""
    def to_dict(self) -> dict[str, Any]:
        """The page as plain JSON, as the platform has it."""
    def __aiter__(self) -> AsyncIterator[_T]: ...

@final
class ListCall(Coroutine[Any, Any, AsyncPage[_T]]):
    """What `list()` of an async client gives: it is awaited for one page, or gone through with `async for`."""

    def __aiter__(self) -> AsyncIterator[_T]: ...
    def __await__(self) -> Generator[Any, Any, AsyncPage[_T]]: ...
    def send(self, value: Any, /) -> Any: ...
    def throw(self, error: Any, value: Any = None, traceback: Any = None, /) -> Any: ...
    def close(self) -> None: ...

@final
class RawResponse:
    """An answer as it came."""

    @property
    def status(self) -> int:
        """The HTTP status."""
    @property
    def headers(self) -> dict[str, str]:
        """The headers, names in lower case; of one that is there twice, the last."""
    @property
    def request_id(self) -> str | None:
        """`X-Request-Id`."""
    @property
    def body(self) -> bytes:
        """The body."""
    def json(self) -> Any:
        """The body, read as JSON."""

@final
class Capture:
    """Keeps the last answer of the calls that were made with it, beside what they give:
    `client.with_options(capture=capture)`.
    """

    def __new__(cls) -> Capture: ...
    @property
    def response(self) -> RawResponse | None:
        """The last answer, also one that was an error, or None before the first."""

@final
class CircuitBreaker:
    """Fails at once after so many failures in a row, and tries again after a while."""

    def __new__(cls, failure_threshold: int = 5, recovery_timeout: _Time = 60) -> CircuitBreaker: ...

def enable_metrics() -> None:
    """Counts from now on."""

def metrics_snapshot() -> list[dict[str, Any]]:
    """What was counted: a dict a metric with its `name`, `labels` and `count`, and of a duration its `sum` in seconds and
    its `buckets`, pairs of an upper bound and how many were at most that.
    """
