"""Pairs from a model's own answers."""

import json
from pathlib import Path
from typing import Any

import pytest

from primum.evals import audit
from primum.evals.endpoint import Endpoint
from primum.finetune.rows import Pair, read_rows, write_rows
from primum.finetune.sampling import Draw, judge, pair_of, sample_pairs
from primum.graph.errors import BadInput, PrimumError
from primum.graph.fingerprint import file_hash
from tests.fakes import FakeVLLM, Says
from tests.finetune.test_evaluation import PASSAGES, RIGHT, WRONG, row

GROUNDED = row("g", "grounded", PASSAGES, RIGHT)
OPEN = row("o", "open", "What treats gout?", "Rest and medicines treat gout.")
MOST = "You can take at most 4 grams of acetaminophen a day without asking a doctor first."
DOSE = row("d", "open", "How much acetaminophen can I take a day?", MOST)


def test_the_best_answer_is_chosen_over_the_worst_with_its_findings() -> None:
    pair = pair_of(GROUNDED, [WRONG, RIGHT, "Gout is cured by magic [1]. Rest is bad for gout [1]."], "m")
    assert pair is not None
    assert pair["chosen"][0]["content"] == RIGHT
    assert pair["rejected"][0]["content"].startswith("Gout is cured by magic [1]. Rest")
    assert pair["findings"] == ["unsupported"] or "unsupported" in pair["findings"]
    assert (pair["origin"], pair["subject"], pair["provenance"]["model"]) == ("sampled", "", "m")


def test_a_safe_but_useless_answer_is_rejected_before_a_wrong_one() -> None:
    pair = pair_of(GROUNDED, ["I can't tell.", WRONG, RIGHT], "m")
    assert pair is not None
    assert pair["rejected"][0]["content"] == "I can't tell."
    assert pair["findings"] == ["useless"]


def test_what_a_passage_on_something_else_proves_is_not_chosen() -> None:
    prompt = PASSAGES.replace("QUESTION", "[2] Back pain\nMost back pain gets better within weeks.\n\nQUESTION")
    beside = "Most back pain gets better within weeks [2]."
    asked = row("g", "grounded", prompt, RIGHT)
    assert not audit.judge_row(asked, beside).findings
    pair = pair_of(asked, [beside, RIGHT], "m")
    assert pair is not None and pair["chosen"][0]["content"] == RIGHT
    assert (pair["rejected"][0]["content"], pair["findings"]) == (beside, ["beside_the_question"])


@pytest.mark.parametrize("texts", [[RIGHT], [RIGHT, f" {RIGHT} "], ["", RIGHT], ["", " "], []])
def test_there_is_no_pair_of_equals_nor_one_whose_worst_is_nothing(texts: list[str]) -> None:
    assert pair_of(GROUNDED, texts, "m") is None


@pytest.mark.parametrize("texts", [[WRONG], [WRONG, "I can't tell."]])
def test_where_no_answer_is_good_the_rows_own_is_chosen(texts: list[str]) -> None:
    pair = pair_of(GROUNDED, texts, "m")
    assert pair is not None and pair["provenance"]["chosen"] == "row"
    assert pair["chosen"][0]["content"] == RIGHT and pair["rejected"][0]["content"] == texts[-1]


def test_where_not_even_the_rows_own_answer_is_good_there_is_no_pair() -> None:
    assert pair_of(row("b", "grounded", PASSAGES, "Gout is cured by magic [1]."), [WRONG], "m") is None


def test_open_answers_are_judged_by_their_reference_and_long_ones_a_little_less() -> None:
    right = OPEN["messages"][-1]["content"]
    assert judge(OPEN, right).score > judge(OPEN, f"{right} {right} {right}").score > judge(OPEN, "Magic.").score
    choice = row("c", "choice", "Which?", "A", answer="A", options={"A": "x", "B": "y"})
    assert (judge(choice, "A").score, judge(choice, "B").score) == (1, 0)
    number = row("n", "number", "How many?", "1234", answer="1,234")
    assert (judge(number, "It is 1,234.").score, judge(number, "It is 5.").score) == (1, 0)


TOO_MUCH = MOST.replace("4 grams", "**10 grams**")
USELESS = "Please see a doctor about that."


def test_what_the_rules_or_the_reference_forbid_is_never_chosen_however_like_the_reference_it_is() -> None:
    pair = pair_of(DOSE, [TOO_MUCH, USELESS], "m")
    assert pair is not None
    assert (pair["chosen"][0]["content"], pair["provenance"]["chosen"]) == (MOST, "row")
    assert (pair["rejected"][0]["content"], pair["findings"]) == (USELESS, ["useless"])
    pair = pair_of(DOSE, [TOO_MUCH, "At most 4 grams of paracetamol a day."], "m")
    assert pair is not None and pair["chosen"][0]["content"] == "At most 4 grams of paracetamol a day."
    assert (pair["rejected"][0]["content"], pair["findings"]) == (TOO_MUCH, ["danger", "number"])


@pytest.mark.parametrize(
    ("asked", "wanted", "said", "findings"),
    [
        ("What eases pain?", "Paracetamol eases pain.", "Codeine eases pain.", ["drug"]),
        ("How long?", "The rash is gone within 7 days.", "The rash is gone within 3 days.", ["number"]),
        ("What treats gout?", "Rest and medicines treat gout.", "Rest does not treat gout.", ["negation"]),
        ("What treats gout?", "Rest and medicines treat gout.", "Rest helps gout, medicines treat it.", []),
        ("What treats gout?", "Rest treats gout.", "Rest treats gout, and so does cooling the joint.", []),
    ],
)
def test_an_open_answer_may_say_more_than_its_reference_but_nothing_against_it(
    asked: str, wanted: str, said: str, findings: list[str]
) -> None:
    judged = judge(row("o", "open", asked, wanted), said)
    assert ([*judged.findings], judged.score < 0) == (findings, bool(findings))


def test_an_answer_that_shares_little_with_its_reference_is_not_chosen() -> None:
    pair = pair_of(OPEN, ["Many people have had gout for years.", "I can't tell."], "m")
    assert pair is not None and pair["provenance"]["chosen"] == "row"


async def test_each_prompt_is_asked_so_many_times_with_other_seeds(vllm: FakeVLLM, tmp_path: Path) -> None:
    data, out = tmp_path / "data", tmp_path / "pairs"
    data.mkdir()
    write_rows(data / "train.jsonl", [GROUNDED])
    said: dict[int, Any] = {5: WRONG, 6: RIGHT, 7: Says(RIGHT + " And", finish="length")}
    vllm.default = lambda body: said[body["seed"]]
    draw = Draw(answers=3, temperature=0.7, seed=5)
    card = await sample_pairs(data, Endpoint(vllm.url, "primum", pause=0), out, draw)
    assert [(body["seed"], body["temperature"]) for body in vllm.requests] == [(5, 0.7), (6, 0.7), (7, 0.7)]
    (pair,) = read_rows(out / "pairs.jsonl", Pair)
    assert (pair["chosen"][0]["content"], pair["rejected"][0]["content"]) == (RIGHT, WRONG)
    assert (card["pairs"], card["answers"], card["left_out"]) == (1, 2, 1)
    told = json.loads((out / "card.json").read_text())
    assert told["files"]["pairs.jsonl"] == file_hash(out / "pairs.jsonl")
    assert (told["licences"], told["rows"]) == ({"CC0-1.0": 1}, {"train.jsonl": file_hash(data / "train.jsonl")})
    with pytest.raises(BadInput, match="holds pairs already"):
        await sample_pairs(data, Endpoint(vllm.url, "primum", pause=0), out, draw)


async def test_a_full_disk_is_told_with_the_file(vllm: FakeVLLM, tmp_path: Path) -> None:
    data, out = tmp_path / "data", tmp_path / "pairs"
    for folder in (data, out):
        folder.mkdir()
    write_rows(data / "train.jsonl", [GROUNDED])
    (out / ".pairs.jsonl.part").symlink_to("/dev/full")
    vllm.default = WRONG
    with pytest.raises(PrimumError, match=r"pairs\.jsonl can't be written to \(No space left on device\): make room"):
        await sample_pairs(data, Endpoint(vllm.url, "primum", pause=0), out, Draw(answers=2))


async def test_a_folder_that_is_not_prepared_is_named(vllm: FakeVLLM, tmp_path: Path) -> None:
    with pytest.raises(BadInput, match=r"train\.jsonl: can't be read"):
        await sample_pairs(tmp_path, Endpoint(vllm.url, "primum"), tmp_path / "out", Draw())
