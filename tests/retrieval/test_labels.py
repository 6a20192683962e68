from typing import Any

import pytest

from primum.retrieval.labels import SPL, label_page
from primum.retrieval.xml_file import parsed
from tests.retrieval.documents import SET_ID


def label(*sections: str, head: str = "") -> Any:
    """The root of a label with these sections."""
    body = "".join(f"<component>{part}</component>" for part in sections)
    return parsed(
        f'<document xmlns="urn:hl7-org:v3"><setId root="{SET_ID}"/>{head}'
        f"<component><structuredBody>{body}</structuredBody></component></document>".encode()
    )


def section(title: str, text: str, *inner: str, code: str = "") -> str:
    under = "".join(f"<component>{part}</component>" for part in inner)
    named = f"<title>{title}</title>" if title else ""
    return f'<section><code code="{code}"/>{named}<text>{text}</text>{under}</section>'


def text(*sections: str) -> str:
    return label_page(label(*sections), "a").text


def paragraph(words: str) -> str:
    return f"<paragraph>{words}</paragraph>"


def test_headings_are_nested_as_deep_as_the_sections() -> None:
    deepest = section("6.1.1.1.1 Seventh", paragraph("Of the seventh."))
    inner = section("6.1.1 Rash", paragraph("Of rash."), section("6.1.1.1 In children", "", deepest))
    assert text(
        section("6 HARMS", paragraph("Of harms."), section("6.1 Skin", "", inner), section("6.2 Gut", "x"))
    ) == (
        "## 6 HARMS\nOf harms.\n\n### 6.1 Skin\n\n#### 6.1.1 Rash\nOf rash.\n\n##### 6.1.1.1 In children\n\n"
        "###### 6.1.1.1.1 Seventh\nOf the seventh.\n\n### 6.2 Gut\nx"
    )


def test_no_heading_is_deeper_than_six() -> None:
    nested = section("Level 9", "At the end.")
    for level in range(8, 1, -1):
        nested = section(f"Level {level}", "", nested)
    assert "\n###### Level 8\n" in text(nested) and text(nested).endswith("###### Level 9\nAt the end.")


def test_a_section_without_a_title_stands_under_the_one_above_it() -> None:
    assert text(section("1 USES", "", section("", paragraph("For nothing."), section("1.1 Adults", "None.")))) == (
        "## 1 USES\n\nFor nothing.\n\n### 1.1 Adults\nNone."
    )


def test_a_heading_over_nothing_is_left_out() -> None:
    assert text(section("1 USES", "", section("1.1 Adults", "")), section("2 DOSES", "None.")) == "## 2 DOSES\nNone."


def test_what_follows_a_table_in_a_nested_section_stands_under_its_heading_again() -> None:
    rows = "<tr><th>Who</th><th>Dose</th></tr><tr><td>Adults</td><td>5 mg</td></tr>"
    table = f"<table><caption>Table 1. Doses</caption><tbody>{rows}</tbody></table>"
    doses = section("2.1 By mouth", f"{paragraph('Once.')}{table}{paragraph('Swallow whole.')}")
    assert text(section("2 DOSES", "", doses, section("2.2 By vein", table))) == (
        "## 2 DOSES\n\n### 2.1 By mouth\nOnce.\n\n#### Table 1. Doses\nWho: Adults; Dose: 5 mg\n\n### 2.1 By mouth\n\n"
        "Swallow whole.\n\n### 2.2 By vein\n#### Table 1. Doses\nWho: Adults; Dose: 5 mg"
    )


def test_a_tables_first_row_may_be_its_caption_and_its_last_a_note() -> None:
    table = (
        '<table><thead><tr><th colspan="2">Table 2. Harms</th></tr><tr><th>Harm</th><th>Share</th></tr></thead>'
        "<tfoot><tr><td>* of 99 adults</td></tr></tfoot><tbody><tr><td>Rash</td><td>3 %</td></tr></tbody></table>"
    )
    assert text(section("6 HARMS", table)) == ("## 6 HARMS\n### Table 2. Harms\nHarm: Rash; Share: 3 %\n* of 99 adults")


def test_a_second_mark_of_a_note_tells_the_note_again() -> None:
    table = (
        '<table><tbody><tr><td>Rash<footnote ID="n">Mild.</footnote></td><td>3 %</td></tr>'
        '<tr><td>Itch<footnoteRef IDREF="n"/></td><td>2 %</td></tr>'
        '<tr><td>Pain<footnoteRef IDREF="none"/></td><td>1 %</td></tr></tbody></table>'
    )
    assert text(section("6 HARMS", table)) == "## 6 HARMS\nRash (Mild.): 3 %\nItch (Mild.): 2 %\nPain: 1 %"


def test_raised_and_lowered_figures_broken_lines_and_wrapped_blocks_stay_readable() -> None:
    said = "H<sub>2</sub>O and C<sub>max</sub>, 10<sup>9</sup>/L,<br/>taken<footnote>By mouth.</footnote> daily"
    wrapped = f"<content>{paragraph('One.')}{paragraph('Two.')}</content>"
    assert text(section("1 USES", paragraph(said) + wrapped)) == (
        "## 1 USES\nH₂O and Cmax, 10⁹/L,\ntaken\n\nBy mouth.\n\ndaily\n\nOne.\n\nTwo."
    )


@pytest.mark.parametrize(
    ("head", "title"),
    [
        ("", "a"),
        ("<title>Placebin label</title>", "Placebin label"),
        ("{product}<name>Placebin</name>{end}", "Placebin, drug label"),
        ("{product}<name>PLACEBO</name>{generic}placebo{end_generic}{end}", "PLACEBO, drug label"),
    ],
)
def test_a_label_is_named_after_its_product_or_else_its_title_or_its_file(head: str, title: str) -> None:
    parts = {
        "product": "<subject><manufacturedProduct>",
        "end": "</manufacturedProduct></subject>",
        "generic": "<asEntityWithGeneric><genericMedicine><name>",
        "end_generic": "</name></genericMedicine></asEntityWithGeneric>",
    }
    assert label_page(label(section("1 USES", "None."), head=head.format(**parts)), "a").title == title


def test_a_label_for_self_care_is_for_patients_and_one_without_a_set_id_has_no_address() -> None:
    root = label(section("Uses", "None."), head='<code code="34390-5"/>')
    assert label_page(root, "a").meta["audience"] == "patient"
    root.remove(root.find(f"{SPL}setId"))
    page = label_page(root, "a")
    assert (page.identity, page.meta["url"]) == ("", "")
