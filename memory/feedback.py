"""What readers think of answers."""

from collections.abc import Sequence
from uuid import UUID

from sqlalchemy import bindparam, text
from sqlalchemy.dialects.postgresql import JSONB

from primum.graph.errors import UnknownThread
from primum.memory.audit import Audit
from primum.memory.identity import Identity
from primum.memory.session import Database

_KEEP = text("""
insert into feedback (run_id, tenant, patient, rating, reasons, comment)
select run_id, tenant, patient, :rating, :reasons, :comment from turns where run_id = :run_id and status = 'done'
on conflict (run_id) do update
set rating = excluded.rating, reasons = excluded.reasons, comment = excluded.comment, at = now()
returning run_id
""").bindparams(bindparam("reasons", type_=JSONB))


class Opinions:
    """Feedback on the answers of all patients; each call names whose."""

    def __init__(self, database: Database, audit: Audit) -> None:
        self.database = database
        self.audit = audit

    async def keep(
        self,
        identity: Identity,
        run_id: UUID,
        rating: int,
        reasons: Sequence[str],
        comment: str,
        actor: str = "patient",
    ) -> None:
        """Keeps what a reader thinks of an answer: -1 or 1; a second thought takes the place of the first.

        Raises:
            UnknownThread: there is no such answer of this patient.
        """
        given = {"run_id": run_id, "rating": rating, "reasons": list(reasons), "comment": comment}
        async with self.database.begin(identity) as connection:
            if await connection.scalar(_KEEP, given) is None:
                raise UnknownThread("There is no such answer.")
            await self.audit.add(connection, identity, actor, "feedback", {"rating": rating}, run_id)
