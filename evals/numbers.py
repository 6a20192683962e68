"""The number that an answer gives."""

import re
from decimal import Decimal, InvalidOperation

_NUMBER = re.compile(r"-?\$?\d[\d,]*(?:\.\d+)?")
_SAID = re.compile(r"(?:####|\banswer(?:\s+is)?:?)\s*\**\$?(-?\d[\d,]*(?:\.\d+)?)", re.IGNORECASE)


def said(text: str) -> list[str]:
    """The numbers after #### or "answer"."""
    return _SAID.findall(text)


def number_of(text: str) -> Decimal | None:
    """The number that an answer without thoughts ends in: after ####, after "answer", or the last one of all."""
    found = said(text) or _NUMBER.findall(text)
    try:
        return Decimal(re.sub(r"[,$]", "", found[-1])) if found else None
    except InvalidOperation:
        return None
