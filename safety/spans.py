"""A place in a text that tells something personal."""

from dataclasses import dataclass
from typing import Literal

Kind = Literal["NAME", "DATE", "PLACE", "CONTACT", "NUMBER", "AGE"]


@dataclass(frozen=True)
class Span:
    """Personal data of one kind at `text[start:end]`."""

    kind: Kind
    start: int
    end: int
