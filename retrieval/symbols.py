"""The Symbol font's characters: a document that does not map them shows μg, but its text says mg, or only g."""

import re

_FONT = re.compile(r"(?:[A-Z]{6}\+)?Symbol(?:MT|PS|Std|Neu)?(?:[,-].*)?")
_LATIN = "ABCDEFGHIKLMNOPQRSTUWXYZabcdefghiklmnopqrstuwxyz"
_GREEK = "ΑΒΧΔΕΦΓΗΙΚΛΜΝΟΠΘΡΣΤΥΩΞΨΖαβχδεφγηικλμνοπθρστυωξψζ"
# The rest as pdfminer gives them by Adobe's standard encoding, and by Latin 1.
_SIGNS = {
    **{"£": "≤", "‡": "≥", "³": "≥", "–": "±", "·": "×", "´": "×", "„": "≠", "¹": "≠", "»": "≈", "¥": "∞", "¶": "∂"},
    **{"›": "↑", "\u00ad": "↑", "fi": "→", "®": "→", "fl": "↓", "¯": "↓", "‹": "↔", "«": "↔", "¬": "←", "-": "−"},
    **{"(cid:176)": "°", "(cid:173)": "↑", "(cid:172)": "←", "(cid:179)": "≥", "(cid:185)": "≠", "(cid:177)": "±"},
}
_MAP = dict(zip(_LATIN, _GREEK, strict=True)) | _SIGNS
_PIECE = re.compile("|".join(re.escape(piece) for piece in sorted(_MAP, key=len, reverse=True)))


_PRIVATE = re.compile("[\uf020-\uf0ff]")  # where Office and many PDFs put the characters of such fonts


def symbol(code: int) -> str:
    """The character at a place of the Symbol font, also as Office numbers them: 0xF06D is μ."""
    char = chr(code & 0xFF)
    return "•" if char == "·" else _MAP.get(char, char)


def shown(text: str, font: str = "") -> str:
    """What a reader sees of a word in a font: in the Symbol font m is μ, and £ is ≤."""
    text = _PIECE.sub(lambda found: _MAP[found[0]], text) if _FONT.fullmatch(font) else text
    return _PRIVATE.sub(lambda found: symbol(ord(found[0])), text)
