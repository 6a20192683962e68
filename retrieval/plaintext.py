"""Plain text as Postgres can hold it and a reader can read it."""

import re
import unicodedata

# Control characters but newline and tab; soft hyphens, zero-width and direction marks, byte order marks.
_UNSEEN = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u00ad\u200b\u200e\u200f\u202a-\u202e\u2060-\u2069\ufeff]")
_SURROGATE = re.compile("[\ud800-\udfff]")
_BREAK = re.compile("\r\n?|\u2028|\u2029")
_RAISED = str.maketrans("0123456789+-−–=()abcdefgh", "⁰¹²³⁴⁵⁶⁷⁸⁹⁺⁻⁻⁻⁼⁽⁾ᵃᵇᶜᵈᵉᶠᵍʰ")
_MARK = re.compile("[0-9+−–=(), -]+|[a-h](?:, ?[a-h])*")
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


def superscript(text: str) -> str:
    """Raised text as it stays raised in plain text: 10<sup>9</sup> is 10⁹, never 109."""
    raised = text.strip()
    return raised.translate(_RAISED) if _MARK.fullmatch(raised) else text


def decoded(data: bytes) -> str:
    """The UTF-8 text of a file. Raises ValueError if it is none."""
    text = data.decode("utf-8-sig")
    unprintable = sum(1 for char in text[:4096] if char < " " and char not in "\t\n\r\f")
    if unprintable * 10 > len(text[:4096]):
        raise ValueError("binary, not text")
    return text.replace("\r\n", "\n")
