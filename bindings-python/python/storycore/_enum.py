"""What all enums have in common: a value that this version does not know is kept."""

from __future__ import annotations

from enum import Enum


class OpenEnum(str, Enum):
    """A text out of a known set, or one that this version does not know: that becomes a member of its own."""

    @classmethod
    def _missing_(cls, value: object) -> OpenEnum | None:
        if not isinstance(value, str):
            return None
        member = str.__new__(cls, value)
        member._name_ = value
        member._value_ = value
        return member

    def __str__(self) -> str:
        return str.__str__(self)
