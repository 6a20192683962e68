"""What the version before reads and writes is there after each migration: rows of every table, with the columns it had.

They are written in SQL, as the role that wrote them; the code of the version before itself runs in `test_former`.
So a migration expands: it adds, and what it adds is filled in by the database. What old code reads and writes is taken
away a version later, by a migration that says so: `CONTRACT = "what no version in use needs any more"`.
"""

import itertools
import re
from collections.abc import Mapping, Sequence
from typing import Any

import psycopg
import pytest
import sqlalchemy as sa
from alembic import command
from alembic.script import ScriptDirectory

from primum.memory import schema
from primum.memory.session import APP, sqlalchemy_url
from primum.memory.tables import Base

FIRST = "0003"  # the oldest that a process of which may still run; it was never released before
REVISIONS = schema.revisions()
STEPS = list(itertools.pairwise(REVISIONS))[REVISIONS.index(FIRST) :]
# In the order in which they need each other; a table that comes later goes where it belongs.
TABLES = (
    *(
        "corpus",
        "documents",
        "chunks",
        "lexemes",
        "fetched",
        "installation",
        "former_secrets",
        "api_keys",
        "releases",
        "hits",
    ),
    *("tenants", "patients", "threads", "turns", "facts", "contradictions", "effects", "summaries", "feedback"),
    *("reviews", "drafts", "exports", "audit_events"),
)
ONE_ROW = ("corpus", "installation")
GIVEN = {
    **{"status": "running", "state": "current", "source": "form", "kept": "known", "decision": "approved"},
    **{"rating": 1, "share": 0.5, "start": 0, "stop": 4, "vector_index": "none", "duplicate_of": None},
}
OF_TYPE = {
    **{"TEXT": "x", "INTEGER": 1, "BIGINT": 1, "BOOLEAN": False, "JSONB": "{}", "BYTEA": b"x", "DATE": "2026-01-01"},
    **{"DOUBLE PRECISION": 1.0, "DOUBLE_PRECISION": 1.0, "TIMESTAMP": "2026-01-01T00:00:00Z", "HALFVEC": "[1,2]"},
    **{"UUID": "00000000-0000-0000-0000-00000000000{round}", "ARRAY": "{{}}"},
}
Columns = Mapping[str, Sequence[Mapping[str, Any]]]


def columns(url: str) -> Columns:
    """What old code knows of each table: what it may write."""
    engine = sa.create_engine(sqlalchemy_url(url), poolclass=sa.NullPool)
    looked = sa.inspect(engine)
    return {
        table: [
            column
            for column in looked.get_columns(table)
            if "identity" not in column and "computed" not in column and (table, column["name"]) != ("chunks", "id")
        ]
        for table in looked.get_table_names()
        if table in TABLES
    }


def to(url: str, revision: str) -> list[str]:
    """Upgrades, and tells the statements that did it."""
    said: list[str] = []

    def work(config: Any, connection: sa.Connection) -> None:
        sa.event.listen(
            connection, "before_cursor_execute", lambda *given: said.append(" ".join(given[2].lower().split()))
        )
        command.upgrade(config, revision)

    schema._run(url, work)
    return said


def value(table: str, column: Mapping[str, Any], turn: int) -> Any:
    """One that every check takes and every reference finds."""
    name = column["name"]
    named: dict[str | tuple[str, str], Any] = {
        **{"tenant": f"main{turn}", "patient": f"anna{turn}", "thread_id": f"t{turn}", "document_id": turn},
        **{("tenants", "id"): f"main{turn}", ("patients", "id"): f"anna{turn}", ("threads", "id"): f"t{turn}"},
        **{("api_keys", "role"): "patient", ("releases", "role"): "writer", ("audit_events", "number"): turn},
        **{(one, "id"): 1 for one in ONE_ROW},
    }
    kind = str(column["type"]).partition("(")[0].partition(" WITH")[0]
    kind = "ARRAY" if kind.endswith("[]") else kind
    found = named.get((table, name), named.get(name, GIVEN.get(name, OF_TYPE[kind])))
    if kind in ("TEXT", "UUID", "ARRAY") and isinstance(found, str):
        found = found.format(round=turn) + (str(turn) if found == "x" else "")
    return b"x%d" % turn if kind == "BYTEA" else found


def fill(url: str, known: Columns, turn: int) -> None:
    """Writes a row into each table with all columns that old code knows, or with the least; in the role that it has."""
    with psycopg.connect(url) as connection:
        for table in (table for table in TABLES if table in known and not (turn > 1 and table in ONE_ROW)):
            forced = connection.execute(
                "select relforcerowsecurity from pg_class where relname = %s", [table]
            ).fetchone()
            if forced and forced[0]:
                connection.execute(f"set local role {APP}".encode())
                connection.execute(
                    "select set_config('app.tenant', %s, true), set_config('app.patient', %s, true)",
                    [f"main{turn}", f"anna{turn}"],
                )
            given = [
                column for column in known[table] if turn == 1 or not column["nullable"] or column["name"] == "patient"
            ]
            if turn > 2:
                given = [column for column in given if column["default"] is None or column["name"] == "tenant"]
            names = ", ".join(column["name"] for column in given)
            marks = ", ".join(["%s"] * len(given))
            statement = f"insert into {table} ({names}) values ({marks})"
            connection.execute(statement.encode(), [value(table, column, turn) for column in given])
            connection.execute("reset role")


def content(url: str, known: Columns) -> dict[str, list[Any]]:
    """What old code reads."""
    with psycopg.connect(url.replace("primum@", "postgres@")) as connection:
        return {
            table: sorted(
                map(repr, connection.execute(f"select {', '.join(c['name'] for c in found)} from {table}".encode()))
            )
            for table, found in known.items()
        }


def test_each_table_is_written_here() -> None:
    assert set(TABLES) == set(Base.metadata.tables)


@pytest.mark.parametrize(("before", "after"), STEPS)
def test_rows_of_the_version_before_are_read_and_written_after_the_upgrade(
    before: str, after: str, empty_database_url: str
) -> None:
    url = empty_database_url
    to(url, before)
    known = columns(url)
    fill(url, known, 1)
    was = content(url, known)
    assert len(was) >= 16 and all(was.values())
    to(url, after)
    assert content(url, known) == was
    fill(url, known, 2)
    fill(url, known, 3)
    for table, rows in content(url, known).items():
        assert len(rows) == (1 if table in ONE_ROW else 3), table
    with psycopg.connect(url) as connection:
        connection.execute(f"set local role {APP}".encode())
        connection.execute("select set_config('app.tenant', 'main2', true), set_config('app.patient', 'anna2', true)")
        for table in ("turns", "facts", "patients"):
            changes = ", ".join(f"{column['name']} = {column['name']}" for column in known[table])
            assert connection.execute(f"update {table} set {changes}".encode()).rowcount == 1


TAKES_AWAY = (
    r"\bdrop (table|column|function|schema|view|type|sequence)\b",
    r"\balter table \S+ .*\bdrop (?!constraint|default|not null)\w+",
    r"\brename\b",
    r"\balter (column )?\w+ (set data )?type\b",
    r"\bset not null\b",
    r"\brevoke\b",
)


def taken_away(statement: str) -> bool:
    """Whether a statement takes from old code what it reads or writes."""
    adds = re.findall(r"\badd (?:column )?(?!constraint)\w+ [^,]*?not null[^,]*", statement)
    return any(re.search(one, statement) for one in TAKES_AWAY) or any("default" not in one for one in adds)


@pytest.mark.parametrize(("before", "after"), STEPS)
def test_a_migration_takes_nothing_away_unless_it_says_so(before: str, after: str, empty_database_url: str) -> None:
    to(empty_database_url, before)
    found = [one for one in to(empty_database_url, after) if taken_away(one)]
    module = ScriptDirectory.from_config(schema._config()).get_revision(after).module
    assert not found or isinstance(getattr(module, "CONTRACT", None), str), found


@pytest.mark.parametrize(
    ("statement", "takes"),
    [
        ("alter table turns drop column error", True),
        ("alter table turns drop error", True),
        ("drop table feedback", True),
        ("alter table turns rename column error to fault", True),
        ("alter table turns rename to runs", True),
        ("alter table turns add mood text not null", True),
        ("alter table turns add column mood text not null", True),
        ("alter table turns alter column error set not null", True),
        ("alter table turns alter number type text", True),
        ("revoke update on turns from primum_app", True),
        ("alter table turns add mood text", False),
        ("alter table turns add column mood text default 'calm' not null", False),
        ("alter table turns drop constraint ck_turns_status", False),
        ("create table moods (id text not null)", False),
    ],
)
def test_what_takes_away_is_known(statement: str, takes: bool) -> None:
    assert taken_away(statement) is takes


def test_what_was_hidden_behind_another_title_is_found_after_the_upgrade(empty_database_url: str) -> None:
    url = empty_database_url
    to(url, "0008")
    with psycopg.connect(url) as connection:
        for uri, title, of in (("a", "Gout", None), ("b", "GOUT", "a"), ("c", "Pseudogout", "a")):
            connection.execute(
                "insert into documents (uri, title, kind, url, text, content_hash, aliases, sources, duplicate_of) "
                "values (%s, %s, 'page', '', 'x', 'x', '{}', '[]', (select id from documents where uri = %s))",
                [uri, title, of],
            )
    to(url, "0009")
    with psycopg.connect(url) as connection:
        assert connection.execute("select uri from documents where duplicate_of is not null").fetchall() == [("b",)]
