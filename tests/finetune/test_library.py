"""Rows of a library: the prompt that `draft` sends, an answer that our own audit lets stand, or an honest no."""

from pathlib import Path

import pytest

from primum.finetune.datasets import Unusable
from primum.finetune.item import Item, example
from primum.finetune.library import NO_ANSWER, documents, items
from primum.finetune.splits import split_of
from primum.graph.errors import BadInput
from primum.nodes.prompts import render
from primum.safety.sentences import split_answer
from primum.safety.support import Evidence, check

PAGES = {
    "Gout": ("Gout is a kind of arthritis with sudden pain.", "The main symptom of gout is severe pain in one joint. "
             "A joint with gout is often hot and red.", "Gout is treated with rest and with naproxen or colchicine."),
    "Asthma": ("Asthma is a long-term condition of the airways.", "People with asthma wheeze and cough at night. "
               "Asthma makes the chest feel tight.", "Asthma is treated with inhalers that a doctor prescribes."),
    "Eczema": ("Eczema is a condition with dry, itchy skin.", "Eczema makes the skin itch, crack and bleed. "
               "Skin with eczema can become thick.", "Eczema is treated with moisturisers every day."),
    "Measles": ("Measles is an infection with a rash.", "Measles starts with fever and a cough. A rash follows measles "
                "after a few days.", "Measles is treated with rest and fluids at home."),
}  # fmt: skip


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for title, (opening, symptoms, treatment) in PAGES.items():
        meta = f"---\ntitle: {title}\nkind: condition\nlicence: CC0-1.0\n---\n"
        page = f"# {title}\n\n{opening}\n\n## Symptoms\n{symptoms}\n\n## Treatment\n{treatment}\n"
        (tmp_path / f"{title.lower()}.md").write_text(meta + page)
    return tmp_path


def made(folder: Path, seed: int = 0) -> list[Item]:
    return [item for _, item in items(documents(folder), seed, (0.5, 0.0, 0.5)) if not isinstance(item, Unusable)]


def evidence(asked: str) -> dict[int, Evidence]:
    """The passages of a prompt, read out of it again."""
    shown = asked.partition("PASSAGES\n")[2].partition("\nQUESTION\n")[0]
    found = {}
    for block in shown.split("\n["):
        if "] " in block:
            number, _, rest = block.lstrip("[\n").partition("] ")
            head, _, text = rest.partition("\n")
            title, _, heading = head.partition(" – ")
            found[int(number)] = Evidence(text.strip(), title, heading)
    return found


def test_each_page_has_questions_and_their_answers_pass_the_audit(folder: Path) -> None:
    rows = made(folder)
    answered = [item for item in rows if item.answer not in NO_ANSWER]
    assert {item.group for item in answered} == {f"document:{title.lower()}" for title in PAGES}
    assert len(answered) >= 2 * len(PAGES)
    for item in answered:
        verdicts = check(split_answer(item.answer), evidence(item.asked), item.question)
        assert verdicts and all(verdict.stands and verdict.clinical for verdict in verdicts), item.answer
        assert all(verdict.sentence.markers for verdict in verdicts)


def test_a_question_that_the_passages_leave_open_is_said_to_be(folder: Path) -> None:
    refused = [item for item in made(folder) if item.answer in NO_ANSWER]
    assert refused
    for item in refused:
        assert not any(verdict.clinical for verdict in check(split_answer(item.answer), evidence(item.asked)))


def test_the_prompt_is_the_one_that_draft_sends(folder: Path) -> None:
    for item in made(folder):
        system, asked, _ = example(item)["messages"]
        assert system["content"] in (render("system", audience="patient"), render("system", audience="clinician"))
        assert f"\nQUESTION\n{item.question}\n" in asked["content"]
        assert asked["content"].endswith("Answer the question in at most " + asked["content"].rpartition("most ")[2])
        assert asked["content"].endswith(" words. End each sentence with its marker.")


def test_no_page_of_another_split_stands_in_a_prompt(folder: Path) -> None:
    for seed in range(4):
        for item in made(folder, seed):
            own = split_of(item.group, seed, (0.5, 0.0, 0.5))
            titles = {one.title for one in evidence(item.asked).values()}
            assert {split_of(f"document:{t.casefold()}", seed, (0.5, 0.0, 0.5)) for t in titles} == {own}


def test_the_rows_are_the_same_each_time_and_others_with_another_seed(folder: Path) -> None:
    assert made(folder, 1) == made(folder, 1)
    assert [item.asked for item in made(folder, 1)] != [item.asked for item in made(folder, 2)]


def test_a_row_has_the_licence_of_its_page(folder: Path) -> None:
    assert {item.licence for item in made(folder)} == {"CC0-1.0"}


def test_a_folder_without_documents_is_told(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="no document in it that can be read"):
        documents(tmp_path)
