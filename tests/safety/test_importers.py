"""Published formats as rows that keep their licence; what is damaged is an error."""

import gzip
import json
from pathlib import Path

import pytest

from primum.safety.importers import Imported, ansm, ddinter, onc, openfda_label, read_rows, write_rows

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


def test_a_label_without_a_substance_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="no active substance"):
        list(openfda_label(write(tmp_path / "x.xml", '<document xmlns="urn:hl7-org:v3"/>')))


def test_rows_survive_writing_and_reading_once_each(tmp_path: Path) -> None:
    one = Imported("a", "b", "major", 'text, with "quotes"\nand lines', "source", "licence")
    assert write_rows([one, one], tmp_path / "rows.csv") == 1
    assert read_rows(tmp_path / "rows.csv") == [one]


DAMAGED = ["a,b,deadly,t,s,l", "a,b,major,t,s,", "a,,major,t,s,l", "a,b"]


@pytest.mark.parametrize("line", DAMAGED)
def test_a_damaged_row_is_an_error(tmp_path: Path, line: str) -> None:
    path = write(tmp_path / "rows.csv", f"a,b,severity,text,source,licence\n{line}\n")
    with pytest.raises(ValueError, match="row"):
        read_rows(path)


def test_the_published_files_on_this_machine_can_be_read() -> None:
    rules, classes = (SHARED / "interactions" / name for name in ("ansm_rules.jsonl.gz", "ansm_classes.jsonl"))
    labels = sorted((SHARED / "drugs" / "openfda_spl").glob("*.xml"))
    if not (rules.exists() and classes.exists() and labels):
        pytest.skip("the published files are not on this machine")
    assert sum(row.severity == "contraindicated" for row in ansm(rules, classes)) > 1000
    found = {row for label in labels for row in openfda_label(label)}
    assert ("atorvastatin", "cyclosporine") in {(row.a, row.b) for row in found}
