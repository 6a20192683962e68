"""Consent, pairs and evaluations, from the command line and over HTTP."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import pytest
from sqlalchemy import text

from primum.finetune.rows import Pair, read_rows
from primum.memory.identity import Identity
from primum.memory.session import Database
from tests.commands import Done, primum
from tests.fakes import FakeVLLM
from tests.finetune.test_evaluation import PASSAGES, RIGHT, WRONG, row
from tests.served import events


@pytest.fixture
def run(database_url: str, vllm: FakeVLLM) -> Callable[..., Done]:
    def command(*arguments: str, code: int = 0) -> Done:
        given = {"PRIMUM_DATABASE_URL": database_url, "PRIMUM_SECRET": "s" * 40, "PRIMUM_MODEL_URL": vllm.url}
        done = primum(*arguments, **given)
        assert done.returncode == code, done.stderr
        return done

    return command


def told(done: Done) -> Any:
    return json.loads(done.stdout)


def test_consent_is_given_shown_and_withdrawn(run: Callable[..., Done]) -> None:
    assert told(run("consent", "--patient", "anna"))["given"] is None
    assert told(run("consent", "give", "--patient", "anna"))["by"] == "command line"
    assert told(run("consent", "withdraw", "--patient", "anna"))["given"] is False
    assert told(run("consent", "show", "--patient", "anna"))["given"] is False


def test_consent_over_http_keeps_drafts_until_it_is_withdrawn(api: httpx.Client, vllm: FakeVLLM) -> None:
    vllm.default = "Gout is cured by magic [1]."
    assert api.get("/patients/anna/consent").json()["given"] is None
    assert api.put("/patients/anna/consent", json={"given": True}).json()["given"] is True
    events(api, question="How is gout treated?", patient="anna")
    withdrawn = api.put("/patients/anna/consent", json={"given": False}).json()
    assert (withdrawn["given"], withdrawn["removed"]) == (False, 1)
    assert api.put("/patients/anna/consent", json={"given": "perhaps"}).status_code == 422


async def kept(url: str) -> None:
    """A turn of Anna's with a rejected draft."""
    database = Database(url)
    async with database.begin(Identity("main", "anna")) as connection:
        for statement in (
            "insert into threads (tenant, id, patient, title) values ('main', 't', 'anna', 'Gout')",
            "insert into turns (run_id, tenant, patient, thread_id, question, request, status) values "
            "('6f1e0c1e-0000-4000-8000-000000000000', 'main', 'anna', 't', 'How?', '{}', 'done')",
        ):
            await connection.execute(text(statement))
        await connection.execute(
            text(
                "insert into drafts (run_id, tenant, patient, prompt, attempts, chosen, model, prompt_hashes, "
                "rules_version) values ('6f1e0c1e-0000-4000-8000-000000000000', 'main', 'anna', "
                "cast(:prompt as jsonb), cast(:attempts as jsonb), :chosen, 'm', '{}', 'r')"
            ),
            {
                "prompt": json.dumps([{"role": "user", "content": PASSAGES}]),
                "attempts": json.dumps([{"text": WRONG, "findings": [{"rule": "unsupported"}]}]),
                "chosen": RIGHT,
            },
        )
    await database.close()


async def test_pairs_are_exported_and_leave_the_folder_with_their_patient(
    run: Callable[..., Done], database_url: str, tmp_path: Path
) -> None:
    run("consent", "give", "--patient", "anna")
    await kept(database_url)
    card = told(run("finetune", "pairs", "--out", str(tmp_path / "pairs")))
    assert (card["pairs"], card["findings"]) == (1, {"unsupported": 1})
    assert "holds rows already" in run("finetune", "pairs", "--out", str(tmp_path / "pairs"), code=2).stderr
    receipt = told(run("erase", "anna", "--yes"))
    assert receipt["exports"]["rows"] == {str(tmp_path / "pairs"): 1}
    assert (tmp_path / "pairs" / "pairs.jsonl").read_text() == ""
    file = tmp_path / "receipt.json"
    file.write_text(json.dumps(receipt))
    assert "genuine" in run("audit", "verify", "--receipt", str(file)).stdout


def test_a_models_own_answers_become_pairs(run: Callable[..., Done], vllm: FakeVLLM, tmp_path: Path) -> None:
    vllm.default = lambda body: (RIGHT, WRONG)[body["seed"] % 2]
    (tmp_path / "train.jsonl").write_text(json.dumps(row("g", "grounded", PASSAGES, RIGHT)) + "\n")
    run("finetune", "pairs", "--sample", str(tmp_path), "--answers", "2", "--out", str(tmp_path / "own"))
    (pair,) = read_rows(tmp_path / "own" / "pairs.jsonl", Pair)
    assert pair["chosen"][0]["content"] == RIGHT


def test_a_model_is_measured_and_compared_with_its_baseline(
    run: Callable[..., Done], vllm: FakeVLLM, tmp_path: Path
) -> None:
    data, before, after = (tmp_path / name for name in ("mmlu_test.csv", "before.json", "after.json"))
    data.write_text('Which?,one,two,three,four,B\n"Which, then?",one,two,three,four,C\n')
    vllm.default = "A"
    run("eval", "mcq", "--data", str(data), "--out", str(before))
    assert json.loads(before.read_text())["accuracy"]["mean"] == 0
    assert sorted(path.name for path in tmp_path.glob("before*")) == ["before.json"]
    vllm.default = lambda body: "B" if "Which?" in body["messages"][0]["content"] else "C"
    found = told(run("eval", "mcq", "--data", str(data), "--out", str(after), "--baseline", str(before)))
    assert found["against_baseline"]["accuracy"]["mean"] == 1
    page = tmp_path / "report.html"
    done = told(run("finetune", "evaluate", str(before), str(after), "--out", str(page)))
    assert done["models"] == ["before", "after"]
    assert "Right choices" in page.read_text()


def test_grounded_rows_are_audited_and_others_are_refused(
    run: Callable[..., Done], vllm: FakeVLLM, tmp_path: Path
) -> None:
    vllm.default = WRONG
    rows = tmp_path / "test.jsonl"
    rows.write_text(json.dumps(row("g", "grounded", PASSAGES, RIGHT)) + "\n")
    found = told(run("eval", "audit", "--data", str(rows)))
    assert found["rules"] == {"unsupported": 1}
    rows.write_text(json.dumps(row("o", "open", "Why?", "So.")) + "\n")
    assert "No row of kind `grounded`" in run("eval", "audit", "--data", str(rows), code=2).stderr


@pytest.mark.parametrize(("given", "wanted"), [(None, "none"), ("theirs", "theirs")])
def test_a_judge_in_another_house_never_gets_our_key(
    database_url: str, vllm: FakeVLLM, tmp_path: Path, given: str | None, wanted: str
) -> None:
    cases = tmp_path / "rubric.jsonl"
    rubric = [{"criterion": "Names rest", "points": 5, "tags": []}]
    prompt = [{"role": "user", "content": "How is gout treated?"}]
    cases.write_text(json.dumps({"prompt_id": "1", "prompt": prompt, "rubrics": rubric}) + "\n")
    vllm.default = "Rest."
    with FakeVLLM("judge") as judge:
        judge.forms["Grade"] = json.dumps({"criteria_met": True, "explanation": "it does"})
        keys = {"PRIMUM_JUDGE_KEY": given} if given else {}
        done = primum(
            "eval", "rubric", "--data", str(cases), "--judge-url", judge.url, "--judge-model", "judge",
            PRIMUM_DATABASE_URL=database_url, PRIMUM_SECRET="s" * 40, PRIMUM_MODEL_URL=vllm.url,
            PRIMUM_MODEL_KEY="ours", **keys,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
        assert judge.requests and judge.keys == {wanted}
    assert vllm.keys == {"ours"}
