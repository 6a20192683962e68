"""`primum facts`, `primum erase`, `primum audit`: what is kept of patients, and who did what with it."""

import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any
from uuid import UUID

import typer

from primum.graph.errors import BadInput
from primum.server.terminal import AsJson, print_json, run, say

if TYPE_CHECKING:
    from primum.memory.audit import Audit
    from primum.memory.chart import Charts, Known, Open
    from primum.memory.consent import Consent, Consents
    from primum.memory.erasure import Erasure
    from primum.memory.identity import Identity
    from primum.memory.records import Records
    from primum.memory.threads import Threads

facts = typer.Typer(help="What is known of a patient: their chart.", no_args_is_help=True)
audit = typer.Typer(help="The trail of who did what.", no_args_is_help=True)

ACTOR = "command line"
Patient = Annotated[str, typer.Option(help="Whose.")]
Tenant = Annotated[str | None, typer.Option(help="Of which tenant.  [default: PRIMUM_TENANT]")]


class Consenting(StrEnum):
    give = "give"
    withdraw = "withdraw"
    show = "show"


@dataclass(frozen=True)
class OpenMemory:
    tenant: str
    audit: "Audit"
    charts: "Charts"
    records: "Records"
    erasure: "Erasure"
    consents: "Consents"
    threads: "Threads"

    async def replay(self, run_id: UUID) -> list[dict[str, Any]]:
        """The events of a run; with an answer's, the answer as it stands now and whether it is what was given."""
        found = await self.threads.turn(run_id)
        kept = found[1].answer if found and found[0].tenant == self.tenant else None
        shown = []
        for event in await self.audit.of_run(self.tenant, run_id):
            one = {**vars(event), "hash": event.hash.hex()}
            if event.action == "answer":
                same = kept is not None and self.audit.secret.is_mark(kept["text"].encode(), event.details["answer"])
                one["answer"] = kept
                one["answer_is"] = "erased" if kept is None else "as it was given" if same else "changed since"
            shown.append(one)
        return shown

    def of(self, patient: str) -> "Identity":
        from primum.graph.request import check_name
        from primum.memory.identity import Identity

        return Identity(self.tenant, check_name(patient, "patient"))


@asynccontextmanager
async def opened_memory(tenant: str | None) -> AsyncIterator[OpenMemory]:
    """The database's part of memory; no model is started."""
    from primum.graph.request import check_name
    from primum.graph.settings import read_settings
    from primum.memory.audit import Audit
    from primum.memory.chart import Charts
    from primum.memory.consent import Consents
    from primum.memory.erasure import Erasure
    from primum.memory.records import Records
    from primum.memory.secret import find_secret
    from primum.memory.session import Database
    from primum.memory.threads import Threads
    from primum.server.local import DATABASE, embedded, url_of

    async with embedded(read_settings(), say, need=DATABASE) as settings:
        secret = find_secret(settings.secrets, settings.home)
        database = Database(url_of(settings), pool=2)
        try:
            await database.check(secret)
            trail = Audit(database, secret)
            charts = Charts(database, trail)
            own = settings.tenant if tenant is None else check_name(tenant, "tenant")
            yield OpenMemory(
                tenant=own,
                audit=trail,
                charts=charts,
                records=Records(charts, trail),
                erasure=Erasure(database, trail),
                consents=Consents(database, trail),
                threads=Threads(database, trail),
            )
        finally:
            await database.close()


@facts.command("list", epilog="Example: primum facts list --patient anna --ended")
def list_facts(
    patient: Patient = "me",
    tenant: Tenant = None,
    ended: Annotated[bool, typer.Option("--ended", help="With what has ended.")] = False,
    at: Annotated[datetime | None, typer.Option(help="As the chart stood then (UTC).")] = None,
    as_json: AsJson = False,
) -> None:
    """Show each fact with the words that prove it."""

    async def work() -> "tuple[Known, ...]":
        async with opened_memory(tenant) as memory:
            moment = (at or datetime.now(UTC)).replace(tzinfo=UTC)
            return await memory.charts.as_of(memory.of(patient), moment, ended=ended, actor=ACTOR)

    _show(run(work()), as_json)


@facts.command("set", epilog="Example: primum facts set allergy penicillin --severity severe --patient anna")
def set_fact(
    kind: Annotated[
        str, typer.Argument(help="age, birth_date, sex, pregnancy, weight, allergy, medicine, condition …")
    ],
    value: Annotated[str, typer.Argument(help="penicillin, 'warfarin 5 mg daily', '70 kg', none …")],
    patient: Patient = "me",
    tenant: Tenant = None,
    negated: Annotated[bool, typer.Option("--not", help="It is not so.")] = False,
    reaction: Annotated[str | None, typer.Option(help="Of an allergy.")] = None,
    severity: Annotated[str | None, typer.Option(help="Of an allergy: severe, mild or intolerance.")] = None,
    relative: Annotated[str | None, typer.Option(help="Of a disease in the family.")] = None,
    since: Annotated[str | None, typer.Option(help="2024, 2024-05 or 2024-05-31.")] = None,
    until: Annotated[str | None, typer.Option(help="The same.")] = None,
    as_json: AsJson = False,
) -> None:
    """Fill a fact in by hand; it takes the place of what was known of the same thing."""
    from typing import get_args

    from primum.memory.facts import Kind
    from primum.memory.forms import entered

    if kind not in get_args(Kind):
        raise BadInput(f"There is no such kind of fact. The kinds are: {', '.join(get_args(Kind))}.")
    fact = entered(
        kind,  # type: ignore[arg-type]
        value,
        datetime.now(UTC).date(),
        negated=negated,
        reaction=reaction,
        severity=severity,
        relative=relative,
        valid_from=since,
        valid_until=until,
    )

    async def work() -> "tuple[Known, ...]":
        async with opened_memory(tenant) as memory:
            return (await memory.charts.take(memory.of(patient), [fact], "form", actor=ACTOR)).facts

    _show(run(work()), as_json)


@facts.command("end", epilog="Example: primum facts end 12 --on 2026-05-01 --patient anna")
def end_fact(
    number: Annotated[int, typer.Argument(help="As `primum facts list` shows it.")],
    patient: Patient = "me",
    tenant: Tenant = None,
    on: Annotated[datetime | None, typer.Option(help="[default: today]", formats=["%Y-%m-%d"])] = None,
    as_json: AsJson = False,
) -> None:
    """Say that a fact holds no longer; it stays on record."""

    async def work() -> "tuple[Known, ...]":
        async with opened_memory(tenant) as memory:
            day = (on or datetime.now(UTC)).date()
            return (await memory.charts.end(memory.of(patient), number, day, actor=ACTOR)).facts

    _show(run(work()), as_json)


@facts.command("remove", epilog="Example: primum facts remove 12 --patient anna")
def remove_fact(
    number: Annotated[int, typer.Argument(help="As `primum facts list` shows it.")],
    patient: Patient = "me",
    tenant: Tenant = None,
) -> None:
    """Remove a fact for good, with all that was ever recorded of it; one that has ended goes alone."""

    async def work() -> int:
        async with opened_memory(tenant) as memory:
            return await memory.charts.forget(memory.of(patient), number, actor=ACTOR)

    say(f"Removed, with {run(work())} version(s) of it.")


@facts.command("unclear", epilog="Example: primum facts unclear --patient anna")
def list_unclear(patient: Patient = "me", tenant: Tenant = None, as_json: AsJson = False) -> None:
    """Show each two facts that can't both be true, with the number by which they are settled."""

    async def work() -> "tuple[Open, ...]":
        async with opened_memory(tenant) as memory:
            return (await memory.charts.read(memory.of(patient), actor=ACTOR)).unclear

    _show_unclear(run(work()), as_json)


@facts.command("settle", epilog="Example: primum facts settle 3 known --patient anna")
def settle_facts(
    number: Annotated[int, typer.Argument(help="As `primum facts unclear` shows it.")],
    right: Annotated[str, typer.Argument(help="Which is true: known, new or neither.")],
    patient: Patient = "me",
    tenant: Tenant = None,
    as_json: AsJson = False,
) -> None:
    """Say which of two facts that can't both be true is; with neither, nothing is known of either any more."""
    from typing import get_args

    from primum.memory.chart import Right

    if right not in get_args(Right):
        raise BadInput(f"Say which is true: {', '.join(get_args(Right))}.")

    async def work() -> "tuple[Known, ...]":
        async with opened_memory(tenant) as memory:
            return (await memory.charts.settle(memory.of(patient), number, right, actor=ACTOR)).facts  # type: ignore[arg-type]

    _show(run(work()), as_json)


@facts.command("export", epilog="Example: primum facts export --patient anna > anna.json")
def export_facts(patient: Patient = "me", tenant: Tenant = None) -> None:
    """Print the chart as a FHIR R4 bundle."""

    async def work() -> bytes:
        async with opened_memory(tenant) as memory:
            return await memory.records.export(memory.of(patient), actor=ACTOR)

    typer.echo(run(work()).decode())


@facts.command("import", epilog="Example: primum facts import bundle.json --patient anna")
def import_facts(
    file: Annotated[Path, typer.Argument(help="A FHIR R4 bundle of one patient.", exists=True, dir_okay=False)],
    patient: Patient = "me",
    tenant: Tenant = None,
) -> None:
    """Take in the facts of a FHIR R4 bundle."""

    async def work() -> tuple[int, list[str]]:
        async with opened_memory(tenant) as memory:
            return await memory.records.take_in(memory.of(patient), file.read_bytes(), actor=ACTOR)

    taken, left_out = run(work())
    typer.echo(f"{taken} facts taken in, {len(left_out)} resources left out")
    for line in left_out:
        say(f"Left out: {line}")


def consent(
    given: Annotated[
        Consenting, typer.Argument(help="give, withdraw, or show what was recorded last.")
    ] = Consenting.show,
    patient: Patient = "me",
    tenant: Tenant = None,
) -> None:
    """Record whether models may be trained with a patient's turns; withdrawn, what was kept goes. Prints JSON."""

    async def work() -> "Consent":
        async with opened_memory(tenant) as memory:
            who = memory.of(patient)
            if given is Consenting.show:
                return await memory.consents.read(who)
            return await memory.consents.record(who, given is Consenting.give, ACTOR)

    found = run(work())
    print_json({**vars(found), "exports": found.exports.model_dump(mode="json")})


def erase(
    patient: Annotated[str, typer.Argument(help="Whose rows go.")],
    tenant: Tenant = None,
    yes: Annotated[bool, typer.Option("--yes", help="Don't ask.")] = False,
) -> None:
    """Erase everything of a patient, for good; prints the signed receipt as JSON."""
    if not yes:
        typer.confirm(f"Erase everything that is kept of the patient {patient}, for good?", abort=True, err=True)

    async def work() -> Any:
        async with opened_memory(tenant) as memory:
            return await memory.erasure.erase(memory.of(patient), ACTOR)

    print_json(run(work()).model_dump(mode="json"))


@audit.command("verify", epilog="Example: primum audit verify --json")
def verify(
    tenant: Tenant = None,
    receipt: Annotated[
        Path | None, typer.Option(help="A receipt of `primum erase`, to be verified.", exists=True, dir_okay=False)
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Go through a tenant's whole trail; exit 1 if an event was changed, removed or put in."""
    if receipt is not None:
        _verify_receipt(receipt)
        return

    async def work() -> Any:
        async with opened_memory(tenant) as memory:
            return await memory.audit.verify(memory.tenant)

    verdict = run(work())
    if as_json:
        print_json({"holds": verdict.holds, **vars(verdict)})
    elif verdict.holds:
        typer.echo(f"The trail holds: {verdict.events} events, head {verdict.head or 'none'}")
    else:
        typer.echo(f"The trail is broken at event {verdict.broken_at}: {verdict.why}")
    if not verdict.holds:
        raise typer.Exit(1)


def _verify_receipt(file: Path) -> None:
    from pydantic import ValidationError

    from primum.memory.erasure import Receipt, is_genuine

    try:
        genuine = is_genuine(Receipt.model_validate_json(file.read_bytes()))
    except (ValidationError, ValueError):
        raise BadInput(f"{file} is no receipt.") from None
    typer.echo("The receipt is genuine." if genuine else "The receipt was changed, or not signed with its key.")
    if not genuine:
        sys.exit(1)


@audit.command("show", epilog="Example: primum audit show 6f1e… ")
def show(
    run_id: Annotated[str, typer.Argument(metavar="RUN", help="The run_id of an answer's trace.")],
    tenant: Tenant = None,
) -> None:
    """Show what is recorded of a run, and, where it still stands, what its answer was made of, as JSON."""
    try:
        wanted = UUID(run_id)
    except ValueError:
        raise BadInput("A run is named by its run_id, such as 6f1e0c1e-0000-4000-8000-000000000000.") from None

    async def work() -> list[dict[str, Any]]:
        async with opened_memory(tenant) as memory:
            return await memory.replay(wanted)

    found = run(work())
    if not found:
        raise BadInput("Nothing is recorded of such a run.")
    print_json(found)


def _show_unclear(found: "tuple[Open, ...]", as_json: bool) -> None:
    from primum.server.patients import unclear

    shown = [unclear(one) for one in found]
    if as_json:
        print_json([one.model_dump(mode="json") for one in shown])
        return
    if not shown:
        say("Nothing is unclear.")
    for one in shown:
        for number, which, side in ((f"{one.id:6}", "known", one.known), (" " * 6, "new", one.new)):
            kept = ", which answers go by" if one.kept == which else ""
            typer.echo(f"{number}  {which}: {side.text} “{' … '.join(side.proof)}” ({side.said}{kept})")


def _show(known: "tuple[Known, ...]", as_json: bool) -> None:
    from primum.server.patients import view

    shown = [view(one) for one in known]
    if as_json:
        print_json([one.model_dump(mode="json") for one in shown])
        return
    if not shown:
        say("Nothing is known of this patient.")
    for one in shown:
        typer.echo(f"{one.id:6}  {one.text}{' (ended)' if one.ended else ''}")
        typer.echo(f"        “{' … '.join(one.proof)}” ({one.source}, {one.said})")
