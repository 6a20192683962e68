"""Files that hold labels, topics, questions or rows."""

from datetime import date
from pathlib import Path

import pytest

from primum.retrieval import archive
from primum.retrieval.loaders import Source, Unreadable, load
from tests.retrieval import documents


def loaded(path: Path, content: bytes | str) -> tuple[list[Source], list[Unreadable]]:
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    found = list(load(path))
    sources = [item for item in found if isinstance(item, Source)]
    return sources, [item for item in found if isinstance(item, Unreadable)]


def test_a_structured_label_has_its_boxed_warning_first_and_rows_that_read_alone(tmp_path: Path) -> None:
    ((label,), _) = loaded(tmp_path / "label.xml", documents.LABEL)
    assert (label.title, label.uri) == (
        "Placebin XR (placebo hydrochloride), drug label",
        f"dailymed:{documents.SET_ID}",
    )
    assert label.text == (
        "## WARNING: SLEEPINESS\nPlacebin may make drowsy.\n\n"
        "## 2 DOSAGE AND ADMINISTRATION\nGive by mouth.\n\n"
        "### Table 1. Dose by kidney function\n"
        "Creatinine clearance: 30 mL/min or more; Dose – Day: 10³ units; Dose – Night: 5 mg\n"
        "On dialysis – Creatinine clearance: before it (Not on the first day.); Dose – Day: 2 mg; Dose – Night: none\n"
        "Note on Creatinine clearance: By Cockcroft and Gault.\n\n"
        "## 2 DOSAGE AND ADMINISTRATION\n\nSwallow whole.\n\n- with food\n- or without\n\n"
        "### 2.1 Children\nDo not give to children."
    )


def test_a_label_tells_its_licence_evidence_maker_and_address(tmp_path: Path) -> None:
    ((label,), _) = loaded(tmp_path / "label.xml", documents.LABEL)
    assert (label.origin, label.evidence, label.audience, label.language) == ("dailymed", "label", "clinician", "en")
    assert label.licence.startswith("public domain") and label.published == date(2026, 3, 1)
    assert label.url == f"https://dailymed.nlm.nih.gov/dailymed/drugInfo.cfm?setid={documents.SET_ID}"
    assert label.aliases == ["Placebin XR", "placebo hydrochloride"]
    assert label.sources[0]["publisher"].startswith("Example Pharma")


def test_an_openfda_label_has_sections_in_a_labels_order(tmp_path: Path) -> None:
    ((label,), _) = loaded(tmp_path / "label.json", documents.openfda())
    assert label.text == (
        "## Boxed warning\nWARNING: SLEEPINESS Placebin may make drowsy.\n\n"
        "## Indications and usage\nPlacebin is for nothing.\n\n1.1 Adults Take none.\n\n"
        "## Dosage and administration\nGive by mouth.\n\nDrug: Placebin; Dose: 5 mg"
    )
    assert (label.uri, label.origin, label.evidence) == (f"openfda:{documents.SET_ID}", "openfda", "label")
    assert (label.published, label.licence) == (date(2026, 3, 1), "CC0 1.0 (openFDA)")
    assert "setid" in label.url and label.aliases == ["Placebin", "PLACEBO HYDROCHLORIDE"]


def test_medlineplus_topics_are_documents_in_their_language(tmp_path: Path) -> None:
    (english, spanish), (empty,) = loaded(tmp_path / "topics.xml", documents.TOPICS)
    assert (
        english.text
        == "### What are hiccups?\n\nA hiccup is a sudden movement of the diaphragm.\n\n- Most stop by themselves"
    )
    assert (english.uri, english.language, english.aliases) == ("medlineplus:11", "en", ["Singultus", "Hiccough"])
    assert (english.published, english.audience) == (date(2011, 3, 2), "patient")
    assert (spanish.language, spanish.url) == ("es", "https://medlineplus.gov/spanish/hiccups.html")
    assert empty.name.endswith("topics.xml:Empty") and "without a summary" in empty.reason


def test_medquad_answers_stand_under_their_questions_and_empty_ones_are_left_out(tmp_path: Path) -> None:
    ((page,), _) = loaded(tmp_path / "q.xml", documents.QUESTIONS)
    assert page.text == (
        "## What is (are) Hiccups?\nHiccups are sudden movements.\nThey include:\n- short hiccups\n- long hiccups"
    )
    assert (page.uri, page.licence, page.url) == ("medquad:NINDS/0000007", "CC BY 4.0", "https://example.org/hiccups")
    assert page.aliases == ["Singultus"]


def test_a_medquad_file_without_answers_is_named(tmp_path: Path) -> None:
    empty = documents.QUESTIONS.partition("<QAPair ")[0] + "</QAPairs></Document>"
    assert "no answers" in loaded(tmp_path / "q.xml", empty)[1][0].reason


def test_a_table_of_values_is_one_document_with_a_line_a_row(tmp_path: Path) -> None:
    ((page,), _) = loaded(tmp_path / "dose_list.csv", 'Drug;Dose;Note\nA, B;5 mg;"with\nfood"\nC;;\n')
    assert (page.title, page.text) == ("dose list", "Drug: A, B; Dose: 5 mg; Note: with food\nDrug: C")


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("a.csv", "Question,Answer,audience\nWhy?,Because it is so.,patient\nHow?,,\n"),
        ("a.tsv", "title\ttext\taudience\nWhy?\tBecause it is so.\tpatient\nHow?\t\t\n"),
    ],
)
def test_rows_with_questions_or_texts_are_documents(tmp_path: Path, name: str, content: str) -> None:
    (first,), (second,) = loaded(tmp_path / name, content)
    assert (first.uri, first.title, first.text) == (f"file:{tmp_path}/{name}#1", "Why?", "Because it is so.")
    assert first.audience == "patient"
    assert second == Unreadable(f"{tmp_path}/{name}:2", "no text in it")


def test_an_archive_is_read_file_by_file_and_a_bad_one_is_named(tmp_path: Path) -> None:
    files: dict[str, bytes | str] = {
        "a/gout.md": "# Gout\n\nIt hurts.",
        "a/rows.jsonl": '{"_id": "x", "text": "A row."}\nno',
        "label.xml": documents.LABEL,
        ".hidden.txt": "Hidden.",
        "b.bin": b"\0",
        "c.pdf": b"%PDF",
    }
    pages, bad = loaded(tmp_path / "all.zip", documents.zipped(files))
    assert [page.uri for page in pages] == [
        f"file:{tmp_path}/all.zip#a/gout.md",
        f"file:{tmp_path}/all.zip#a/rows.jsonl#x",
        f"dailymed:{documents.SET_ID}",
    ]
    assert [item.name.removeprefix(f"{tmp_path}/all.zip:") for item in bad] == ["a/rows.jsonl:2", "b.bin", "c.pdf"]


def test_files_of_one_name_in_two_folders_or_archives_never_take_each_others_place(tmp_path: Path) -> None:
    archived = documents.zipped(
        {"a/rows.csv": "title,text\nT,One.\n", "a.md": "Text.", "a#rows.csv": "title,text\nT,x"}
    )
    for ward in ("one", "two"):
        (tmp_path / ward).mkdir()
        (tmp_path / ward / "rows.csv").write_text(f"title,text\nT,Of ward {ward}.\n")
        (tmp_path / ward / "all.zip").write_bytes(archived)
    (tmp_path / "one" / "all.zip#a.md").write_text("A file whose name looks like a place in an archive.")
    uris = [item.uri for item in load(tmp_path) if isinstance(item, Source)]
    assert len(uris) == len(set(uris)) == 9
    assert set(uris) >= {f"file:{tmp_path}/{ward}/{place}" for ward in ("one", "two") for place in ("rows.csv#1",)}
    assert f"file:{tmp_path}/one/all.zip#a/rows.csv#1" in uris


def test_an_archive_that_unpacks_to_too_much_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(archive, "MAX_MEMBER", 2**20)
    (small,), (large,) = loaded(tmp_path / "a.zip", documents.zipped({"a.txt": "Small.", "b.txt": bytes(2**21)}))
    assert small.text == "Small." and large.reason == "unpacks to more than 1 MB"
    monkeypatch.setattr(archive, "MAX_UNPACKED", 2**20)
    assert (
        "unpacks to more than 1 MB"
        in loaded(tmp_path / "a.zip", documents.zipped({"b.txt": bytes(2**21)}))[1][0].reason
    )


@pytest.mark.parametrize(
    ("name", "content", "why"),
    [
        ("a.xml", "<a>", "broken XML"),
        ("a.xml", "<feed><entry/></feed>", "an unknown kind of XML (<feed>)"),
        ("a.xml", '<!DOCTYPE a [<!ENTITY b "bb"><!ENTITY c "&b;&b;">]><health-topics>&c;</health-topics>', "entities"),
        ("a.xml", '<document xmlns="urn:hl7-org:v3"><title>Bare</title></document>', "no text"),
        ("a.json", "[", "not JSON"),
        ("a.json", '{"results": [1]}', "unknown kind of JSON"),
        ("a.json", "[" * 100_000, "nested too deeply"),
        ("a.csv", "", "empty"),
        ("a.csv", '"' + "x" * 6_000_000 + '"', "not a table"),
        ("a.doc", "x", "save it as .docx"),
        ("a.xlsx", "x", "save it as .csv"),
        ("a.zip", "x", "not a zip archive"),
    ],
)
def test_a_file_that_cannot_be_read_is_named_with_the_reason(tmp_path: Path, name: str, content: str, why: str) -> None:
    pages, (bad,) = loaded(tmp_path / name, content)
    assert pages == [] and why in bad.reason


def test_an_external_entity_is_never_fetched(tmp_path: Path) -> None:
    secret = tmp_path / "secret.txt"
    secret.write_text("secret words")
    xml = f'<!DOCTYPE d [<!ENTITY x SYSTEM "{secret.as_uri()}">]>' + documents.QUESTIONS.partition("\n")[2]
    pages, bad = loaded(tmp_path / "q.xml", xml.replace("sudden", "&x;"))
    assert pages == [] and "entities" in bad[0].reason and "secret words" not in bad[0].reason
