"""Which findings are read before an answer."""

import re

import pytest

from primum.graph.state import State
from primum.nodes.leading import asked_about, led
from primum.nodes.outcomes import worked_out
from primum.safety.profile import Profile
from primum.safety.validator import examine, told
from primum.tools.outcome import Outcome


def asking(question: str, known: Profile | None = None) -> State:
    """The state of a turn, as triage leaves it."""
    profile = told(question, known or Profile())
    return State(
        question=question,
        profile=profile.model_dump(mode="json", exclude_defaults=True),
        report=examine(question, profile).model_dump(mode="json"),
    )


def text(state: State, answer: str = "So it is.") -> str:
    return str(led({"text": answer, "case": None}, state)["text"])


@pytest.mark.parametrize(
    ("question", "known", "rule", "opening"),
    [
        ("My mother takes warfarin. Can she eat spinach?", Profile(), "interaction.vka-vitamin-k-food", "> **Note.** "),
        ("Can I drink cranberry juice?", Profile(medicines=("warfarin",)), "interaction.vka-cranberry", "> **Note.** "),
        (
            "¿Puedo tomar ibuprofeno si tomo losartán?",
            Profile(),
            "interaction.raas-inhibitor-nsaid",
            "> **Nota** · En inglés: ",
        ),
        ("I am allergic to sulfa. Can I take furosemide?", Profile(), "allergy.sulfa", "> **Note.** "),
    ],
)
def test_a_finding_below_major_on_what_is_asked_is_a_note_with_its_source(
    question: str, known: Profile, rule: str, opening: str
) -> None:
    state = asking(question, known)
    (finding,) = asked_about(state)
    assert finding.rule == rule
    first, *rest = text(state).splitlines()
    assert first.startswith(opening) and first.endswith(")*") and rest[-1] == "So it is."


def test_what_is_taken_and_not_asked_about_is_no_matter_of_the_answer() -> None:
    state = asking("What is gout?", Profile(medicines=("losartan", "ibuprofen")))
    assert asked_about(state) == [] and text(state) == "So it is."


def test_a_grave_finding_is_a_warning_and_told_once() -> None:
    state = asking("Can I take Advil with Eliquis?")
    assert text(state).startswith("> **Warning.** ") and "**Note.**" not in text(state)


@pytest.mark.parametrize(
    ("question", "known", "opening"),
    [
        (
            "我在吃华法林，可以吃布洛芬吗？",
            Profile(),
            "> **警告** · **布洛芬 + 华法林** 同时使用可能有严重危险。",
        ),
        (
            "我可以吃伟哥吗？",
            Profile(medicines=("nitroglycerin",)),
            "> **警告** · **硝酸甘油 + 伟哥** 不可同时使用。",
        ),
        (
            "¿Puedo tomar Advil si tomo Eliquis?",
            Profile(),
            "> **Advertencia** · **Eliquis + Advil** Juntos pueden ser peligrosos.",
        ),
        ("可以吃阿莫西林吗？", Profile(allergies=("penicillin",)), "> **警告** · **阿莫西林** 对您可能有严重危险。"),
    ],
)
def test_a_warning_says_what_it_comes_to_in_the_askers_language(question: str, known: Profile, opening: str) -> None:
    said = text(asking(question, known))
    assert said.startswith(opening)
    first, gap, english, *_ = said.splitlines()
    assert gap == ">" and "Never" not in first and re.match(r"> (依据（英文）：|En inglés: )[A-Z]", english)


def test_a_note_says_in_the_askers_language_that_it_is_one_and_in_english() -> None:
    assert text(asking("我在吃华法林，可以吃菠菜吗？")).startswith("> **提示** · 依据（英文）：")


def test_what_is_noted_is_not_told_by_a_tool_again() -> None:
    state = asking("My mother takes warfarin. Can she eat spinach?")
    told_by_tool = Outcome(
        tool="check_interactions", arguments={}, sentences=[f"{asked_about(state)[0].text} *(FDA)*"], state="done"
    )
    answer = {"text": "So it is.", "status": "answered", "support": {}}
    assert worked_out(answer, {**state, "outcomes": [told_by_tool], "route": "evidence"}) == answer


def test_who_asks_how_much_for_a_child_reads_the_most_for_its_age_and_weight() -> None:
    (finding,) = asked_about(asking("How much Tylenol can I give my 3 year old who weighs 14 kg?"))
    assert finding.text.startswith("Acetaminophen (Tylenol) for a child of 3 years and 14 kg: at most 210 mg at one")
    assert "960 mg a day, at least 4 hours apart" in finding.text and "BNF" not in finding.text
    assert finding.source.startswith("British National Formulary for Children")


@pytest.mark.parametrize(
    "question",
    [
        "How much Tylenol can I give my 3 year old?",
        "How much Tylenol can I take? I am 40 and weigh 80 kg.",
        "Can I give Tylenol to my 3 year old who weighs 14 kg?",
        "How much digoxin can I give my 3 year old who weighs 14 kg?",
        "How much Tylenol can I give my 2 month old who weighs 5 kg?",
        "How much Tylenol can I give my 3 year old with kidney failure who weighs 14 kg?",
    ],
)
def test_where_more_decides_than_age_and_weight_no_most_is_told(question: str) -> None:
    assert not any(one.rule == "dose.bound" for one in asked_about(asking(question)))
