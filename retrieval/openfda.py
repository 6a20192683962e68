"""openFDA's drug labels: the JSON of its label endpoint and of its downloads."""

import re
from collections.abc import Iterator, Mapping
from typing import Any

from primum.retrieval.labels import address
from primum.retrieval.markup import html_text
from primum.retrieval.plaintext import clean, line
from primum.retrieval.source import PlainPage, Unreadable

ORIGIN = "openfda"
LICENCE = "CC0 1.0 (openFDA)"
# In the order in which a label gives them; what is not listed comes after, what is left out is no text for a reader.
_ORDER = (
    "boxed_warning", "indications_and_usage", "purpose", "dosage_and_administration", "dosage_forms_and_strengths",
    "contraindications", "do_not_use", "warnings_and_cautions", "warnings", "precautions", "general_precautions",
    "ask_doctor", "ask_doctor_or_pharmacist", "stop_use", "when_using", "adverse_reactions", "drug_interactions",
    "use_in_specific_populations", "pregnancy", "pregnancy_or_breast_feeding", "nursing_mothers", "lactation",
    "pediatric_use", "geriatric_use", "overdosage", "description", "clinical_pharmacology", "mechanism_of_action",
    "pharmacodynamics", "pharmacokinetics", "nonclinical_toxicology", "clinical_studies", "how_supplied",
    "storage_and_handling", "information_for_patients",
)  # fmt: skip
_LEFT_OUT = {
    *("spl_product_data_elements", "package_label_principal_display_panel", "recent_major_changes", "set_id", "id"),
    *("effective_time", "version", "openfda", "spl_unclassified_section"),
}
_NUMBER = r"\d{1,2}(?:\.\d{1,2})?"
_SUBSECTION = re.compile(r"(?<=[.)\]*] )(?=\d{1,2}\.\d{1,2} [A-Z])")


def is_label_file(content: object) -> bool:
    """Whether this is an answer or a download of openFDA's label endpoint."""
    results = content.get("results") if isinstance(content, dict) else None
    return isinstance(results, list) and any(isinstance(r, dict) and "set_id" in r for r in results)


def label_pages(content: Mapping[str, Any]) -> Iterator[PlainPage | Unreadable]:
    """One document for each label of `results`, its boxed warning first."""
    for number, label in enumerate(content["results"], 1):
        if not isinstance(label, dict) or not isinstance(label.get("set_id"), str):
            yield Unreadable(str(number), "not a label with a `set_id`")
            continue
        page = _page(label)
        yield page if page.text else Unreadable(page.title, "no text in it")


def _page(label: Mapping[str, Any]) -> PlainPage:
    known = label.get("openfda")
    names = known if isinstance(known, dict) else {}
    brands, generics = _texts(names.get("brand_name")), _texts(names.get("generic_name"))
    set_id = line(label["set_id"])
    brand, generic = (brands or [""])[0], (generics or [""])[0].lower()
    name = f"{brand} ({generic})" if brand and generic and brand.lower() != generic else brand or generic or set_id
    title = f"{name}, drug label"
    maker = (_texts(names.get("manufacturer_name")) or [""])[0]
    meta = {
        "kind": "medicine",
        "url": address(set_id),
        "aliases": list(dict.fromkeys([*brands, *generics, *_texts(names.get("substance_name"))])),
        "sources": [
            {"title": title, "publisher": ", at ".join(filter(None, [maker, "openFDA"])), "url": address(set_id)}
        ],
        "language": "en",
        "audience": "patient" if "OTC" in " ".join(_texts(names.get("product_type"))) else "clinician",
        "licence": LICENCE,
        "evidence": "label",
        "published": label.get("effective_time"),
    }
    text = clean("\n\n".join(_sections(label)))
    return PlainPage(title, text, meta, identity=f"{ORIGIN}:{set_id}", origin=ORIGIN)


def _sections(label: Mapping[str, Any]) -> Iterator[str]:
    names = [key for key in label if key not in _LEFT_OUT and not key.endswith("_table")]
    rank = {name: place for place, name in enumerate(_ORDER)}
    for name in sorted(names, key=lambda name: rank.get(name, len(rank))):
        heading = name.replace("_", " ").capitalize()
        body = "\n\n".join(_SUBSECTION.sub("\n\n", _unnumbered(text, heading)) for text in _texts(label[name]))
        tables = "\n\n".join(html_text(table) for table in _texts(label.get(f"{name}_table")))
        if body or tables:
            yield "\n\n".join(filter(None, [f"## {heading}\n{body}", tables]))


def _unnumbered(text: str, heading: str) -> str:
    """The text without its own heading: "2 DOSAGE AND ADMINISTRATION" is said above it already."""
    return re.sub(rf"^(?:{_NUMBER} )?{re.escape(heading)}[: ]*", "", text, flags=re.IGNORECASE)


def _texts(value: object) -> list[str]:
    given = value if isinstance(value, list) else [value]
    return [clean(text) for text in given if isinstance(text, str) and text.strip()]
