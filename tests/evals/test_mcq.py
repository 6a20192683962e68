import json
from pathlib import Path
from typing import Any

import pytest

from primum.evals.choices import Question, read
from primum.evals.endpoint import Endpoint, Kept, Token, Written
from primum.evals.mcq import compare, judged, letter_of, prompt, run, sampled
from primum.graph.errors import ModelUnavailable
from primum.retrieval.search import Passage
from tests.fakes import FakeVLLM, Says

OPTIONS = {"A": "one", "B": "two", "C": "three", "D": "four"}


@pytest.mark.parametrize(
    ("text", "letter"),
    [
        ("B", "B"),
        (" (b)", "B"),
        ("b", "B"),
        ("B\n\nExplanation: naproxen is an NSAID.", "B"),
        ("B\n\nWhy the others are wrong:\nA. too weak\nC. too strong", "B"),
        ("B, naproxen", "B"),
        ("B - naproxen", "B"),
        ("B – naproxen, because it works.", "B"),
        (r"\boxed{B}", "B"),
        (r"\boxed{\text{B}}", "B"),
        (r"The final answer is: $\boxed{B}$", "B"),
        ("<answer>B</answer>", "B"),
        ("I weigh A against C.\n<answer> (b) </answer>", "B"),
        ("B is correct", "B"),
        ("**B** is the best answer.", "B"),
        ("Therefore B is correct, and C is incorrect.", "B"),
        ("The answer is 'B'", "B"),
        ("The answer must be B.", "B"),
        ("**Answer:** B", "B"),
        ("正确选项为B", "B"),
        ("The answer is (b), since it helps.", "B"),
        ("The answer is most likely B.", "B"),
        ("选B", "B"),
        ("故选B。", "B"),
        ("选项B正确", "B"),
        ("答案选B", "B"),
        ("A不正确，B正确。", "B"),
        ("I do not know for sure, but the answer is B.", "B"),
        ("**C**", "C"),
        ("B.", "B"),
        ("B) two, because of one.", "B"),
        ("The answer is B.", "B"),
        ("Let me see.\nAnswer: **D**", "D"),
        ("答案是B", "B"),
        ("A patient with gout needs rest.", None),
        ("A) one\nB) two", None),
        ("The answer is A, or the answer is B.", None),
        ("The answer is A or B.", None),
        ("Answer: A, B", None),
        ("Option A is incorrect.", None),
        ("The best choice is A patient-centred visit.", None),
        ("Answer: B, I think", "B"),
        ("The answer is C and not D", "C"),
        ("J", None),
        ("", None),
        ("I can't tell.", None),
        ("The answer is A's brother", None),
        ("I think it is not B", None),
        ("The answer is not B", None),
        ("I would not choose option B.", None),
        ("B is not correct", None),
        ("B is incorrect", None),
        ("A\nB", None),
        ("A, B and C are wrong.", None),
        ("A, B", None),
        ("A - B", None),
        (r"\boxed{A} or \boxed{B}", None),
        (r"\boxed{A, B}", None),
        (r"\boxed{12}", None),
        ("<answer>A or B</answer>", None),
        ("<answer>naproxen</answer> A. B.", None),
        ("A is correct, B is correct", None),
        ("Vitamin B is the best choice for this.", None),
        ("Hepatitis B is the correct diagnosis.", None),
        ("I, as a model, can't tell.", None),
        ("a patient", None),
        ("The answer is a matter of taste.", None),
        ("选A或B", None),
        ("不选B", None),
        ("不能选B", None),
        ("选项B错误", None),
        ("选A还是选B", None),
    ],
)
def test_a_choice_is_read_strictly(text: str, letter: str | None) -> None:
    assert letter_of(text, OPTIONS) == letter


def test_a_pronoun_is_no_ninth_option() -> None:
    options = dict.fromkeys("ABCDEFGHIJ", "")
    assert letter_of("I, personally, would rest.", options) is None
    assert letter_of("I think so.", options) is None
    assert letter_of("I) nine", options) == "I"


def test_a_thought_is_no_choice() -> None:
    (row,) = judged([question()], [Written("<think>The answer is A.</think>B")])["rows"]
    assert row["said"] == "B"


def question(name: str = "q", answer: str = "B", **given: Any) -> Question:
    return Question(name, "test", "Which?", OPTIONS, answer, **given)


def test_what_can_t_be_read_is_wrong_and_counted_apart() -> None:
    answers = [Written("B"), Written("A"), Written("Hm."), Written(refused="HTTP 400")]
    found = judged([question(str(number)) for number in range(4)], answers)
    assert found["accuracy"]["mean"] == 0.25
    assert found["accuracy_of_readable"] == 0.5
    assert (found["unparsable"], found["unparsable_ids"], found["refused"]) == (2, ["2", "3"], 1)


def test_how_sure_a_choice_is_comes_from_the_letters_own_likelihoods() -> None:
    token = Token(" B", -0.5, {" B": -0.5108256, "A": -1.2039728, "The": -0.1})
    found = judged([question()], [Written("B", (token,))])
    assert found["rows"][0]["confidence"] == pytest.approx(2 / 3, abs=1e-3)
    assert found["calibration"]["ece"] == pytest.approx(1 / 3, abs=1e-3)


def test_runs_are_compared_question_by_question() -> None:
    before = judged([question("1"), question("2")], [Written("A"), Written("A")])
    after = judged([question("2"), question("3")], [Written("B"), Written("B")])
    assert compare(before, after)["n"] == 1
    with pytest.raises(ValueError, match="no question in common"):
        compare(before, judged([question("9")], [Written("A")]))


def test_a_limit_draws_the_same_questions_each_time() -> None:
    questions = [question(str(number)) for number in range(100)]
    assert sampled(questions, 10, seed=1) == sampled(questions, 10, seed=1) != sampled(questions, 10, seed=2)
    assert len(sampled(questions, 10)) == 10
    assert sampled(questions, None) == questions


# The endpoint


def endpoint(vllm: FakeVLLM, kept: Path | None = None) -> Endpoint:
    return Endpoint(vllm.url, "primum", at_once=1, kept=Kept(kept), pause=0)


async def test_each_question_is_asked_once_and_greedily(vllm: FakeVLLM) -> None:
    vllm.default = "B"
    other = Question("2", "test", "Which else?", OPTIONS, "A")
    found = await run([question("1"), question("1"), other], endpoint(vllm))
    assert found["accuracy"]["mean"] == 0.6667
    assert len(vllm.requests) == 2
    assert vllm.requests[0]["temperature"] == 0
    assert "A. one\nB. two" in vllm.requests[0]["messages"][0]["content"]


async def test_evidence_is_looked_for_by_the_question_without_its_options(vllm: FakeVLLM) -> None:
    asked: list[str] = []

    async def search(query: str) -> list[Passage]:
        asked.append(query)
        return [passage("Two is right.")]

    vllm.default = lambda body: "B" if "Two is right." in body["messages"][0]["content"] else "A"
    one = Question("1", "test", "Which number is it?\nA) one\nB) two\nC) three", OPTIONS, "B")
    found = await run([one], endpoint(vllm), search)
    assert asked == ["Which number is it?"]
    assert found["accuracy"]["mean"] == 0
    assert found["with_evidence"]["accuracy"]["mean"] == 1
    assert found["evidence_difference"]["mean"] == 1


def passage(text: str) -> Passage:
    fields = dict.fromkeys(Passage.__dataclass_fields__, "")
    return Passage(**{**fields, "chunk_id": 1, "document_id": 1, "text": text, "title": "Numbers", "heading": "Two"})  # type: ignore[arg-type]


async def test_a_run_that_was_broken_off_goes_on_where_it_was(vllm: FakeVLLM, tmp_path: Path) -> None:
    kept = tmp_path / "rows.jsonl"
    vllm.default = lambda body: "B" if "first" in body["messages"][0]["content"] else Says(status=500)
    questions = [Question(name, "test", f"The {name}?", OPTIONS, "B") for name in ("first", "second")]
    with pytest.raises(ModelUnavailable, match="HTTP 500"):
        await run(questions, endpoint(vllm, kept))
    with kept.open("a") as file:
        file.write('{"key": "half of a li')
    asked = len(vllm.requests)
    vllm.default = "B"
    found = await run(questions, endpoint(vllm, kept))
    assert found["accuracy"]["mean"] == 1
    assert len(vllm.requests) == asked + 1
    await run(questions, endpoint(vllm, kept))
    assert len(vllm.requests) == asked + 1


async def test_a_passing_failure_is_tried_again(vllm: FakeVLLM) -> None:
    vllm.default = "B"
    vllm.says(Says(status=503))
    assert (await run([question()], endpoint(vllm)))["accuracy"]["mean"] == 1


async def test_a_prompt_that_the_server_refuses_does_not_end_the_run(vllm: FakeVLLM) -> None:
    vllm.default = "B"
    vllm.says(Says(status=400))
    found = await run([question("1")], endpoint(vllm))
    assert (found["refused"], found["unparsable"]) == (1, 1)


async def test_a_wrong_name_or_address_is_said(vllm: FakeVLLM) -> None:
    vllm.default = Says(status=404)
    with pytest.raises(ModelUnavailable, match=r"'primum' \(HTTP 404\)"):
        await run([question()], endpoint(vllm))
    vllm.stop()
    with pytest.raises(ModelUnavailable, match="Check the address"):
        await run([question()], endpoint(vllm))


# The files


def write(path: Path, *rows: Any) -> Path:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


def medmcqa(cop: int) -> dict[str, Any]:
    return {"id": f"m{cop}", "question": "Which?", "opa": "1", "opb": "2", "opc": "3", "opd": "4", "cop": cop}


def test_medmcqas_own_file_counts_its_options_from_one_and_its_copy_from_nought(tmp_path: Path) -> None:
    raw = read([write(tmp_path / "raw.json", *map(medmcqa, (1, 2, 4)))])
    copy = read([write(tmp_path / "hf.jsonl", *map(medmcqa, (0, 1, 3)))])
    assert [one.answer for one in raw] == [one.answer for one in copy] == ["A", "B", "D"]
    hidden = read([write(tmp_path / "test.jsonl", *map(medmcqa, (-1, 2)))])
    assert [one.answer for one in hidden] == ["C"]
    for codes in ((1, 2), (0, 4)):
        with pytest.raises(ValueError, match="counts from 0 or from 1"):
            read([write(tmp_path / "unclear.jsonl", *map(medmcqa, codes))])


def test_pubmedqa_is_read_without_its_conclusion_and_by_its_test_split(tmp_path: Path) -> None:
    row = {
        "QUESTION": "Does it?",
        "CONTEXTS": ["We looked.", "We found."],
        "LONG_ANSWER": "Yes.",
        "final_decision": "no",
    }
    whole = write(tmp_path / "pqal.json", {"1": row, "2": {**row, "final_decision": "maybe"}})
    split = write(tmp_path / "test.json", {"2": "maybe"})
    (one,) = read([whole, split])
    assert (one.id, one.answer, one.context) == ("2", "C", "We looked.\n\nWe found.")
    assert "Yes." not in str(prompt(one))


def test_medqa_and_mmlu_are_read_as_published(tmp_path: Path) -> None:
    medqa = write(
        tmp_path / "medqa.jsonl", {"question": "Which?", "options": OPTIONS, "answer": "two", "answer_idx": "B"}
    )
    mmlu = tmp_path / "anatomy_test.csv"
    mmlu.write_text('"Which, then?",one,two,three,four,D\n')
    hub = write(
        tmp_path / "mmlu.jsonl", {"question": "Which?", "subject": "anatomy", "choices": ["x", "y"], "answer": 1}
    )
    assert [(one.source, one.answer) for one in read([medqa, mmlu, hub])] == [
        ("medqa", "B"), ("mmlu/anatomy", "D"), ("mmlu/anatomy", "B")
    ]  # fmt: skip


def test_a_prepared_row_is_asked_as_it_stands(tmp_path: Path) -> None:
    messages = [{"role": "user", "content": "Which? A. one B. two"}, {"role": "assistant", "content": "B"}]
    row = {"id": "p", "source": "s", "kind": "choice", "messages": messages, "options": OPTIONS, "answer": "B"}
    (one,) = read([write(tmp_path / "test.jsonl", row)])
    assert prompt(one) == messages[:1]


def test_a_file_of_another_form_is_named(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"other\.jsonl:1: no question of MedQA"):
        read([write(tmp_path / "other.jsonl", {"question": "Which?"}, {"question": "Which?"})])
    with pytest.raises(ValueError, match="can't be read"):
        read([tmp_path / "none.jsonl"])
