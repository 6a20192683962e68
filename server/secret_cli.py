"""`primum secret`: from one PRIMUM_SECRET to the next, while processes run."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import asdict
from typing import TYPE_CHECKING

import typer

from primum.graph.errors import BadInput
from primum.server.terminal import AsJson, print_json, run, say

if TYPE_CHECKING:
    from primum.memory.rotation import Left, Resealed
    from primum.memory.secret import Secret

secret = typer.Typer(help="PRIMUM_SECRET: from one to the next, while processes run.", no_args_is_help=True)

ACTOR = "command line"


@secret.command(epilog="Example: primum secret new")
def new() -> None:
    """Make another secret, for `primum secret rotate`; where PRIMUM_HOME keeps it, it is put there."""
    from primum.graph.settings import read_settings
    from primum.memory.secret import new_secret, read_secret, write_secret

    settings = read_settings()
    made = new_secret()
    if settings.secret is not None:
        say("Set it as PRIMUM_SECRET, and what is set now as PRIMUM_SECRET_BEFORE. It is not shown again:")
        typer.echo(made)
        return
    there = read_secret(settings.home)
    if there is None:
        raise BadInput("There is no secret yet: it is made with the first start.")
    write_secret(settings.home, [made, *(one.value for one in there.given.values())])
    typer.echo(
        f"{settings.home / 'secret'} has a new secret. Start Primum's processes anew, then: primum secret rotate"
    )


@secret.command(epilog="Example: primum secret rotate")
def rotate(as_json: AsJson = False) -> None:
    """Put the newest secret in use, and seal again with it what was sealed before. May be broken off and repeated."""
    from primum.memory import rotation

    async def work() -> "tuple[bool, Resealed, Left]":
        async with _opened() as (url, ring):
            return await asyncio.to_thread(_rotate, url, ring)

    switched, resealed, left = run(work())
    told = {"switched": switched, **asdict(resealed), "left": {**asdict(left), "any": left.any}}
    if as_json:
        print_json(told)
        return
    typer.echo("The newest secret is in use now." if switched else "The newest secret was in use already.")
    typer.echo(f"Sealed again: {resealed.values:,} values of checkpoints.")
    if resealed.closed:
        typer.echo(f"{resealed.closed:,} do not open with any secret that is known. They stay as they are.")
    typer.echo(rotation.NOT_YET if left.any else rotation.OVER)


def _rotate(url: str, ring: "Secret") -> "tuple[bool, Resealed, Left]":
    from primum.memory import rotation

    switched = rotation.switch(url, ring)
    rotation.tell(url, ring, rotation.left(url, ring).tenants, ACTOR)
    resealed = rotation.reseal(url, ring, say)
    return switched, resealed, rotation.left(url, ring)


@asynccontextmanager
async def _opened() -> "AsyncIterator[tuple[str, Secret]]":
    from primum.graph.settings import read_settings
    from primum.memory.secret import find_secret
    from primum.server.local import DATABASE, embedded, url_of

    async with embedded(read_settings(), say, need=DATABASE) as settings:
        yield url_of(settings), find_secret(settings.secrets, settings.home)
