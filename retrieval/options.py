"""A multiple-choice question without its options: what is searched for is the question alone."""

import re

_LETTERS = "ABCDEFGHIJ"
# "A) …", "(A) …", "A. …", "A: …", "A、…", 'A': "…"; before it the start, a space, a bracket or a quote.
_OPTION = re.compile(
    r"(?:(?<=[\s(\[{,;'\"。？?！；，])|^)\(?([A-Ja-j])(?:[).:：、．]|['\"]\s*:)(?=\s|['\"]|[㐀-鿿])", re.MULTILINE
)
_LETTERED = re.compile(
    r"[\s({\[\"'*-]*(?:(?:answer\s+)?(?:options|choices)|opciones|选项)?[\s:：({\[\"'*-]*$", re.IGNORECASE
)
_PERSON = re.compile(r"\b(?:i|i'm|i’m|my|me|he|she|we|his|her|is|am|have|has|had)\b", re.IGNORECASE)
_SHORT, _FEW, _MANY = 8, 3, 6  # words of a bare option; and how many of them there are


def question_only(text: str) -> str:
    """The text up to its first option; all of it if it offers none, or nothing but them."""
    cut = _lettered(text) or _bare(text)
    asked = _LETTERED.sub("", text[:cut]).strip() if cut else ""
    return asked if len(asked.split()) >= 3 or len(asked) >= 6 else text


def _lettered(text: str) -> int:
    """Where options begin that are lettered from A on: two with brackets or on lines of their own, else three."""
    places = list(_OPTION.finditer(text))
    for number, first in enumerate(places):
        if first.group(1).upper() != "A":
            continue
        row = [first]
        for place in places[number + 1 :]:
            letter = place.group(1)
            if letter.upper() == _LETTERS[len(row) % 10] and letter.isupper() == first.group(1).isupper():
                row.append(place)
        sure = all(")" in place.group() or text[: place.start()].endswith("\n") for place in row)
        if len(row) >= (2 if sure else _FEW):
            return first.start()
    return 0


def _bare(text: str) -> int:
    """Where options begin that stand on lines of their own under a question: short, and no story of the asker's."""
    lines = [match for match in re.finditer(r"[^\n]+", text) if match.group().strip()]
    for number, line in enumerate(lines[:-1]):
        below = [one.group().strip() for one in lines[number + 1 :]]
        if line.group().rstrip().endswith(("?", "？")) and _FEW <= len(below) <= _MANY:
            plain = all(len(one.split()) <= _SHORT and not one.endswith((".", "?", "？", "。")) for one in below)
            if plain and not any(_PERSON.search(one) for one in below):
                return lines[number + 1].start()
    return 0
