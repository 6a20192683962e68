"""Published vocabularies as rows of terms; each row keeps the licence of where it comes from.

Nothing here is shipped with Primum: a user brings the files, and `write_terms` puts them where `terms.using` reads.
"""

import csv
import gzip
import json
import re
import zlib
from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import IO, Any, Literal, cast
from xml.etree import ElementTree

from primum.retrieval.terms import Term, read_terms
from primum.safety.words import claims

Form = Literal["do", "mesh"]

DO = "CC0 1.0"
MESH = "public domain, U.S. National Library of Medicine"

_COLUMNS = ("term", "language", "standard", "kind", "source", "needs", "licence")
_EXACT = re.compile(r'synonym: "((?:[^"\\]|\\.)+)" EXACT')
_DOID = re.compile(r"DOID[:_]\d+$")
# Diseases, drugs, mental disorders; of procedures and phenomena only names of several words: "Therapeutics" has the
# entry "Treatment", which says nothing.
_TREES = re.compile(r"C|D|F03")
_TREES_OF_NAMES = re.compile(r"E|G")
_SHORTEST = 4
_ENTRY = re.compile(r"(?:PRINT )?ENTRY = (.+)")
_Named = tuple[str, str, list[str]]  # identifier, name, synonyms


def read_vocabulary(form: Form, path: Path) -> list[Term]:
    """The synonyms of a published file, each with the name that it stands for.

    Disease Ontology: `.obo` or `.json`, exact synonyms alone. MeSH: descriptors as `.xml` or `.bin`, the terms that
    mean just what the heading means. Either may be packed (`.gz`). A synonym of several names, an everyday word and
    anything under four letters are left out.

    Raises:
        ValueError: the file can't be read; the text names file and line.
    """
    named, source, licence = (
        (_disease_ontology(path), "Disease Ontology", DO) if form == "do" else (_mesh(path), "MeSH", MESH)
    )
    found: dict[str, dict[str, Term]] = {}
    names: set[str] = set()
    try:
        for identifier, name, synonyms in named:
            standard = _natural(name)
            names.add(standard.lower())
            for synonym in map(_natural, synonyms):
                if synonym.lower() != standard.lower() and _worth(synonym):
                    row = Term(synonym, "en", standard, "synonym", f"{source} {identifier}", licence=licence)
                    found.setdefault(synonym.lower(), {})[standard.lower()] = row
    except (OSError, EOFError, zlib.error, UnicodeDecodeError) as error:
        raise ValueError(
            f"{path}: can't be read ({getattr(error, 'strerror', None) or type(error).__name__})"
        ) from None
    return [next(iter(rows.values())) for term, rows in found.items() if len(rows) == 1 and term not in names]


def _natural(name: str) -> str:
    """A name as it is spoken: "Diabetes Mellitus, Type 2" is "Type 2 Diabetes Mellitus"."""
    first, comma, last = " ".join(name.split()).partition(", ")
    return f"{last} {first}" if comma and ", " not in last and not last.startswith(("and ", "or ")) else name.strip()


def _worth(synonym: str) -> bool:
    return len(synonym) >= _SHORTEST and bool(claims(synonym)) and "," not in synonym


def _open(path: Path) -> IO[bytes]:
    return cast("IO[bytes]", gzip.open(path)) if path.suffix == ".gz" else path.open("rb")


def _lines(path: Path) -> Iterator[tuple[int, str]]:
    with _open(path) as file:
        for number, line in enumerate(file, 1):
            yield number, line.decode("utf-8").rstrip("\r\n")


def _disease_ontology(path: Path) -> Iterator[_Named]:
    return _obographs(path) if ".json" in path.name else _obo(path)


def _obo(path: Path) -> Iterator[_Named]:
    terms = 0
    for kind, fields in _stanzas(path):
        identifier, name = fields.get("id", [""])[0], fields.get("name", [""])[0]
        if kind == "[Term]" and _DOID.match(identifier):
            terms += 1
            synonyms = [_EXACT.match(f"synonym: {value}") for value in fields.get("synonym", [])]
            if name and "true" not in fields.get("is_obsolete", []):
                yield identifier, name, [match[1].replace('\\"', '"') for match in synonyms if match]
    if not terms:
        raise ValueError(f"{path}, line 1: no term of the Disease Ontology is in it")


def _stanzas(path: Path) -> Iterator[tuple[str, dict[str, list[str]]]]:
    """The parts of an OBO file: what each is, and its values by tag."""
    kind, fields = "", cast("dict[str, list[str]]", {})
    for number, line in _lines(path):
        if line.startswith("["):
            yield kind, fields
            kind, fields = line.strip(), {}
        elif line.strip() and not line.startswith("!"):
            tag, colon, value = line.partition(": ")
            if not colon and kind and not line.endswith(":"):
                raise ValueError(f"{path}, line {number}: no tag with a value")
            fields.setdefault(tag, []).append(value)
    yield kind, fields


def _obographs(path: Path) -> Iterator[_Named]:
    try:
        with _open(path) as file:
            data = json.load(file)
        nodes: list[dict[str, Any]] = [node for graph in data["graphs"] for node in graph["nodes"]]
    except json.JSONDecodeError as error:
        raise ValueError(f"{path}, line {error.lineno}: it is no JSON") from None
    except (KeyError, TypeError):
        raise ValueError(f"{path}, line 1: it is no graph of an ontology (graphs, nodes)") from None
    terms = 0
    for node in nodes:
        meta, identifier = node.get("meta") or {}, str(node.get("id", ""))
        if (doid := _DOID.search(identifier)) and node.get("lbl"):
            terms += 1
            if not meta.get("deprecated"):
                exact = [one["val"] for one in meta.get("synonyms", []) if one.get("pred") == "hasExactSynonym"]
                yield doid[0].replace("_", ":"), str(node["lbl"]), exact
    if not terms:
        raise ValueError(f"{path}, line 1: no term of the Disease Ontology is in it")


def _mesh(path: Path) -> Iterator[_Named]:
    rows = _descriptors(path) if ".xml" in path.name else _records(path)
    for identifier, name, synonyms, trees in rows:
        if any(_TREES.match(tree) for tree in trees):
            yield identifier, name, synonyms
        elif any(_TREES_OF_NAMES.match(tree) for tree in trees):
            yield identifier, name, [synonym for synonym in synonyms if " " in synonym]


def _descriptors(path: Path) -> Iterator[tuple[str, str, list[str], list[str]]]:
    """MeSH as XML, one record in memory at a time."""
    found = 0
    try:
        with _open(path) as file:
            for _, element in ElementTree.iterparse(file):  # noqa: S314  (a local file that the user chose)
                if element.tag == "DescriptorRecord":
                    found += 1
                    terms = element.iterfind("ConceptList/Concept[@PreferredConceptYN='Y']/TermList/Term/String")
                    trees = element.iterfind("TreeNumberList/TreeNumber")
                    name, ui = element.findtext("DescriptorName/String"), element.findtext("DescriptorUI")
                    if not name or not ui:
                        raise ValueError(f"{path}, record {found}: no name or no identifier")
                    yield ui, name, [one.text for one in terms if one.text], [one.text for one in trees if one.text]
                    element.clear()
    except ElementTree.ParseError as error:
        raise ValueError(f"{path}, line {error.position[0]}: it is no XML") from None
    if not found:
        raise ValueError(f"{path}, line 1: no descriptor of MeSH is in it")


def _records(path: Path) -> Iterator[tuple[str, str, list[str], list[str]]]:
    """MeSH in its ASCII form: an entry counts if it is marked as equivalent, or has the words of one that is."""
    found = 0
    lines: list[str] = []
    for number, line in _lines(path):
        if line == "*NEWRECORD":
            found += 1
            if lines:
                yield _record(lines)
            lines = []
        elif found and line.strip():
            if " = " not in line:
                raise ValueError(f"{path}, line {number}: no field with a value")
            lines.append(line)
    if not found:
        raise ValueError(f"{path}, line 1: no descriptor of MeSH is in it")
    yield _record(lines)


def _record(lines: list[str]) -> tuple[str, str, list[str], list[str]]:
    fields: dict[str, list[str]] = {}
    for line in lines:
        name, _, value = line.partition(" = ")
        fields.setdefault(name, []).append(value)
    heading = fields.get("MH", [""])[0]
    entries = [match[1].split("|") for line in lines if (match := _ENTRY.match(line))]
    same = [entry[0] for entry in entries if "EQV" in entry]
    known = {_as_set(name) for name in (heading, *same)}
    same += [entry[0] for entry in entries if len(entry) == 1 and _as_set(entry[0]) in known]
    return fields.get("UI", [""])[0], heading, same, fields.get("MN", [])


def _as_set(name: str) -> tuple[str, ...]:
    return tuple(sorted(re.findall(r"\w+", name.lower())))


def write_terms(rows: Iterable[Term], path: Path) -> int:
    """Writes rows as the CSV that `terms.read_terms` reads, at once or not at all. Returns how many."""
    kept = list(rows)
    part = path.with_name(f"{path.name}.part")
    with part.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(_COLUMNS)
        for row in kept:
            writer.writerow((row.term, row.language, row.standard, row.kind, row.source, "", row.licence))
    part.replace(path)
    return len(kept)


def described(path: Path) -> dict[str, Any]:
    """What is in a table: rows, how many of each language and kind, licences. ValueError if it is damaged."""
    rows = read_terms(path)
    return {
        "rows": len(rows),
        "languages": dict(Counter(row.language for row in rows)),
        "kinds": dict(Counter(row.kind for row in rows)),
        "licences": sorted({row.licence for row in rows if row.licence}),
    }
