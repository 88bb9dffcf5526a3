"""What opens the platform, but for an API key. The extension has them in `_storycore`."""

from collections.abc import Callable, Sequence
from datetime import timedelta
from typing import final, overload

from ._storycore import AsyncStoryCoreClient, StoryCoreClient

@final
class JwtCredential:
    """A key whose text signs JWTs, which the client makes and renews."""

    def __new__(
        cls,
        secret: str,
        subject: str,
        permissions: Sequence[str],
        *,
        key_id: str | None = None,
        lifetime: float | timedelta = 3600,
    ) -> JwtCredential: ...

@final
class TokenSet:
    """What a token endpoint gives."""

    def __new__(
        cls,
        access_token: str,
        *,
        refresh_token: str | None = None,
        expires_in: int | None = None,
        scope: str | None = None,
    ) -> TokenSet: ...
    @property
    def access_token(self) -> str:
        """What opens the platform."""
    @property
    def refresh_token(self) -> str | None:
        """What gets the next access token; good for one use."""
    @property
    def expires_in(self) -> int | None:
        """Seconds that the access token holds."""
    @property
    def scope(self) -> str | None:
        """What it is good for, where that is not what was asked for."""

@final
class OAuthCredential:
    """OAuth tokens that the client gets and renews."""

    @staticmethod
    def client_credentials(
        client_id: str,
        client_secret: str,
        scopes: Sequence[str] = ...,
        *,
        on_tokens: Callable[[TokenSet], object] | None = None,
    ) -> OAuthCredential:
        """The program's own access, by its id and secret."""
    @staticmethod
    def tokens(
        client_id: str,
        tokens: TokenSet,
        *,
        client_secret: str | None = None,
        on_tokens: Callable[[TokenSet], object] | None = None,
    ) -> OAuthCredential:
        """A user's access, by tokens that an `Authorization` gave. `on_tokens` is told of every new set, so that it can
        be stored: a refresh token is good for one use.
        """

@final
class Authorization:
    """A sign-in under way: authorization code with PKCE."""

    def __new__(cls, client_id: str, redirect_uri: str, scopes: Sequence[str] = ...) -> Authorization: ...
    def url(self, client: StoryCoreClient | AsyncStoryCoreClient) -> str:
        """The page that the user is to open."""
    @overload
    def exchange(self, client: StoryCoreClient, code: str, state: str) -> TokenSet: ...
    @overload
    async def exchange(self, client: AsyncStoryCoreClient, code: str, state: str) -> TokenSet:
        """Exchanges the code that came back to the redirect URI, with the `state` that came with it."""
