"""Published formats as rows that keep their licence; what is damaged is an error."""

import gzip
import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from primum.safety.importers import (
    Imported,
    ansm,
    ddinter,
    described,
    onc,
    openfda_label,
    read_published,
    read_rows,
    write_rows,
)

SHARED = Path(__file__).parents[2] / ".." / "shared" / "data"
SPL = """<document xmlns="urn:hl7-org:v3"><subject><activeMoiety><name>WARFARIN SODIUM</name></activeMoiety></subject>
<section><code code="34073-7"/><text>Ibuprofen increases bleeding. Avoid ginkgo. Drink water.</text></section>
<section><code code="34066-1"/><text>Bleeding is more likely with aspirin.</text></section>
<section><code code="34070-3"/><text>Miconazole must not be used.</text></section>
<section><code code="34067-9"/><text>Metformin is not an interaction here.</text></section></document>"""


def write(path: Path, text: str) -> Path:
    path.write_text(text, encoding="utf-8")
    return path


def test_ddinter_rows_have_canonical_names_and_their_level(tmp_path: Path) -> None:
    path = write(
        tmp_path / "d.csv",
        "DDInterID_A,Drug_A,DDInterID_B,Drug_B,Level\n1,Acetylsalicylic acid,2,Warfarin,Major\n3,Foo,4,Bar,Unknown\n",
    )
    first, second = ddinter(path)
    assert (first.a, first.b, first.severity, first.licence) == ("aspirin", "warfarin", "major", "CC BY-NC-SA 4.0")
    assert second.severity == "info"


def test_a_table_without_its_columns_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="no column"):
        list(ddinter(write(tmp_path / "d.csv", "a,b\n1,2\n")))
    with pytest.raises(ValueError, match="without two drugs"):
        list(onc(write(tmp_path / "o.csv", "drug1,drug2\nwarfarin,\n")))


def side(name: str, kind: str) -> dict[str, str]:
    return {"name": name, "kind": kind}


ANSM_LEVELS = [
    ("CONTRAINDICATION", "contraindicated"), ("Contraindication:", "contraindicated"),
    ("CONTRANDICATION", "contraindicated"), ("Not recommended", "major"), ("Nor recommended", "major"),
    ("Precautions for use.", "moderate"), ("Tale into account", "minor"), ("", "major"), ("unreadable", "major"),
]  # fmt: skip


@pytest.mark.parametrize(("written", "severity"), ANSM_LEVELS)
def test_ansm_classes_are_replaced_by_their_drugs(tmp_path: Path, written: str, severity: str) -> None:
    classes = write(
        tmp_path / "c.jsonl", json.dumps({"name": "VITAMIN K ANTAGONISTS", "drugs": ["warfarin", "fluindione"]})
    )
    rule = {"a": side("VITAMIN K ANTAGONISTS", "class"), "b": side("CICLOSPORIN ", "drug")}
    rule |= {"severity": written, "description": "Bleeding", "comment": "Check"}  # type: ignore[dict-item]
    rules = tmp_path / "r.jsonl.gz"
    rules.write_bytes(gzip.compress(json.dumps(rule).encode()))
    rows = list(ansm(rules, classes))
    assert [(row.a, row.b) for row in rows] == [("warfarin", "cyclosporine"), ("fluindione", "cyclosporine")]
    assert {row.severity for row in rows} == {severity}
    assert rows[0].text == "Bleeding Check"


@pytest.mark.parametrize("header", ["drug1,drug2", "Drug_A,Drug_B", "precipitant,object"])
def test_the_onc_list_is_read_by_either_header(tmp_path: Path, header: str) -> None:
    (row,) = onc(write(tmp_path / "o.csv", f"{header}\nViagra,GTN spray\n"))
    assert (row.a, row.b, row.severity) == ("sildenafil", "nitroglycerin", "contraindicated")


def test_a_label_names_its_partners_by_section(tmp_path: Path) -> None:
    rows = list(openfda_label(write(tmp_path / "w.xml", SPL)))
    assert {(row.b, row.severity) for row in rows} == {
        ("ibuprofen", "moderate"),
        ("ginkgo", "major"),
        ("aspirin", "major"),
        ("miconazole", "contraindicated"),
    }
    assert {row.a for row in rows} == {"warfarin"}
    assert all("public domain" in row.licence for row in rows)


@pytest.mark.parametrize(
    "text",
    ["Hypersensitivity to penicillin.", "It passes into human milk.", "Raised transaminases.", "Patients on warfarin."],
)
def test_a_label_makes_no_partner_of_what_is_none(tmp_path: Path, text: str) -> None:
    label = SPL.partition("<section>")[0] + f'<section><code code="34070-3"/><text>{text}</text></section></document>'
    assert list(openfda_label(write(tmp_path / "w.xml", label))) == []


def test_a_label_without_a_substance_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="no active substance"):
        list(openfda_label(write(tmp_path / "x.xml", '<document xmlns="urn:hl7-org:v3"/>')))


def test_rows_survive_writing_and_reading_once_each(tmp_path: Path) -> None:
    one = Imported("a", "b", "major", 'text, with "quotes"\nand lines', "source", "licence")
    assert write_rows([one, one], tmp_path / "rows.csv") == 1
    assert read_rows(tmp_path / "rows.csv") == [one]


DAMAGED = [
    ("a,b,deadly,t,s,l", "severity 'deadly'"), ("a,b,major,t,s,", "no licence"), ("a,,major,t,s,l", "no b"),
    ("a,b", "fields"), ("a,b,major,t,s,l,more", "fields"), ("a,b,major,t, ,l", "no source"), ("\udcff", "no UTF-8"),
]  # fmt: skip


@pytest.mark.parametrize(("line", "said"), DAMAGED)
def test_a_damaged_row_is_an_error_that_names_file_and_line(tmp_path: Path, line: str, said: str) -> None:
    path = tmp_path / "rows.csv"
    text = f'a,b,severity,text,source,licence\na,b,minor,"two\nlines",s,l\n{line}\n'
    path.write_bytes(text.encode("utf-8", "surrogateescape"))
    with pytest.raises(ValueError, match=rf"rows.csv, line 4: .*{said}"):
        read_rows(path)


def test_a_file_that_cannot_be_read_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="can't be read"):
        read_rows(tmp_path / "missing.csv")
    (tmp_path / "x.jsonl.gz").write_bytes(b"no gzip")
    with pytest.raises(ValueError, match="can't be read"):
        list(ddinter(tmp_path / "x.jsonl.gz"))


def test_ddinter_is_read_from_json_lines_packed_or_not(tmp_path: Path) -> None:
    text = '{"drug_a": "Coumadin", "drug_b": "Aspirin", "level": "Moderate"}\n'
    (tmp_path / "d.jsonl.gz").write_bytes(gzip.compress(text.encode()))
    for path in (write(tmp_path / "d.jsonl", text), tmp_path / "d.jsonl.gz"):
        (row,) = ddinter(path)
        assert (row.a, row.b, row.severity) == ("warfarin", "aspirin", "moderate")


BROKEN = [
    ("no json", "no JSON object"), ("[1]", "no JSON object"), ('{"drug_a": "x", "level": "Major"}', "'drug_b'"),
    ('{"drug_a": 1, "drug_b": "x", "level": "Major"}', "'drug_a'"),
    ('{"drug_a": " ", "drug_b": "x", "level": "Major"}', "without two drugs"),
]  # fmt: skip


@pytest.mark.parametrize(("line", "said"), BROKEN)
def test_a_broken_line_of_json_is_named(tmp_path: Path, line: str, said: str) -> None:
    path = write(tmp_path / "d.jsonl", f'{{"drug_a": "a", "drug_b": "b", "level": "Minor"}}\n\n{line}\n')
    with pytest.raises(ValueError, match=rf"d.jsonl, line 3: .*{said}"):
        list(ddinter(path))


def test_pairs_of_the_ansm_are_read_as_they_are_and_classes_need_their_file(tmp_path: Path) -> None:
    pairs = {"drug_a": "atazanavir", "drug_b": "simvastatin", "severity": "not_recommended", "description": "Muscles"}
    rule = {"a": side("STATINS", "class"), "b": side("X", "drug"), "severity": "Contraindication", "description": ""}
    (row,) = ansm(write(tmp_path / "p.jsonl", json.dumps(pairs)))
    assert (row.a, row.b, row.severity, row.text) == ("atazanavir", "simvastatin", "major", "Muscles")
    with pytest.raises(ValueError, match="file of the classes"):
        list(ansm(write(tmp_path / "r.jsonl", json.dumps(rule))))


def test_each_file_becomes_a_table_and_the_files_of_the_ansm_one(tmp_path: Path) -> None:
    rows = [
        write(tmp_path / f"{n}.csv", "drug1,drug2\nwarfarin,aspirin\naspirin,acetylsalicylic acid\n")
        for n in ("one", "two")
    ]
    found = read_published("onc", rows)
    assert [*found] == ["onc-one.csv", "onc-two.csv"] and [len(table) for table in found.values()] == [1, 1]
    classes = write(tmp_path / "classes.jsonl", '{"name": "S", "drugs": ["simvastatin"]}')
    rule = {"a": side("S", "class"), "b": side("x", "drug"), "severity": "Contraindication"}
    rules = write(tmp_path / "rules.jsonl", json.dumps(rule))
    for order in ([classes, rules], [rules, classes]):
        ((name, table),) = read_published("ansm", order).items()
        assert name == "ansm-classes-rules.csv" and [(row.a, row.b) for row in table] == [("simvastatin", "x")]
    assert read_published("openfda", [write(tmp_path / "w.xml", SPL.partition("<section>")[0] + "</document>")]) == {
        "openfda-w.csv": []
    }


def test_a_table_is_described_with_its_licence_and_the_names_that_no_text_is_searched_for(tmp_path: Path) -> None:
    rows = [Imported("zzyzxomab", "warfarin", "major", "", "S", "L"), Imported("a", "warfarin", "minor", "", "S", "L")]
    write_rows(rows, tmp_path / "t.csv")
    told = described(tmp_path / "t.csv")
    assert told["severities"] == {"major": 1, "minor": 1} and told["rows"] == 2
    assert (told["licences"], told["sources"], told["unknown_names"]) == (["L"], ["S"], ["a", "zzyzxomab"])


def test_a_table_is_never_half_written(tmp_path: Path) -> None:
    one = Imported("a", "b", "major", "", "source", "licence")
    write_rows([one], tmp_path / "rows.csv")

    def breaks() -> Iterator[Imported]:
        yield replace(one, b="c")
        raise ValueError("the file ends here")

    with pytest.raises(ValueError, match="ends here"):
        write_rows(breaks(), tmp_path / "rows.csv")
    assert read_rows(tmp_path / "rows.csv") == [one]


def test_the_published_files_on_this_machine_can_be_read() -> None:
    rules, classes = (SHARED / "interactions" / name for name in ("ansm_rules.jsonl.gz", "ansm_classes.jsonl"))
    labels = sorted((SHARED / "drugs" / "openfda_spl").glob("*.xml"))
    if not (rules.exists() and classes.exists() and labels):
        pytest.skip("the published files are not on this machine")
    assert sum(row.severity == "contraindicated" for row in ansm(rules, classes)) > 1000
    found = {row for label in labels for row in openfda_label(label)}
    assert ("atorvastatin", "cyclosporine") in {(row.a, row.b) for row in found}
