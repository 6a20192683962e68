"""openFDA: the labels of medicines in the United States, by the medicines that a question names."""

from collections.abc import Iterator
from datetime import date
from typing import Any

from pydantic import BaseModel, Field

from primum.retrieval.loaders import Source
from primum.retrieval.plaintext import clean, line
from primum.tools.deidentify import Query
from primum.tools.guard import Guard
from primum.tools.paper import short
from primum.tools.service import Service, Several, Told

_LICENCE = "CC0 1.0; openFDA. Not validated for clinical use by the FDA"
_MOST_DRUGS = 3  # of one question
_EACH = 2  # labels of one medicine: many makers print the same
_SECTIONS = {
    "boxed_warning": "Boxed warning",
    "indications_and_usage": "Uses",
    "purpose": "Purpose",
    "dosage_and_administration": "Dose",
    "contraindications": "Contraindications",
    "do_not_use": "Do not use",
    "warnings_and_cautions": "Warnings",
    "warnings": "Warnings",
    "ask_doctor": "Ask a doctor before use",
    "ask_doctor_or_pharmacist": "Ask a doctor or pharmacist before use",
    "stop_use": "Stop use and ask a doctor",
    "drug_interactions": "Interactions",
    "pregnancy": "Pregnancy",
    "pregnancy_or_breast_feeding": "Pregnancy or breast-feeding",
    "lactation": "Breast-feeding",
    "nursing_mothers": "Breast-feeding",
    "pediatric_use": "Children",
    "geriatric_use": "Older people",
    "adverse_reactions": "Side effects",
    "overdosage": "Overdose",
}
_NAMES = ("openfda.generic_name", "openfda.brand_name", "openfda.substance_name")


class _Names(BaseModel):
    brand: Several = Field(default_factory=list, alias="brand_name")
    generic: Several = Field(default_factory=list, alias="generic_name")
    maker: Several = Field(default_factory=list, alias="manufacturer_name")
    substance: Several = Field(default_factory=list, alias="substance_name")


class _Label(BaseModel, extra="allow"):
    set_id: str = Field(pattern=r"^[0-9a-fA-F-]{36}$")
    effective: Told = Field("", alias="effective_time")
    names: _Names = Field(default_factory=_Names, alias="openfda")

    def sections(self) -> Iterator[tuple[str, str]]:
        for field, heading in _SECTIONS.items():
            told = (self.model_extra or {}).get(field)
            text = "\n\n".join(str(one) for one in told) if isinstance(told, list) else ""
            if text.strip():
                yield heading, text


class _Answer(BaseModel):
    results: list[Any] = Field(default_factory=list)


class Labels(Service):
    """Labels of medicines. A question that names no medicine is not sent."""

    name = "openfda"
    label = "openFDA"
    address = "https://api.fda.gov"
    per_second = 4.0  # 240 a minute

    def __init__(self, guard: Guard, *, key: str = "", **how: Any) -> None:
        super().__init__(guard, **how)
        self._known = {"api_key": key} if key else {}

    async def search(self, query: Query, limit: int) -> list[Source]:
        """The newest labels of each medicine, those of the medicine alone first. Raises LookUpFailed."""
        found: dict[str, Source] = {}
        for drug in query.drugs[:_MOST_DRUGS]:
            labels = sorted(await self._of(drug), key=lambda one: len(one.names.substance) > 1)
            sources = [source for label in labels if (source := _source(label))]
            found |= {source.uri: source for source in sources[:_EACH]}
        return list(found.values())[:limit]

    async def _of(self, drug: str) -> list[_Label]:
        asked = " OR ".join(f'{field}:"{drug}"' for field in _NAMES)
        params = {"search": f"({asked})", "sort": "effective_time:desc", "limit": "10", **self._known}
        answer = await self.json("/drug/label.json", params, also=(404,))
        if isinstance(answer, dict) and isinstance(answer.get("error"), dict):
            if answer["error"].get("code") == "NOT_FOUND":  # its way to say: none
                return []
            raise self.unfit()
        return list(self.each(_Label, self.shaped(_Answer, answer).results))


def _source(label: _Label) -> Source | None:
    text = clean("\n\n".join(f"## {heading}\n\n{told}" for heading, told in label.sections()))
    if not text:
        return None
    names = label.names
    title = line(", ".join(dict.fromkeys(str(one) for one in (*names.brand[:1], *names.generic[:1])))) or label.set_id
    url = f"https://dailymed.nlm.nih.gov/dailymed/drugInfo.cfm?setid={label.set_id}"
    about = {"title": title, "publisher": line(short([str(one) for one in names.maker])) or "openFDA", "url": url}
    return Source(
        uri=f"openfda:{label.set_id}",
        title=f"{title}: label",
        text=text,
        kind="label",
        url=url,
        aliases=[line(str(one)) for one in dict.fromkeys((*names.brand, *names.generic))][:10],
        sources=[about],
        origin=Labels.name,
        licence=_LICENCE,
        evidence="label",
        published=_date(label.effective),
    )


def _date(told: str) -> date | None:
    try:
        return date.fromisoformat(told)
    except ValueError:
        return None
