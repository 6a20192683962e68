"""Personal data of a text: where it stands, and the text without it.

What counts is the list of HIPAA's safe harbour (45 CFR 164.514(b)(2)), as far as a text shows it: names, places, dates
that tell more than a year, ages over 89, ways to reach somebody, and numbers that are somebody's own. Rules and lists
find it, no model: a name that is in no list and has no sign about it stays. Medicines, and what is named after people
("Crohn's disease"), stay as well.
"""

import re
from collections.abc import Iterable, Iterator, Sequence

from primum.safety import dates, identifiers, people, places
from primum.safety.capitals import is_thing
from primum.safety.personal_words import fold, meaning
from primum.safety.spans import Kind, Span

__all__ = ["Kind", "Span", "find", "redacted"]

_LABEL = re.compile(r"\[(?:NAME (\d+)|DATE|PLACE|CONTACT|NUMBER|AGE)\]")
_JOINED = re.compile(r"[\s,]{1,4}")
_OPENING = re.compile(r"(?:^|[.!?:\n]\s{0,3})$")
# The surest first: what one has taken, the next can't have.
_FINDERS = (
    identifiers.contacts,
    identifiers.numbers,
    dates.dates,
    dates.ages,
    places.addresses,
    identifiers.phones,
    people.told,
    places.towns,
    people.alone,
)


def find(text: str) -> list[Span]:
    """The personal data of a text, in its order; no two overlap. Labels of `redacted` are none."""
    found: list[Span] = []
    for finder in _FINDERS:
        found = _with(found, finder(text), text)
    while len(more := _with(found, people.beside(text, found), text)) > len(found):
        found = more
    return _joined(text, _with(found, _again(text, found), text))


def _with(found: Sequence[Span], more: Iterable[Span], text: str) -> list[Span]:
    """What was found and what of `more` overlaps nothing of it, the longest first; a longer name takes in a shorter."""
    kept = list(found)
    labels = [label.span() for label in _LABEL.finditer(text)]
    for one in sorted(more, key=lambda span: (span.start - span.end, span.start)):
        parts = [span for span in kept if span.start < one.end and one.start < span.end]
        longer = one.kind == "NAME" and all(
            s.kind == "NAME" and one.start <= s.start and s.end <= one.end for s in parts
        )
        if (longer or not parts) and one.start < one.end and all(one.end <= a or b <= one.start for a, b in labels):
            kept = [span for span in kept if span not in parts] + [one]
    return sorted(kept, key=lambda span: span.start)


def _again(text: str, found: Iterable[Span]) -> Iterator[Span]:
    """Where the same stands once more: names, each of their words, contacts and numbers."""
    wanted: dict[str, Kind] = {}
    for span in found:
        if span.kind in ("NAME", "CONTACT", "NUMBER"):
            wanted[text[span.start : span.end]] = span.kind
        if span.kind == "NAME":
            words = re.findall(r"[^\W\d_]+(?:['’-][^\W\d_]+)*", text[span.start : span.end])
            wanted |= {word: "NAME" for word in words if len(word) > 2 and word[0].isupper()}
    for written, kind in wanted.items():
        for place in re.finditer(rf"(?<!\w){re.escape(written)}(?!\w)", text):
            if kind != "NAME" or not (is_thing(text, *place.span()) or _is_ordinary(text, *place.span())):
                yield Span(kind, *place.span())


def _is_ordinary(text: str, start: int, end: int) -> bool:
    """Whether a word that is a name elsewhere is none here: "Will it hurt?" of Will Young."""
    word = text[start:end]
    if meaning(word) not in ("either", "ordinary"):
        return False
    opens = bool(_OPENING.search(text, 0, start)) and text[end : end + 2] not in ("'s", "’s")
    return word.islower() or opens


def _joined(text: str, found: Sequence[Span]) -> list[Span]:
    """Parts of an address as one place."""
    kept: list[Span] = []
    for one in found:
        last = kept[-1] if kept else None
        if last and last.kind == one.kind == "PLACE" and _JOINED.fullmatch(text, last.end, one.start):
            kept[-1] = Span("PLACE", last.start, one.end)
        else:
            kept.append(one)
    return kept


def redacted(text: str, *, names: bool = True) -> str:
    """The text with labels for what `find` finds: `[NAME 1]`, `[DATE]`, `[PLACE]`, `[CONTACT]`, `[NUMBER]`, `[AGE]`.

    One person has one number throughout the text, by full name or by a part of it.

    Args:
        names: also of people and places, which are told by capitals and lists: in English, Spanish and Chinese alone.
    """
    people: list[set[str]] = [set() for _ in range(max((int(n) for n in _LABEL.findall(text) if n), default=0))]
    while found := [one for one in find(text) if names or one.kind not in ("NAME", "PLACE")]:
        labels = {span: _label(text[span.start : span.end], span.kind, people) for span in _longest_first(found)}
        for span in reversed(found):
            text = text[: span.start] + labels[span] + text[span.end :]
    return text


def _longest_first(found: Iterable[Span]) -> list[Span]:
    return sorted(found, key=lambda span: (span.kind != "NAME", span.start))


def _label(written: str, kind: Kind, people: list[set[str]]) -> str:
    if kind != "NAME":
        return f"[{kind}]"
    words = {fold(word) for word in re.findall(r"[^\W\d_]+", written)}
    for number, known in enumerate(people, 1):
        if known and (words <= known or known <= words):
            known |= words
            return f"[NAME {number}]"
    people.append(words)
    return f"[NAME {len(people)}]"
