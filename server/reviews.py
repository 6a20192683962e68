"""Sign-off over HTTP: the answers that wait for a clinician, and what they decide."""

from collections.abc import Mapping
from datetime import datetime
from typing import Annotated, Any
from uuid import UUID

from fastapi import FastAPI, Query, Request
from pydantic import BaseModel, ConfigDict, Field, model_validator

from primum.graph.answer import Answer
from primum.graph.context import Audience
from primum.graph.errors import BadInput
from primum.graph.request import check_text
from primum.graph.settings import Settings
from primum.memory.reviews import Choice
from primum.server.access import access_of, agent_of
from primum.server.problems import Responses

LONGEST = 20_000  # characters of an edited answer


class Review(BaseModel):
    """An answer that waits, with the question and the patient."""

    run_id: UUID
    patient: str
    question: str
    answer: Answer
    asked_at: datetime


class Decided(BaseModel):
    """What becomes of an answer. `text` goes with `edited` alone: its markers [1] … are those of the answer."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={
            "examples": [{"decision": "approved"}, {"decision": "edited", "text": "Take one 500 mg tablet [1]."}]
        },
    )

    decision: Choice
    text: str | None = Field(None, max_length=LONGEST)

    @model_validator(mode="before")
    @classmethod
    def _text_goes_with_edited(cls, given: Any) -> Any:
        if isinstance(given, Mapping) and (given.get("decision") == "edited") != (given.get("text") is not None):
            raise ValueError("`text` goes with the decision `edited`, and only with that")
        return given


def answered_at_once(settings: Settings, audience: Audience, how: str) -> None:
    """Raises BadInput if an answer would wait for a clinician, where nothing is kept in which it could."""
    if settings.sign_off == "patients" and audience == "patient":
        raise BadInput(
            f"A clinician looks at answers here before they go out: name a conversation to find it in ({how})."
        )


def add_review_routes(app: FastAPI, errors: Responses) -> None:
    @app.get("/reviews", responses=errors)
    async def reviews(request: Request, limit: Annotated[int, Query(ge=1, le=200)] = 50) -> list[Review]:
        """The tenant's answers that wait for a clinician, the longest waiting first."""
        access, agent = access_of(request), agent_of(request)
        access.need("sign")
        found = await agent.resources.reviews.waiting(access.tenant, limit)
        return [Review(**{**vars(one), "answer": Answer.model_validate(one.answer)}) for one in found]

    @app.post("/reviews/{run_id}", responses=errors)
    async def decide(request: Request, run_id: UUID, body: Decided) -> Answer:
        """Lets an answer out as it is, or as edited, or refuses it; once. The answer as the patient gets it."""
        access = access_of(request)
        access.need("sign")
        edited = None if body.text is None else check_text(body.text, "text", LONGEST)
        return await agent_of(request).decide(access.tenant, run_id, body.decision, access.actor, edited)
