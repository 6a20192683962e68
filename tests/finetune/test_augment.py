"""Variations say the same as what they were made of: the letter goes with its option, the question asks the same."""

import pytest

from primum.finetune.augment import variations
from primum.finetune.item import Item, choice_prompt
from primum.finetune.questions import asked_of, rephrased

OPTIONS = {"A": "Liver", "B": "Pancreas", "C": "Spleen"}


def choice(options: dict[str, str], letter: str = "B", reasoning: str = "") -> Item:
    question = "Which organ makes insulin?"
    return Item(
        *("x:1", "g", "x", "MIT", question, letter, "choice", choice_prompt(question, options, "A text.")),
        reasoning=reasoning,
        reference=letter,
        options=options,
    )


def test_the_letter_goes_with_its_option() -> None:
    made = list(variations(choice(OPTIONS), 10, seed=3))
    assert len({tuple((one.options or {}).values()) for one in made}) == len(made) == 5
    for one in made:
        assert one.options and one.options[one.reference] == one.options[one.answer] == "Pancreas"
        assert one.asked == choice_prompt(one.question, one.options, "A text.")
    assert [one.id for one in made] == [f"x:1~{number}" for number in range(1, 6)]
    assert {one.group for one in made} == {"g"}


@pytest.mark.parametrize(
    "item",
    [
        choice({"A": "Liver", "B": "Pancreas", "C": "All of the above"}),
        choice({"A": "Liver", "B": "Pancreas", "C": "Both A and B"}),
        choice({"A": "acd", "B": "ab", "C": "bcd"}),
        choice({"A": "yes", "B": "no", "C": "maybe"}),
        choice(OPTIONS, reasoning="Ans. is (B), i.e. the pancreas."),
    ],
)
def test_options_that_name_others_stay_where_they_are(item: Item) -> None:
    assert not list(variations(item, 3, seed=1))


def test_a_question_is_put_in_other_words() -> None:
    item = Item("x:1", "g", "x", "MIT", "How is type 2 diabetes treated?", "With metformin.")
    (made,) = variations(item, 1, seed=1)
    assert made.question != item.question and "type 2 diabetes" in made.question
    assert made.answer == item.answer


def test_the_question_is_changed_in_its_prompt_alone() -> None:
    prompt = "PASSAGES\n[1] Gout\nIt hurts.\n\nQUESTION\nWhat causes gout?\n\nAnswer."
    item = Item("x:1", "g", "x", "MIT", "What causes gout?", "Urate [1].", "grounded", prompt)
    for made in variations(item, 5, seed=1):
        assert made.asked == prompt.replace("What causes gout?", made.question)


def test_a_question_that_no_template_makes_is_left_alone() -> None:
    assert rephrased("My toe has hurt since Monday and I can't sleep. What should I do?") == []
    assert rephrased("What causes pain, swelling and fever after a long walk in the mountains?") == []


def test_one_asks_as_grammar_wants() -> None:
    assert "How are panic attacks treated?" in asked_of("panic attacks", "Treatment")
    assert "How is diabetes treated?" in asked_of("diabetes", "Treatment")
    assert "Where do burns and scalds come from?" in asked_of("burns and scalds", "Causes")
    assert asked_of("gout", "Gout – Can I eat meat?") == ["Gout: Can I eat meat?"]
    assert asked_of("gout", "When you are ill") == ["I would like to know about gout: when you are ill."]
