"""Published vocabularies become synonyms of one form, precisely or not at all."""

import gzip
import json
from pathlib import Path

import pytest

from primum.retrieval.term_importers import DO, MESH, described, read_vocabulary, write_terms
from primum.retrieval.terms import read_terms

OBO = """format-version: 1.2
ontology: doid

[Term]
id: DOID:9352
name: type 2 diabetes mellitus
synonym: "non-insulin-dependent diabetes mellitus" EXACT []
synonym: "NIDDM" EXACT [OMO:0003012]
synonym: "diabetes" RELATED []
synonym: "T2" EXACT []

[Term]
id: DOID:1
name: old name
synonym: "an older name of it" EXACT []
is_obsolete: true

[Term]
id: DOID:2
name: influenza A
synonym: "grippe" EXACT []

[Term]
id: DOID:3
name: influenza B
synonym: "grippe" EXACT []
"""
XML = """<?xml version="1.0"?>
<!DOCTYPE DescriptorRecordSet SYSTEM "desc2026.dtd">
<DescriptorRecordSet LanguageCode="eng">
<DescriptorRecord DescriptorClass="1"><DescriptorUI>D009203</DescriptorUI>
<DescriptorName><String>Myocardial Infarction</String></DescriptorName>
<TreeNumberList><TreeNumber>C14.280.647.500</TreeNumber></TreeNumberList>
<ConceptList>
<Concept PreferredConceptYN="Y"><TermList>
<Term><String>Myocardial Infarction</String></Term><Term><String>Infarction, Myocardial</String></Term>
<Term><String>Heart Attack</String></Term></TermList></Concept>
<Concept PreferredConceptYN="N"><TermList><Term><String>Cardiovascular Stroke</String></Term></TermList></Concept>
</ConceptList></DescriptorRecord>
<DescriptorRecord DescriptorClass="1"><DescriptorUI>D013812</DescriptorUI>
<DescriptorName><String>Therapeutics</String></DescriptorName>
<TreeNumberList><TreeNumber>E02</TreeNumber></TreeNumberList>
<ConceptList><Concept PreferredConceptYN="Y"><TermList><Term><String>Treatment</String></Term>
</TermList></Concept></ConceptList></DescriptorRecord>
<DescriptorRecord DescriptorClass="1"><DescriptorUI>D000001</DescriptorUI>
<DescriptorName><String>Geneva</String></DescriptorName>
<TreeNumberList><TreeNumber>Z01</TreeNumber></TreeNumberList>
<ConceptList><Concept PreferredConceptYN="Y"><TermList><Term><String>Genf Town</String></Term></TermList></Concept>
</ConceptList></DescriptorRecord>
</DescriptorRecordSet>
"""
BIN = """*NEWRECORD
RECTYPE = D
MH = Diabetes Mellitus, Type 2
PRINT ENTRY = Diabetes Mellitus, Adult-Onset|T047|NON|EQV|NLM (1983)|820419|abbcdef
ENTRY = MODY|T047|ABB|NRW|NLM (1990)|890228|abbcdef
ENTRY = Adult-Onset Diabetes Mellitus
ENTRY = Maturity Onset Diabetes of the Young
MN = C18.452.394.750.149
UI = D003924

"""


def written(folder: Path, name: str, text: str) -> Path:
    path = folder / name
    path.write_text(text, encoding="utf-8")
    return path


def pairs(form: str, path: Path) -> dict[str, str]:
    return {row.term: row.standard for row in read_vocabulary(form, path)}  # type: ignore[arg-type]


def test_disease_ontology_gives_exact_synonyms_of_one_living_disease(tmp_path: Path) -> None:
    rows = read_vocabulary("do", written(tmp_path, "doid.obo", OBO))
    assert [(row.term, row.standard) for row in rows] == [
        ("non-insulin-dependent diabetes mellitus", "type 2 diabetes mellitus"),
        ("NIDDM", "type 2 diabetes mellitus"),
    ]
    assert {(row.source, row.licence, row.kind, row.language) for row in rows} == {
        ("Disease Ontology DOID:9352", DO, "synonym", "en")
    }


def test_disease_ontology_as_json_gives_the_same(tmp_path: Path) -> None:
    exact = {"pred": "hasExactSynonym", "val": "NIDDM"}
    related = {"pred": "hasRelatedSynonym", "val": "diabetes"}
    diabetes = {"id": "http://purl.obolibrary.org/obo/DOID_9352", "lbl": "type 2 diabetes mellitus", "type": "CLASS"}
    old = {"id": "http://purl.obolibrary.org/obo/DOID_1", "lbl": "old", "meta": {"deprecated": True}}
    graph = {"graphs": [{"nodes": [{**diabetes, "meta": {"synonyms": [exact, related]}}, old]}]}
    path = written(tmp_path, "doid.json", json.dumps(graph))
    assert pairs("do", path) == {"NIDDM": "type 2 diabetes mellitus"}
    assert read_vocabulary("do", path)[0].source == "Disease Ontology DOID:9352"


def test_mesh_gives_terms_of_the_same_meaning_of_diseases_and_no_everyday_words(tmp_path: Path) -> None:
    assert pairs("mesh", written(tmp_path, "desc2026.xml", XML)) == {"Heart Attack": "Myocardial Infarction"}


def test_mesh_in_its_ascii_form_gives_equivalent_entries_as_they_are_spoken(tmp_path: Path) -> None:
    path = written(tmp_path, "d2026.bin", BIN)
    assert pairs("mesh", path) == {"Adult-Onset Diabetes Mellitus": "Type 2 Diabetes Mellitus"}
    (row,) = read_vocabulary("mesh", path)
    assert (row.source, row.licence) == ("MeSH D003924", MESH)


def test_a_packed_file_is_read_as_well(tmp_path: Path) -> None:
    path = tmp_path / "doid.obo.gz"
    path.write_bytes(gzip.compress(OBO.encode()))
    assert len(read_vocabulary("do", path)) == 2
    path.write_bytes(gzip.compress(OBO.encode())[:-20])
    with pytest.raises(ValueError, match=r"doid.obo.gz: can't be read"):
        read_vocabulary("do", path)


@pytest.mark.parametrize(
    ("form", "name", "text", "complaint"),
    [
        ("do", "x.obo", "hello\n", "x.obo, line 1: no term"),
        ("do", "x.obo", "[Term]\nid: DOID:1\nname\n", "x.obo, line 3: no tag with a value"),
        ("do", "x.json", "{\n]", "x.json, line 2: it is no JSON"),
        ("do", "x.json", "[]", "no graph of an ontology"),
        ("mesh", "x.xml", "<a>\n<b></a>", "x.xml, line 2: it is no XML"),
        ("mesh", "x.xml", "<a/>", "no descriptor"),
        ("mesh", "x.bin", "hello\n", "no descriptor"),
        ("mesh", "x.bin", "*NEWRECORD\nMH\n", "x.bin, line 2: no field"),
    ],
)
def test_what_is_no_such_file_is_refused_with_its_line(
    tmp_path: Path, form: str, name: str, text: str, complaint: str
) -> None:
    with pytest.raises(ValueError, match=complaint):
        pairs(form, written(tmp_path, name, text))


def test_written_rows_are_read_again_and_described_with_their_licence(tmp_path: Path) -> None:
    rows = read_vocabulary("do", written(tmp_path, "doid.obo", OBO))
    assert write_terms(rows, tmp_path / "do-doid.csv") == 2
    assert read_terms(tmp_path / "do-doid.csv") == rows
    assert described(tmp_path / "do-doid.csv") == {
        "rows": 2, "languages": {"en": 2}, "kinds": {"synonym": 2}, "licences": [DO],
    }  # fmt: skip
