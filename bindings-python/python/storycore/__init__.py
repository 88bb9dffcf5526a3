"""The typed client of the StoryCore media platform, sync and async.

    from storycore import StoryCoreClient

    with StoryCoreClient.from_env() as client:
        project = client.projects.create(name="Film")

Nothing starts at import; what is not always needed is loaded when it is first used.
"""

from ._storycore import *
from ._storycore import __version__
from .errors import *


def __getattr__(name: str) -> object:
    """Enums come with the first value that is read, or here, by their name."""
    if not name.startswith("_"):
        # Not `from . import`, which asks this very function first.
        from importlib import import_module

        enums = import_module(".enums", __name__)
        if hasattr(enums, name):
            return getattr(enums, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
