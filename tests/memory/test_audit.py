"""The trail: complete, without a patient's word or name, and broken by any change."""

import asyncio
from uuid import UUID

import pytest
from sqlalchemy import exc

from primum.graph.agent import Agent
from primum.memory.audit import Audit
from primum.memory.identity import Identity
from primum.memory.secret import Secret
from primum.memory.session import Database
from tests.conftest import Cluster
from tests.fakes import FakeVLLM
from tests.rows import ME, rows

SECRET = Secret("s" * 40)


@pytest.fixture
async def audit(database_url: str) -> Audit:
    database = Database(database_url)
    trail = Audit(database, SECRET)
    for number in range(5):
        await trail.note(ME, "patient", "read facts", {"facts": [number]})
    return trail


def tamper(cluster: Cluster, audit: Audit, statement: str) -> None:
    """As somebody who has the whole database, but not the secret."""
    name = audit.database.url.partition("?")[0].rpartition("/")[2]
    cluster.run(f"alter table audit_events disable trigger append_only; {statement}", name)


async def test_an_untouched_trail_holds(audit: Audit) -> None:
    verdict = await audit.verify("main")
    assert verdict.holds and verdict.events == 5 and len(verdict.head) == 64
    assert (await audit.verify("other")).events == 0
    await audit.database.close()


@pytest.mark.parametrize(
    ("statement", "broken_at", "why"),
    [
        ("update audit_events set actor = 'clinician' where number = 3", 3, "changed"),
        ("update audit_events set details = '{\"facts\": []}' where number = 2", 2, "changed"),
        ("update audit_events set at = at + interval '1 second' where number = 1", 1, "changed"),
        ("update audit_events set hash = sha256('x') where number = 5", 5, "changed"),
        ("delete from audit_events where number = 1", 1, "missing"),
        ("delete from audit_events where number = 4", 4, "missing"),
        ("delete from audit_events where number = 2; update audit_events set number = number - 1 where number > 2",
         2, "changed"),
    ],
)  # fmt: skip
async def test_any_change_shows(cluster: Cluster, audit: Audit, statement: str, broken_at: int, why: str) -> None:
    tamper(cluster, audit, statement)
    verdict = await audit.verify("main")
    assert not verdict.holds and verdict.broken_at == broken_at and why in verdict.why
    await audit.database.close()


@pytest.mark.parametrize("verb", ["update audit_events set actor = 'x'", "delete from audit_events"])
@pytest.mark.parametrize("owner", [False, True])
async def test_events_are_never_changed_or_removed(audit: Audit, verb: str, owner: bool) -> None:
    database = Database(audit.database.url, owner=owner)
    with pytest.raises((exc.ProgrammingError, exc.DatabaseError), match=r"never changed|permission denied"):
        await rows(database, verb)
    await database.close()
    await audit.database.close()


async def test_many_at_once_make_one_chain(audit: Audit) -> None:
    others = [Audit(audit.database, SECRET) for _ in range(4)]
    await asyncio.gather(*(one.note(Identity("main", f"p{n}"), "system", "read facts", {}) for n, one in
                           enumerate(others * 5)))  # fmt: skip
    verdict = await audit.verify("main")
    assert verdict.holds and verdict.events == 25
    await audit.database.close()


async def test_an_answer_says_what_it_was_made_of_and_nothing_of_what_was_said(agent: Agent, vllm: FakeVLLM) -> None:
    vllm.default = "No."
    answer = await agent.ask("I'm allergic to zyxquarkle. How is gout treated?", patient="anna")
    identity = Identity("main", "anna")
    events = await agent.resources.audit.of_run("main", UUID(answer.trace.run_id))
    assert [event.action for event in events] == ["change facts", "answer"]
    made_of = events[-1].details
    assert made_of["rules"] == answer.trace.rules_version and made_of["corpus"] == answer.trace.corpus_version
    assert made_of["prompts"] == answer.trace.prompt_hashes and made_of["model"] == "primum"
    assert made_of["facts"] == [fact.id for fact in answer.facts]
    assert made_of["chunks"] == [citation.chunk_id for citation in answer.citations]
    assert made_of["answer"] == agent.resources.secret.mark(answer.text.encode())
    everything = str(await rows(agent.resources.database, "select * from audit_events", identity))
    for secret in ("zyxquarkle", "anna", "allergic", "gout"):
        assert secret not in everything.lower()
    assert events[-1].subject == agent.resources.secret.pseudonym(identity)


async def test_a_question_that_came_to_nothing_is_on_the_trail(agent: Agent, vllm: FakeVLLM) -> None:
    owner = Database(agent.resources.database.url, owner=True)
    await rows(owner, "alter table summaries rename column summary to other")
    await owner.close()
    with pytest.raises(exc.ProgrammingError):
        await agent.ask("How is gout treated?")
    ((action, details),) = await rows(agent.resources.database, "select action, details from audit_events")
    assert action == "fail" and details == {"error": "ProgrammingError"}
