"""Plain text as Postgres can hold it and a reader can read it."""

import re
import unicodedata

# Control characters but newline and tab; soft hyphens, zero-width and direction marks, byte order marks.
_UNSEEN = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u00ad\u200b\u200e\u200f\u202a-\u202e\u2060-\u2069\ufeff]")
_SURROGATE = re.compile("[\ud800-\udfff]")
_BREAK = re.compile("\r\n?|\u2028|\u2029")
_SPACE = re.compile(r"[^\S\n]+")


def clean(text: str) -> str:
    """Text without control characters and lone surrogates, its white space made plain."""
    text = _BREAK.sub("\n", text)
    text = _SURROGATE.sub("\ufffd", _UNSEEN.sub("", text))
    text = unicodedata.normalize("NFC", _SPACE.sub(" ", text))
    text = "\n".join(line.strip() for line in text.split("\n"))
    return re.sub(r"\n{3,}", "\n\n", text).strip()


def line(text: str) -> str:
    """Clean text on one line."""
    return clean(text).replace("\n", " ")


def web_address(value: object) -> str:
    """The http(s) address at the start of a value, or nothing: other schemes may hold a script."""
    found = re.match(r"https?://[^\s<>\"']+", value.strip()) if isinstance(value, str) else None
    return clean(found[0]) if found else ""
