"""`primum adapters`: what the model server has loaded, and which of it each role uses."""

import getpass
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from primum.graph.errors import BadInput
from primum.memory.roles import ModelRole
from primum.server.terminal import AsJson, print_json, run, say

if TYPE_CHECKING:
    import httpx

    from primum.graph.adapters import Adapters, Served
    from primum.graph.settings import Settings
    from primum.memory.releases import Release, Releases

adapters = typer.Typer(help="Adapters on the model server, and which of them each role uses.", no_args_is_help=True)

Name = Annotated[str, typer.Argument(help="As the server lists it.")]
OfRole = Annotated[ModelRole, typer.Option(help="Whose model.")]


@adapters.command(epilog="Example: primum adapters load med2=runs/dpo")
def load(
    adapter: Annotated[str, typer.Argument(metavar="NAME=FOLDER", help="The folder as the server sees it.")],
    base: Annotated[Path | None, typer.Option(help="Folder of the base model, to compare with.")] = None,
    max_rank: Annotated[int, typer.Option(min=1, help="What the server takes: its --max-rank.")] = 64,
    unseen: Annotated[
        bool, typer.Option("--unseen", help="The folder is on the server's machine alone: load it without a look.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Load an adapter into the running vLLM, after a look at it; nothing is interrupted, and nobody uses it yet."""
    from primum.finetune.adapter import checked
    from primum.server.lora import load_adapter

    name, equals, folder = adapter.partition("=")
    if not (name and equals and folder):
        raise BadInput(f"{adapter}: give NAME=FOLDER.")
    report = None if unseen else checked(Path(folder), base, max_rank)
    place = folder if unseen else str(Path(folder).resolve())

    async def work() -> None:
        async with _server() as (_, http):
            await load_adapter(http, name, place)

    run(work())
    told = {"name": name, "sha256": report.sha256 if report else None, "unchecked": report.unchecked if report else ()}
    if as_json:
        print_json(told)
        return
    typer.echo(f"Loaded: {name}" + (f"@{report.sha256[:12]}" if report and report.sha256 else ""))
    say(f"`primum adapters use {name}` gives it to a role.")


@adapters.command(epilog="Example: primum adapters unload med1")
def unload(name: Name) -> None:
    """Take an adapter out of the running vLLM. One that a role uses is refused."""
    from primum.server.lora import unload_adapter

    async def work() -> None:
        async with _server() as (settings, http), _releases() as (releases, _):
            named = {settings.model_name, settings.critic_model, settings.router_model}
            if name in named or any(one.model == name for one in await releases.live()):
                raise BadInput(f"{name} is in use. `primum adapters rollback`, or use another, before it is unloaded.")
            await unload_adapter(http, name)

    run(work())
    typer.echo(f"Unloaded: {name}")


@adapters.command("list", epilog="Example: primum adapters list --json")
def list_adapters(as_json: AsJson = False) -> None:
    """Show what the server has loaded, by the hash of its files, and which role uses it for what share of threads."""

    async def work() -> dict[str, Any]:
        async with _server() as (settings, http), _releases() as (releases, _):
            from primum.graph.adapters import Adapters

            return await Adapters(settings, http, releases).health()

    found = run(work())
    if as_json:
        print_json(found)
        return
    if found["state"] == "down":
        say(f"The model server does not answer ({found['reason']}).")
        raise typer.Exit(1)
    for one in found["adapters"]:
        typer.echo(f"{one['name']}@{(one['sha256'] or 'unknown')[:12]}{' (claimed)' if one['claimed'] else ''}")
    for one in found["releases"]:
        typer.echo(f"    {one['role']}: {one['model']}, {one['share']:.0%} of threads")
    if not found["adapters"]:
        say("No adapters. primum adapters load NAME=FOLDER loads one.")
    if found["state"] != "up":
        say(found["reason"])


@adapters.command(epilog="Example: primum adapters use med2 --role writer --share 0.1")
def use(
    name: Annotated[str, typer.Argument(help="An adapter, or the base model, as the server lists it.")],
    role: OfRole = "writer",
    share: Annotated[float, typer.Option(help="Of the threads; the others stay with what they have.")] = 1.0,
    as_json: AsJson = False,
) -> None:
    """Give a role another model: all running processes follow within seconds, and a thread stays with its own."""

    async def work() -> "Release":
        async with _server() as (settings, http), _releases() as (releases, tenant):
            from primum.graph.adapters import Adapters

            served, card = await _served(Adapters(settings, http, releases), name)
            sha256 = served.sha256 if served else None
            return await releases.use(tenant, _actor(), role, name, adapter=sha256, card=card, share=share)

    _show([run(work())], as_json)


@adapters.command(epilog="Example: primum adapters rollback --role writer")
def rollback(role: OfRole = "writer", as_json: AsJson = False) -> None:
    """Take back a role's last release, so that the one before it holds again; at the end, the settings' model."""

    async def work() -> "Release":
        async with _releases() as (releases, tenant):
            return await releases.rollback(tenant, _actor(), role)

    _show([run(work())], as_json)


@adapters.command(epilog="Example: primum adapters history --json")
def history(as_json: AsJson = False) -> None:
    """Show who gave which role which model when, the newest first."""

    async def work() -> "tuple[Release, ...]":
        async with _releases() as (releases, _):
            return await releases.history()

    _show(run(work()), as_json)


async def _served(adapters: "Adapters", name: str) -> "tuple[Served | None, dict[str, Any]]":
    """The adapter, none for a base model, and its card. Raises BadInput if the server does not list it."""
    import httpx

    try:
        served = await adapters.served()
    except (httpx.HTTPError, ValueError):
        raise BadInput("The model server does not answer, so nobody knows what it serves. Start it first.") from None
    if name not in served:
        raise BadInput(f"The model server has no {name}, but {', '.join(served)}. `primum adapters load` it first.")
    return await adapters.told(name), dict(await adapters.card(name))


@asynccontextmanager
async def _server() -> "AsyncIterator[tuple[Settings, httpx.AsyncClient]]":
    from primum.graph.llm import open_client
    from primum.graph.settings import read_settings

    settings = read_settings()
    if settings.model_url is None:
        raise BadInput("Adapters are served by vLLM: `primum serve model --hot-load`, and PRIMUM_MODEL_URL names it.")
    async with open_client(settings.model_url, settings.model_key.get_secret_value()) as http:
        yield settings, http


@asynccontextmanager
async def _releases() -> "AsyncIterator[tuple[Releases, str]]":
    from primum.graph.settings import read_settings
    from primum.memory.audit import Audit
    from primum.memory.releases import Releases
    from primum.memory.secret import find_secret
    from primum.memory.session import Database
    from primum.server.local import DATABASE, embedded, url_of

    async with embedded(read_settings(), say, need=DATABASE) as settings:
        secret = find_secret(settings.secrets, settings.home)
        database = Database(url_of(settings), pool=1, owner=True)
        try:
            yield Releases(database, Audit(database, secret)), settings.tenant
        finally:
            await database.close()


def _actor() -> str:
    try:
        return f"command line ({getpass.getuser()})"
    except (KeyError, OSError):  # a container's user need not have a name
        return f"command line ({os.getuid()})"


def _show(found: "tuple[Release, ...] | list[Release]", as_json: bool) -> None:
    if as_json:
        print_json([asdict(one) for one in found])
        return
    for one in found:
        adapter = f"@{one.adapter[:12]}" if one.adapter else ""
        ended = f", rolled back {one.ended_at:%Y-%m-%d %H:%M} by {one.ended_by}" if one.ended_at else ""
        typer.echo(
            f"{one.id}  {one.role}: {one.model}{adapter}  {one.share:.0%} of threads  "
            f"{one.at:%Y-%m-%d %H:%M} by {one.actor}{ended}"
        )
    if not found:
        say("No releases: each role has the settings' model.")
