"""Pairs from turns: what the audit let through beside what it rejected, without a person in it."""

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest

from primum.finetune.pairs import collect, export, in_the_prompts_markers, opinion_of, pairs_of
from primum.finetune.rows import Opinion, Pair, read_rows
from primum.graph.agent import Agent
from primum.graph.errors import BadInput
from primum.memory.drafts import Kept
from primum.memory.identity import Identity
from tests.fakes import FakeVLLM
from tests.rows import rows

ANNA, BEN = Identity("main", "anna"), Identity("main", "ben")
RUN = UUID("6f1e0c1e-0000-4000-8000-000000000000")
PROMPT = """PASSAGES

[1] Gout – Signs
The big toe hurts and is red.

[2] Gout – Treatment
Gout is treated with rest and anti-inflammatory medicines.

QUESTION
My name is John Smith. How is gout treated?

Answer the question in at most 100 words. End each sentence with its marker."""
WRONG = "Gout is cured by magic [1]."
RIGHT = "Gout is treated with rest [2]."


def finding(rule: str) -> dict[str, Any]:
    return {"rule": rule, "sentence": "x", "subjects": [], "advice": "", "verified": True}


def turn(**given: Any) -> Kept:
    fields: dict[str, Any] = {
        "run_id": RUN,
        "prompt": [{"role": "system", "content": "You are Primum."}, {"role": "user", "content": PROMPT}],
        "attempts": [{"text": WRONG, "findings": [finding("unsupported"), finding("unsupported")]}],
        "chosen": RIGHT,
        "model": "primum",
        "prompt_hashes": {"draft": "0a1b"},
        "rules_version": "rules-1",
        "at": datetime(2026, 1, 1, tzinfo=UTC),
        "decision": None,
        "before": "",
        "after": "",
        "citations": [{"marker": 1, "quote": "Gout is treated with rest and anti-inflammatory medicines."}],
        "rating": None,
        "reasons": [],
        "answered": "Gout is treated with rest [1].",
    }
    return Kept(**{**fields, **given})


def test_what_was_let_through_is_chosen_over_the_rejected_draft() -> None:
    (pair,) = pairs_of(turn(), "s1")
    assert pair["chosen"] == [{"role": "assistant", "content": RIGHT}]
    assert pair["rejected"] == [{"role": "assistant", "content": WRONG}]
    assert (pair["origin"], pair["findings"], pair["subject"]) == ("audit", ["unsupported"], "s1")
    assert pair["provenance"] == {
        "run_id": str(RUN), "model": "primum", "rules": "rules-1", "prompts": "draft:0a1b"
    }  # fmt: skip


def test_a_draft_that_stands_as_it_is_teaches_no_difference() -> None:
    assert not [*pairs_of(turn(attempts=[{"text": RIGHT, "findings": []}]))]
    assert not [*pairs_of(turn(attempts=[{"text": f" {RIGHT.upper()}", "findings": [finding("number")]}]))]
    assert not [*pairs_of(turn(chosen=""))]


def test_the_same_draft_is_rejected_once() -> None:
    attempts = [{"text": WRONG, "findings": [finding("unsupported")]}] * 2
    assert len([*pairs_of(turn(attempts=attempts))]) == 1


def test_a_persons_name_goes_from_the_prompt_and_from_both_answers() -> None:
    (pair,) = pairs_of(
        turn(chosen=f"John, {RIGHT}", attempts=[{"text": f"Dear John Smith! {WRONG}", "findings": [finding("x")]}])
    )
    written = json.dumps(pair)
    assert "John" not in written and "Smith" not in written
    assert "[NAME 1]" in pair["prompt"][1]["content"] and "[NAME 1]" in pair["rejected"][0]["content"]


def test_a_clinicians_edit_is_chosen_over_the_answer_before() -> None:
    edited = turn(
        attempts=[],
        decision="edited",
        before="> **Warning.** Take care.\n\nGout is treated with rest [1].",
        after="Gout is treated with rest and anti-inflammatory medicines [1].",
    )
    (pair,) = pairs_of(edited)
    assert pair["origin"] == "clinician"
    assert pair["rejected"][0]["content"] == "Gout is treated with rest [2]."
    assert pair["chosen"][0]["content"] == "Gout is treated with rest and anti-inflammatory medicines [2]."


def test_an_answers_markers_become_the_prompts_or_it_is_left_out() -> None:
    assert in_the_prompts_markers("Rest helps [1].", turn()) == "Rest helps [2]."
    assert in_the_prompts_markers("Rest helps [7].", turn()) == ""


def test_what_a_clinician_refused_is_no_better_answer() -> None:
    assert list(pairs_of(turn(decision="refused"))) == []


def test_a_reason_in_free_words_names_nobody() -> None:
    found = opinion_of(turn(rating=-1, reasons=["Dr Anna Novak said no"]))
    assert found is not None and "Novak" not in found["reasons"][0]


def test_a_thumb_becomes_an_opinion_with_its_reasons() -> None:
    assert opinion_of(turn()) is None
    found = opinion_of(turn(rating=-1, reasons=["too long"]), "s1")
    assert found is not None
    assert (found["label"], found["reasons"], found["subject"]) == (False, ["too long"], "s1")
    assert found["completion"] == [{"role": "assistant", "content": RIGHT}]


# From the database


@pytest.fixture
async def told(agent: Agent, vllm: FakeVLLM) -> Agent:
    """Anna and Ben consent, Carl was not asked; a draft of each was mended."""
    for identity in (ANNA, BEN):
        await agent.resources.consents.record(identity, True, "clinic")
    for patient in ("anna", "ben", "carl"):
        vllm.says("Gout is cured by magic [1].", "Gout is cured by magic [1].")
        answer = await agent.ask("How is gout treated?", patient=patient)
        assert answer.status in ("answered", "evidence_only")
    return agent


async def test_the_export_holds_those_who_consent_by_their_pseudonyms(told: Agent, tmp_path: Path) -> None:
    card = await export(told.resources.audit, "main", tmp_path / "out", actor="test")
    found = list(read_rows(tmp_path / "out" / "pairs.jsonl", Pair))
    secret = told.resources.secret
    assert {row["subject"] for row in found} == {secret.pseudonym(ANNA), secret.pseudonym(BEN)}
    assert card["subjects"] == 2 and card["origins"] == {"audit": len(found)} and card["findings"]["unsupported"]
    assert list(read_rows(tmp_path / "out" / "opinions.jsonl", Opinion)) == []
    for row in found:
        assert row["chosen"] != row["rejected"] and row["rejected"][0]["content"].startswith("Gout is cured by magic")
    assert (await told.resources.audit.verify("main")).holds


async def test_a_folder_is_exported_to_once(told: Agent, tmp_path: Path) -> None:
    await export(told.resources.audit, "main", tmp_path, actor="test")
    with pytest.raises(BadInput, match="holds rows already"):
        await export(told.resources.audit, "main", tmp_path, actor="test")


async def test_who_withdraws_is_out_of_the_next_export(told: Agent) -> None:
    assert [one.identity for one in await collect(told.resources.audit, "main")] == [ANNA, BEN]
    await told.resources.consents.record(ANNA, False, "anna")
    assert [one.identity for one in await collect(told.resources.audit, "main")] == [BEN]


@pytest.mark.parametrize("way", ["erased", "withdrawn"])
async def test_who_goes_takes_their_rows_out_of_the_folders_and_the_adapters_are_named(
    told: Agent, tmp_path: Path, way: str
) -> None:
    folder = tmp_path / "pairs"
    card = await export(told.resources.audit, "main", folder, actor="test")
    run = tmp_path / "adapters" / "dpo"
    run.mkdir(parents=True)
    (run / "run.json").write_text(json.dumps({"data": {"pairs.jsonl": card["files"]["pairs.jsonl"]}}))
    (tmp_path / "adapters" / "other").mkdir()
    (tmp_path / "adapters" / "other" / "run.json").write_text('{"data": {}}')
    if way == "erased":
        out = (await told.resources.erasure.erase(ANNA, "patient")).exports
    else:
        out = (await told.resources.consents.record(ANNA, False, "anna")).exports
    assert out is not None
    assert out.rows == {str(folder): 1}
    assert out.adapters == [str(run)]
    left = list(read_rows(folder / "pairs.jsonl", Pair))
    assert {row["subject"] for row in left} == {told.resources.secret.pseudonym(BEN)}


async def test_an_adapter_that_was_trained_after_others_left_is_named(told: Agent, tmp_path: Path) -> None:
    folder, run = tmp_path / "pairs", tmp_path / "dpo"
    await export(told.resources.audit, "main", folder, actor="test")
    await told.resources.consents.record(ANNA, False, "anna")
    run.mkdir()
    (run / "run.json").write_text(json.dumps({"data": {"folder": str(folder / "pairs.jsonl"), "hashes": {}}}))
    assert (await told.resources.consents.record(BEN, False, "ben")).exports.adapters == [str(run)]


async def test_a_text_with_signs_that_end_a_line_is_taken_out_whole(told: Agent, tmp_path: Path) -> None:
    await export(told.resources.audit, "main", tmp_path, actor="test")
    file = tmp_path / "pairs.jsonl"
    file.write_text(file.read_text().replace("Gout is cured by magic", "Gout is cured\u2028by\u0085magic"))
    out = (await told.resources.erasure.erase(ANNA, "patient")).exports
    assert out is not None and out.rows == {str(tmp_path): 1}
    assert [row["subject"] for row in read_rows(file, Pair)] == [told.resources.secret.pseudonym(BEN)]


async def test_rows_that_cannot_be_taken_out_keep_the_patient(
    told: Agent, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    await export(told.resources.audit, "main", tmp_path, actor="test")

    def full(*_: Any) -> int:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("primum.memory.exports.without", full)
    with pytest.raises(OSError, match="No space left"):
        await told.resources.erasure.erase(ANNA, "patient")
    monkeypatch.undo()
    out = (await told.resources.erasure.erase(ANNA, "patient")).exports
    assert out is not None and out.rows == {str(tmp_path): 1}


async def test_who_withdraws_while_it_is_written_is_not_in_it(
    told: Agent, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = await collect(told.resources.audit, "main")
    await told.resources.consents.record(ANNA, False, "anna")

    async def before(*_: Any, **__: Any) -> Any:
        return found

    monkeypatch.setattr("primum.finetune.pairs.collect", before)
    with pytest.raises(BadInput, match="export again"):
        await export(told.resources.audit, "main", tmp_path, actor="test")
    assert not (tmp_path / "pairs.jsonl").exists() and not (tmp_path / "opinions.jsonl").exists()


async def test_a_folder_that_is_gone_is_said_to_be(told: Agent, tmp_path: Path) -> None:
    await export(told.resources.audit, "main", tmp_path / "pairs", actor="test")
    (tmp_path / "pairs").rename(tmp_path / "elsewhere")
    out = (await told.resources.erasure.erase(ANNA, "patient")).exports
    assert out is not None
    assert (out.rows, out.gone) == ({}, [str(tmp_path / "pairs")])


async def test_a_thumb_comes_out_of_the_database(told: Agent, tmp_path: Path) -> None:
    ((run_id,),) = await rows(told.resources.database, "select run_id from turns", ANNA)
    await told.resources.opinions.keep(ANNA, run_id, 1, ["clear"], "")
    await export(told.resources.audit, "main", tmp_path, actor="test")
    found = list(read_rows(tmp_path / "opinions.jsonl", Opinion))
    assert [(row["label"], row["reasons"]) for row in found] == [(True, ["clear"])]
