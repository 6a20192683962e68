"""`primum backup`: every row in one sealed file, back from it, and what must not come back with it."""

import asyncio
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from primum.graph.errors import BadInput
from primum.server.terminal import AsJson, print_json, run, say

if TYPE_CHECKING:
    from primum.graph.settings import Settings
    from primum.memory.backup import Backup, Opener
    from primum.memory.removals import Again
    from primum.memory.secret import Secret

backup = typer.Typer(help="Backups: every row in one sealed file, and back from it.", no_args_is_help=True)

NAMED = re.compile(r"primum-\d{8}T\d{6}Z\.backup")  # by `create`; whatever else lies there is not ours to remove
REMOVALS = "removals.jsonl"  # beside the backups of a folder
ACTOR = "command line"
File = Annotated[Path, typer.Argument(help="The backup.", exists=True, dir_okay=False)]
Passphrase = Annotated[
    Path | None,
    typer.Option(
        "--passphrase-file",
        help="A file whose first line seals it instead of PRIMUM_SECRET.",
        exists=True,
        dir_okay=False,
    ),
]
Lists = Annotated[
    list[Path],
    typer.Argument(
        help="Lists of `primum backup removals`, or receipts of `primum erase`.", exists=True, dir_okay=False
    ),
]


@asynccontextmanager
async def _opened(passphrase: Path | None = None) -> AsyncIterator[tuple["Settings", str, "Opener"]]:
    from primum.graph.settings import read_settings
    from primum.memory.backup import Opener
    from primum.memory.secret import find_secret
    from primum.server.local import DATABASE, embedded, url_of

    # As it is: what is backed up is not to be changed before, nor a database that was named by mistake.
    async with embedded(read_settings(), say, need=DATABASE, migrate=False) as settings:
        secret = find_secret(settings.secrets, settings.home)
        yield settings, url_of(settings), Opener(secret, _first_line(passphrase))


def _make_folder(path: Path) -> None:
    """Unless it is there, and then for its owner alone. Raises BadInput."""
    if path.is_dir():
        return
    try:
        path.mkdir(mode=0o700, parents=True)
    except OSError as error:
        raise BadInput(f"The folder {path} can't be made: {error.strerror}.") from None
    say(f"Made the folder {path}")


def _first_line(file: Path | None) -> str | None:
    return None if file is None else next(iter(file.read_text(encoding="utf-8").splitlines()), "")


@backup.command(epilog="Example: primum backup create /srv/backups --keep 14")
def create(
    name: Annotated[
        str,
        typer.Argument(
            metavar="TARGET",
            help="A file to be made; or a folder, with a / at its end or --keep, that gets one named after the time.",
        ),
    ],
    passphrase: Passphrase = None,
    with_secret: Annotated[
        bool, typer.Option("--with-secret", help="Put PRIMUM_SECRET into it. Needs a passphrase.")
    ] = False,
    keep: Annotated[
        int | None, typer.Option(min=1, help="Of a folder: how many of its backups stay, the newest.  [default: all]")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Back up every row, while turns go on. A folder also gets the list of what was removed: `removals.jsonl`."""
    target = Path(name)
    folder = bool(keep) or name.endswith("/") or target.is_dir()
    if not folder and target.exists():
        raise BadInput(f"{target} is there already.")
    file = target / f"primum-{datetime.now(UTC):%Y%m%dT%H%M%SZ}.backup" if folder else target

    def work(url: str, opener: "Opener") -> "Backup":
        from primum.memory import backup, removals

        _make_folder(file.parent)
        if folder:  # first: without the list that goes on from the last one, no backup is taken for whole
            removals.write(backup.list_removals(url, opener.secret), target / REMOVALS, opener.secret)
        made = backup.dump(url, file, opener, with_secret=with_secret, say=say)
        try:
            backup.examine(file, opener)  # as it lies on the disk
        except BadInput:
            file.unlink()  # or it would pass for one, and the older ones give way to it
            raise
        if folder:
            others = sorted(old for old in target.iterdir() if NAMED.fullmatch(old.name) and old != file)
            for old in others[: max(0, len(others) + 1 - keep)] if keep else ():
                say(f"Removing {old.name}")
                old.unlink()
        return made

    async def go() -> "Backup":
        async with _opened(passphrase) as (_, url, opener):
            return await asyncio.to_thread(work, url, opener)

    _show(file, run(go()), as_json)


@backup.command(epilog="Example: primum backup show /srv/backups/primum-20261123T031700Z.backup --json")
def show(file: File, passphrase: Passphrase = None, as_json: AsJson = False) -> None:
    """Read a backup from its start to its end, and tell what is in it. Needs its secret, and no database."""
    from primum.graph.settings import read_settings
    from primum.memory.backup import Opener, examine

    words = _first_line(passphrase)
    _show(file, examine(file, Opener(_with_its_own(read_settings(), file, words), words)), as_json)


@backup.command(epilog="Example: primum backup restore primum.backup --removals removals.jsonl")
def restore(
    file: File,
    removals: Annotated[
        list[Path] | None,
        typer.Option(
            help="A list of `primum backup removals`, or a receipt of `primum erase`; may be repeated.",
            exists=True,
            dir_okay=False,
        ),
    ] = None,
    nothing_removed: Annotated[
        bool, typer.Option("--nothing-removed", help="Nobody was erased, and nothing removed, since the backup.")
    ] = False,
    no_newer_list: Annotated[
        bool,
        typer.Option(
            "--no-newer-list", help="Take lists that are older than the backup: who was erased since comes back."
        ),
    ] = False,
    passphrase: Passphrase = None,
    as_json: AsJson = False,
) -> None:
    """Put a backup into an empty database, without those who were erased since. Nothing else may run on it."""
    if bool(removals) == nothing_removed:
        raise BadInput(
            "Who was erased after the backup must not come back with it: name the newest list of `primum backup "
            "removals` with --removals, or say that there was nobody with --nothing-removed."
        )
    if no_newer_list and not removals:
        raise BadInput("--no-newer-list is about the lists that --removals names.")

    async def work() -> tuple["Backup", "Again"]:
        _take_over_secret(file, _first_line(passphrase))
        async with _opened(passphrase) as (_, url, opener):
            return await _restore(url, file, opener, removals or [], old=no_newer_list)

    loaded, again = run(work())
    if as_json:
        print_json({**_told(loaded), "taken_out_again": asdict(again)})
        return
    typer.echo(f"Restored: {loaded.rows:,} rows of {loaded.header.made_at}")
    _show_again(again)


@backup.command("removals", epilog="Example: primum backup removals /mnt/elsewhere/removals.jsonl")
def list_removals(
    file: Annotated[Path, typer.Argument(help="The list; what one that is there tells stays told.", dir_okay=False)],
) -> None:
    """List who was erased and what was removed, by pseudonyms. Keep it away from the database; make it often."""

    def work(url: str, secret: "Secret") -> int:
        from primum.memory import backup, removals

        _make_folder(file.parent)
        found = backup.list_removals(url, secret)
        removals.write(found, file, secret)
        return len(found.removals)

    async def go() -> int:
        async with _opened() as (_, url, opener):
            return await asyncio.to_thread(work, url, opener.secret)

    typer.echo(f"{run(go()):,} removals in {file}")


@backup.command("remove-again", epilog="Example: primum backup remove-again removals.jsonl")
def remove_again(files: Lists, as_json: AsJson = False) -> None:
    """Take out what was removed, of a database that Postgres itself set back to an earlier time."""

    async def work() -> "Again":
        from primum.memory import backup, removals

        async with _opened() as (_, url, opener):
            lists = [removals.read(file, opener.secret) for file in files]
            return await asyncio.to_thread(backup.take_out_again, url, lists, opener.secret, ACTOR)

    again = run(work())
    if as_json:
        print_json(asdict(again))
    else:
        _show_again(again)


async def _restore(url: str, file: Path, opener: "Opener", lists: list[Path], *, old: bool) -> tuple["Backup", "Again"]:
    from primum.memory import backup, removals

    gone = [removals.read(one, opener.secret) for one in lists]
    for file_, one in zip(lists, gone, strict=True):
        if one.made_at:
            say(f"{file_} tells of what was removed until {one.made_at:%d %B %Y, %H:%M UTC}")
    if gone and not old:
        removals.check_newer(gone, backup.made_at(file))
    loaded, again = await asyncio.to_thread(backup.load, url, file, opener, gone, say, ACTOR)
    say("Making the index of vectors")
    await _index_vectors(url)  # broken off here, `primum doctor` says that it is missing
    return loaded, again


async def _index_vectors(url: str) -> None:
    from sqlalchemy import text

    from primum.memory.session import Database
    from primum.retrieval.index import make_vector_index

    database = Database(url, pool=1, owner=True)
    try:
        async with database.begin() as connection:
            row = (await connection.execute(text("select dimensions, vector_index from corpus"))).one_or_none()
            if row is not None:
                name = f"ix_chunks_embedding_{int(row.dimensions)}"
                await make_vector_index(connection, name, "embedding", int(row.dimensions), row.vector_index)
    finally:
        await database.close()


def _with_its_own(settings: "Settings", file: Path, passphrase: str | None) -> "Secret":
    """The secrets of the settings or of PRIMUM_HOME, then the one that the backup holds. Raises BadInput."""
    from primum.memory.backup import secret_of
    from primum.memory.secret import Secret, find_secret, read_secret

    known = find_secret(settings.secrets, settings.home) if settings.secret else read_secret(settings.home)
    held = secret_of(file, passphrase) if passphrase else None
    values = [one.value for ring in (known, held) if ring for one in ring.given.values()]
    if not values:
        raise BadInput("The secret that this backup's database was made with is not here: set PRIMUM_SECRET.")
    return Secret(*values)


def _take_over_secret(file: Path, passphrase: str | None) -> None:
    """The secret that the backup holds becomes one of PRIMUM_HOME's, after those that are there."""
    from primum.graph.settings import read_settings
    from primum.memory.secret import read_secret, write_secret

    settings = read_settings()
    ring = _with_its_own(settings, file, passphrase)
    there = read_secret(settings.home)
    if settings.secret is None and (there is None or len(ring.given) > len(there.given)):
        settings.home.mkdir(parents=True, exist_ok=True)
        write_secret(settings.home, [one.value for one in ring.given.values()])
        say(f"The backup's secret is now in {settings.home / 'secret'}")


def _told(made: "Backup") -> dict[str, Any]:
    opening = {name: value for name, value in asdict(made.opening).items() if name != "secret"}
    header = {name: value for name, value in asdict(made.header).items() if name not in ("salt", "secret_check")}
    tables = {name: asdict(kept) for name, kept in made.tables.items()}
    return {**header, **opening, "holds_secret": made.opening.secret is not None, "tables": tables}


def _show(file: Path, made: "Backup", as_json: bool) -> None:
    if as_json:
        print_json({"file": str(file), "bytes": file.stat().st_size, **_told(made)})
        return
    typer.echo(f"{file}: {made.rows:,} rows in {len(made.tables)} tables, {file.stat().st_size:,} bytes")
    typer.echo(f"Made {made.header.made_at} by Primum {made.header.primum}, sealed with the {made.header.sealed_with}")


def _show_again(again: "Again") -> None:
    kinds = {"patients": "patient", "facts": "fact", "conversations": "conversation", "consents": "consent"}
    removed = [(getattr(again, many), one) for many, one in (kinds | {"keys": "API key"}).items()]
    told = ", ".join(f"{count:,} {one}{'s' if count != 1 else ''}" for count, one in removed if count)
    typer.echo(f"Taken out again: {told}" if told else "Nothing had to be taken out again.")
