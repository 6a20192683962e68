"""What is mended, and what is left out for which reason."""

from pathlib import Path

import pytest

from primum.finetune.cleaning import Rules, cleaned, estimated_tokens, token_counter, without_boilerplate
from primum.finetune.item import Item
from primum.graph.errors import BadInput
from tests.finetune.test_datasets import items, jsonl

ANSWER = "Gout is a kind of arthritis. It comes from crystals of uric acid in a joint."


def item(question: str = "What is gout?", answer: str = ANSWER, **more: object) -> Item:
    return Item("a:1", "g", "a", "MIT", question, answer, **more)  # type: ignore[arg-type]


def reason(one: Item, rules: Rules | None = None) -> str:
    return cleaned(one, rules or Rules(), estimated_tokens).reason


@pytest.mark.parametrize(
    ("question", "answer", "why"),
    [
        ("…", ANSWER, "empty question"),
        ("What is gout?", " ", "empty answer"),
        ("What is gout?", "N/A", "placeholder"),
        ("What is gout?", "nan", "placeholder"),
        ("What is gout?", "https://example.org/gout", "placeholder"),
        ("What is gout?", "Dear [insert name], it is a kind of arthritis.", "placeholder"),
        ("What is gout?", "what is gout", "answer repeats the question"),
        ("What is gout?", "It\u2019s \u00e2\u20ac\u2122 a kind of arthritis.", "garbled text"),
        ("What is gout?", "Gout is a kind of arthritis that is caused by crystals of", "answer cut off"),
        ("What is gout?", "Gout is a disease of the joints. You should drink water. " * 3, "answer repeats itself"),
        ("痛风是什么病？应该怎么治疗？请医生说明一下。", ANSWER,
         "question and answer in different languages"),
        ("What is the best treatment of gout for me?", "痛风是一种关节炎，由尿酸结晶引起，"
         "应该多喝水，"
         "少吃红肉和海鲜，并遵医嘱服药治疗。急性期可以冷敷患处并抬高患肢。",
         "question and answer in different languages"),
    ],
)  # fmt: skip
def test_a_broken_pair_is_left_out(question: str, answer: str, why: str) -> None:
    assert reason(item(question, answer)) == why


@pytest.mark.parametrize(
    ("question", "answer", "why"),
    [
        ("How much paracetamol can I take?", "Take 3000 mg of paracetamol every 2 hours.", "unsafe: dose"),
        ("I take warfarin and have a headache. What helps?", "Take ibuprofen 400 mg.", "unsafe: interaction"),
        ("I am 30 weeks pregnant. What helps against back pain?", "Take ibuprofen three times a day.",
         "unsafe: contraindication"),
        ("I am allergic to penicillin. What helps against a sore throat?", "Take amoxicillin for a week.",
         "unsafe: allergy"),
        ("I have crushing chest pain that spreads to my left arm. What is it?",
         "It is a pulled muscle. Put some warmth on it.", "unsafe: emergency missed"),
        ("Does cinnamon help against diabetes?", "Yes, stop your insulin and use two spoons of cinnamon.",
         "unsafe: advice"),
        ("Are vaccines safe?", "Vaccines cause autism and measles is harmless, so you should avoid the vaccine.",
         "unsafe: advice"),
        ("宝宝发烧39度怎么办？", "给宝宝吃成人剂量的阿司匹林就可以退烧，不用去医院。", "unsafe: contraindication"),
    ],
)  # fmt: skip
def test_advice_that_our_rules_forbid_is_left_out(question: str, answer: str, why: str) -> None:
    assert reason(item(question, answer)) == why


@pytest.mark.parametrize(
    ("question", "answer"),
    [
        ("How much paracetamol can I take?", "Take 500 mg of paracetamol, at most four times a day."),
        ("I have crushing chest pain that spreads to my left arm. What is it?", "Call an ambulance now."),
        ("I take warfarin and have a headache. What helps?", "Do not take ibuprofen. Ask your doctor first."),
    ],
)
def test_safe_advice_stays(question: str, answer: str) -> None:
    assert reason(item(question, answer)) == ""


def test_a_patient_s_clinician_is_no_patient_so_no_emergency_is_missed() -> None:
    asked = "My patient has crushing chest pain that spreads to his left arm. What does the electrocardiogram show?"
    assert reason(item(asked, "It shows a raised segment.")) == ""


@pytest.mark.parametrize(
    ("form", "asked", "said"),
    [
        ("medical-o1", ("Question", "Complex_CoT"), "Response"),
        ("medical-o1-verifiable", ("Open-ended Verifiable Question",), "Ground-True Answer"),
    ],
)
def test_free_text_is_masked_and_checked_whatever_form_it_comes_in(
    tmp_path: Path, form: str, asked: tuple[str, ...], said: str
) -> None:
    person = "My name is Jane Miller, phone 555-123-4567, email jane@x.org."
    rows = [
        dict.fromkeys(asked, f"{person} I have crushing chest pain that spreads to my left arm. What is it?")
        | {said: "Jane Miller, lie down and sleep it off."},
        dict.fromkeys(asked, f"{person} What is gout?") | {said: f"Jane Miller, gout is this. {ANSWER}"},
    ]
    found, made = items(jsonl(tmp_path / "own.jsonl", *rows))
    missed, masked = (cleaned(one, Rules(), estimated_tokens) for one in made)
    assert (found, missed.reason) == (form, "unsafe: emergency missed")
    assert masked.item is not None and "personal data" in masked.mended
    told = masked.item.prompt + masked.item.completion
    assert not any(one in told for one in ("Jane", "Miller", "555", "jane@"))


@pytest.mark.parametrize(
    ("answer", "left"),
    [
        ("Hello, welcome to Chat Doctor. Drink water. Hope this helps. Regards, Dr. Smith.", "Drink water."),
        ("Hi there! Drink water. Let me know if you have more questions.", "Drink water."),
        ("Drink water. As an AI language model, I can't examine you. Rest.", "Drink water. Rest."),
        (
            "As an AI language model, I can say that an NSAID such as naproxen is the usual first treatment. Rest.",
            "An NSAID such as naproxen is the usual first treatment. Rest.",
        ),
        ("As an AI assistant, gout is treated with rest.", "Gout is treated with rest."),
        (
            "Rest helps against gout at night, but as an AI language model I can't prescribe. Drink water.",
            "Rest helps against gout at night. Drink water.",
        ),
        ("I'm sorry, but as an AI language model I can't examine you. Rest.", "Rest."),
        ("作为一个AI语言模型，我可以告诉您，痛风要多喝水。", "痛风要多喝水。"),
        ("作为一个AI语言模型，我无法诊断。多喝水。", "多喝水。"),
        ("您好，多喝水。希望对您有帮助。", "您好，多喝水。"),
        ("Hello, drink water.", "Hello, drink water."),
        ("Drink water.", "Drink water."),
        ("Hello.\n\n1. Drink water.\n2. Rest.", "1. Drink water.\n2. Rest."),
    ],
)
def test_courtesies_are_taken_out(answer: str, left: str) -> None:
    assert without_boilerplate(answer) == left


def test_an_answer_that_is_nothing_but_courtesy_is_left_out() -> None:
    assert (
        reason(item(answer="As an AI language model, I can't answer that. Hope this helps!"))
        == "nothing but boilerplate"
    )


def test_courtesies_are_taken_out_of_earlier_turns_as_well() -> None:
    said = ("Since when?", "As an AI language model, I can say that rest helps.", "As an AI language model, I can't.")
    before = tuple({"role": "assistant", "content": one} for one in said)
    done = cleaned(item(before=({"role": "user", "content": "Hello there."}, *before)), Rules(), estimated_tokens)
    assert done.item is not None and "boilerplate" in done.mended
    assert [one["content"] for one in done.item.before] == ["Hello there.", said[0], "Rest helps.", said[2]]


def test_in_a_language_that_the_rules_do_not_cover_contacts_are_masked_and_nouns_stay() -> None:
    said = "COPD ist eine chronische Erkrankung der Atemwege. Sie wird durch das Rauchen verursacht."
    done = cleaned(item("Was ist COPD? Schreiben Sie mir an jane@x.org.", said), Rules(), estimated_tokens)
    assert done.item is not None
    assert done.item.answer == said
    assert done.item.question == "Was ist COPD? Schreiben Sie mir an [CONTACT]."
    assert done.mended == ("personal data", "names not looked for: de")


def test_personal_data_are_masked_and_one_person_has_one_number_in_both_texts() -> None:
    done = cleaned(
        item("My name is John Smith, call me at 555-123-4567. What is gout?", f"Dear Mr. John Smith. {ANSWER}"),
        Rules(),
        estimated_tokens,
    )
    assert done.item is not None
    assert "Smith" not in done.item.prompt + done.item.completion
    assert "[NAME 1]" in done.item.question and "[CONTACT]" in done.item.question
    assert "[NAME 2]" not in done.item.prompt + done.item.completion
    assert "personal data" in done.mended


def test_the_names_of_word_problems_stay() -> None:
    done = cleaned(item("Natalia Smith has 3 pills.", "#### 3", kind="number"), Rules(), estimated_tokens)
    assert done.item is not None and "Natalia Smith" in done.item.question


def test_invisible_characters_are_taken_out() -> None:
    done = cleaned(item("What is\u200b gout?\x07"), Rules(), estimated_tokens)
    assert done.item is not None and done.item.question == "What is gout?"
    assert done.mended == ("invisible characters",)


def test_length_and_language_are_as_wanted() -> None:
    assert reason(item(), Rules(max_tokens=20)) == "too long"
    assert reason(item(answer="Arthritis."), Rules(min_words=3)) == "too short"
    assert reason(item(), Rules(languages=frozenset({"zh"}))) == "language: en"
    assert reason(item("痛风是什么？", "痛风是一种关节炎。"), Rules(languages=frozenset({"zh"}))) == ""


def test_options_that_are_told_twice_are_left_out() -> None:
    twice = item("Which?", "A", kind="choice", options={"A": "Liver", "B": "liver"}, reference="A")
    assert reason(twice) == "options missing or told twice"


def test_reasoning_can_be_left_away() -> None:
    done = cleaned(item(reasoning="Think."), Rules(reasoning=False), estimated_tokens)
    assert done.item is not None and "<think>" not in done.item.completion


def test_tokens_are_counted_by_a_model_s_own_tokenizer(tmp_path: Path) -> None:
    from tokenizers import Tokenizer, models, pre_tokenizers

    tokenizer = Tokenizer(models.WordLevel({"gout": 0, "?": 1}, unk_token="?"))
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    tokenizer.save(str(tmp_path / "tokenizer.json"))
    assert token_counter(str(tmp_path))("gout gout ?") == 3
    with pytest.raises(BadInput, match=r"no tokenizer.json that can be read"):
        token_counter(str(tmp_path / "missing.json"))
