"""What a question's words stand for, in three languages."""

import csv
from collections import Counter
from pathlib import Path

import pytest

from primum.retrieval.terms import TABLE, expand, read_terms, shipped, using

HEAD = "term,language,standard,kind,source,needs,licence\n"


@pytest.mark.parametrize(
    ("question", "english"),
    [
        ("2型糖尿病有哪些症状？", "type 2 diabetes symptoms"),
        ("¿Cuáles son los síntomas de la diabetes tipo 2?", "symptoms type 2 diabetes"),
        ("怀孕可以吃布洛芬吗？", "pregnancy can I take ibuprofen"),
        ("Estoy embarazada, ¿puedo tomar ibuprofeno 400 mg?", "pregnancy can I take ibuprofen 400 mg"),
        ("高血壓要吃什麼藥", "high blood pressure medicine"),
        ("吃了Nurofen头疼", "Nurofen headache"),
        ("sintomas del embarazo ectopico", "symptoms ectopic pregnancy"),
        ("mis hijas tienen paperas", "children mumps"),
    ],
)
def test_a_chinese_or_spanish_question_becomes_english_terms_in_its_order(question: str, english: str) -> None:
    assert expand(question).english == english


@pytest.mark.parametrize(
    ("question", "standard"),
    [
        ("How is HTN treated?", "How is hypertension treated?"),
        ("signs of a heart attack", "signs of a myocardial infarction"),
        ("Do water pills help?", "Do diuretic help?"),
        ("what helps with the runs", "what helps with diarrhoea"),
        ("Is Nurofen safe with my high blood pressure?", "Is ibuprofen safe with my hypertension?"),
        ("What is gout?", "What is gout?"),
        ("Who does it affect?", "Who does it affect?"),
        ("What is the incubation period?", "What is the incubation period?"),
        ("Heat stroke or stroke?", "heatstroke or cerebrovascular accident?"),
    ],
)
def test_lay_words_abbreviations_and_brands_give_way_to_standard_terms(question: str, standard: str) -> None:
    found = expand(question)
    assert (found.english, found.standard) == (question, standard)


def test_an_ambiguous_abbreviation_is_what_the_question_supports_or_else_each_of_them() -> None:
    assert "multiple sclerosis" in expand("MS and numbness").standard
    assert "mitral" not in expand("MS and numbness").standard
    assert expand("MS").standard == "multiple sclerosis or mitral stenosis"
    assert expand("I am sob climbing stairs").terms[0].standard == "shortness of breath"
    assert expand("I sob at night because I am sad").terms == ()
    assert expand("is ms johnson there").terms == ()


def test_a_term_tells_which_words_it_stands_for() -> None:
    (diabetes, symptoms) = expand("2型糖尿病的症状").terms
    assert (diabetes.written, diabetes.standard, diabetes.start, diabetes.stop) == (
        "2型糖尿病",
        "type 2 diabetes",
        0,
        5,
    )
    assert symptoms.written == "症状"
    assert expand("Tengo SÍNTOMAS").terms[0].written == "SÍNTOMAS"


def test_the_longest_term_counts_and_what_is_written_just_so_goes_before_another_number() -> None:
    assert expand("妊娠糖尿病").english == "gestational diabetes"
    assert expand("¿La gota se cura con gotas?").english == "gout cure drops"


def test_coverage_is_the_share_that_was_understood() -> None:
    assert expand("2型糖尿病有哪些症状？").coverage == 1.0
    assert expand("昨天邻居搬家太吵闹").coverage < 0.3
    assert expand("¿Quién ganó el mundial de fútbol?").coverage == 0.0
    assert 0.3 < expand("¿El ibuprofeno sirve para la carpintería?").coverage < 0.7
    assert expand("What is gout?").coverage == 1.0


@pytest.mark.parametrize("question", ["", "   ", "???", "3", "。", "\x00", "a" * 8000, "糖" * 4000])
def test_whatever_is_asked_something_is_returned(question: str) -> None:
    assert 0.0 <= expand(question).coverage <= 1.0


def test_the_shipped_table_has_enough_of_each_language_and_no_row_twice() -> None:
    rows = shipped()
    counts = Counter(row.language for row in rows)
    assert counts["en"] >= 250 and counts["zh"] >= 500 and counts["es"] >= 500
    twice = Counter((row.language, row.term, row.standard) for row in rows)
    assert [row for row, number in twice.items() if number > 1] == []
    several = Counter((row.language, row.term) for row in rows if not row.needs)
    assert [term for term, number in several.items() if number > 1] == []


@pytest.mark.parametrize("path", sorted(TABLE.glob("*.csv")), ids=lambda path: path.name)
def test_every_shipped_term_is_found_as_it_is_written(path: Path) -> None:
    lost = []
    with path.open(encoding="utf-8") as file:
        for row in csv.DictReader(file):
            text = " ".join([row["term"], *row["needs"].split()[:1]])
            if row["standard"] not in [term.standard for term in expand(text, row["language"]).terms]:  # type: ignore[arg-type]
                lost.append(row["term"])
    assert lost == []


def test_imported_terms_are_used_beside_the_shipped_ones_which_go_first(tmp_path: Path) -> None:
    (tmp_path / "do-x.csv").write_text(
        HEAD
        + "Huntington chorea,en,Huntington's disease,synonym,Disease Ontology DOID:12858,,CC0 1.0\n"
        + "shingles,en,something else,synonym,Disease Ontology DOID:1,,CC0 1.0\n"
    )
    with using(tmp_path):
        assert expand("Is Huntington chorea inherited?").standard == "Is Huntington's disease inherited?"
        assert expand("shingles").standard == "herpes zoster"
        with pytest.raises(ValueError, match="a process of its own"), using(None):
            pass
    assert expand("Is Huntington chorea inherited?").terms == ()


@pytest.mark.parametrize(
    ("row", "complaint"),
    [
        ("a,en,b,synonym\n", "line 2: more or fewer fields"),
        ("a,fr,b,synonym,c,,d\n", "line 2: language 'fr' is none of en, zh, es"),
        ("a,en,b,guess,c,,d\n", "line 2: kind 'guess'"),
        ("a,en,,synonym,c,,d\n", "line 2: no standard"),
        ("a,en,b,synonym,c,,\n", "line 2: no licence"),
    ],
)
def test_a_damaged_table_is_refused_with_file_and_line(tmp_path: Path, row: str, complaint: str) -> None:
    (tmp_path / "bad.csv").write_text(HEAD + row)
    with pytest.raises(ValueError, match=complaint) as error, using(tmp_path):
        pass
    assert "bad.csv" in str(error.value)


def test_a_folder_without_a_table_or_with_another_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="no imported terms in"), using(tmp_path):
        pass
    (tmp_path / "x.csv").write_bytes(b"\xff\xfe")
    with pytest.raises(ValueError, match=r"x.csv: can't be read"):
        read_terms(tmp_path / "x.csv")
    (tmp_path / "x.csv").write_text("term,language\n")
    with pytest.raises(ValueError, match=r"x.csv, line 1: no column standard, kind, source"):
        read_terms(tmp_path / "x.csv")


@pytest.mark.parametrize("path", sorted(TABLE.glob("*.csv")), ids=lambda path: path.name)
def test_a_shipped_table_is_plain(path: Path) -> None:
    with path.open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert all(row["term"] == row["term"].strip() and "  " not in row["standard"] for row in rows)
    assert all("licence" not in row for row in rows)
