"""The typed client of the StoryCore media platform."""

from ._storycore import (
    OMIT,
    AsyncStoryCoreClient,
    CircuitBreaker,
    Job,
    JwtCredential,
    OAuthCredential,
    Page,
    Project,
    StoryCoreClient,
    __version__,
)
from .errors import NotFoundError, StoryCoreError
