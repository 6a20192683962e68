"""Names of people: by what stands before and after them, and by lists of names."""

import re
from collections.abc import Iterator, Sequence
from functools import cache

from primum.safety.capitals import Capital, capitals, is_thing, words_of
from primum.safety.lexicon import named
from primum.safety.personal_words import any_of, fold, folded, frequency, is_eponym, listed, meaning
from primum.safety.spans import Span

_GAP = re.compile(r"[^\S\n]{1,2}")
_LINK_BEFORE = re.compile(r"(?:,\s?|,?\s(?:and|or|y|&)\s)$")
_LINK_AFTER = re.compile(r",\s?(?:(?:and|or|y|&)\s)?|\s(?:and|or|y|&)\s")
_COMMA = re.compile(r",[^\S\n]?")
_SELDOM = 1000  # how often a word is said that can be a surname behind a first name
_SHORT_TITLE = 3  # letters of a title that is one in small letters with a dot: "mrs.", but not "doctor."
_MOST = 5  # words of a name
_SAID = r"(?:\s*[:=?：,-]|\s+(?:is|was|es|to)\b|\s+(?:on|in|of)\s+(?:the|your|this)\s+\w+\??(?=\s*(?:user)?\s*:|\s))"


def told(text: str) -> Iterator[Span]:
    """Names that titles and phrases point to: "Mrs", "my name is", "Patient:"."""
    medical = _medical(text)
    words = words_of(text)
    for pattern, small in ((_titled(), False), (_introduced(), True), (_pointed(), False)):
        for found in pattern.finditer(text):
            if row := _name_at(text, words, found.end(), small, medical):
                yield Span("NAME", row[0].start, row[-1].end)
    for found in _followed().finditer(text):
        row = [one for one in words if found.start("name") <= one.start < found.end("name")]
        if (
            row
            and row[0].word[0].isupper()
            and _can_be(text, row[0], medical)
            and meaning(row[0].word) not in ("ordinary", "either")
        ):
            yield Span("NAME", row[0].start, row[-1].end)
    for found in _chinese().finditer(text):
        yield Span("NAME", *found.span(found.lastgroup or 0))


def alone(text: str) -> Iterator[Span]:
    """Names that lists of names know, or that nothing else explains."""
    medical = _medical(text)
    for run in capitals(text):
        row: list[Capital] = []
        for one in [*run, None]:
            if one and (one.is_initial or fold(one.word) in folded("particles") or _may(text, one, row, medical)):
                row = [*row, one]
                continue
            yield from _judged(text, row)
            row = []


def beside(text: str, found: Sequence[Span]) -> Iterator[Span]:
    """Names that stand in a row with known ones: "Kónya, Becker and Vasquez"."""
    edges = {edge for span in found if span.kind == "NAME" for edge in (span.start, span.end)}
    medical = _medical(text)
    for run in capitals(text):
        start, end = run[0].start, run[-1].end
        before, after = _LINK_BEFORE.search(text, max(0, start - 8), start), _LINK_AFTER.match(text, end)
        linked = (before and before.start() in edges) or (after and after.end() in edges)
        if linked and _could_name(text, run, medical):
            yield Span("NAME", start, end)


def _could_name(text: str, run: Sequence[Capital], medical: frozenset[str]) -> bool:
    """Whether a row of capitals can be a name that nothing but its neighbours tells."""
    if len(run) > _MOST - 2 or run[0].word.isupper() or all(meaning(one.word) == "ordinary" for one in run):
        return False
    return all(_can_be(text, one, medical) or is_eponym(one.word) for one in run)


def _may(text: str, one: Capital, row: Sequence[Capital], medical: frozenset[str]) -> bool:
    """Whether a word can be part of a name; one that is seldom said can, behind a first name."""
    if row and any(meaning(before.word) == "given" for before in row) and one.word[0].isupper():
        if is_eponym(one.word) and fold(one.word) not in folded("never_names"):
            return not is_thing(text, one.start, one.end)
        if meaning(one.word) == "ordinary" and frequency(one.word) < _SELDOM:
            return fold(one.word) not in medical
    return meaning(one.word) != "ordinary" and _can_be(text, one, medical)


def _judged(text: str, row: list[Capital]) -> Iterator[Span]:
    """The name that a row is, if it is one."""
    while row and fold(row[0].word) in folded("particles") and row[0].word[0].islower():
        row = row[1:]
    while row and (fold(row[-1].word) in folded("particles") and row[-1].word[0].islower()):
        row = row[:-1]
    told = [meaning(one.word) for one in row if not one.is_initial and fold(one.word) not in folded("particles")]
    if not told or is_thing(text, row[0].start, row[-1].end):
        return
    first = row[0].word
    if len(told) == 1:
        shouted = first.isupper() and len(first) < 5
        named_after = is_eponym(row[-1].word) and (
            told[0] != "given" or text[row[-1].end : row[-1].end + 2] in ("'s", "’s")
        )
        known = told[0] in ("given", "surname") and not named_after and not shouted
        meant = (known and not _only_place(text, row)) or (len(row) > 1 and told[0] != "ordinary" and _begins(row))
    else:
        sure = sum(kind in ("given", "surname") for kind in told)
        unknown = told.count("unknown")
        shouted = all(one.word.isupper() for one in row)
        meant = (sure >= 1 or unknown >= 2 or told[0] == "either") and not (shouted and sure < 2)
        meant = meant and not all(map(is_eponym, (one.word for one in row)))
    if meant:
        yield Span("NAME", row[0].start, row[-1].end)


def _begins(row: Sequence[Capital]) -> bool:
    """Whether an initial goes before a word: "J. Moore"; behind one it may be anything: "Vitamin B"."""
    return row[0].is_initial and row[0].word.endswith(".")


def _only_place(text: str, row: Sequence[Capital]) -> bool:
    return row[0].is_place and bool(
        re.search(r"\b(?:in|from|near|to|at)\s$", text[max(0, row[0].start - 6) : row[0].start])
    )


def _can_be(text: str, one: Capital, medical: frozenset[str]) -> bool:
    """Whether a word can be of a name: no medicine, nothing named after somebody, no word that is never one."""
    key = fold(one.word)
    if key in medical and meaning(one.word) not in ("given", "surname"):
        return False
    if (
        any(char.isupper() for char in one.word[1:])
        and not one.word.isupper()
        and not re.match(r"(?:Ma?c|O['’]|D['’]|De|Le|La|Van)[A-Z]|.*-[A-Z]", one.word)
    ):
        return False
    return meaning(one.word) != "thing" and not is_thing(text, one.start, one.end)


def _medical(text: str) -> frozenset[str]:
    return frozenset(fold(word) for written in named(text) for word in re.findall(r"[^\W\d_]+", written))


def _name_at(
    text: str, words: Sequence[Capital], start: int, small: bool, medical: frozenset[str]
) -> list[Capital] | None:
    """The name that begins at a place; `small`: it may be written in small letters."""
    row: list[Capital] = []
    for one in (one for one in words if one.start >= start):
        gap = text[row[-1].end : one.start] if row else text[start : one.start]
        if len(row) == _MOST or (row and not _GAP.fullmatch(gap) and not _is_first(gap, row, one)) or (not row and gap):
            break
        if not _belongs(text, one, row, small, medical):
            break
        row = [*row, one]
    while row and fold(row[-1].word) in folded("particles") and row[-1].word.islower():
        row = row[:-1]
    return row or None


def _is_first(gap: str, row: Sequence[Capital], one: Capital) -> bool:
    """Whether a first name follows its surname: "Smith, John"."""
    return bool(_COMMA.fullmatch(gap)) and len(row) == 1 and meaning(one.word) in ("given",) and one.word[0].isupper()


def _belongs(text: str, one: Capital, row: Sequence[Capital], small: bool, medical: frozenset[str]) -> bool:
    kind = meaning(one.word)
    if one.is_initial and one.word[0].isupper():
        return one.word not in ("I",) or bool(row)
    if fold(one.word) in folded("particles"):
        return bool(row) or one.word[0].isupper() or small
    if not _can_be(text, one, medical):
        eponym = is_eponym(one.word) and not is_thing(text, one.start, one.end)
        return eponym and one.word[0].isupper() and fold(one.word) not in folded("never_names") | folded("titles")
    if one.word[0].isupper():
        return kind != "ordinary" or (small and not row) or (bool(row) and frequency(one.word) < _SELDOM)
    return small and not (row and row[0].word[0].isupper()) and kind in ("given", "surname", "unknown")


@cache
def _titled() -> re.Pattern[str]:
    small = "|".join(f"{word.lower()}\\." for word in listed("titles") if len(word) <= _SHORT_TITLE)
    both = f"{any_of('titles')}|{small}"
    return re.compile(rf"(?<![\w-])(?:{both})\.?[^\S\n]+(?=[^\W\d_])")


@cache
def _introduced() -> re.Pattern[str]:
    return re.compile(
        rf"(?<!\w){any_of('introduces')}(?:{_SAID}){{0,2}}\s*(?:user:\s*)?[\"'(]?(?=[^\W\d_])", re.IGNORECASE
    )


@cache
def _pointed() -> re.Pattern[str]:
    colon = any_of("need_colon")
    return re.compile(
        rf"(?<!\w)(?:{colon}\s*(?:[:：]|,?\n)|(?!{colon}\W){any_of('points_to')}\s*[,:]?)\s*(?=[^\W\d_])", re.IGNORECASE
    )


@cache
def _followed() -> re.Pattern[str]:
    name = r"(?P<name>(?<![\w.])[^\W\d_][^\W\d_'’.-]+)"
    return re.compile(rf"{name}(?:\s+{any_of('does')}\b|['’]s\s+{any_of('relations')}\b)")


@cache
def _chinese() -> re.Pattern[str]:
    surname = f"[{listed('surnames_zh')[0]}]"
    given = f"{surname}[\u4e00-\u9fff]{{1,2}}"
    stop = r"(?=$|[^\u4e00-\u9fff]|今|是|的|因|于|住|电|男|女|年|在|有|，|患|来|说|告|岁|主|入|出)"
    return re.compile(
        rf"{any_of('introduces_zh')}[是为叫:：\s]{{0,3}}(?P<led>{surname}[\u4e00-\u9fff]{{1,2}}?){stop}"
        rf"|(?P<titled>{given}|{surname})(?={any_of('roles_zh')})"
    )
