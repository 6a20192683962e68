"""Europe PMC: the same papers as PubMed and more, with the licence of those that are open."""

from pydantic import BaseModel, Field

from primum.retrieval.loaders import Source
from primum.retrieval.source import day
from primum.tools.deidentify import Query
from primum.tools.paper import Paper, first_day
from primum.tools.service import Service, Several, Told, plain

_LICENCES = {"cc by": "CC BY", "cc0": "CC0"}


class _Types(BaseModel):
    types: Several = Field(default_factory=list, alias="pubType")


class _Correction(BaseModel):
    type: Told = ""


class _Corrections(BaseModel):
    corrections: list[_Correction] = Field(default_factory=list, alias="commentCorrection")


class _Journal(BaseModel):
    title: Told = ""


class _Issue(BaseModel):
    journal: _Journal = Field(default_factory=_Journal)


class _Record(BaseModel):
    id: str
    source: str
    title: Told = ""
    abstract: Told = Field("", alias="abstractText")
    authors: Told = Field("", alias="authorString")
    pmid: Told = ""
    doi: Told = ""
    licence: Told = Field("", alias="license")
    published: Told = Field("", alias="firstPublicationDate")
    year: Told = Field("", alias="pubYear")
    issue: _Issue = Field(default_factory=_Issue, alias="journalInfo")
    kinds: _Types = Field(default_factory=_Types, alias="pubTypeList")
    notes: _Corrections = Field(default_factory=_Corrections, alias="commentCorrectionList")

    def source_(self) -> Source | None:
        return Paper(
            origin=EuropePMC.name,
            uri=f"europepmc:{self.source}/{self.id}",
            title=plain(self.title),
            text=plain(self.abstract),
            url=f"https://europepmc.org/article/{self.source}/{self.id}",
            types=[str(one) for one in self.kinds.types],
            corrections=[one.type for one in self.notes.corrections],
            published=day(self.published) or first_day(self.year),
            authors=self.authors.rstrip(".").split(", "),
            journal=self.issue.journal.title,
            pmid=self.pmid or (self.id if self.source == "MED" else ""),
            doi=self.doi,
            licence=_LICENCES.get(self.licence.lower(), self.licence.upper()),
        ).source()


class _Results(BaseModel):
    result: Several = Field(default_factory=list)


class _Answer(BaseModel):
    results: _Results = Field(alias="resultList")


class EuropePMC(Service):
    """Abstracts of Europe PMC, no preprints: nobody has reviewed those."""

    name = "europepmc"
    label = "Europe PMC"
    address = "https://www.ebi.ac.uk/europepmc/webservices/rest"
    per_second = 5.0

    async def search(self, query: Query, limit: int) -> list[Source]:
        """The papers, with an abstract, that Europe PMC thinks the best match. Raises LookUpFailed."""
        asked = f"({query.text}) AND HAS_ABSTRACT:Y AND (SRC:MED OR SRC:PMC)"
        params = {"query": asked, "format": "json", "resultType": "core", "pageSize": str(limit)}
        answer = self.shaped(_Answer, await self.json("/search", params))
        records = self.each(_Record, answer.results.result)
        return [source for record in records if record.source in ("MED", "PMC") and (source := record.source_())]
