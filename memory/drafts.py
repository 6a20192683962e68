"""Drafts of turns with what the audit found in them: what a model may be trained with, where the patient consented."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import bindparam, text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.ext.asyncio import AsyncConnection

from primum.memory.identity import Identity
from primum.memory.session import Database

# A refusal holds whatever the installation's setting is; the setting is for those who were never asked.
_MAY = """
coalesce(p.consent, :without_chart and not exists (
  select from facts f where f.tenant = p.tenant and f.patient = p.id and f.replaced_at is null
))
"""
_KEEP = text(f"""
insert into drafts (run_id, tenant, patient, prompt, attempts, chosen, model, prompt_hashes, rules_version)
select t.run_id, t.tenant, t.patient, :prompt, :attempts, :chosen, :model, :prompt_hashes, :rules_version
from turns t join patients p on p.tenant = t.tenant and p.id = t.patient
where t.run_id = :run_id and {_MAY}
on conflict do nothing
""").bindparams(
    bindparam("prompt", type_=JSONB), bindparam("attempts", type_=JSONB), bindparam("prompt_hashes", type_=JSONB)
)
_OF_PATIENT = text(f"""
select d.run_id, d.prompt, d.attempts, d.chosen, d.model, d.prompt_hashes, d.rules_version, d.at,
  r.decision, coalesce(r.answer ->> 'text', '') as before, coalesce(r.text, '') as after,
  coalesce(r.answer -> 'citations', t.answer -> 'citations', '[]') as citations,
  f.rating, coalesce(f.reasons, '[]') as reasons,
  coalesce(t.answer ->> 'text', '') as answered
from drafts d join turns t on t.run_id = d.run_id
join patients p on p.tenant = d.tenant and p.id = d.patient
left join reviews r on r.run_id = d.run_id left join feedback f on f.run_id = d.run_id
where {_MAY} order by t.number
""")
_PATIENTS = text("select id from patients where tenant = :tenant order by id")


@dataclass(frozen=True)
class Drafted:
    """What a turn's model was asked and wrote. `without_chart`: to be kept, too, of who was not asked and has none."""

    prompt: Sequence[Mapping[str, str]]
    attempts: Sequence[Mapping[str, Any]]
    chosen: str
    model: str
    prompt_hashes: Mapping[str, str]
    rules_version: str
    without_chart: bool = False


@dataclass(frozen=True)
class Kept:
    """The drafts of one turn, with what a clinician (`decision`, `before`, `after`) and a reader made of its answer."""

    run_id: UUID
    prompt: Sequence[Mapping[str, str]]
    attempts: Sequence[Mapping[str, Any]]
    chosen: str
    model: str
    prompt_hashes: Mapping[str, str]
    rules_version: str
    at: datetime
    decision: str | None
    before: str
    after: str
    citations: Sequence[Mapping[str, Any]]
    rating: int | None
    reasons: Sequence[str]
    answered: str


async def keep(connection: AsyncConnection, run_id: UUID, drafted: Drafted | None) -> None:
    """Keeps what was drafted, in the transaction of its turn, if the patient consented."""
    if drafted is not None:
        given = {**vars(drafted), "prompt": list(drafted.prompt), "attempts": list(drafted.attempts)}
        await connection.execute(_KEEP, {**given, "prompt_hashes": dict(drafted.prompt_hashes), "run_id": run_id})


async def patients(database: Database, tenant: str) -> Sequence[str]:
    """The names of a tenant's patients."""
    async with database.begin_as_worker() as connection:
        return list(await connection.scalars(_PATIENTS, {"tenant": tenant}))


async def of_patient(database: Database, identity: Identity, *, without_chart: bool) -> Sequence[Kept]:
    """What is kept of a patient who consents at this moment, the oldest first."""
    async with database.begin(identity) as connection:
        rows = await connection.execute(_OF_PATIENT, {"without_chart": without_chart})
        return [Kept(**row._asdict()) for row in rows]
