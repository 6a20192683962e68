"""What a question's words stand for: abbreviations, lay words, brands and synonyms as English medical terms.

`terms/*.csv` is shipped: term, language, standard, kind, source, needs. A term that opens with two capitals is matched
as it is written ("MS"); any other in capitals and small letters. `needs` are words of which the rest of the question
must have one: a term that can stand for several things is the one whose words are there, and if none are, each of them.
"""

import csv
import re
import unicodedata
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from hashlib import sha256
from importlib.resources import files
from itertools import pairwise
from pathlib import Path
from typing import Literal, get_args

from primum.safety.in_use import InUse
from primum.safety.language import HAN, SPANISH, Language, detect
from primum.safety.lexicon import canonical, mentions, named
from primum.safety.words import content, stem

Kind = Literal["abbreviation", "lay", "synonym", "translation"]
TABLE = Path(str(files("primum.retrieval") / "terms"))

_NEEDED = ("term", "language", "standard", "kind", "source")
_LANGUAGES: tuple[str, ...] = get_args(Language)
_KINDS: tuple[str, ...] = get_args(Kind)
_TOKEN = re.compile(r"[^\W_]+(?:['’][^\W_]+)*")
_GAP = re.compile(r"\s+|\s?[-‐–/&]\s?|\.\s?")
_AMOUNT = r"\d+(?:[.,]\d+)?\s?(?:mg|mcg|µg|g|ml|%)"
_NUMBER = re.compile(_AMOUNT, re.IGNORECASE)
_LATIN = re.compile(rf"{_AMOUNT}|[A-Za-z][A-Za-z0-9'’-]*", re.IGNORECASE)
_SPOKEN = re.compile(r"[a-z][a-z /-]+")  # a name that a text would say: no formula, no "opioid, synthetic"
_MEANS = 3  # things that one ambiguous term may be searched for as
# Of the characters of the tables, those that are written otherwise in Taiwan and Hong Kong.
_SIMPLER = str.maketrans(
    "療藥劑預產嗎麼該誰樣處關節壓發燒熱頭痠腦臟腎腸膽險瀉嘔潰瘍風濕類鬆鈣鐵維過醫護兒嬰婦長懷經閉絕順陰縮餵飲煙體溫復甦創傷癲癇驚憂鬱慮亂憶暈顫無綜癥狀燙蟲檢測篩輸鈉鉀濃輕紅腫結視聽嚨氣顆嚴屬時間幾個麗連續與為開後點陽檸瑪電圖鹽當歸誤飯雙膚養塊貧內衛穩會",
    "疗药剂预产吗么该谁样处关节压发烧热头酸脑脏肾肠胆险泻呕溃疡风湿类松钙铁维过医护儿婴妇长怀经闭绝顺阴缩喂饮烟体温复苏创伤癫痫惊忧郁虑乱忆晕颤无综症状烫虫检测筛输钠钾浓轻红肿结视听咙气颗严属时间几个丽连续与为开后点阳柠玛电图盐当归误饭双肤养块贫内卫稳会",
)
# Chinese that asks and joins, and says nothing to search for.
_SAYS_NOTHING = re.compile(
    r"请问|什么|哪些|哪种|哪个|怎么样|怎么|怎样|如何|是不是|是否|有没有|可不可以|能不能|可以|应该|需要|必须|我的|你的|他的|她的|我们|自己|"
    r"得了|得过|患有|患者|患|病人|的人|的话|的时候|时候|期间|之后|以后|以前|现在|今天|昨天|一直|经常|总是|突然|感觉|觉得|出现|有点|一点|"
    r"还是|或者|如果|因为|所以|但是|而且|并且|以及|一些|这些|那些|这个|那个|这种|这样|那么|通常|一般|属于|进行|比较|"
    r"[的了吗呢吧啊呀是有在和与跟及或会能要想得对把被让给从到就都也还很太最更再我你您他她它们这那个种次人时后前中里上下不没该请做去来用着过以为于度天周月年岁点]"
)


@dataclass(frozen=True)
class Term:
    """A row of a table; `licence` is that of an imported vocabulary."""

    term: str
    language: Language
    standard: str
    kind: Kind
    source: str
    needs: frozenset[str] = frozenset()
    licence: str = ""


@dataclass(frozen=True)
class Found:
    """Words of a question at `text[start:stop]`, and the standard term that they stand for."""

    start: int
    stop: int
    written: str
    standard: str
    kind: Kind


@dataclass(frozen=True)
class Understood:
    """A question in the library's words.

    `english` is the question itself or, of a Chinese or Spanish one, its terms in English; `standard` the same with
    standard terms in the place of others; `coverage` the share of the question that was understood, 0 to 1.
    """

    language: Language
    terms: tuple[Found, ...]
    english: str
    standard: str
    coverage: float


def read_terms(path: Path, licensed: bool = False) -> list[Term]:
    """The rows of a table. ValueError with file and line if it is damaged, or has no licence where one is wanted."""
    needed = (*_NEEDED, "licence") if licensed else _NEEDED
    try:
        text = path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise ValueError(f"{path}: can't be read ({type(error).__name__})") from None
    reader = csv.DictReader(text.splitlines())
    if missing := [name for name in needed if name not in (reader.fieldnames or ())]:
        raise ValueError(f"{path}, line 1: no column {', '.join(missing)}")
    try:
        return [_term(path, reader.line_num, row, needed) for row in reader]
    except csv.Error as error:
        raise ValueError(f"{path}, line {reader.line_num}: {error}") from None


def _term(path: Path, number: int, row: Mapping[str | None, str | None], needed: Sequence[str]) -> Term:
    if None in row or None in row.values():
        raise ValueError(f"{path}, line {number}: more or fewer fields than columns")
    if empty := [name for name in needed if not (row[name] or "").strip()]:
        raise ValueError(f"{path}, line {number}: no {empty[0]}")
    for name, known in (("language", _LANGUAGES), ("kind", _KINDS)):
        if row[name] not in known:
            raise ValueError(f"{path}, line {number}: {name} {row[name]!r} is none of {', '.join(known)}")
    needs = frozenset(stem(folded(word)) for word in (row.get("needs") or "").split())
    term, standard = str(row["term"]).strip(), str(row["standard"]).strip()
    return Term(term, row["language"], standard, row["kind"], str(row["source"]), needs, row.get("licence") or "")  # type: ignore[arg-type]


def folded(text: str) -> str:
    """In small letters, without accents."""
    if text.isascii():
        return text.lower()
    plain = unicodedata.normalize("NFD", text.lower().replace("’", "'"))
    return "".join(mark for mark in plain if not unicodedata.combining(mark))


def bare(word: str, language: Language) -> str:
    """A word without the ending of its number and, in Spanish, of its gender: "embarazadas" is "embarazad"."""
    if language == "en":
        return word[:-1] if len(word) > 3 and word.endswith("s") and not word.endswith("ss") else word
    if len(word) >= 5 and word.endswith("es") and word[-3] not in "aeiou":
        word = word[:-2]
    elif len(word) >= 4 and word.endswith("s"):
        word = word[:-1]
    return word[:-1] if len(word) >= 6 and word[-1] in "oa" else word


def _words(text: str) -> list[str]:
    return _TOKEN.findall(text)


class _Index:
    """The terms of one language by their words; what is written just so goes before another number or gender."""

    def __init__(self, language: Language, terms: Iterable[Term]) -> None:
        self.language = language
        self.exact: dict[str, list[Term]] = {}
        self.longest: dict[str, int] = {}
        for term in terms:
            self._add(term)
        self.loose = self._loose()

    def _add(self, term: Term) -> None:
        words = [folded(word) for word in _words(term.term)]
        if self.language == "zh":
            key, opening, size = term.term.lower(), term.term[:1].lower(), len(term.term)
        elif words:
            key, opening, size = " ".join(words), bare(words[0], self.language), len(words)
        else:
            return
        self.exact.setdefault(key, []).append(term)
        self.longest[opening] = max(size, self.longest.get(opening, 0))

    def _loose(self) -> dict[str, list[Term]]:
        """Terms by their bare words, where only one meaning has them ("gota" is gout, "gotas" are drops)."""
        found: dict[str, list[Term]] = {}
        for key, terms in self.exact.items():
            # English is not bared here: who writes "period" may not mean what "periods" are.
            loose = key if self.language == "en" else " ".join(bare(word, self.language) for word in key.split(" "))
            found.setdefault(loose, []).extend(terms)
        return {key: terms for key, terms in found.items() if len({term.standard for term in terms}) == 1}

    def find(self, words: Sequence[str]) -> list[Term]:
        """What a row of words stands for, as it is written."""
        plain = [folded(word) for word in words]
        loose = " ".join(bare(word, self.language) for word in plain)
        found = self.exact.get(" ".join(plain)) or self.loose.get(loose) or []
        return [term for term in found if not term.term[:2].isupper() or _words(term.term) == list(words)]


def _built(rows: Iterable[Term]) -> dict[Language, _Index]:
    by_language: dict[Language, list[Term]] = {"en": [], "zh": [], "es": []}
    for row in rows:
        by_language[row.language].append(row)
    return {language: _Index(language, terms) for language, terms in by_language.items()}


@cache
def shipped() -> tuple[Term, ...]:
    """The rows of `terms/*.csv`."""
    return tuple(term for path in sorted(TABLE.glob("*.csv")) for term in read_terms(path))


@cache
def _own() -> dict[Language, _Index]:
    return _built(shipped())


_imports: InUse[Mapping[Language, _Index]] = InUse("imported terms")


@contextmanager
def using(folder: Path | None) -> Iterator[None]:
    """As long as it is open, every question of this process is read with the tables of a folder as well.

    None is for the shipped table alone. Where both know a term, the shipped one counts.

    Raises:
        ValueError: the folder has no table, one is damaged (file and line), or the process uses other ones already.
    """
    rows, version = _load(folder) if folder else ([], "")
    with _imports.using(version, lambda: _built(rows) if rows else None):
        yield


def _load(folder: Path) -> tuple[list[Term], str]:
    paths = sorted(folder.glob("*.csv"))
    if not paths:
        raise ValueError(f"no imported terms in {folder}")
    rows = [row for path in paths for row in read_terms(path, licensed=True)]
    digest = sha256(b"".join(path.read_bytes() for path in paths))
    return rows, f"terms-{digest.hexdigest()[:12]}"


def _tables(language: Language) -> list[_Index]:
    """The shipped table, then the imported ones."""
    imported = _imports.value
    return [_own()[language], *([imported[language]] if imported else [])]


def expand(question: str, language: Language | None = None) -> Understood:
    """What a question says in the standard terms of an English library.

    Args:
        language: of the question; it is told from its text if not given.
    """
    language = language or detect(question)
    if language == "en":
        terms = _found(question, "en")
        return Understood("en", terms, question, _replaced(question, terms), 1.0)
    terms, coverage = _chinese(question) if language == "zh" else _spanish(question)
    english = _keywords(question, terms, latin=language == "zh")
    return Understood(language, terms, english, _replaced(english, _found(english, "en")), coverage)


def _chinese(question: str) -> tuple[tuple[Found, ...], float]:
    """The terms of a Chinese text, the longest first at each place, and the share of its characters that they hold."""
    text = question.translate(_SIMPLER)
    drugs = {mention.start: mention for mention in mentions(text)}
    found: list[Found] = []
    at = 0
    while at < len(text):
        term = next((terms[0] for index in _tables("zh") if (terms := _longest_at(index, text, at))), None)
        drug = drugs.get(at)
        if drug and (not term or len(term.term) < drug.stop - drug.start):
            found.append(Found(at, drug.stop, question[at : drug.stop], _plain(drug.name), "translation"))
        elif term:
            found.append(Found(at, at + len(term.term), term.term, term.standard, term.kind))
        at = found[-1].stop if found and found[-1].start == at else at + 1
    held = {place for one in found for place in range(one.start, one.stop)}
    rest = "".join(" " if place in held else mark for place, mark in enumerate(text))
    unknown = len(HAN.findall(_SAYS_NOTHING.sub(" ", rest)))
    known = sum(bool(HAN.match(text[place])) for place in held)
    return tuple(found), known / (known + unknown) if known + unknown else 1.0


def _longest_at(index: _Index, text: str, at: int) -> list[Term]:
    most = index.longest.get(text[at].lower(), 0)
    sizes = range(min(most, len(text) - at), 0, -1)
    return next((terms for size in sizes if (terms := index.exact.get(text[at : at + size].lower()))), [])


def _spanish(question: str) -> tuple[tuple[Found, ...], float]:
    terms = _found(question, "es")
    held = [(one.start, one.stop) for one in terms]
    words = [place for place in _TOKEN.finditer(question) if not place.group()[0].isdigit()]
    known = [place for place in words if any(start <= place.start() < stop for start, stop in held)]
    open_ = [place for place in words if place not in known and place.group().lower() not in SPANISH]
    return terms, len(known) / (len(known) + len(open_)) if known or open_ else 1.0


def _found(text: str, language: Language) -> tuple[Found, ...]:
    """Terms of a text in words that do not overlap: at each place the longest; medicines by the drug tables."""
    places = list(_TOKEN.finditer(text))
    words = [place.group() for place in places]
    drugs = _medicines(text, language)
    found: list[Found] = []
    at = 0
    while at < len(places):
        size, standard, kind = next(
            (hit for index in _tables(language) if (hit := _term_at(index, text, places, words, at))[0]),
            (0, "", "synonym"),
        )
        stop = places[at + size - 1].end() if size else 0
        drug = drugs.get(places[at].start())
        if drug and drug.stop > stop:
            found.append(drug)
            stop = drug.stop
        elif size:
            found.append(Found(places[at].start(), stop, text[places[at].start() : stop], standard, kind))
        at += 1
        while at < len(places) and places[at].start() < stop:
            at += 1
    return tuple(found)


def _term_at(
    index: _Index, text: str, places: Sequence[re.Match[str]], words: Sequence[str], at: int
) -> tuple[int, str, Kind]:
    """How many words from a place on are a term, and what it stands for."""
    most = index.longest.get(bare(folded(words[at]), index.language), 0)
    for size in range(min(most, len(words) - at), 0, -1):
        row = places[at : at + size]
        if not all(_GAP.fullmatch(text, one.end(), other.start()) for one, other in pairwise(row)):
            continue
        terms, rest = index.find(words[at : at + size]), set[str]()
        if any(term.needs for term in terms):
            rest = {stem(folded(word)) for word in (*words[:at], *words[at + size :])}
        if meant := _meant(terms, rest):
            return size, " or ".join(term.standard for term in meant), meant[0].kind
    return 0, "", "synonym"


def _meant(terms: Sequence[Term], rest: set[str]) -> list[Term]:
    """The meanings that the rest of the question supports; of several that it doesn't, each; of a single one, none."""
    supported = [term for term in terms if not term.needs or term.needs & rest]
    if not supported and len(terms) > 1:
        supported = list(terms)
    meant = list({term.standard: term for term in supported}.values())
    return meant if len(meant) <= _MEANS else []


def _medicines(text: str, language: Language) -> dict[int, Found]:
    """The medicines that a text names otherwise than by their substance, by place: brands, other languages' names."""
    if language == "es":
        return {m.start: Found(m.start, m.stop, m.written, _plain(m.name), "translation") for m in mentions(text)}
    found: dict[int, Found] = {}
    for written in named(text):
        name = canonical(written)
        if _SPOKEN.fullmatch(name) and name not in (written, written.removesuffix("s")):
            for place in re.finditer(rf"\b{re.escape(written)}\b", text, re.IGNORECASE):
                found[place.start()] = Found(place.start(), place.end(), place.group(), _plain(name), "synonym")
    return found


def _plain(name: str) -> str:
    """A name of the drug tables as it is written: classes have a hyphen there."""
    return name.replace("-", " ")


def _replaced(text: str, terms: Sequence[Found]) -> str:
    """A text with its terms' standard forms in their places."""
    parts, after = [], 0
    for term in terms:
        parts += [text[after : term.start], term.standard]
        after = term.stop
    return "".join([*parts, text[after:]])


def _keywords(question: str, terms: Sequence[Found], latin: bool) -> str:
    """The terms in English in their order, each once, with amounts and, in Chinese, the Latin words between them."""
    pattern = _LATIN if latin else _NUMBER
    pieces = {term.start: term.standard for term in terms}
    for place in pattern.finditer(question):
        if not any(term.start < place.end() and place.start() < term.stop for term in terms):
            pieces[place.start()] = place.group()
    return " ".join(dict.fromkeys(pieces[at] for at in sorted(pieces)))


@cache
def vocabulary(language: Language) -> frozenset[str]:
    """The single words of the shipped terms and, in English, of what they stand for; in small letters."""
    texts = [text for term in shipped() for text in _texts(term, language)]
    return frozenset(folded(word) for text in texts for word in _words(text) if len(word) > 3 and word.isalpha())


def _texts(term: Term, language: Language) -> list[str]:
    own = [term.term] if term.language == language and not term.term[:2].isupper() else []
    return [*own, term.standard] if language == "en" else own


def understood_words(*texts: str) -> frozenset[str]:
    """The words that texts say in English once their terms are understood."""
    meant = [expand(text) for text in texts]
    return frozenset(word for one in meant for text in (one.english, one.standard) for word in content(text))
