"""A patient's chart: the facts in Postgres, each version kept with the time in which it was believed.

Facts are only ever added. Where one takes another's place, the other's row says when; so the chart can be read as it
stood at any moment, while `valid_from` and `valid_until` of a fact say when it was true.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from typing import Any, Literal
from uuid import UUID

from sqlalchemy import Executable, bindparam, text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.ext.asyncio import AsyncConnection

from primum.graph.errors import BadInput
from primum.memory.audit import Audit
from primum.memory.facts import Contradiction, Fact, Quote, merge, told_again
from primum.memory.identity import Identity
from primum.memory.session import Database
from primum.safety.remembered import forget_texts

Source = Literal["rules", "model", "form", "import"]
Right = Literal["known", "new", "neither"]
QUOTES = 4  # that a fact keeps: the first that proved it, and the latest

_ENSURE = text("""
with tenant as (insert into tenants (id) values (:tenant) on conflict do nothing)
insert into patients (tenant, id) values (:tenant, :patient) on conflict do nothing
""")
_LOCK = text("select key from patients where id = :patient for update")
_ONCE = text("""
with admitted as (select run_id from turns where run_id = :run_id),
first as (
  insert into effects (run_id, step, tenant, patient) select run_id, :step, :tenant, :patient from admitted
  on conflict do nothing returning run_id
)
select exists (select from admitted) as admitted, exists (select from first) as first
""")
_FACTS = """
select coalesce(jsonb_agg(
  jsonb_build_object('id', id, 'fact', fact, 'state', state, 'source', source, 'recorded_at', recorded_at) order by id
), '[]') from facts
"""
_CURRENT = f"{_FACTS} where replaced_at is null and state = 'current'"
_OPEN = """
select coalesce(jsonb_agg(jsonb_build_object('id', id, 'known', known, 'new', new, 'kept', kept) order by id), '[]')
from contradictions where settled_at is null
"""
_RECALL = text(f"""
select
  ({_CURRENT}) as facts,
  ({_OPEN}) as contradictions,
  (select jsonb_build_object('last', last, 'summary', summary) from summaries where thread_id = :thread) as summary,
  (select coalesce(jsonb_agg(jsonb_build_object('run_id', run_id, 'question', question, 'answer', answer)
   order by number), '[]') from (
    select run_id, number, question, answer ->> 'text' as answer from turns
    where thread_id = :thread and status = 'done'
    and number > coalesce((select last from summaries where thread_id = :thread), 0)
    order by number desc limit :turns
  ) as latest) as history
""")
_READ = text(f"select ({_CURRENT}), ({_OPEN})")
_COUNT = text("select count(*) from facts where replaced_at is null and state = 'current'")
_ALL = text(f"""
{_FACTS} where recorded_at <= :at and coalesce(replaced_at > :at, true) and (state = 'current' or :ended)
""")
_ADD = text("""
insert into facts (tenant, patient, kind, fact, state, source, run_id)
select :tenant, :patient, one ->> 'kind', one -> 'fact', one ->> 'state', :source, :run_id
from jsonb_array_elements(:rows) with ordinality as given (one, place) order by place
returning id, fact, state, source, recorded_at
""").bindparams(bindparam("rows", type_=JSONB))
_REPLACED = text("update facts set replaced_at = clock_timestamp() where id = any(:ids)")
_CONTRADICT = text("""
insert into contradictions (tenant, patient, known, new, kept, run_id)
select :tenant, :patient, one -> 'known', one -> 'new', one ->> 'kept', :run_id from jsonb_array_elements(:rows) as one
returning id, known, new, kept
""").bindparams(bindparam("rows", type_=JSONB))
_SETTLE = text("update contradictions set settled_at = now() where id = any(:ids)")
_FORGET = text("delete from facts where id = any(:ids)")
_ANY_VERSION = text("select fact from facts")
_VERSIONS = text("""
select id, fact, state, replaced_at is null as stands, run_id from facts
where fact ->> 'kind' = :kind and lower(fact ->> 'value') = lower(:value)
""")
_STANDING = text(f"{_FACTS} where replaced_at is null")
_FLAGGED = text("select id, known, new from contradictions")
_UNFLAG = text("delete from contradictions where id = any(:ids)")


@dataclass(frozen=True)
class Known:
    """A fact of the chart, by the number of its row."""

    id: int
    fact: Fact
    source: Source
    recorded_at: datetime
    ended: bool = False


@dataclass(frozen=True)
class Open:
    """A contradiction that nobody has settled yet."""

    id: int
    contradiction: Contradiction


@dataclass(frozen=True)
class Recalled:
    """What is remembered as a turn begins: the facts that hold, what is unclear of them, and the thread so far.

    `history` are the latest turns, the first first: `run_id`, `question`, `answer`. `summary` is what was before them.
    """

    facts: tuple[Known, ...] = ()
    unclear: tuple[Open, ...] = ()
    summary: Mapping[str, Any] = field(default_factory=dict)
    history: tuple[Mapping[str, Any], ...] = ()


class Charts:
    """The charts of all patients; each call names whose it is."""

    def __init__(self, database: Database, audit: Audit) -> None:
        self.database = database
        self.audit = audit

    async def recall(self, identity: Identity, thread: str, turns: int) -> Recalled:
        """What a turn needs, in one statement; `turns`: how many earlier ones of the thread."""
        async with self.database.begin(identity) as connection:
            row = (await connection.execute(_RECALL, {"thread": thread, "turns": turns})).one()
        return Recalled(_known(row.facts), _open(row.contradictions), row.summary or {}, tuple(row.history))

    async def read(self, identity: Identity, actor: str = "patient") -> Recalled:
        """The facts that hold, and what is unclear of them."""
        async with self.database.begin(identity) as connection:
            facts, contradictions = (await connection.execute(_READ)).one()
            await self.audit.add(connection, identity, actor, "read facts", {"facts": [row["id"] for row in facts]})
        return Recalled(_known(facts), _open(contradictions))

    async def count(self, identity: Identity) -> int:
        """How many facts hold. It tells nothing of them, so it is no reading that the audit notes."""
        async with self.database.begin(identity) as connection:
            return int(await connection.scalar(_COUNT) or 0)

    async def as_of(
        self, identity: Identity, at: datetime, *, ended: bool = False, actor: str = "patient"
    ) -> tuple[Known, ...]:
        """The chart as it stood at a moment; with what had ended in the patient's life by then."""
        async with self.database.begin(identity) as connection:
            facts = await connection.scalar(_ALL, {"at": at, "ended": ended})
            await self.audit.add(connection, identity, actor, "read facts", {"facts": [row["id"] for row in facts]})
        return _known(facts)

    async def take(
        self,
        identity: Identity,
        facts: Sequence[Fact],
        source: Source,
        *,
        run_id: UUID | None = None,
        asked_about: Sequence[tuple[str, ...]] = (),
        actor: str = "patient",
    ) -> Recalled:
        """Adds facts to the chart, merged with what is known; for a run only once for each source.

        Args:
            run_id: the turn that tells them; none for a form or an import. Of one that was not admitted, or was erased
                since, nothing is kept: the facts are merged for the caller alone.
            asked_about: keys of facts that the patient was asked to clear up, so that what they say now settles it.
        """
        who = {"tenant": identity.tenant, "patient": identity.patient}
        async with self.database.begin(identity) as connection:
            if run_id is None:
                await connection.execute(_ENSURE, who)
            await connection.execute(_LOCK, {"patient": identity.patient})  # two processes take their turns
            chart = await _standing_now(connection)
            if run_id is not None:
                run = (await connection.execute(_ONCE, {**who, "run_id": run_id, "step": source})).one()
                if not run.admitted:
                    return Recalled(_unkept(chart.facts, facts, source), chart.unclear)
                if not run.first:
                    return chart
            return await self._add(connection, identity, chart, facts, source, run_id, asked_about, actor)

    async def change(
        self,
        identity: Identity,
        *,
        settle: Sequence[tuple[int, Right]] = (),
        end: Sequence[tuple[int, date]] = (),
        add: Sequence[Fact] = (),
        actor: str = "patient",
    ) -> Recalled:
        """What is said by hand, all of it or nothing: first which of two is true, then what ended, then what holds.

        Raises:
            BadInput: nothing unclear, or no fact that holds, has one of the numbers.
        """
        async with self.database.begin(identity) as connection:
            if add:
                await connection.execute(_ENSURE, {"tenant": identity.tenant, "patient": identity.patient})
            await connection.execute(_LOCK, {"patient": identity.patient})
            for number, right in settle:
                await self._settle(connection, identity, number, right, actor)
            for number, on in end:
                await self._end(connection, identity, number, on, actor)
            if add:
                await self._add(connection, identity, await _standing_now(connection), add, "form", actor=actor)
            return await _standing_now(connection)

    async def _add(
        self,
        connection: AsyncConnection,
        identity: Identity,
        chart: Recalled,
        facts: Sequence[Fact],
        source: Source,
        run_id: UUID | None = None,
        asked_about: Sequence[tuple[str, ...]] = (),
        actor: str = "patient",
    ) -> Recalled:
        """Merges facts with the chart as it stands in this transaction, which holds the patient's lock."""
        if source == "model":  # it comes late: what is known by now, or was, came from the patient's later words
            had = {Fact(**row.fact).key for row in await connection.execute(_ANY_VERSION)}
            facts = [fact for fact in facts if fact.key not in had]
        told = [fact.model_copy(update={"corrects": True}) if fact.key in asked_about else fact for fact in facts]
        chart, changed = await self._merge(connection, identity, chart, told, source, run_id)
        if any(changed.values()):
            await self.audit.add(connection, identity, actor, "change facts", {**changed, "by": source}, run_id)
        return chart

    async def _merge(
        self,
        connection: AsyncConnection,
        identity: Identity,
        chart: Recalled,
        told: Sequence[Fact],
        source: Source,
        run_id: UUID | None,
        ruling: "_Ruling | None" = None,
    ) -> tuple[Recalled, dict[str, Any]]:
        """Writes what changes: new versions, the end of those that they replace, what contradicts.

        Returns the chart as it stands then, and what changed.
        """
        before = dict.fromkeys(one.fact for one in chart.facts)
        by_key = {fact.key: fact for fact in before}
        merged = merge(before, told)
        wrong = ruling.wrong if ruling else frozenset()
        current = [fact if ruling else _as_known(fact, by_key) for fact in merged.current if fact.key not in wrong]
        added = [("current", fact) for fact in current if fact not in before]
        added += [("ended", fact) for fact in merged.ended if fact not in before]
        kept = frozenset(current)
        gone = [one.id for one in chart.facts if one.fact not in kept]
        run = {"tenant": identity.tenant, "patient": identity.patient, "run_id": run_id}
        new: tuple[Known, ...] = ()
        if added:
            rows = [{"kind": fact.kind, "state": state, "fact": _plain(fact)} for state, fact in added]
            new = _known(await _all(connection, _ADD, {**run, "source": source, "rows": rows}))
        if gone:
            await connection.execute(_REPLACED, {"ids": gone})
        flagged = {(one.contradiction.known.key, one.contradiction.new.key) for one in chart.unclear}
        at_odds = [
            one
            for one in merged.contradictions
            if one.new in told and (one.known.key, one.new.key) not in flagged and one.known.key not in wrong
        ]
        unclear: tuple[Open, ...] = ()
        if at_odds:
            rows = [{"known": _plain(one.known), "new": _plain(one.new), "kept": one.kept} for one in at_odds]
            unclear = _open(await _all(connection, _CONTRADICT, {**run, "rows": rows}))
        clear = {fact.key for fact in told if fact.corrects or source == "form"} | wrong
        settled = [
            one.id
            for one in chart.unclear
            if clear & {one.contradiction.known.key, one.contradiction.new.key} or (ruling and one.id == ruling.id)
        ]
        if settled:
            await connection.execute(_SETTLE, {"ids": settled})
        stands = Recalled(
            (*(one for one in chart.facts if one.id not in gone), *(one for one in new if not one.ended)),
            (*(one for one in chart.unclear if one.id not in settled), *unclear),
        )
        kinds = sorted({fact.kind for _, fact in added})
        return stands, {"added": kinds, "replaced": gone, "contradicted": len(at_odds), "settled": settled}

    async def forget(self, identity: Identity, fact_id: int, actor: str = "patient") -> int:
        """Removes a fact with all its versions, those of its end too; how many there were.

        One that has ended goes alone: what holds of the same thing, or held at another time, stays.

        Raises:
            BadInput: there is no such fact.
        """
        async with self.database.begin(identity) as connection:
            await connection.execute(_LOCK, {"patient": identity.patient})
            found = _find(_known(await connection.scalar(_STANDING)), fact_id)
            gone = found.fact
            rows = await connection.execute(_VERSIONS, {"kind": gone.kind, "value": gone.value})
            versions = [_Version(row.id, Fact(**row.fact), row.stands, row.run_id) for row in rows]
            versions = [one for one in versions if one.fact.key == gone.key]
            versions = _of_ended(found, versions) if found.ended else versions
            ids = [one.id for one in versions]
            await connection.execute(_FORGET, {"ids": ids})
            flagged = [(row.id, Fact(**row.known), Fact(**row.new)) for row in await connection.execute(_FLAGGED)]
            about = [number for number, *sides in flagged if any(_is_of(gone, side, found.ended) for side in sides)]
            await connection.execute(_UNFLAG, {"ids": about})
            told_by = sorted({str(one.run_id) for one in versions if one.run_id})
            await self.audit.add(connection, identity, actor, "remove facts", {"removed": ids, "runs": told_by})
        forget_texts()
        return len(ids)

    async def settle(self, identity: Identity, number: int, right: Right, actor: str = "patient") -> Recalled:
        """Rules which of two facts that can't both be true is: it becomes a new version, the other one goes.

        Where neither is, nothing is known of either any more. Raises BadInput if nobody waits for such a ruling.
        """
        return await self.change(identity, settle=[(number, right)], actor=actor)

    async def end(self, identity: Identity, fact_id: int, on: date, actor: str = "patient") -> Recalled:
        """Says that a fact holds no longer since a day. Raises BadInput if no such fact holds."""
        return await self.change(identity, end=[(fact_id, on)], actor=actor)

    async def _settle(
        self, connection: AsyncConnection, identity: Identity, number: int, right: Right, actor: str
    ) -> None:
        chart = await _standing_now(connection)
        found = next((one.contradiction for one in chart.unclear if one.id == number), None)
        if found is None:
            raise BadInput(f"Nothing unclear has the number {number}; it may have been settled. List it again.")
        sides = {"known": found.known, "new": found.new}
        true = sides.pop(right) if right != "neither" else None
        told = [_ruled(true)] if true else []
        wrong = frozenset(fact.key for fact in sides.values()) - {fact.key for fact in told}
        standing = _known(await connection.scalar(_STANDING))
        set_aside = [one.id for one in standing if one.ended and _did_not_end(one.fact, found, true)]
        await connection.execute(_REPLACED, {"ids": set_aside})
        ruling = _Ruling(number, wrong)
        _, changed = await self._merge(connection, identity, chart, told, "form", None, ruling)
        await self.audit.add(connection, identity, actor, "settle facts", {**changed, "right": right, "by": "form"})

    async def _end(self, connection: AsyncConnection, identity: Identity, fact_id: int, on: date, actor: str) -> None:
        chart = await _standing_now(connection)
        # Said by hand, today, of whatever kind: it is so.
        now = {"said": datetime.now(UTC).date(), "corrects": True, "once": False}
        ended = _find(chart.facts, fact_id).fact.model_copy(update={"valid_until": on.isoformat(), **now})
        await self._add(connection, identity, chart, [ended], "form", actor=actor)


@dataclass(frozen=True)
class _Ruling:
    """That a contradiction is settled, and the keys of what was wrong."""

    id: int
    wrong: frozenset[tuple[str, ...]]


@dataclass(frozen=True)
class _Version:
    """A row of a fact, and whether nothing has taken its place."""

    id: int
    fact: Fact
    stands: bool
    run_id: UUID | None


async def _standing_now(connection: AsyncConnection) -> Recalled:
    """The facts that hold and what is unclear of them, within a transaction."""
    facts, contradictions = (await connection.execute(_READ)).one()
    return Recalled(_known(facts), _open(contradictions))


async def _all(
    connection: AsyncConnection, statement: Executable, values: Mapping[str, Any]
) -> Sequence[Mapping[str, Any]]:
    """The rows that a statement returns, the first that was made first."""
    rows = [row._asdict() for row in await connection.execute(statement, dict(values))]
    return sorted(rows, key=lambda row: int(row["id"]))


def _find(facts: Sequence[Known], fact_id: int) -> Known:
    found = next((one for one in facts if one.id == fact_id), None)
    if found is None:
        raise BadInput(f"No fact {fact_id} holds for this patient; it may have been replaced. List them again.")
    return found


def _of_ended(ended: Known, versions: Sequence[_Version]) -> list[_Version]:
    """A fact that has ended, and the earlier versions that its words proved and those of no other one."""
    own = set(ended.fact.quotes)
    others = {quote for one in versions if one.stands and one.id != ended.id for quote in one.fact.quotes} - own

    def is_earlier(one: _Version) -> bool:
        proofs = set(one.fact.quotes)
        return not one.stands and bool(proofs & own) and not proofs & others

    return [one for one in versions if one.id == ended.id or is_earlier(one)]


def _is_of(gone: Fact, side: Fact, ended: bool) -> bool:
    """Whether a side of a contradiction is about what goes: the very fact if it has ended, else all of its key."""
    return side.key == gone.key and (not ended or not set(gone.quotes).isdisjoint(side.quotes))


def _did_not_end(fact: Fact, found: Contradiction, right: Fact | None) -> bool:
    """Whether what stands as ended only waited for a ruling, or ended by what is ruled to be wrong."""
    return fact in (found.known, found.new) or fact.model_copy(update={"valid_until": None}) == right


def _ruled(right: Fact) -> Fact:
    """What a person says is right, told by hand today; that they chose it is its latest proof."""
    chosen = Quote(role="record", message="form", start=0, stop=len(right.words), text=right.words)
    quotes = (*right.quotes[: QUOTES - 1], chosen)
    today = datetime.now(UTC).date()
    return told_again(right, today).model_copy(update={"corrects": True, "quotes": quotes})


def _known(rows: Sequence[Mapping[str, Any]]) -> tuple[Known, ...]:
    return tuple(
        Known(
            row["id"],
            Fact(**row["fact"]),
            row["source"],
            _moment(row["recorded_at"]),
            row["state"] == "ended",
        )
        for row in rows
    )


def _moment(recorded: str | datetime) -> datetime:
    """A time as JSON holds it, or as a row does."""
    return datetime.fromisoformat(recorded) if isinstance(recorded, str) else recorded


def _unkept(known: Sequence[Known], told: Sequence[Fact], source: Source) -> tuple[Known, ...]:
    """What would be known with these facts; those that are new have the number 0."""
    rows = {one.fact.model_dump_json(): one for one in known}
    now = datetime.now(UTC)
    merged = merge([one.fact for one in known], told).current
    return tuple(rows.get(fact.model_dump_json(), Known(0, fact, source, now)) for fact in merged)


def _open(rows: Sequence[Mapping[str, Any]]) -> tuple[Open, ...]:
    return tuple(
        Open(row["id"], Contradiction(known=Fact(**row["known"]), new=Fact(**row["new"]), kept=row["kept"]))
        for row in rows
    )


def _plain(fact: Fact) -> dict[str, Any]:
    return fact.model_dump(mode="json", exclude_defaults=True)


def _as_known(fact: Fact, before: Mapping[tuple[str, ...], Fact]) -> Fact:
    """The fact as it is known already if it tells no more; with its first and its latest proofs otherwise."""
    known = before.get(fact.key)
    if known is fact:
        return fact
    same = {"quotes", "said", "written", "corrects"} if fact.number is None and fact.weeks is None else {"quotes"}
    if known is not None and known.model_dump(exclude=same) == fact.model_dump(exclude=same):
        return known
    if len(fact.quotes) > QUOTES:
        return fact.model_copy(update={"quotes": (fact.quotes[0], *fact.quotes[1 - QUOTES :])})
    return fact
