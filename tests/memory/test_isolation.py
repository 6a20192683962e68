"""No tenant and no patient sees another's rows, by whatever way they ask."""

from pathlib import Path

import pytest
from sqlalchemy import exc, text

from primum.graph.agent import Agent
from primum.graph.errors import BadInput, UnknownThread
from primum.memory.identity import Identity
from primum.memory.keys import Keys
from primum.memory.secret import Secret
from primum.memory.session import Database
from primum.memory.tables import Base
from primum.retrieval.ingest import ingest
from primum.retrieval.search import Filter
from tests.fakes import FakeVLLM
from tests.pages import cited
from tests.rows import rows, state_of

ASKED = "I'm allergic to penicillin and I take warfarin. What is gout?"
ANNA, BEN = Identity("north", "anna"), Identity("north", "ben")
SAME_NAME = Identity("south", "anna")
SHARED = {"documents", "chunks", "lexemes", "corpus", "installation", "former_secrets", "fetched", "releases", "hits"}
OURS = sorted(set(Base.metadata.tables) - SHARED)


@pytest.fixture
async def told(agent: Agent, vllm: FakeVLLM) -> Agent:
    """An agent that Anna of the north has told of herself."""
    vllm.default = "No."
    await agent.ask(ASKED, patient="anna", tenant="north", thread="t")
    await agent.ask("I have no allergies. What is gout?", patient="anna", tenant="north", thread="t")
    return agent


@pytest.mark.parametrize("table", OURS)
async def test_without_an_identity_there_are_no_rows(told: Agent, table: str) -> None:
    assert await rows(told.resources.database, f"select count(*) from {table}", None) == [(0,)]


@pytest.mark.parametrize("table", OURS)
@pytest.mark.parametrize("other", [BEN, SAME_NAME])
async def test_another_patient_and_another_tenant_see_nothing(told: Agent, table: str, other: Identity) -> None:
    if table in ("tenants", "audit_events") and other.tenant == ANNA.tenant:
        return  # a tenant's own, not a patient's
    assert await rows(told.resources.database, f"select count(*) from {table}", other) == [(0,)]


async def test_the_patient_sees_their_own(told: Agent) -> None:
    for table in ("threads", "turns", "facts", "effects", "contradictions", "patients", "audit_events"):
        ((count,),) = await rows(told.resources.database, f"select count(*) from {table}", ANNA)
        assert count, table


@pytest.mark.parametrize(
    "statement",
    [
        "insert into facts (tenant, patient, kind, fact, state, source) "
        "values ('north', 'anna', 'age', '{}', 'current', 'form')",
        "insert into threads (tenant, id, patient, title) values ('south', 'x', 'anna', 'y')",
        "insert into patients (tenant, id) values ('south', 'carl')",
        "insert into tenants (id) values ('south')",
    ],
)
async def test_nobody_writes_rows_of_others(told: Agent, statement: str) -> None:
    with pytest.raises(exc.ProgrammingError, match="row-level security"):
        await rows(told.resources.database, statement, BEN)


@pytest.mark.parametrize("table", ["threads", "turns", "facts", "patients"])
async def test_nobody_changes_or_removes_rows_of_others(told: Agent, table: str) -> None:
    for statement in (f"update {table} set tenant = 'south'", f"delete from {table}"):
        async with told.resources.database.begin(BEN) as connection:
            assert (await connection.execute(text(statement))).rowcount == 0


async def test_the_applications_role_cannot_step_out_of_it(told: Agent) -> None:
    ((superuser, bypasses, owns),) = await rows(
        told.resources.database,
        "select rolsuper, rolbypassrls, pg_has_role('primum_app', (select tableowner from pg_tables "
        "where tablename = 'facts'), 'member') from pg_roles where rolname = current_user",
    )
    assert not (superuser or bypasses or owns)
    forced = await rows(
        told.resources.database,
        "select relname from pg_class where relnamespace = 'public'::regnamespace and relkind = 'r' "
        "and relrowsecurity and relforcerowsecurity order by 1",
    )
    assert [name for (name,) in forced] == [name for name in OURS if name != "api_keys"]  # the owner makes keys


async def test_of_the_keys_that_one_is_seen_which_is_shown(told: Agent) -> None:
    resources = told.resources
    owner = Database(resources.database.url, owner=True)
    made = [await Keys(owner, resources.secret).create("north", name, "clinician") for name in ("one", "two")]
    await owner.close()
    assert await rows(resources.database, "select count(*) from api_keys", ANNA) == [(0,)]
    async with resources.database.begin() as connection:
        await connection.execute(text("select set_config('app.key', :id, true)"), {"id": made[0][1].id})
        assert list(await connection.scalars(text("select name from api_keys"))) == ["one"]
    with pytest.raises(exc.ProgrammingError, match="permission denied"):
        await rows(resources.database, "update api_keys set role = 'admin'", ANNA)
    async with resources.database.begin(ANNA) as connection:
        assert (await connection.execute(text("delete from api_keys"))).rowcount == 0  # none is of Anna


async def test_former_secrets_are_read_and_never_written(told: Agent) -> None:
    assert await rows(told.resources.database, "select count(*) from former_secrets", ANNA) == [(0,)]
    for statement in (
        "insert into former_secrets (secret_check, sealed) values ('x', 'x')",
        "delete from former_secrets",
        "update installation set secret_check = 'x'",
    ):
        with pytest.raises(exc.ProgrammingError, match="permission denied"):
            await rows(told.resources.database, statement, ANNA)


async def test_an_answer_that_waits_is_seen_by_its_patient_and_by_who_signs_for_the_tenant(told: Agent) -> None:
    database = told.resources.database
    await rows(
        database,
        "insert into reviews (run_id, tenant, patient, question, answer) "
        "select run_id, tenant, patient, question, '{}' from turns limit 1 returning run_id",
        ANNA,
    )
    seen = {
        who: (await rows(database, "select count(*) from reviews", who))[0][0]
        for who in (ANNA, BEN, SAME_NAME, Identity("north", ""), Identity("south", ""), None)
    }
    assert [who for who, count in seen.items() if count] == [ANNA, Identity("north", "")]


@pytest.mark.parametrize("statement", ["alter table facts disable row level security", "drop policy own on facts"])
async def test_the_applications_role_cannot_lift_the_rules(told: Agent, statement: str) -> None:
    with pytest.raises(exc.ProgrammingError, match="must be owner"):
        await rows(told.resources.database, statement, ANNA)


async def test_the_owner_of_the_tables_is_bound_as_well(told: Agent) -> None:
    owner = Database(told.resources.database.url, owner=True)
    for identity in (None, BEN, SAME_NAME):
        assert await rows(owner, "select count(*) from facts", identity) == [(0,)]
    await owner.close()


@pytest.mark.parametrize("column", ["question", "answer", "request", "error"])
async def test_the_worker_sees_that_there_are_turns_and_not_what_is_in_them(told: Agent, column: str) -> None:
    async with told.resources.database.begin_as_worker() as connection:
        assert await connection.scalar(text("select count(run_id) from turns")) == 2
    with pytest.raises(exc.ProgrammingError, match="permission denied"):
        async with told.resources.database.begin_as_worker() as connection:
            await connection.execute(text(f"select {column} from turns"))


@pytest.mark.parametrize("table", ["facts", "summaries", "contradictions", "feedback", "audit_events"])
async def test_the_worker_sees_no_facts(told: Agent, table: str) -> None:
    with pytest.raises(exc.ProgrammingError, match="permission denied"):
        async with told.resources.database.begin_as_worker() as connection:
            await connection.execute(text(f"select * from {table}"))


async def test_jobs_hold_no_word_and_are_out_of_the_applications_reach(told: Agent) -> None:
    with pytest.raises(exc.ProgrammingError, match="permission denied"):
        await rows(told.resources.database, "select * from jobs.procrastinate_jobs", ANNA)
    async with told.resources.database.begin_as_worker() as connection:
        found = (await connection.execute(text("select lock, args from jobs.procrastinate_jobs"))).all()
    assert len(found) == 2 and all(set(args) == {"run_id"} for _, args in found)
    assert "anna" not in str(found)


@pytest.mark.parametrize("other", [BEN, SAME_NAME])
async def test_a_threads_name_opens_nothing_for_others(told: Agent, vllm: FakeVLLM, other: Identity) -> None:
    threads = told.resources.threads
    with pytest.raises(UnknownThread):
        await threads.turns(other, "t")
    with pytest.raises(UnknownThread):
        await threads.delete(other, "t")
    vllm.default = "No."
    if other == BEN:
        with pytest.raises(UnknownThread):
            await told.ask("What is gout?", patient="ben", tenant="north", thread="t")
    else:  # another tenant's threads have names of their own
        answer = await told.ask("What is gout?", patient="anna", tenant="south", thread="t")
        assert answer.facts == [] and "penicillin" not in vllm.written[-1]["messages"][1]["content"]
        assert (await state_of(told, "t", SAME_NAME))["history"] == []
    assert len(await threads.turns(ANNA, "t")) == 2


async def test_a_fact_is_not_found_by_its_number_by_others(told: Agent) -> None:
    (fact, *_) = (await told.resources.charts.read(ANNA)).facts
    with pytest.raises(BadInput, match="No fact"):
        await told.resources.charts.forget(BEN, fact.id)
    assert (await told.resources.charts.read(BEN)).facts == ()


async def test_a_database_that_does_not_keep_patients_apart_is_refused(database_url: str) -> None:
    superuser = database_url.replace("primum@", "postgres@")
    owner = Database(superuser, owner=True)
    with pytest.raises(BadInput, match="does not keep patients apart"):
        await owner.check(Secret("x" * 40))
    await owner.close()
    bound = Database(superuser)  # a superuser that acts as the application is bound like it
    await bound.check(Secret("x" * 40))
    await bound.close()


async def test_checkpoints_are_sealed(told: Agent) -> None:
    for table, column in (
        ("checkpoints", "checkpoint::text || metadata::text"),
        ("checkpoint_blobs", "encode(blob, 'escape')"),
        ("checkpoint_writes", "encode(blob, 'escape')"),
    ):
        found = await rows(told.resources.database, f"select {column} from checkpoints.{table}")
        assert not any("penicillin" in value or "gout" in value.lower() for (value,) in found if value)
    kinds = await rows(told.resources.database, "select distinct type from checkpoints.checkpoint_blobs")
    assert {kind for (kind,) in kinds} <= {"msgpack+aesgcm", "empty", "null+aesgcm"}


# Documents


@pytest.fixture
async def owned(told: Agent, tmp_path: Path) -> Agent:
    """An agent in whose library the north has a page of its own; the south has one too."""
    resources = told.resources
    assert resources.settings.database_url is not None
    owner = Database(resources.settings.database_url.get_secret_value(), owner=True)
    for tenant, drug in (("north", "Zorvex"), ("south", "Quillix")):
        page = tmp_path / f"{tenant}.md"
        page.write_text(f"# House rule\n\nIn this clinic gout is treated with {drug} first.")
        await ingest([page], owner, resources.library.embedder, tenant=tenant)
    await owner.close()
    return told


async def test_a_tenants_own_documents_are_found_by_it_alone(owned: Agent) -> None:
    library = owned.resources.library
    for tenant, found in (("north", "Zorvex"), ("south", "Quillix"), ("west", ""), ("", "")):
        for query in ("House rule: gout is treated first", "Zorvex", "Quillix", "Zorvex or Quillix for gout"):
            for only in (Filter(), Filter(kinds=("page",))):
                texts = " ".join(p.text for p in await library.of(tenant).search([query], 20, only))
                assert [name for name in ("Zorvex", "Quillix") if name in texts] == [found] * bool(found)


async def test_a_tenants_own_documents_are_not_read_by_their_number(owned: Agent) -> None:
    library = owned.resources.library
    (mine,) = [p for p in await library.of("north").search(["Zorvex"], 20) if "Zorvex" in p.text]
    for tenant in ("south", ""):
        assert await library.of(tenant).read([mine.chunk_id]) == []
        assert await library.of(tenant).document(mine.document_id) == []
    assert await library.of("north").document(mine.document_id) == await library.of("north").read([mine.chunk_id])


@pytest.mark.parametrize("table", ["documents", "chunks", "lexemes"])
async def test_a_tenants_own_documents_are_not_seen_in_sql(owned: Agent, table: str) -> None:
    database = owned.resources.database
    for identity, seen in (
        (ANNA, {"", "north"}),
        (SAME_NAME, {"", "south"}),
        (Identity("west", "x"), {""}),
        (None, {""}),
    ):
        assert {tenant for (tenant,) in await rows(database, f"select tenant from {table}", identity)} == seen
    everything = "select id from chunks_with(array['gout'::tsquery], array[1.0], 1000)"
    assert len(await rows(database, everything, ANNA)) == 1 + len(await rows(database, everything, None))
    with pytest.raises(exc.ProgrammingError, match="permission denied"):
        await rows(database, "select text from chunks_private", ANNA)


async def test_an_answer_rests_on_the_tenants_own_page(owned: Agent, vllm: FakeVLLM) -> None:
    vllm.default = cited("In this clinic gout is treated with Zorvex first [Zorvex].")
    answer = await owned.ask("How is gout treated?", patient="anna", tenant="north", thread="new")
    assert [citation.title for citation in answer.citations] == ["House rule"]
    vllm.default = cited("In this clinic gout is treated with Zorvex first [Gout].")
    answer = await owned.ask("How is gout treated?", patient="anna", tenant="south", thread="new")
    assert "Zorvex" not in answer.text
