from typing import Any

from primum.retrieval.openfda import is_label_file, label_pages
from primum.retrieval.source import PlainPage, Unreadable
from tests.retrieval.documents import SET_ID


def page(**label: Any) -> PlainPage:
    (found,) = label_pages({"results": [{"set_id": SET_ID, **label}]})
    assert isinstance(found, PlainPage)
    return found


def test_subsections_begin_paragraphs_of_their_own_and_a_heading_is_not_told_twice() -> None:
    told = "5 WARNINGS AND CAUTIONS 5.1 Liver Stop it. 5.2 Skin A rash (see 5.1) may come. 5.10 Heart At 2.5 Mg none."
    assert page(warnings_and_cautions=[told]).text == (
        "## Warnings and cautions\n5.1 Liver Stop it.\n\n5.2 Skin A rash (see 5.1) may come.\n\n"
        "5.10 Heart At 2.5 Mg none."
    )


def test_sections_that_are_not_known_come_last_and_what_is_no_text_is_left_out() -> None:
    found = page(
        odd_section=["Odd."],
        warnings="Only a word.",
        description=[],
        version="3",
        purpose=[7, " "],
        spl_unclassified_section=["No"],
    )
    assert found.text == "## Warnings\nOnly a word.\n\n## Odd section\nOdd."


def test_a_section_of_a_table_alone_is_told() -> None:
    rows = "<table><tr><th>Who</th><th>Dose</th></tr><tr><td>Adults</td><td>5 mg</td></tr></table>"
    found = page(dosage_and_administration=[""], dosage_and_administration_table=[rows])
    assert found.text == "## Dosage and administration\n\nWho: Adults; Dose: 5 mg"


def test_a_label_without_names_goes_by_its_set_id_and_one_for_self_care_is_for_patients() -> None:
    assert page(warnings=["W."]).title == f"{SET_ID}, drug label"
    assert page(warnings=["W."], openfda="none").meta["audience"] == "clinician"
    known = {"generic_name": ["PLACEBO"], "product_type": ["HUMAN OTC DRUG"]}
    found = page(warnings=["W."], openfda=known)
    assert (found.title, found.meta["audience"]) == ("placebo, drug label", "patient")


def test_what_is_no_label_is_named_and_the_others_are_read() -> None:
    results = [7, {"set_id": 7}, {"set_id": SET_ID}, {"set_id": SET_ID, "warnings": ["W."]}]
    *bad, good = label_pages({"results": results})
    assert bad == [
        *(Unreadable("1", "not a label with a `set_id`"), Unreadable("2", "not a label with a `set_id`")),
        Unreadable(f"{SET_ID}, drug label", "no text in it"),
    ]
    assert isinstance(good, PlainPage) and good.identity == f"openfda:{SET_ID}"


def test_other_json_is_no_label_file() -> None:
    assert is_label_file({"results": [{"set_id": "a"}]})
    assert not any(map(is_label_file, ([], {}, {"results": {}}, {"results": [1]}, {"results": [{"id": 1}]}, "set_id")))
