"""From one secret to the next while processes run, with nothing lost and nothing that the former one could forge."""

import asyncio
import json
import os
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any
from uuid import UUID

import psycopg
import pytest
from pydantic import SecretStr

from primum.graph.agent import Agent
from primum.graph.errors import BadInput, MemoryUnavailable
from primum.graph.resources import open_resources
from primum.graph.settings import Settings, read_settings
from primum.memory import backup, removals, rotation, schema
from primum.memory.audit import Audit, content
from primum.memory.backup import Opener
from primum.memory.erasure import Receipt
from primum.memory.identity import Identity
from primum.memory.keys import Keys
from primum.memory.secret import Secret, find_secret, read_secret, write_secret
from primum.memory.session import Database
from tests.conftest import Cluster
from tests.fakes import FakeEmbedder, FakeVLLM
from tests.rows import rows, state_of

OLD, NEW, NEXT = "old-" * 10, "new-" * 10, "next" * 10
ANNA, BEN = Identity("main", "anna"), Identity("main", "ben")
SAID = "I'm allergic to penicillin. What is gout?"
Process = Callable[..., Any]


@pytest.fixture
def process(settings: Settings, vllm: FakeVLLM) -> Process:
    """A process with secrets of its own, the newest first."""
    vllm.default = "No."

    @asynccontextmanager
    async def opened(newest: str, *before: str) -> AsyncIterator[Agent]:
        given = {"secret": SecretStr(newest), "secret_before": tuple(map(SecretStr, before))}
        async with open_resources(settings.model_copy(update=given), FakeEmbedder()) as resources:
            agent = Agent(resources)
            yield agent
            await agent.close()

    return opened


@pytest.fixture
def url(library_url: str) -> str:
    return library_url


def change(url: str, *secrets: str) -> rotation.Left:
    """All of `primum secret rotate`."""
    secret = Secret(*secrets)
    assert rotation.switch(url, secret)
    rotation.tell(url, secret, rotation.left(url, secret).tenants, "test")
    rotation.reseal(url, secret)
    return rotation.left(url, secret)


def ciphers(url: str) -> set[str]:
    """By what the values of checkpoints are sealed."""
    with psycopg.connect(url) as connection:
        found = connection.execute(
            "select split_part(type, '+', 2) from checkpoints.checkpoint_blobs where type like '%+%' "
            "union select split_part(type, '+', 2) from checkpoints.checkpoint_writes where type like '%+%'"
        )
        return {name for (name,) in found}


async def test_old_and_new_processes_work_at_once_and_change_over_together(process: Process, url: str) -> None:
    async with process(NEW, OLD) as new:
        assert new.resources.secret.used is new.resources.secret.newest  # a new database begins with the newest
    async with process(NEW) as only:
        await only.ask(SAID, patient="anna", thread="t")
    async with process(NEW) as old, process(NEXT, NEW) as new:
        for one in (new, old, new, old):  # what one of them sealed, the other reads
            answer = await one.ask("What is gout?", patient="anna", thread="t")
            assert answer.citations and [fact.text for fact in answer.facts] == ["allergy to penicillin"]
        with pytest.raises(BadInput, match=r"1 connections .* without the newest PRIMUM_SECRET .* Nothing was changed"):
            rotation.switch(url, Secret(NEXT, NEW))
        assert ciphers(url) == {"aesgcm"}
    async with process(NEXT, NEW) as one, process(NEXT, NEW) as other:
        await one.ask("Thanks.", patient="anna", thread="t")
        assert not change(url, NEXT, NEW).any  # while both run
        assert ciphers(url) == {f"aesgcm.{Secret(NEXT).newest.id}"}
        for agent in (other, one):
            await agent.ask("What is gout?", patient="anna", thread="t")
            assert agent.resources.secret.used.value == NEXT
        assert ciphers(url) == {f"aesgcm.{Secret(NEXT).newest.id}"}
    async with process(NEXT) as after:  # the former one is out of the settings
        assert (await after.resources.audit.verify("main")).holds
        assert (await state_of(after, identity=ANNA))["question"]
        assert (await after.ask("What is gout?", patient="anna", thread="t")).citations


async def test_a_process_without_the_secret_in_use_says_so_and_writes_nothing(process: Process, url: str) -> None:
    async with process(OLD) as old:
        await old.ask(SAID, patient="anna", thread="t")
        name = old.resources.settings.secret
        with psycopg.connect(url) as connection:  # as if its connections had not been seen
            connection.execute("update installation set secret_check = %s", [Secret(NEW).check])
        with pytest.raises(MemoryUnavailable, match=r"another PRIMUM_SECRET in use by now .* Restart this process"):
            await old.ask("What is asthma?", patient="anna", thread="t")
        owner = Database(url, owner=True)
        with pytest.raises(MemoryUnavailable, match="Restart this process"):
            await Keys(owner, Secret(name.get_secret_value())).create("main", "Ward 3", "clinician")
        await owner.close()
        assert await rows(old.resources.database, "select count(*) from api_keys", None) == [(0,)]
    with pytest.raises(BadInput, match=r"another PRIMUM_SECRET .*PRIMUM_SECRET_BEFORE"):
        async with process(OLD):
            pass


async def test_keys_hold_through_two_changes_and_the_former_secret_makes_none(process: Process, url: str) -> None:
    owner, reader = Database(url, owner=True), Database(url)
    async with process(OLD) as agent:
        token, _ = await Keys(owner, agent.resources.secret).create("main", "Ward 3", "clinician")
    change(url, NEW, OLD)
    async with process(NEW) as agent:
        found = Keys(reader, agent.resources.secret)
        assert (await found.find(token)).name == "Ward 3"
        second, _ = await Keys(owner, agent.resources.secret).create("main", "Ward 4", "clinician")
    change(url, NEXT, NEW)
    async with process(NEXT) as agent:
        found = Keys(reader, agent.resources.secret)
        assert [(await found.find(one)).name for one in (token, second)] == ["Ward 3", "Ward 4"]
        forged = {"hash": Secret(OLD).token_hash(token.encode())}
        await rows(owner, "update api_keys set hash = :hash where name = 'Ward 3'", None, **forged)
        with pytest.raises(Exception, match="The API key is wrong"):
            await found.find(token)
    await owner.close()
    await reader.close()


async def test_who_has_the_former_secret_cannot_write_the_trail_anew(
    process: Process, url: str, cluster: Cluster
) -> None:
    async with process(OLD) as agent:
        await agent.ask(SAID, patient="anna", thread="t")
    change(url, NEW, OLD)
    async with process(NEW) as agent:
        audit = agent.resources.audit
        assert (await audit.verify("main")).holds
        old, previous, made = Secret(OLD), b"", []
        for event in [one for one in await audit._page("main", 0) if one.action != "rotate secret"]:
            previous = old.chained(previous, content("main", event))
            made.append(f"update audit_events set hash = '\\x{previous.hex()}' where number = {event.number}")
        name = url.partition("?")[0].rpartition("/")[2]
        anew = "delete from audit_events where action = 'rotate secret'"
        for statement in ("alter table audit_events disable trigger append_only", anew, *made):
            cluster.run(statement, name)
        verdict = await audit.verify("main")
        assert not verdict.holds and "no longer in use" in verdict.why
    change_back = Secret(NEW, OLD)
    assert rotation.left(url, change_back).tenants == ("main",)  # found, and not covered up


async def test_an_event_of_a_former_secret_after_one_of_the_newest_breaks_the_trail(
    process: Process, url: str, cluster: Cluster
) -> None:
    async with process(OLD) as agent:
        await agent.ask(SAID, patient="anna", thread="t")
    change(url, NEW, OLD)
    async with process(NEW) as agent:
        audit = agent.resources.audit
        *_, last = await audit._page("main", 0)
        forged = Secret(OLD).chained(b"", content("main", last)).hex()
        name = url.partition("?")[0].rpartition("/")[2]
        cluster.run("alter table audit_events disable trigger append_only", name)
        cluster.run(f"update audit_events set hash = '\\x{forged}' where number = {last.number}", name)
        assert (await audit.verify("main")).broken_at == last.number


async def test_what_was_signed_and_listed_before_is_known_after(process: Process, url: str, tmp_path: Path) -> None:
    async with process(OLD) as agent:
        for patient in ("anna", "ben"):
            await agent.ask(SAID, patient=patient, thread=patient)
        answer = await agent.ask("What is gout?", patient="ben", thread="ben")
        receipt = await agent.resources.erasure.erase(ANNA, "test")
        list_file, receipt_file = tmp_path / "removals", tmp_path / "receipt"
        removals.write(backup.list_removals(url, agent.resources.secret), list_file, agent.resources.secret)
        receipt_file.write_text(receipt.model_dump_json())
        file = tmp_path / "before.backup"
        backup.dump(url, file, Opener(agent.resources.secret))
    change(url, NEW, OLD)
    ring, alone = Secret(NEW, OLD), Secret(NEW)
    assert Receipt.model_validate_json(receipt_file.read_text()).public_key == Secret(OLD).newest.public_key
    for told in (list_file, receipt_file):
        assert [one.action for one in removals.read(told, ring).removals] == ["erase"]
        with pytest.raises(BadInput, match="PRIMUM_SECRET_BEFORE"):
            removals.read(told, alone)
    assert backup.examine(file, Opener(ring)).rows
    with pytest.raises(BadInput, match="PRIMUM_SECRET_BEFORE"):
        backup.examine(file, Opener(alone))
    async with process(NEW) as agent:
        ((details,),) = await rows(
            agent.resources.database, "select details from audit_events where action = 'rotate secret'"
        )
        assert details["before"] == [{"secret": Secret(OLD).newest.id, "receipts": receipt.public_key}]
        (event,) = [
            one
            for one in await agent.resources.audit.of_run("main", UUID(answer.trace.run_id))
            if one.action == "answer"
        ]
        secret = agent.resources.secret
        assert secret.is_mark(answer.text.encode(), event.details["answer"])
        assert event.subject in secret.pseudonyms(BEN) and event.subject != secret.pseudonym(BEN)


async def test_a_backup_of_before_comes_back_and_changes_over_again(
    process: Process, url: str, empty_database_url: str, tmp_path: Path, settings: Settings
) -> None:
    async with process(OLD) as agent:
        for patient in ("anna", "ben"):
            await agent.ask(SAID, patient=patient, thread=patient)
        file = tmp_path / "before.backup"
        backup.dump(url, file, Opener(agent.resources.secret))
    change(url, NEW, OLD)
    async with process(NEW, OLD) as agent:
        await agent.resources.erasure.erase(ANNA, "test")  # its pseudonym is of the newest
        gone = backup.list_removals(url, agent.resources.secret)
    _, again = backup.load(empty_database_url, file, Opener(Secret(NEW, OLD)), [gone])
    assert again.patients == 1
    assert rotation.left(empty_database_url, Secret(NEW, OLD)).in_use
    assert not change(empty_database_url, NEW, OLD).any
    there = settings.model_copy(
        update={"database_url": SecretStr(empty_database_url), "secret": SecretStr(NEW), "secret_before": ()}
    )
    async with open_resources(there, FakeEmbedder()) as resources:
        agent = Agent(resources)
        assert (await agent.ask("What is gout?", patient="ben", thread="ben")).citations
        assert (await resources.audit.verify("main")).holds
        await agent.close()


KILLED = """
import os, signal, sys
from primum.memory import rotation
from primum.memory.secret import Secret
rotation.BATCH = 2
url, place, *secrets = sys.argv[1:]
secret = Secret(*secrets)
def say(line):
    if line.endswith(f": {place}"):
        os.kill(os.getpid(), signal.SIGKILL)
rotation.switch(url, secret)
if place == "told":
    os.kill(os.getpid(), signal.SIGKILL)
rotation.tell(url, secret, rotation.left(url, secret).tenants, "test")
rotation.reseal(url, secret, say)
"""


@pytest.mark.parametrize("place", ["told", "2", "6"])
async def test_killed_in_the_middle_it_goes_on_from_there(process: Process, url: str, place: str) -> None:
    async with process(OLD) as agent:
        for number in range(3):
            await agent.ask(SAID, patient="anna", thread=str(number))
    done = await asyncio.to_thread(
        subprocess.run, [sys.executable, "-c", KILLED, url, place, NEW, OLD], env=os.environ, check=False
    )
    assert done.returncode == -signal.SIGKILL
    ring = Secret(NEW, OLD)
    left = rotation.left(url, ring)
    assert left.checkpoints and not left.in_use and bool(left.tenants) == (place == "told")
    async with process(NEW, OLD) as agent:  # meanwhile all goes on
        assert (await agent.ask("What is gout?", patient="anna", thread="1")).citations
        assert (await agent.resources.audit.verify("main")).holds
    assert not rotation.switch(url, ring)
    rotation.tell(url, ring, rotation.left(url, ring).tenants, "test")
    assert rotation.reseal(url, ring).closed == 0
    assert not rotation.left(url, ring).any
    assert rotation.reseal(url, ring).values == 0
    async with process(NEW) as agent:
        for number in range(3):
            assert (await state_of(agent, str(number), ANNA))["question"]


async def test_what_opens_with_no_secret_is_told_and_stays(process: Process, url: str) -> None:
    async with process(OLD) as agent:
        await agent.ask(SAID, patient="anna", thread="t")
    with psycopg.connect(url) as connection:
        spoilt = connection.execute(
            "update checkpoints.checkpoint_blobs set blob = '\\x00' where type like '%+%' and channel = 'question'"
        ).rowcount
    assert spoilt
    secret = Secret(NEW, OLD)
    rotation.switch(url, secret)
    rotation.tell(url, secret, rotation.left(url, secret).tenants, "test")
    assert rotation.reseal(url, secret).closed == spoilt
    assert not rotation.left(url, secret).any  # nothing that any secret could open is left


async def test_former_secrets_are_sealed_and_a_changed_one_is_refused(process: Process, url: str) -> None:
    async with process(OLD):
        pass
    change(url, NEW, OLD)
    change(url, NEXT, NEW)
    with psycopg.connect(url) as connection:
        kept = [bytes(sealed) for (sealed,) in connection.execute("select sealed from former_secrets order by number")]
        assert len(kept) == 2 and not any(OLD.encode() in one or NEW.encode() in one for one in kept)
        connection.execute("update former_secrets set sealed = set_byte(sealed, 20, 255 - get_byte(sealed, 20))")
    with pytest.raises(BadInput, match=r"former PRIMUM_SECRET .* was changed"):
        async with process(NEXT):
            pass


async def test_the_version_before_is_refused_once_the_secret_has_changed(process: Process, url: str) -> None:
    async with process(OLD):
        pass
    change(url, NEW, OLD)
    with pytest.raises(MemoryUnavailable, match=r"its PRIMUM_SECRET has changed"):
        schema.downgrade(url, "0007")
    assert schema.is_current(url)


async def test_an_audit_without_a_check_follows_the_database(process: Process, url: str) -> None:
    async with process(OLD) as agent:
        await agent.ask(SAID, patient="anna", thread="t")
    database = Database(url)
    trail = Audit(database, Secret(NEW, OLD))
    await trail.note(ANNA, "test", "read facts", {})
    assert trail.secret.used.value == OLD
    await database.close()


def test_the_secrets_of_the_settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PRIMUM_SECRET", NEW)
    monkeypatch.setenv("PRIMUM_SECRET_BEFORE", f"{OLD}\n{NEXT}\n")
    settings = read_settings(home=tmp_path)
    assert settings.secrets == (NEW, OLD, NEXT)
    assert OLD not in repr(settings)
    with pytest.raises(BadInput, match="A secret of PRIMUM_SECRET_BEFORE has 5 characters"):
        find_secret([NEW, "short"], tmp_path)
    monkeypatch.delenv("PRIMUM_SECRET")
    with pytest.raises(BadInput, match="set that one too"):
        read_settings(home=tmp_path)


def test_a_homes_secret_may_hold_spaces_and_an_empty_file_is_no_first_start(tmp_path: Path) -> None:
    words = "correct horse battery staple and four more words"
    write_secret(tmp_path, [words])
    assert find_secret((), tmp_path).newest.value == words
    (tmp_path / "secret").write_text("\n")
    for _ in range(2):
        with pytest.raises(BadInput, match="is empty"):
            find_secret((), tmp_path)


def test_the_secrets_of_a_home_are_lines_and_the_newest_is_first(tmp_path: Path) -> None:
    assert read_secret(tmp_path) is None
    first = find_secret((), tmp_path).newest.value
    write_secret(tmp_path, [NEXT, first])
    assert [one.value for one in find_secret((), tmp_path).given.values()] == [NEXT, first]
    assert (tmp_path / "secret").stat().st_mode & 0o077 == 0
    assert json.dumps(first) not in repr(find_secret((), tmp_path))
