"""The typed client of the StoryCore media platform, sync and async.

    from storycore import StoryCoreClient

    with StoryCoreClient.from_env() as client:
        project = client.projects.create(name="Film")

Nothing starts at import; what is not always needed is loaded when it is first used.
"""

from ._storycore import *
from ._storycore import __version__
from .errors import *

# The extension's half of the module of this name, which stars bring along; the module itself is loaded below.
del webhooks  # noqa: F821

_MODULES = frozenset({"enums", "errors", "inputs", "metrics", "models", "webhooks"})


def __getattr__(name: str) -> object:
    """Enums come with the first value that is read, or here, by their name; so do modules."""
    if not name.startswith("_"):
        # Not `from . import`, which asks this very function first.
        from importlib import import_module

        if name in _MODULES:
            return import_module(f".{name}", __name__)
        enums = import_module(".enums", __name__)
        if hasattr(enums, name):
            return getattr(enums, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
