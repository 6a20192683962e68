"""`primum keys`: who may come in over HTTP and MCP."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated

import typer

from primum.graph.request import check_name, check_text
from primum.memory.scopes import SCOPES, Role
from primum.server.terminal import AsJson, print_json, run, say

if TYPE_CHECKING:
    from primum.memory.keys import Keys

ACTOR = "command line"
keys = typer.Typer(help="API keys: who may come in, as whom and for what.", no_args_is_help=True)

Tenant = Annotated[str | None, typer.Option(help="Of which tenant.  [default: PRIMUM_TENANT]")]


@asynccontextmanager
async def _keys(tenant: str | None) -> AsyncIterator[tuple["Keys", str]]:
    from primum.graph.settings import read_settings
    from primum.memory.keys import Keys
    from primum.memory.secret import find_secret
    from primum.memory.session import Database
    from primum.server.local import DATABASE, embedded, url_of

    async with embedded(read_settings(), say, need=DATABASE) as settings:
        secret = find_secret(settings.secrets, settings.home)
        database = Database(url_of(settings), pool=1, owner=True)
        try:
            yield Keys(database, secret), tenant or settings.tenant
        finally:
            await database.close()


@keys.command(epilog="Example: primum keys create 'Ward 3' --role clinician --days 90")
def create(
    name: Annotated[str, typer.Argument(help="What the key is for, up to 100 characters.")],
    role: Annotated[Role, typer.Option(help="As whom: it decides what may be allowed.")],
    patient: Annotated[str | None, typer.Option(help="The one that a patient's key speaks for.")] = None,
    scope: Annotated[
        list[str] | None,
        typer.Option(
            help=f"What it is for; may be repeated: {', '.join(SCOPES)}.  [default: all that the role may, of an admin "
            "library and operate]"
        ),
    ] = None,
    days: Annotated[int | None, typer.Option(min=1, max=3650, help="Days that it holds.  [default: always]")] = None,
    tenant: Tenant = None,
    as_json: AsJson = False,
) -> None:
    """Make a key. It is shown this once: only a hash of it is kept."""
    told = check_text(name, "name", 100)
    if patient is not None:
        check_name(patient, "patient")
    if tenant is not None:
        check_name(tenant, "tenant")

    async def work() -> None:
        async with _keys(tenant) as (found, own):
            token, key = await found.create(own, told, role, patient=patient, scopes=scope, days=days, actor=ACTOR)
        if as_json:
            print_json({"key": token, **asdict(key)})
            return
        say(f"Key {key.id} of {key.tenant}, {key.role}: {', '.join(key.scopes)}. It is not shown again:")
        typer.echo(token)

    run(work())


@keys.command("list", epilog="Example: primum keys list --json")
def list_keys(tenant: Tenant = None, as_json: AsJson = False) -> None:
    """Show a tenant's keys, also those that hold no longer."""

    async def work() -> None:
        async with _keys(tenant) as (found, own):
            rows = await found.listed(own)
        if as_json:
            print_json([asdict(row) for row in rows])
            return
        for row in rows:
            until = f"revoked {row.revoked_at:%Y-%m-%d}" if row.revoked_at else "holds"
            until = f"until {row.expires_at:%Y-%m-%d}" if row.expires_at and not row.revoked_at else until
            whose = f" {row.patient}" if row.patient else ""
            typer.echo(f"{row.id}  {row.role}{whose}  {' '.join(row.scopes)}  {until}  {row.name}")
        if not rows:
            typer.echo("No keys. primum keys create makes one.")

    run(work())


@keys.command(epilog="Example: primum keys revoke 3f9c0a12b4de")
def revoke(
    key: Annotated[str, typer.Argument(help="Its number, as `primum keys list` shows it.")], tenant: Tenant = None
) -> None:
    """Let nobody in with a key from now on."""

    async def work() -> None:
        async with _keys(tenant) as (found, own):
            await found.revoke(own, key, ACTOR)
        typer.echo(f"Revoked: {key}")

    run(work())
