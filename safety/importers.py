"""Published interaction tables as rows of one kind; each row keeps the licence of where it comes from.

Nothing here is shipped with Primum: a user brings the files, and `write_rows` puts them where
`interactions.check` reads.
"""

import csv
import gzip
import json
import re
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

from primum.safety.findings import SEVERITIES, Severity
from primum.safety.lexicon import canonical, members, mentions
from primum.safety.sentences import split_plain

DDINTER = "CC BY-NC-SA 4.0"
ANSM = "ANSM thesaurus: reuse under the terms of the file"
ONC = "ONC high-priority list: terms of its publishers"
OPENFDA = "public domain (FDA structured product labels)"

_DDINTER_LEVELS: dict[str, Severity] = {
    "major": "major", "moderate": "moderate", "minor": "minor", "unknown": "info",
}  # fmt: skip
# The files spell these in many ways: CONTRANDICATION, "Precautions for use.", "Nor recommended".
_ANSM_LEVELS: tuple[tuple[str, Severity], ...] = (
    (r"contr", "contraindicated"), (r"no[tr] recomm", "major"), (r"precaution", "moderate"), (r"ta[kl]e into", "minor"),
)  # fmt: skip
_SECTIONS = {"34073-7": "Drug interactions", "34066-1": "Boxed warning", "34070-3": "Contraindications"}
_NAMESPACE = "{urn:hl7-org:v3}"
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


def ddinter(path: Path) -> Iterator[Imported]:
    """DDInter's CSV (DDInterID_A, Drug_A, DDInterID_B, Drug_B, Level). A level that is not known counts as info."""
    for row in _table(path, {"Drug_A", "Drug_B", "Level"}):
        severity = _DDINTER_LEVELS.get(row["Level"].strip().lower(), "info")
        yield Imported(canonical(row["Drug_A"]), canonical(row["Drug_B"]), severity, "", "DDInter", DDINTER)


def ansm(rules: Path, classes: Path) -> Iterator[Imported]:
    """ANSM's rules between drugs and classes (JSON lines), classes replaced by their drugs."""
    inside = {_bare(row["name"]): [canonical(drug) for drug in row["drugs"] if drug] for row in _json_lines(classes)}
    for row in _json_lines(rules):
        text = " ".join(part for part in (row["description"], row["comment"]) if part)
        for a in _expanded(row["a"], inside):
            for b in _expanded(row["b"], inside):
                if a != b:
                    yield Imported(a, b, _ansm_severity(row["severity"]), text, "ANSM thesaurus", ANSM)


def onc(path: Path) -> Iterator[Imported]:
    """The ONC high-priority list: two columns of drugs (Drug_A/Drug_B, drug1/drug2 or precipitant/object)."""
    for row in _table(path, set()):
        lower = {(key or "").strip().lower(): value or "" for key, value in row.items()}
        a = next((lower[key] for key in _COLUMN_A if lower.get(key)), "")
        b = next((lower[key] for key in _COLUMN_B if lower.get(key)), "")
        if not a or not b:
            raise ValueError(f"{path.name}: a row without two drugs")
        yield Imported(canonical(a), canonical(b), "contraindicated", "", "ONC high-priority list", ONC)


def openfda_label(path: Path) -> Iterator[Imported]:
    """The drugs that a label (SPL XML) names in its interactions, contraindications and boxed warning.

    A sentence with "contraindicated" counts so, one with "avoid" or from the boxed warning as major, else moderate.
    """
    root = ElementTree.parse(path).getroot()  # noqa: S314  (a local file that the user chose)
    own = _active_substances(root)
    if not own:
        raise ValueError(f"{path.name}: no active substance")
    title = f"FDA label {', '.join(own)} ({path.name})"
    for section in root.iter(f"{_NAMESPACE}section"):
        code = section.find(f"{_NAMESPACE}code")
        name = _SECTIONS.get(code.get("code", "") if code is not None else "")
        if name:
            for sentence in _sentences(section):
                for partner in _partners(sentence, own):
                    for drug in own:
                        yield Imported(drug, partner, _label_severity(name, sentence), sentence, title, OPENFDA)


def write_rows(rows: Iterable[Imported], path: Path) -> int:
    """Writes rows as the CSV that `read_rows` reads; each pair once for each source and text. Returns how many."""
    kept = list(dict.fromkeys(rows))
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, [field.name for field in fields(Imported)])
        writer.writeheader()
        writer.writerows(asdict(row) for row in kept)
    return len(kept)


def read_rows(path: Path) -> list[Imported]:
    """Rows that `write_rows` has written. ValueError if a column, a severity or a licence is missing."""
    found = []
    for row in _table(path, {field.name for field in fields(Imported)}):
        if row["severity"] not in SEVERITIES or not row["licence"] or not row["a"] or not row["b"]:
            raise ValueError(f"{path.name}: a damaged row")
        severity: Severity = row["severity"]
        found.append(Imported(row["a"], row["b"], severity, row["text"], row["source"], row["licence"]))
    return found


def _table(path: Path, needed: set[str]) -> Iterator[dict[str, str]]:
    with path.open(encoding="utf-8-sig", newline="") as file:
        reader = csv.DictReader(file)
        if missing := needed - set(reader.fieldnames or ()):
            raise ValueError(f"{path.name}: no column {', '.join(sorted(missing))}")
        for row in reader:
            if any(row[key] is None for key in needed):
                raise ValueError(f"{path.name}: a short row")
            yield row


def _json_lines(path: Path) -> Iterator[dict[str, Any]]:
    packed = path.read_bytes()
    text = gzip.decompress(packed) if path.suffix == ".gz" else packed
    yield from map(json.loads, text.decode("utf-8").splitlines())


def _bare(name: str) -> str:
    return re.sub(r"^OTHER ", "", " ".join(name.upper().split()))


def _expanded(side: dict[str, Any], inside: dict[str, list[str]]) -> list[str]:
    return inside.get(_bare(side["name"]), []) if side["kind"] == "class" else [canonical(side["name"].strip().lower())]


def _ansm_severity(written: str) -> Severity:
    """The severity of ANSM's four levels; what cannot be read counts as major."""
    return next((level for sign, level in _ANSM_LEVELS if re.match(sign, written.strip(), re.IGNORECASE)), "major")


def _active_substances(root: ElementTree.Element) -> list[str]:
    moieties = root.iter(f"{_NAMESPACE}activeMoiety")
    names = [name.text for moiety in moieties for name in moiety.iter(f"{_NAMESPACE}name") if name.text]
    return list(dict.fromkeys(canonical(name.strip().lower()) for name in names))


def _sentences(section: ElementTree.Element) -> Iterator[str]:
    for text in section.iter(f"{_NAMESPACE}text"):
        plain = " ".join(" ".join(text.itertext()).split())
        yield from (plain[start:stop] for start, stop in split_plain(plain))


def _partners(sentence: str, own: list[str]) -> list[str]:
    names = dict.fromkeys(mention.name for mention in mentions(sentence))
    return [name for name in names if name not in own and not members(name) & set(own)]


def _label_severity(section: str, sentence: str) -> Severity:
    if section == "Contraindications" or re.search(r"\bcontraindicated\b", sentence, re.IGNORECASE):
        return "contraindicated"
    if section == "Boxed warning" or re.search(r"\b(?:avoid|not recommended)\b", sentence, re.IGNORECASE):
        return "major"
    return "moderate"
