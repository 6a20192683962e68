"""What is known of a patient, over HTTP: each fact with its proof, to be corrected, ended, removed, taken along."""

from datetime import UTC, date, datetime
from typing import Annotated, Any, Literal

from fastapi import Body, FastAPI, Path, Query, Request, Response
from pydantic import BaseModel, ConfigDict, Field

from primum.graph.request import MAX_NAME
from primum.graph.resources import Resources
from primum.memory.chart import Known, Open, Recalled, Right, Source
from primum.memory.erasure import Receipt
from primum.memory.exports import TakenOut
from primum.memory.facts import Fact, Kind
from primum.memory.forms import entered
from primum.memory.identity import Identity
from primum.server.access import access_of, agent_of
from primum.server.problems import Responses

PATIENT = Path(min_length=1, max_length=MAX_NAME, pattern=r"^[!-~]+$")
PartialDate = Annotated[str, Field(pattern=r"^\d{4}(-\d{2}(-\d{2})?)?$")]


_BUNDLE = {
    "resourceType": "Bundle",
    "type": "collection",
    "entry": [
        {"resource": {"resourceType": "Patient", "id": "anna", "gender": "female", "birthDate": "1990-05-01"}},
        {
            "resource": {
                "resourceType": "AllergyIntolerance",
                "patient": {"reference": "Patient/anna"},
                "code": {"text": "Penicillin"},
            }
        },
    ],
}


class _Body(BaseModel):
    model_config = ConfigDict(extra="forbid")


class Entry(_Body):
    """A fact that is filled in by hand; it takes the place of what was known of the same thing."""

    kind: Kind
    value: str = Field(
        max_length=200,
        description="As one says it; `no known medicine allergies`, `no regular medicines` or `none` deny all.",
        examples=["penicillin", "warfarin 5 mg daily", "70 kg", "10 a day", "none"],
    )
    negated: bool = False
    reaction: str | None = Field(None, max_length=200)
    severity: str | None = Field(None, pattern="^(severe|mild|intolerance)$")
    relative: str | None = Field(None, max_length=50)
    dose: str | None = Field(None, max_length=50)
    frequency: str | None = Field(None, max_length=50)
    valid_from: PartialDate | None = None
    valid_until: PartialDate | None = None


class End(_Body):
    id: int
    on: date | None = Field(None, description="Today, unless given.")


class Settling(_Body):
    """Which of two facts that can't both be true is; neither: nothing is known of either any more."""

    id: int = Field(description="As `unclear` gives it.")
    right: Right


class Changes(_Body):
    """What to change: facts that hold, facts that hold no longer, and which of two is true. Settled first."""

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"set": [{"kind": "allergy", "value": "penicillin", "reaction": "rash"}]}]}
    )

    set: list[Entry] = Field(default_factory=list, max_length=100)
    end: list[End] = Field(default_factory=list, max_length=100)
    settle: list[Settling] = Field(default_factory=list, max_length=100)


class Told(BaseModel):
    """What a fact says, each part in a field, and its proof: the patient's own words, a record's or a form's."""

    kind: Kind
    text: str = Field(description="All of it in one line, as a list shows it.")
    value: str = Field(
        description="Canonical: `penicillin-class`, `type-2-diabetes`, `egfr`; of a denial what is denied"
    )
    written: str = Field(description="The words for the value, as they were written.")
    negated: bool = Field(description="It is not so; with the value `any`, `drugs` or `foods` of none of them.")
    valid_from: str | None = Field(description="Since when: 2024, 2024-05 or 2024-05-31. Of a test, its day.")
    valid_until: str | None = Field(description="Until when; a fact that has one has ended.")
    reaction: str | None = Field(description="Of an allergy, as it was written.")
    severity: str | None = Field(description="Of an allergy: severe, mild or intolerance.")
    dose: str | None = Field(description="Of a medicine, as it was written.")
    frequency: str | None = Field(description="Of a medicine, as it was written.")
    once: bool = Field(description="A single intake of a medicine, which is not taken regularly.")
    relative: str | None = Field(description="Who of the family has it.")
    number: float | None = Field(description="Of an age, a weight, a height or a test; the upper of a blood pressure.")
    low: float | None = Field(description="The lower value of a blood pressure.")
    unit: str | None = Field(description="Of the number; an age is in years.")
    weeks: float | None = Field(description="Of a pregnancy, on the day on which it was told.")
    proof: list[str]
    said: date = Field(description="The day on which it was told.")


class FactView(Told):
    """One fact of the chart."""

    id: int
    ended: bool
    source: Source
    recorded_at: datetime


class Unclear(BaseModel):
    """Two facts that can't both be true, to be settled by `PATCH`."""

    id: int
    known: Told
    new: Told
    kept: Literal["known", "new"] = Field(description="The one that answers go by until it is settled.")


class Consenting(_Body):
    """Whether models may be trained with what this patient asked and was answered."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"given": True}]})

    given: bool


class ConsentView(BaseModel):
    """What was recorded last; `given` is null where nobody was asked."""

    given: bool | None
    at: datetime | None
    by: str | None = Field(description="Who recorded it: a key or a token, not a name.")
    removed: int = Field(0, description="Turns whose drafts went, as it was withdrawn.")
    exports: TakenOut = Field(TakenOut(), description="Where rows were exported to before, and what became of them.")


class Chart(BaseModel):
    facts: list[FactView]
    unclear: list[Unclear] = Field(default_factory=list)


def view(one: Known) -> FactView:
    return FactView(**_told(one.fact), id=one.id, ended=one.ended, source=one.source, recorded_at=one.recorded_at)


def unclear(one: Open) -> Unclear:
    found = one.contradiction
    return Unclear(id=one.id, known=Told(**_told(found.known)), new=Told(**_told(found.new)), kept=found.kept)


def _told(fact: Fact) -> dict[str, Any]:
    fields = fact.model_dump(include=set(Told.model_fields))
    proof = [quote.text for quote in fact.quotes if quote.role != "doctor"]
    return {**fields, "text": fact.words, "proof": proof}


def chart(found: Recalled) -> Chart:
    return Chart(facts=[view(one) for one in found.facts], unclear=[unclear(one) for one in found.unclear])


def _allowed(request: Request, patient: str) -> tuple[Resources, Identity, str]:
    """What a chart is read with, whose it is, and who asks. Raises NotAllowed, UnknownPatient."""
    access = access_of(request)
    access.need("chart")
    return agent_of(request).resources, access.identity(patient), access.actor


def add_patient_routes(app: FastAPI, errors: Responses) -> None:
    @app.get("/patients/{patient}/facts", responses=errors)
    async def read_facts(
        request: Request,
        patient: Annotated[str, PATIENT],
        at: Annotated[datetime | None, Query(description="As the chart stood then.")] = None,
        ended: Annotated[bool, Query(description="With what has ended.")] = False,
    ) -> Chart:
        """What is known of a patient, each fact with the words that prove it."""
        resources, identity, actor = _allowed(request, patient)
        charts = resources.charts
        if at is None and not ended:
            return chart(await charts.read(identity, actor))
        moment = (at or datetime.now(UTC)).replace(tzinfo=at.tzinfo if at and at.tzinfo else UTC)
        return Chart(facts=[view(one) for one in await charts.as_of(identity, moment, ended=ended, actor=actor)])

    @app.get("/patients/{patient}/facts/count", responses=errors)
    async def count_facts(request: Request, patient: Annotated[str, PATIENT]) -> dict[str, int]:
        """How many facts are known of a patient."""
        resources, identity, _ = _allowed(request, patient)
        return {"count": await resources.charts.count(identity)}

    @app.patch("/patients/{patient}/facts", responses=errors)
    async def change_facts(request: Request, patient: Annotated[str, PATIENT], body: Changes) -> Chart:
        """Settles what is unclear, corrects, adds and ends facts, all or nothing; the chart as it is then."""
        resources, identity, actor = _allowed(request, patient)
        charts, today = resources.charts, datetime.now(UTC).date()
        await charts.change(
            identity,
            settle=[(ruling.id, ruling.right) for ruling in body.settle],
            end=[(one.id, one.on or today) for one in body.end],
            add=[entered(today=today, **entry.model_dump()) for entry in body.set],
            actor=actor,
        )
        return chart(await charts.read(identity, actor))

    @app.delete("/patients/{patient}/facts", status_code=204, responses=errors)
    async def remove_facts(
        request: Request,
        patient: Annotated[str, PATIENT],
        fact: Annotated[int, Query(alias="id", description="The fact's number.")],
    ) -> Response:
        """Removes a fact for good, with all its versions; one that has ended goes alone."""
        resources, identity, actor = _allowed(request, patient)
        await resources.charts.forget(identity, fact, actor)
        return Response(status_code=204)

    bundle_of: Responses = {
        200: {"description": "A bundle", "content": {"application/fhir+json": {"schema": {"type": "object"}}}}
    }

    @app.get("/patients/{patient}/fhir", responses=errors | bundle_of, response_class=Response)
    async def export_fhir(request: Request, patient: Annotated[str, PATIENT]) -> Response:
        """What is known of a patient, as a FHIR R4 bundle."""
        resources, identity, actor = _allowed(request, patient)
        bundle = await resources.records.export(identity, actor)
        return Response(bundle, media_type="application/fhir+json")

    @app.post("/patients/{patient}/fhir", responses=errors)
    async def import_fhir(
        request: Request, patient: Annotated[str, PATIENT], body: Annotated[dict[str, Any], Body(examples=[_BUNDLE])]
    ) -> dict[str, Any]:
        """Takes in the facts of a FHIR R4 bundle of one patient; says what was left out and why."""
        resources, identity, actor = _allowed(request, patient)
        taken, left_out = await resources.records.take_in(identity, body, actor)
        return {"taken": taken, "left_out": left_out}

    @app.get("/patients/{patient}/consent", responses=errors)
    async def read_consent(request: Request, patient: Annotated[str, PATIENT]) -> ConsentView:
        """Whether models may be trained with this patient's turns, since when, and who recorded it."""
        resources, identity, _ = _allowed(request, patient)
        return ConsentView(**vars(await resources.consents.read(identity)))

    @app.put("/patients/{patient}/consent", responses=errors)
    async def record_consent(request: Request, patient: Annotated[str, PATIENT], body: Consenting) -> ConsentView:
        """Records it. Withdrawn, all drafts that were kept go, and the rows made of them."""
        resources, identity, actor = _allowed(request, patient)
        return ConsentView(**vars(await resources.consents.record(identity, body.given, actor)))

    @app.delete("/patients/{patient}", responses=errors)
    async def erase(request: Request, patient: Annotated[str, PATIENT]) -> Receipt:
        """Erases everything of a patient, for good; the signed receipt says what went."""
        resources, identity, actor = _allowed(request, patient)
        return await resources.erasure.erase(identity, actor)
