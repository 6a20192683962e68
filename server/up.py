"""`primum up`: everything that one machine needs, watched over until Ctrl-C."""

import asyncio
import importlib.util
import json
import os
import sys
import tomllib
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

import typer
from sqlalchemy.engine import make_url

from primum.graph.errors import BadInput, LocalServerFailed
from primum.graph.settings import Settings
from primum.memory.session import Database
from primum.server import lock, process, record
from primum.server.child import PRIMUM, Child
from primum.server.local import BOTH, embedded, local_parts, url_of
from primum.server.port import free_port
from primum.server.record import run_folder
from primum.server.watch import watch

PAGE = Path(__file__).resolve().parent.parent / "app.py"
# What Streamlit's login needs, and the page to get the token that the API is asked with.
LOGIN = ("redirect_uri", "cookie_secret", "client_id", "client_secret", "server_metadata_url", "expose_tokens")


def say(line: str) -> None:
    typer.echo(line, err=True)


async def up(settings: Settings) -> None:
    """Run every part until cancelled. If another `up` does so already, print where its parts are."""
    run = run_folder(settings.home.resolve())
    while (place := lock.claim(run / "up.lock")) is None:
        if addresses := _read(run / "up.json"):
            say("Primum is up already:")
            _show(addresses)
            return
        await asyncio.sleep(0.2)
    with place:
        try:
            await _run(settings, run)
        except asyncio.CancelledError:
            say("Stopped.")
        finally:
            (run / "up.json").unlink(missing_ok=True)


async def _run(settings: Settings, run: Path) -> None:
    (run / "up.json").unlink(missing_ok=True)
    home = run.parent
    await asyncio.to_thread(_end_leftovers, home)
    async with embedded(settings, say) as ready:
        await _fill_library(ready)
        async with _children(ready, home) as children:
            addresses = {part.name: part.url for part in reversed(children)}
            addresses["model"] = str(ready.model_url)
            addresses["database"] = _shown(url_of(ready), embedded=settings.database_url is None)
            (run / "up.json").write_text(json.dumps(addresses))
            _show(addresses)
            say("Ctrl-C stops everything.")
            parts = [part for part in local_parts(settings, say, BOTH).values() if part.is_alive()]
            await watch(home, [*parts, *children], say)


def _end_leftovers(home: Path) -> None:
    """What an `up` that was killed left running; the database and the model are taken over instead."""
    for part in ("page", "api"):
        known = record.read(home, part)
        if known is not None:
            process.end(known.pid, known.born)


async def _fill_library(settings: Settings) -> None:
    """The starter library, where it is wanted. A process of its own gives the embedder's memory back."""
    from primum.retrieval.starter import STARTER, is_wanted

    database = Database(url_of(settings), pool=2, owner=True)
    try:
        if not await is_wanted(database, settings.embedder):
            return
    finally:
        await database.close()
    say("Reading the starter library: once, a minute or two")
    ingest = await asyncio.create_subprocess_exec(
        *PRIMUM, "ingest", str(STARTER), stdout=asyncio.subprocess.DEVNULL, env={**os.environ, **_given(settings)}
    )
    try:
        if await ingest.wait():
            raise LocalServerFailed("The starter library could not be read; the reason stands above.")
    finally:
        if ingest.returncode is None:
            ingest.terminate()
            await ingest.wait()


@asynccontextmanager
async def _children(settings: Settings, home: Path) -> AsyncIterator[Sequence[Child]]:
    """The API and the page, started and, in the end, ended: the page first."""
    children = [_api(settings, home)]
    if importlib.util.find_spec("streamlit") is None:
        say("Going on without the page: it needs `pip install 'primum[ui]'`.")
    else:
        children.append(_page(settings, home, children[0].url))
    say(f"Starting the {' and the '.join(part.name for part in children)}")
    try:
        await asyncio.gather(*(asyncio.to_thread(part.ensure) for part in children))
        yield children
    finally:
        for part in reversed(children):
            await asyncio.to_thread(part.stop)


def _api(settings: Settings, home: Path) -> Child:
    # To be told to listen everywhere is to answer on this machine as well.
    port = _port("API", settings.api_port, settings.api_host)
    host = {"0.0.0.0": "127.0.0.1", "::": "[::1]"}.get(settings.api_host, settings.api_host)  # noqa: S104
    url = f"http://{host}:{port}"
    argv = [*PRIMUM, "serve", "api", "--host", settings.api_host, "--port", str(port)]
    return Child(home, "api", argv, url, f"{url}/health", well=(200, 503), env=_given(settings))


def _page(settings: Settings, home: Path, api: str) -> Child:
    port = _port("page", settings.page_port, "127.0.0.1")
    url = f"http://127.0.0.1:{port}"
    argv = page_command(settings, api, "127.0.0.1", port)
    return Child(home, "page", argv, url, f"{url}/_stcore/health", cwd=PAGE.parent)


def page_command(settings: Settings, api: str, host: str, port: int) -> list[str]:
    """Serves the page of this API. To be started beside it: all else stands in .streamlit/config.toml there.

    Raises BadInput: PRIMUM_PAGE_LOGIN can't be read, or lacks what a login needs.
    """
    given = ["--server.address", host, "--server.port", str(port)]
    if settings.page_login is not None:
        _check_login(settings.page_login)
        given += ["--secrets.files", str(settings.page_login)]
    return [sys.executable, "-P", "-m", "streamlit", "run", str(PAGE), *given, "--", "--api", api]


def _check_login(path: Path) -> None:
    try:
        section = tomllib.loads(path.read_text()).get("auth", {})
    except (OSError, ValueError) as error:
        raise BadInput(f"PRIMUM_PAGE_LOGIN {path} can't be read ({type(error).__name__}).") from None
    if missing := [name for name in LOGIN if not section.get(name)]:
        raise BadInput(f"PRIMUM_PAGE_LOGIN {path}: its section [auth] lacks {', '.join(missing)}. See docs/access.md.")
    if "access" not in section["expose_tokens"]:
        raise BadInput(f'PRIMUM_PAGE_LOGIN {path}: write expose_tokens = "access", or the page gets no token to show.')


def _port(what: str, wanted: int, host: str) -> int:
    port = free_port(wanted, host)
    if port != wanted:
        say(f"Port {wanted} is taken: the {what} gets {port}.")
    return port


def _given(settings: Settings) -> dict[str, str]:
    """The servers that run, as settings of a child, which so starts none of its own."""
    return {"PRIMUM_DATABASE_URL": url_of(settings), "PRIMUM_MODEL_URL": str(settings.model_url)}


def _shown(url: str, embedded: bool) -> str:
    """A database's address without secrets, which may also stand in its query; the embedded one has none."""
    return url if embedded else make_url(url).set(password=None, query={}).render_as_string()


def _show(addresses: dict[str, str]) -> None:
    typer.echo("\n".join(f"{name:9} {address}" for name, address in addresses.items()))


def _read(path: Path) -> dict[str, str]:
    """The addresses of a running `up`; none while it starts."""
    try:
        return dict(json.loads(path.read_text()))
    except (OSError, ValueError):
        return {}
