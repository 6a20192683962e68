"""Migrations and tables say the same."""

import subprocess
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest
import sqlalchemy as sa
from alembic import command

from primum.graph.errors import MemoryUnavailable
from primum.memory import schema
from primum.memory.session import Database, sqlalchemy_url


def run(url: str, statement: str) -> list[str]:
    engine = sa.create_engine(sqlalchemy_url(url), poolclass=sa.NullPool)
    with engine.begin() as connection:
        result = connection.execute(sa.text(statement))
        return [str(row[0]) for row in result] if result.returns_rows else []


def as_patient(url: str, patient: str, statement: str) -> list[str]:
    engine = sa.create_engine(sqlalchemy_url(url), poolclass=sa.NullPool)
    with engine.begin() as connection:
        connection.execute(sa.text("set local role primum_app"))
        identify = "select set_config('app.tenant', 'main', true), set_config('app.patient', :patient, true)"
        connection.execute(sa.text(identify), {"patient": patient})
        return [str(row[0]) for row in connection.execute(sa.text(statement))]


def tables(url: str) -> list[str]:
    return run(url, "select tablename from pg_tables where schemaname = 'public' order by 1")


def test_an_empty_database_gets_every_table_and_the_schema_of_checkpoints(empty_database_url: str) -> None:
    assert not schema.is_current(empty_database_url)
    schema.upgrade(empty_database_url)
    assert schema.is_current(empty_database_url)
    assert {"documents", "chunks", "corpus", "threads", "turns"} <= set(tables(empty_database_url))
    assert run(empty_database_url, "select nspname from pg_namespace where nspname = 'checkpoints'")


def test_the_migrations_make_exactly_the_tables_of_the_code(database_url: str) -> None:
    index = "ix_chunks_embedding_4 on chunks using hnsw ((embedding::halfvec(4)) halfvec_cosine_ops)"
    run(database_url, f"create index {index}")
    schema._run(database_url, lambda config, _: command.check(config))


def test_down_to_nothing_and_up_again(database_url: str) -> None:
    schema.downgrade(database_url, "base")
    assert tables(database_url) == ["alembic_version"]
    schema.upgrade(database_url)
    assert schema.is_current(database_url)


def test_upgrading_twice_changes_nothing_and_keeps_the_rows(database_url: str) -> None:
    run(database_url, "insert into lexemes (lexeme, chunks) values ('asthma', 1)")
    schema.upgrade(database_url)
    assert run(database_url, "select lexeme from lexemes") == ["asthma"]


def test_conversations_of_the_first_version_are_kept_and_belong_to_the_tenant_main(empty_database_url: str) -> None:
    url = empty_database_url
    schema._run(url, lambda config, _: command.upgrade(config, "0001"))
    run(url, "insert into threads (id, patient, title) values ('t', 'anna', 'Asthma'), ('u', 'ben', 'Gout')")
    run(
        url,
        "insert into turns (run_id, thread_id, question, request, status) "
        "values (gen_random_uuid(), 't', 'What is asthma?', '{}', 'running')",
    )
    schema.upgrade(url)
    assert as_patient(url, "anna", "select title from threads") == ["Asthma"]
    assert as_patient(url, "anna", "select question from turns where lease_until < now()") == ["What is asthma?"]
    schema.downgrade(url, "0001")
    assert run(url, "select title from threads order by 1") == ["Asthma", "Gout"]
    assert run(url, "select question from turns where started_at <= now()") == ["What is asthma?"]


def test_the_version_before_gets_the_documents_that_it_can_tell_and_their_counts(empty_database_url: str) -> None:
    url = empty_database_url
    schema.upgrade(url)
    for name, fields in {
        "kept": {},
        "own": {"tenant": "'clinic'"},
        "old": {"replaced_at": "now()"},
        "fetched": {"expires_at": "now()"},
        "retracted": {"retracted": "true"},
    }.items():
        columns = "".join(f", {column}" for column in fields)
        values = "".join(f", {value}" for value in fields.values())
        run(
            url,
            f"""
            with d as (
              insert into documents (uri, title, text, kind, url, aliases, sources, content_hash {columns})
              values ('{name}', '{name}', 'gout', 'page', '', '[]', '[]', '' {values}) returning id, tenant
            ) insert into chunks (tenant, document_id, ordinal, title, aliases, heading, start, stop, text, embedding)
            select tenant, id, 0, '{name}', '', '', 0, 4, 'gout', '[1,0]' from d
            """,
        )
    run(
        url, "insert into corpus (id, embedder, dimensions, pooling, fingerprint, chunks) values (1, 'e', 2, '', '', 5)"
    )
    run(url, "insert into lexemes (lexeme, chunks) values ('gout', 4), ('kept', 1), ('fetch', 1)")
    schema.downgrade(url, "0002")
    assert run(url, "select uri from documents") == run(url, "select title from chunks") == ["kept"]
    assert run(url, "select lexeme || chunks from lexemes order by 1") == ["gout1", "kept1"]
    assert run(url, "select chunks || ' ' || postings from corpus") == ["1 2"]
    schema.upgrade(url)
    assert run(url, "select title from chunks where tenant = ''") == ["kept"]


def test_langgraphs_tables_are_made_again_if_that_was_broken_off_or_it_is_newer(database_url: str) -> None:
    run(database_url, "drop table checkpoints.checkpoint_blobs, checkpoints.checkpoint_migrations")
    run(database_url, "comment on schema checkpoints is 'another version'")
    assert not schema.is_current(database_url)
    schema.upgrade(database_url)
    assert schema.is_current(database_url)
    assert run(database_url, "select to_regclass('checkpoints.checkpoint_blobs')") == ["checkpoints.checkpoint_blobs"]


def test_several_threads_may_upgrade_at_once(empty_database_url: str) -> None:
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(schema.upgrade, [empty_database_url] * 4))
    assert schema.is_current(empty_database_url)


def test_several_processes_may_upgrade_at_once(empty_database_url: str) -> None:
    code = "import sys; from primum.memory.schema import upgrade; upgrade(sys.argv[1])"
    started = [subprocess.Popen([sys.executable, "-c", code, empty_database_url]) for _ in range(3)]
    assert [process.wait(60) for process in started] == [0, 0, 0]
    assert schema.is_current(empty_database_url)


def test_a_newer_database_is_refused_with_a_plain_sentence(database_url: str) -> None:
    run(database_url, "update alembic_version set version_num = '9999'")
    with pytest.raises(MemoryUnavailable, match="does not fit this version"):
        schema.upgrade(database_url)


@pytest.mark.parametrize("work", [schema.upgrade, schema.is_current])
def test_an_unreachable_database_is_said_to_be_so(work: Callable[[str], object]) -> None:
    with pytest.raises(MemoryUnavailable, match="can't be reached"):
        work("postgresql://primum@127.0.0.1:1/primum")


async def test_the_database_fixture_is_open_and_migrated(database: Database) -> None:
    await database.ping()
