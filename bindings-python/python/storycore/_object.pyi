from typing import Any

class Object:
    """What all objects have in common: they are frozen, and equal when they say the same."""

    def to_dict(self) -> dict[str, Any]:
        """The object as plain JSON, as the platform has it."""
    def keys(self) -> list[str]:
        """The names that a subscript takes."""
    def __getitem__(self, name: str) -> Any: ...
    def __eq__(self, other: object) -> bool: ...
    def __hash__(self) -> int: ...
