"""Brings a database to the tables of this version of Primum, or back."""

import threading
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path
from typing import TypeVar

import psycopg
import sqlalchemy as sa
from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from alembic.util import CommandError
from packaging.version import InvalidVersion, Version

from primum.graph.errors import MemoryUnavailable
from primum.memory.session import CONNECT_TIMEOUT, sqlalchemy_url

T = TypeVar("T")
_ALEMBIC = threading.Lock()  # its `op` and `context` are global to a process; env.py's lock is for several
_NOTES = sa.text(
    "select obj_description(to_regnamespace('checkpoints'), 'pg_namespace') as checkpoints, "
    "obj_description(to_regnamespace('jobs'), 'pg_namespace') as jobs"
)
_MARK = "4321ms"  # a setting of a session that a pooler refuses, or forgets
SCRIPTS = Path(__file__).resolve().parent.parent / "alembic"


def _config() -> Config:
    config = Config()
    config.set_main_option("script_location", str(SCRIPTS).replace("%", "%%"))
    config.set_main_option("path_separator", "os")
    return config


def _run(url: str, work: Callable[[Config, sa.Connection], T]) -> T:
    engine = sa.create_engine(
        sqlalchemy_url(url), poolclass=sa.NullPool, connect_args={"connect_timeout": CONNECT_TIMEOUT}
    )
    config = _config()
    try:
        with _ALEMBIC, engine.begin() as connection:
            config.attributes["connection"] = connection
            return work(config, connection)
    except (sa.exc.OperationalError, sa.exc.InterfaceError) as error:
        raise MemoryUnavailable("The database can't be reached. Nothing was changed.") from error
    except sa.exc.ProgrammingError as error:
        reason = str(error.orig).partition("\n")[0]
        raise MemoryUnavailable(f"The database refused: {reason}") from error
    except CommandError as error:
        raise MemoryUnavailable(f"The database does not fit this version of Primum: {error}") from error


def check_direct(url: str) -> None:
    """That there is a session of our own: a lock that outlives its transaction would be left with a pooler's for ever.

    Raises:
        MemoryUnavailable: a pooler stands between, or the database can't be reached.
    """
    try:
        with psycopg.connect(url, options=f"-c lock_timeout={_MARK}", connect_timeout=CONNECT_TIMEOUT) as connection:
            direct = connection.execute("show lock_timeout").fetchone() == (_MARK,)
    except psycopg.OperationalError as error:
        if "startup parameter" not in str(error):
            raise MemoryUnavailable("The database can't be reached. Nothing was changed.") from error
        direct = False
    if not direct:
        raise MemoryUnavailable(
            "This needs Postgres itself, and PRIMUM_DATABASE_URL leads to a pooler: run it with Postgres' own address."
        )


def upgrade(url: str) -> None:
    """Make or change the tables until they are this version's; safe to run from several processes at once.

    Raises:
        MemoryUnavailable: the database can't be reached, refuses, or was made by a newer Primum; or a pooler stands
            between.
    """
    check_direct(url)
    from primum.memory import checkpoints, jobs  # takes seconds, and is seldom needed

    _run(url, lambda config, _: command.upgrade(config, "head"))
    try:
        checkpoints.setup(url)
        with psycopg.connect(url) as connection:
            connection.execute("select pg_advisory_xact_lock(hashtext('primum.jobs'))")
            jobs.setup(url)
    except psycopg.Error as error:
        raise MemoryUnavailable(
            f"The database refused the tables of checkpoints and jobs: {str(error).partition(chr(10))[0]}"
        ) from error
    # Noted last, so that what was broken off is done again, and what a newer LangGraph needs is done.
    note = sa.text(f"comment on schema checkpoints is '{_langgraph()}'")
    _run(url, lambda _, connection: connection.execute(note))


def downgrade(url: str, revision: str) -> None:
    """Back to `revision`; `base` drops every table of Primum's."""
    _run(url, lambda config, _: command.downgrade(config, revision))


def revisions() -> list[str]:
    """All versions that the tables ever had, the oldest first."""
    return [script.revision for script in ScriptDirectory.from_config(_config()).walk_revisions()][::-1]


def revision(url: str) -> str:
    """That of the tables; '' where there are none."""
    return _run(url, lambda _, connection: _found(connection)[0])


def is_current(url: str) -> bool:
    """True if nothing is left to migrate."""
    return _run(url, lambda _, connection: _found(connection) == (_head(), _langgraph(), version("procrastinate")))


def fits(url: str) -> bool:
    """True if this code can work on the tables: they are its own, or a newer version's, which only added to them."""

    def look(_: Config, connection: sa.Connection) -> bool:
        revision, checkpoints, jobs = _found(connection)
        known = revision in revisions()
        libraries = _as_new(checkpoints, _langgraph()) and _as_new(jobs, version("procrastinate"))
        return revision != "" and libraries and (not known or revision == _head())

    return _run(url, look)


def _found(connection: sa.Connection) -> tuple[str, str, str]:
    """The tables' revision, and the versions of the libraries that made theirs; '' where there is none."""
    row = connection.execute(_NOTES).one()
    heads = MigrationContext.configure(connection).get_current_heads()
    return (heads[0] if len(heads) == 1 else ""), row.checkpoints or "", row.jobs or ""


def _head() -> str:
    return revisions()[-1]


def _as_new(found: str, ours: str) -> bool:
    """Whether a library's version is at least ours."""
    try:
        return Version(found) >= Version(ours)
    except InvalidVersion:
        return False


def _langgraph() -> str:
    return version("langgraph-checkpoint-postgres")
