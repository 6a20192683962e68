"""openFDA: the labels of medicines in the United States, by the medicines that a question names."""

from collections.abc import Iterable, Iterator
from typing import Any

from pydantic import BaseModel, Field

from primum.retrieval.loaders import Source
from primum.retrieval.openfda import label_pages
from primum.retrieval.source import PlainPage, source_of
from primum.tools.deidentify import Query
from primum.tools.guard import Guard
from primum.tools.service import Service, Several

_MOST_DRUGS = 3  # of one question
_EACH = 2  # labels of one medicine: many makers print the same
_NAMES = ("openfda.generic_name", "openfda.brand_name", "openfda.substance_name")


class _Names(BaseModel, extra="allow"):
    substances: Several = Field(default_factory=list, alias="substance_name")


class _Label(BaseModel, extra="allow"):
    """What a label must have before its text is read."""

    set_id: str = Field(pattern=r"^[0-9a-fA-F-]{36}$")
    names: _Names = Field(default_factory=_Names, alias="openfda")


class _Answer(BaseModel):
    results: list[Any] = Field(default_factory=list)


class Labels(Service):
    """Labels of medicines, as the library holds them. A question that names no medicine is not sent."""

    name = "openfda"
    label = "openFDA"
    address = "https://api.fda.gov"
    per_second = 4.0  # 240 a minute

    def __init__(self, guard: Guard, *, key: str = "", **how: Any) -> None:
        super().__init__(guard, **how)
        self._known = {"api_key": key} if key else {}

    def words(self, query: Query) -> tuple[str, ...]:
        """The medicines of the query, and nothing else of it."""
        return query.drugs[:_MOST_DRUGS]

    async def search(self, query: Query, limit: int) -> list[Source]:
        """The newest labels of each medicine, those of the medicine alone first. Raises LookUpFailed."""
        found: dict[str, Source] = {}
        for drug in self.words(query):
            sources = list(_sources(await self._of(drug)))
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


def _sources(labels: Iterable[_Label]) -> Iterator[Source]:
    alone_first = sorted(labels, key=lambda one: len(one.names.substances) > 1)
    for page in label_pages({"results": [one.model_dump(by_alias=True) for one in alone_first]}):
        if isinstance(page, PlainPage):
            yield source_of(page, page.identity)
