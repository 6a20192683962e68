"""What a tool told in a turn."""

from typing import Any, Literal, TypedDict


class Outcome(TypedDict):
    """Whole sentences that code wrote, as plain JSON; `state`: it is done, it asks back, or it failed."""

    tool: str
    arguments: dict[str, Any]
    sentences: list[str]
    state: Literal["done", "asks", "failed"]
