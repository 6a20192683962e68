"""Published interaction tables as rows of one kind; each row keeps the licence of where it comes from.

Nothing here is shipped with Primum: a user brings the files, and `write_rows` puts them where `interactions.using`
reads.
"""

import csv
import gzip
import io
import json
import re
import zlib
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any, Literal
from xml.etree import ElementTree

from primum.safety.findings import SEVERITIES, Severity
from primum.safety.lexicon import canonical, classes, members, mentions
from primum.safety.sentences import split_plain

Form = Literal["ddinter", "ansm", "onc", "openfda"]

DDINTER = "CC BY-NC-SA 4.0"
ANSM = "terms of ANSM and of the file's publisher"
ONC = "terms of its publishers"
OPENFDA = "public domain, CC0"

_DDINTER_LEVELS: dict[str, Severity] = {
    "major": "major", "moderate": "moderate", "minor": "minor", "unknown": "info",
}  # fmt: skip
# The files spell these in many ways: CONTRANDICATION, "Precautions for use.", "Nor recommended".
_ANSM_LEVELS: tuple[tuple[str, Severity], ...] = (
    (r"contr", "contraindicated"), (r"no[tr] recomm", "major"), (r"precaution", "moderate"), (r"ta[kl]e into", "minor"),
)  # fmt: skip
_SECTIONS = {"34073-7": "Drug interactions", "34066-1": "Boxed warning", "34070-3": "Contraindications"}
_NAMESPACE = "{urn:hl7-org:v3}"
_NO_PARTNER = re.compile(r"\bhypersensitiv|\ballerg|\banaphyla", re.IGNORECASE)
_COLUMN_A = ("drug_a", "drug1", "drug_1", "drug a", "precipitant", "a")
_COLUMN_B = ("drug_b", "drug2", "drug_2", "drug b", "object", "b")


@dataclass(frozen=True)
class Imported:
    """What a published source says of two drugs, with its licence."""

    a: str
    b: str
    severity: Severity
    text: str
    source: str
    licence: str


_FIELDS = tuple(field.name for field in fields(Imported))
_NEEDED = ("a", "b", "source", "licence")


def ddinter(path: Path) -> Iterator[Imported]:
    """DDInter's CSV (Drug_A, Drug_B, Level …) or JSON lines of it. A level that is not known counts as info."""
    for number, row in _records(path, ("drug_a", "drug_b", "level")):
        severity = _DDINTER_LEVELS.get(row["level"].strip().lower(), "info")
        a, b = _drugs(path, number, row["drug_a"], row["drug_b"])
        yield Imported(a, b, severity, "", "DDInter", DDINTER)


def ansm(*paths: Path) -> Iterator[Imported]:
    """ANSM's thesaurus as JSON lines: rules between drugs and classes, the classes' drugs, or pairs of drugs.

    Which file holds which is told by its fields; a class is replaced by its drugs.
    """
    rules: list[tuple[Path, int, dict[str, Any]]] = []
    inside: dict[str, list[str]] = {}
    for path in paths:
        for number, row in _json_lines(path):
            if isinstance(row.get("drugs"), list):
                inside[_bare(_text(path, number, row, "name"))] = [canonical(drug) for drug in row["drugs"] if drug]
            else:
                rules.append((path, number, row))
    for path, number, row in rules:
        severity = _ansm_severity(_text(path, number, row, "severity"))
        text = " ".join(part for part in (row.get("description"), row.get("comment")) if part)
        for a in _expanded(path, number, row, "a", inside):
            for b in _expanded(path, number, row, "b", inside):
                if a != b:
                    yield Imported(a, b, severity, text, "ANSM thesaurus", ANSM)


def onc(path: Path) -> Iterator[Imported]:
    """The ONC high-priority list: two columns of drugs (Drug_A/Drug_B, drug1/drug2 or precipitant/object)."""
    for number, row in _records(path):
        a = next((row[key] for key in _COLUMN_A if row.get(key)), "")
        b = next((row[key] for key in _COLUMN_B if row.get(key)), "")
        yield Imported(*_drugs(path, number, a, b), "contraindicated", "", "ONC high-priority list", ONC)


def openfda_label(path: Path) -> Iterator[Imported]:
    """The drugs that a label (SPL XML) names in its interactions, contraindications and boxed warning.

    A sentence with "contraindicated" counts so, one with "avoid" or from the boxed warning as major, else moderate.
    """
    try:
        root = ElementTree.fromstring(_unpacked(path))  # noqa: S314  (a local file that the user chose)
    except ElementTree.ParseError as error:
        raise _damaged(path, error.position[0], "it is no XML") from None
    own = _active_substances(root)
    if not own:
        raise _damaged(path, 1, "the label has no active substance")
    title = f"FDA label {', '.join(own)} ({path.name})"
    for section in root.iter(f"{_NAMESPACE}section"):
        code = section.find(f"{_NAMESPACE}code")
        name = _SECTIONS.get(code.get("code", "") if code is not None else "")
        if name:
            for sentence in _sentences(section):
                for partner in _partners(sentence, own):
                    for drug in own:
                        yield Imported(drug, partner, _label_severity(name, sentence), sentence, title, OPENFDA)


_READERS: dict[str, Callable[..., Iterator[Imported]]] = {
    "ddinter": ddinter, "ansm": ansm, "onc": onc, "openfda": openfda_label,
}  # fmt: skip


def read_published(form: Form, paths: Sequence[Path]) -> dict[str, list[Imported]]:
    """The rows of published files by the name of the table that they become.

    One table a file, which may be empty; ANSM's files belong together and make one. What names one drug twice is left
    out.

    Raises:
        ValueError: a file can't be read; the text names file and line.
    """
    read = _READERS[form]
    groups = [tuple(paths)] if form == "ansm" else [(path,) for path in paths]
    found: dict[str, list[Imported]] = {}
    for group in groups:
        stems = sorted(path.name.partition(".")[0] for path in group)
        name = f"{'-'.join([form, *stems])}.csv"
        rows = (row for row in read(*group) if row.a != row.b)
        found[name] = list(dict.fromkeys([*found.get(name, ()), *rows]))
    return found


def write_rows(rows: Iterable[Imported], path: Path) -> int:
    """Writes rows as the CSV that `read_rows` reads, at once or not at all; each row once. Returns how many."""
    kept = list(dict.fromkeys(rows))
    part = path.with_name(f"{path.name}.part")
    with part.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, _FIELDS)
        writer.writeheader()
        writer.writerows(asdict(row) for row in kept)
    part.replace(path)
    return len(kept)


def read_rows(path: Path) -> list[Imported]:
    """Rows that `write_rows` has written. ValueError with file and line if one is damaged or without a licence."""
    found = []
    for number, row in _records(path, _FIELDS):
        if row["severity"] not in SEVERITIES:
            raise _damaged(path, number, f"severity {row['severity']!r} is none of {', '.join(SEVERITIES)}")
        if empty := [name for name in _NEEDED if not row[name].strip()]:
            raise _damaged(path, number, f"no {empty[0]}")
        severity: Severity = row["severity"]
        found.append(Imported(row["a"], row["b"], severity, row["text"], row["source"], row["licence"]))
    return found


def described(path: Path) -> dict[str, Any]:
    """What is in a table: rows, how many of each severity, sources, licences, and names that no text is searched for.

    Raises:
        ValueError: it is damaged (file and line).
    """
    rows = read_rows(path)
    names = dict.fromkeys(name for row in rows for name in (row.a, row.b))
    counts = Counter(row.severity for row in rows)
    return {
        "rows": len(rows),
        "severities": {severity: counts[severity] for severity in reversed(SEVERITIES) if counts[severity]},
        "sources": sorted({row.source for row in rows}),
        "licences": sorted({row.licence for row in rows}),
        "unknown_names": sorted(name for name in names if not (members(name) or mentions(name))),
    }


def _damaged(path: Path, number: int, what: str) -> ValueError:
    return ValueError(f"{path}, line {number}: {what}")


def _unpacked(path: Path) -> bytes:
    """What is in a file, gzip taken off. ValueError if it can't be read."""
    try:
        data = path.read_bytes()
        return gzip.decompress(data) if path.suffix == ".gz" else data
    except (OSError, EOFError, zlib.error) as error:
        raise ValueError(f"{path}: can't be read ({getattr(error, 'strerror', None) or error})") from None


def _lines(path: Path) -> list[str]:
    data = _unpacked(path).removeprefix(b"\xef\xbb\xbf")
    try:
        return list(io.StringIO(data.decode("utf-8"), newline=""))
    except UnicodeDecodeError as error:
        raise _damaged(path, data[: error.start].count(b"\n") + 1, "it is no UTF-8") from None


def _records(path: Path, needed: Sequence[str] = ()) -> Iterator[tuple[int, dict[str, str]]]:
    """The rows of a CSV or JSON lines file with their lines; names of columns in lower case."""
    if ".json" in path.name:
        for number, row in _json_lines(path):
            yield number, {**{name: _text(path, number, row, name) for name in needed}, **_only_texts(row)}
        return
    reader = csv.DictReader(_lines(path))
    reader.fieldnames = [name.strip().lower() for name in reader.fieldnames or ()]
    if missing := [name for name in needed if name not in reader.fieldnames]:
        raise _damaged(path, 1, f"no column {', '.join(missing)}")
    try:
        for row in reader:
            if None in row or None in row.values():
                raise _damaged(path, reader.line_num, "more or fewer fields than columns")
            yield reader.line_num, row
    except csv.Error as error:
        raise _damaged(path, reader.line_num, str(error)) from None


def _json_lines(path: Path) -> Iterator[tuple[int, dict[str, Any]]]:
    for number, line in enumerate(_lines(path), 1):
        if not line.strip():
            continue
        try:
            row = json.loads(line)
        except json.JSONDecodeError:
            row = None
        if not isinstance(row, dict):
            raise _damaged(path, number, "no JSON object")
        yield number, row


def _only_texts(row: dict[str, Any]) -> dict[str, str]:
    return {name.lower(): value for name, value in row.items() if isinstance(value, str)}


def _text(path: Path, number: int, row: dict[str, Any], name: str) -> str:
    value = row.get(name)
    if not isinstance(value, str):
        raise _damaged(path, number, f"no text in the field {name!r}")
    return value


def _drugs(path: Path, number: int, a: str, b: str) -> tuple[str, str]:
    if not a.strip() or not b.strip():
        raise _damaged(path, number, "a row without two drugs")
    return canonical(a.strip()), canonical(b.strip())


def _bare(name: str) -> str:
    return re.sub(r"^OTHER ", "", " ".join(name.upper().split()))


def _expanded(path: Path, number: int, row: dict[str, Any], side: str, inside: dict[str, list[str]]) -> list[str]:
    """The drugs of one side of a rule: one drug, or those of a class."""
    if f"drug_{side}" in row:
        return [canonical(_text(path, number, row, f"drug_{side}").strip())]
    named = row.get(side)
    if not isinstance(named, dict):
        raise _damaged(path, number, f"no drug or class {side!r}")
    name = _text(path, number, named, "name")
    if named.get("kind") != "class":
        return [canonical(name.strip().lower())]
    if not inside:
        raise _damaged(path, number, "it names a class, so that the file of the classes must be given too")
    return inside.get(_bare(name), [])


def _ansm_severity(written: str) -> Severity:
    """The severity of ANSM's four levels; what cannot be read counts as major."""
    plain = written.strip().replace("_", " ")
    return next((level for sign, level in _ANSM_LEVELS if re.match(sign, plain, re.IGNORECASE)), "major")


def _active_substances(root: ElementTree.Element) -> list[str]:
    moieties = root.iter(f"{_NAMESPACE}activeMoiety")
    names = [name.text for moiety in moieties for name in moiety.iter(f"{_NAMESPACE}name") if name.text]
    return list(dict.fromkeys(canonical(name.strip().lower()) for name in names))


def _sentences(section: ElementTree.Element) -> Iterator[str]:
    for text in section.iter(f"{_NAMESPACE}text"):
        plain = " ".join(" ".join(text.itertext()).split())
        yield from (plain[start:stop] for start, stop in split_plain(plain))


def _partners(sentence: str, own: list[str]) -> list[str]:
    """The medicines that interact with others somewhere in our tables; no enzyme, no human milk, no allergen."""
    if _NO_PARTNER.search(sentence):
        return []
    names = dict.fromkeys(mention.name for mention in mentions(sentence))
    return [
        name
        for name in names
        if name not in own and not members(name) & set(own) and (members(name) or classes(name)) and name != "milk"
    ]


def _label_severity(section: str, sentence: str) -> Severity:
    if section == "Contraindications" or re.search(r"\bcontraindicated\b", sentence, re.IGNORECASE):
        return "contraindicated"
    if section == "Boxed warning" or re.search(r"\b(?:avoid|not recommended)\b", sentence, re.IGNORECASE):
        return "major"
    return "moderate"
