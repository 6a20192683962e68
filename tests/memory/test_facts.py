"""What a patient's words tell, what they don't, and how facts are kept current. All cases are made up here."""

from datetime import date, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from primum.memory.extract import extract, extract_dialogue, polarity
from primum.memory.facts import Fact, Quote, UnprovenFact, merge, profile_of, proven

TODAY = date(2025, 11, 22)


def told(message: str, asked: str = "", **options: object) -> list[Fact]:
    return extract(message, asked=asked, today=TODAY, **options)  # type: ignore[arg-type]


def labels(facts: list[Fact]) -> set[str]:
    """`kind: value` of each fact, with `ended` for those that hold no longer."""
    return {f"{'ended ' if fact.valid_until else ''}{fact.kind}: {fact.label}" for fact in facts}


STATEMENTS: list[tuple[str, set[str]]] = [
    # the body
    ("I'm 40.", {"age: 40"}),
    ("I am a 62 year old man", {"age: 62", "sex: male"}),
    ("45F with a sore throat", {"age: 45", "sex: female"}),
    ("I was born on 3 May 1980", {"birth_date: 1980-05-03"}),
    ("I weigh 70 kg and I'm 168 cm tall", {"weight: 70 kg", "height: 168 cm"}),
    ("I have lost 5 kg since June", set()),
    ("I was 20 when it began", set()),
    ("I am 5 feet 6 inches tall", {"height: 167.6 cm"}),
    # pregnancy and breast-feeding
    ("I'm 12 weeks pregnant", {"pregnancy: pregnant"}),
    ("I am not pregnant", {"pregnancy: no pregnant"}),
    ("I might be pregnant", set()),
    ("We are trying to get pregnant", set()),
    ("I don't know if I'm pregnant", set()),
    ("I gave birth two weeks ago and I'm breastfeeding", {"pregnancy: no pregnant", "breastfeeding: breastfeeding"}),
    ("I'm not breastfeeding any more", {"breastfeeding: no breastfeeding"}),
    # allergies
    ("I'm allergic to penicillin", {"allergy: penicillin-class"}),
    ("I am allergic to eggs, peanuts and latex.", {"allergy: egg", "allergy: peanut", "allergy: latex"}),
    ("I have a severe shellfish allergy", {"allergy: shellfish"}),
    ("Penicillin gives me hives", {"allergy: penicillin-class"}),
    ("I get a rash when I take sulfa drugs", {"allergy: sulfonamide-antibiotic"}),
    ("I had an anaphylactic reaction to bee stings", {"allergy: bee-venom"}),
    ("No known allergies", {"allergy: none"}),
    ("NKDA", {"allergy: none"}),
    ("I have no drug allergies", {"allergy: none"}),
    ("I'm not allergic to anything", {"allergy: none"}),
    ("I'm not allergic to anything except ibuprofen", {"allergy: ibuprofen"}),
    ("I'm not allergic to penicillin", {"allergy: no penicillin-class"}),
    ("Is it common to be allergic to penicillin?", set()),
    ("What are the symptoms of a peanut allergy?", set()),
    ("I'm allergic to penicillin can I take amoxicillin", {"allergy: penicillin-class"}),
    ("I'm allergic to work, I think", set()),
    # medicines
    ("I take metformin 500 mg twice a day", {"medicine: metformin"}),
    ("I'm on warfarin, can I take ibuprofen?", {"medicine: warfarin"}),
    ("Can I take ibuprofen with my warfarin?", {"medicine: warfarin"}),
    ("Can I take ibuprofen?", set()),
    ("Should I take aspirin every day?", set()),
    ("What happens if I take too much paracetamol?", set()),
    ("If I take ibuprofen, will it harm my kidneys?", set()),
    ("I take paracetamol if I have a headache", {"medicine: acetaminophen"}),
    ("I want to take ibuprofen for my back", set()),
    ("My doctor suggested taking aspirin", set()),
    ("My dermatologist started me on isotretinoin", {"medicine: isotretinoin"}),
    ("I don't take any medication", {"medicine: none"}),
    ("I don't take aspirin", {"medicine: no aspirin"}),
    ("I stopped metformin in May", {"ended medicine: metformin"}),
    ("I no longer take sertraline", {"ended medicine: sertraline"}),
    ("I was on naproxen until last year", {"ended medicine: naproxen"}),
    ("I'm taking metoprolol. I stopped it last week.", {"ended medicine: metoprolol"}),
    ("I took two ibuprofen this morning", {"ended medicine: ibuprofen"}),
    ("I take Xylozap and aspirin", {"medicine: aspirin", "medicine: xylozap"}),
    ("I drink grapefruit juice", set()),
    # conditions and procedures
    ("I have asthma and type 2 diabetes", {"condition: asthma", "condition: type-2-diabetes"}),
    ("I was diagnosed with gout in 2019", {"condition: gout"}),
    ("I don't have diabetes", {"condition: no diabetes"}),
    ("Do I have diabetes?", set()),
    ("I'm worried about getting a stroke", set()),
    ("I had my appendix removed in 2003", {"procedure: appendectomy"}),
    ("I've never had a hysterectomy", {"procedure: no hysterectomy"}),
    # relatives
    ("My mother has diabetes", {"family_history: diabetes"}),
    ("My father died of a heart attack at 60", {"family_history: heart-attack"}),
    ("My mother has diabetes and takes metformin. She is 70.", {"family_history: diabetes"}),
    ("My son is allergic to penicillin", set()),
    ("My wife is pregnant", set()),
    ("My daughter is 3 and weighs 14 kg", set()),
    ("My husband takes warfarin", set()),
    ("Breast cancer runs in my family", {"family_history: breast-cancer"}),
    ("My mother takes warfarin but I take aspirin", {"medicine: aspirin"}),
    # habits
    ("I don't smoke", {"smoking: no yes"}),
    ("I smoke ten cigarettes a day", {"smoking: yes"}),
    ("I quit smoking in 2015", {"smoking: former"}),
    ("I'm a non-smoker and I don't drink alcohol", {"smoking: no yes", "alcohol: no yes"}),
    ("I have two beers a day", {"alcohol: yes"}),
    ("My husband smokes", set()),
    # laboratory and language
    ("My eGFR was 38 in March 2025", {"laboratory: egfr"}),
    ("My creatinine is 140 µmol/L", {"laboratory: creatinine"}),
    ("I speak Spanish", {"language: es"}),
    ("Please answer in Spanish", {"language: es"}),
    # Spanish
    ("Soy alérgica a la penicilina", {"allergy: penicillin-class"}),
    ("No tengo alergias", {"allergy: none"}),
    ("Tomo metformina dos veces al día", {"medicine: metformin"}),
    ("¿Puedo tomar ibuprofeno?", set()),
    ("No tomo ningún medicamento", {"medicine: none"}),
    ("Tengo 34 años y estoy embarazada", {"age: 34", "pregnancy: pregnant"}),
    ("No estoy embarazada", {"pregnancy: no pregnant"}),
    ("Dejé de tomar sertralina en mayo", {"ended medicine: sertraline"}),
    ("Mi madre tiene diabetes", {"family_history: diabetes"}),
    # Chinese
    ("我对青霉素过敏", {"allergy: penicillin-class"}),
    ("我没有药物过敏", {"allergy: none"}),
    ("我对青霉素不过敏", {"allergy: no penicillin-class"}),
    ("我在吃二甲双胍", {"medicine: metformin"}),
    ("我没有吃任何药", {"medicine: none"}),
    ("我可以吃布洛芬吗?", set()),
    ("我今年45岁", {"age: 45"}),
    ("我怀孕12周了", {"pregnancy: pregnant"}),
    ("我没有怀孕", {"pregnancy: no pregnant"}),
    ("我妈妈有糖尿病,我对阿司匹林过敏", {"family_history: diabetes", "allergy: aspirin"}),
    # nothing at all
    ("", set()),
    ("Hello, how are you?", set()),
    ("Ibuprofen is a painkiller.", set()),
]


@pytest.mark.parametrize(("message", "expected"), STATEMENTS)
def test_a_message_tells_these_facts_and_no_others(message: str, expected: set[str]) -> None:
    assert labels(told(message)) == expected


ANSWERS: list[tuple[str, str, set[str]]] = [
    ("Are you still taking metoprolol?", "Yeah.", {"medicine: metoprolol"}),
    ("Are you still taking metoprolol?", "No, I stopped it in May.", {"ended medicine: metoprolol"}),
    ("Are you still taking metoprolol?", "No.", {"ended medicine: metoprolol"}),
    ("Are you taking aspirin?", "No.", {"medicine: no aspirin"}),
    ("Are you taking aspirin?", "Not sure.", set()),
    ("Are you taking aspirin or warfarin?", "Yes.", set()),
    ("Are you taking aspirin or warfarin?", "No.", {"medicine: no aspirin", "medicine: no warfarin"}),
    ("Any allergies?", "No.", {"allergy: none"}),
    ("Any allergies?", "Yes. Penicillin.", {"allergy: penicillin-class"}),
    ("Any allergies?", "What do you mean?", set()),
    ("Are you allergic to anything?", "No, just peanuts.", {"allergy: peanut"}),
    ("So no allergies.", "Right.", {"allergy: none"}),
    ("What medicines do you take?", "Lisinopril and simvastatin.", {"medicine: lisinopril", "medicine: simvastatin"}),
    ("What medicines do you take?", "None.", {"medicine: none"}),
    ("Do you take any herbal medicines?", "No.", set()),
    ("Anything else?", "No.", set()),
    ("How old are you?", "42.", {"age: 42"}),
    ("How much do you weigh?", "70 kg", {"weight: 70 kg"}),
    ("Are you pregnant?", "No.", {"pregnancy: no pregnant"}),
    ("Are you pregnant?", "Yes, 20 weeks.", {"pregnancy: pregnant"}),
    ("Do you smoke?", "Never.", {"smoking: no yes"}),
    ("Do you drink alcohol?", "Yes, sometimes.", {"alcohol: yes"}),
    ("Do you have asthma?", "Yes.", {"condition: asthma"}),
    ("Do you have a family history of breast cancer?", "No.", {"family_history: no breast-cancer"}),
    ("How long have you been on Accutane?", "About three months now.", {"medicine: isotretinoin"}),
    ("I will prescribe amoxicillin. Is that fine?", "Yes.", set()),
    ("You could take ibuprofen.", "Okay.", set()),
    ("Ibuprofen can harm the kidneys.", "Thanks!", set()),
    ("¿Toma metformina?", "Sí.", {"medicine: metformin"}),
    ("¿Tiene alergias?", "No.", {"allergy: none"}),
    ("你对青霉素过敏吗?", "是的。", {"allergy: penicillin-class"}),
    ("你在吃二甲双胍吗?", "没有。", {"medicine: no metformin"}),
]


@pytest.mark.parametrize(("asked", "answer", "expected"), ANSWERS)
def test_an_answer_makes_facts_of_what_was_asked(asked: str, answer: str, expected: set[str]) -> None:
    assert labels(told(answer, asked)) == expected
