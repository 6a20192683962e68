"""What a patient's words tell, what they don't, and how facts are kept current. All cases are made up here."""

from datetime import date, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from primum.evals.memory import run, turns_of
from primum.memory.extract import extract, extract_dialogue
from primum.memory.facts import Fact, Quote, UnprovenFact, merge, possible, profile_of, proven, told_again
from primum.memory.questions import polarity

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
    ("I might be pregnant", {"ended pregnancy: no pregnant"}),
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
    # whose it is, and whether it is so
    ("A patient of mine takes warfarin and is allergic to latex.", set()),
    ("My 4 year old son weighs 16 kg", set()),
    ("My aunt on my father's side had breast cancer", {"family_history: breast-cancer"}),
    ("I'm breastfeeding my 3 month old", {"breastfeeding: breastfeeding"}),
    ("I haven't stopped taking warfarin", {"medicine: warfarin"}),
    ("My doctor told me to stop taking naproxen", set()),
    ("I'm not taking aspirin anymore, only losartan", {"ended medicine: aspirin", "medicine: losartan"}),
    ("Actually I'm not on metformin, I take gliclazide", {"medicine: no metformin", "medicine: gliclazide"}),
    ("I don't have any allergies but my brother is allergic to shellfish", {"allergy: none"}),
    ("Allergies: sulfa (rash), codeine (nausea)", {"allergy: sulfonamide-antibiotic", "allergy: codeine"}),
    ("Medications: amlodipine 5 mg daily, omeprazole 20 mg", {"medicine: amlodipine", "medicine: omeprazole"}),
    ("I just stopped taking aspirin", {"ended medicine: aspirin"}),
    ("I'm allergic to sulfa drugs, taking labetalol", {"allergy: sulfonamide-antibiotic", "medicine: labetalol"}),
    ("Took 1 g of paracetamol an hour ago and still have a fever", {"ended medicine: acetaminophen"}),
    ("I was given amoxicillin in hospital last month", {"ended medicine: amoxicillin"}),
    ("They removed my gallbladder last year", {"procedure: cholecystectomy"}),
    ("I'm on day 3 of azithromycin", {"medicine: azithromycin"}),
    ("My potassium was 5.6 mmol/L last week", {"laboratory: potassium"}),
    ("I don't smoke anymore", {"smoking: former"}),
    ("I drink a lot of water", set()),
    ("If I were allergic to penicillin, what would I take?", set()),
    # dates and values that can't be
    ("I was born on 3 May 1980, I weigh 70 kg", {"birth_date: 1980-05-03", "weight: 70 kg"}),
    ("I was born on 31 February 1980", {"birth_date: 1980"}),
    ("I was born in 2090", set()),
    ("I am 200 years old and I weigh 900 kg", set()),
    ("My eGFR is 999 and my creatinine is 900 mg/dl", set()),
    ("My eGFR dropped from 48 to 39", {"laboratory: egfr"}),
    ("My urine creatinine is 90 mg/dl", set()),
    ("My albumin/creatinine ratio is 30, albumin to creatinine 40", set()),
    ("My hemoglobin A1c is 7.2%", {"laboratory: hba1c"}),
    ("The glycated haemoglobin was 48 mmol/mol", {"laboratory: hba1c"}),
    # what is no longer so, and what takes back
    ("I outgrew my egg allergy", {"allergy: no egg"}),
    ("I had a milk allergy as a child but I outgrew it", {"allergy: no milk"}),
    ("I tested negative for penicillin allergy", {"allergy: no penicillin-class"}),
    ("My penicillin allergy test came back negative", {"allergy: no penicillin-class"}),
    ("I got a rash from amoxicillin but it went away", {"allergy: amoxicillin"}),
    ("My allergy is to nickel, not latex", {"allergy: nickel", "allergy: no latex"}),
    ("No known drug allergies except sulfa", {"allergy: sulfonamide-antibiotic"}),
    ("Except for sulfa I have no allergies", {"allergy: sulfonamide-antibiotic"}),
    ("I'm allergic to sulfa, otherwise no known allergies", {"allergy: sulfonamide-antibiotic"}),
    ("I no longer have asthma", {"ended condition: asthma"}),
    ("I had gout but it's gone", {"ended condition: gout"}),
    ("I had breast cancer in 2012 but it's gone now", {"condition: breast-cancer"}),
    ("I switched from sertraline to escitalopram", {"ended medicine: sertraline", "medicine: escitalopram"}),
    ("My ramipril was replaced by losartan", {"ended medicine: ramipril", "medicine: losartan"}),
    ("I now take losartan instead of ramipril", {"ended medicine: ramipril", "medicine: losartan"}),
    ("I stopped warfarin for surgery but I'm taking it again", {"medicine: warfarin"}),
    ("My doctor prescribed amoxicillin but I haven't started it", {"medicine: no amoxicillin"}),
    ("I stopped drinking in 2020 and smoke", {"alcohol: former", "smoking: yes"}),
    ("I stopped drinking and smoking in 2020", {"alcohol: former", "smoking: former"}),
    ("I'm 12 weeks pregnant. I had a miscarriage last year.", {"pregnancy: pregnant"}),
    ("I gave birth in 2019", {"ended pregnancy: pregnant"}),
    ("I weaned my baby", {"breastfeeding: no breastfeeding"}),
    ("I have a 3 month old baby", set()),
    ("I was wrong, I'm 45 not 54", {"age: 45"}),
    ("My height is 1,65 m", {"height: 165 cm"}),
    ("Meds: none", {"medicine: none"}),
    # what was so once
    ("I used to have asthma", {"ended condition: asthma"}),
    ("I had asthma as a child", {"ended condition: asthma"}),
    ("As a child I had asthma and I have gout", {"ended condition: asthma", "condition: gout"}),
    ("I had asthma as a child and have gout", {"ended condition: asthma", "condition: gout"}),
    ("I used to have gout, now I have arthritis", {"ended condition: gout", "condition: arthritis"}),
    ("I had asthma in the past", {"ended condition: asthma"}),
    ("I was asthmatic when I was young", {"ended condition: asthma"}),
    ("I've had asthma since I was a child", {"condition: asthma"}),
    ("I was diagnosed with asthma as a child", {"condition: asthma"}),
    ("I had asthma as a child and it came back", {"condition: asthma"}),
    ("I had asthma as a child and I still have it", {"condition: asthma"}),
    ("I have asthma. I had asthma as a child.", {"condition: asthma"}),
    ("I never had asthma as a child", {"condition: no asthma"}),
    ("My mother had asthma as a child", {"family_history: asthma"}),
    ("I used to have breast cancer", {"condition: breast-cancer"}),
    ("I had a stroke when I was young", {"condition: stroke"}),
    ("I used to be allergic to penicillin", {"allergy: penicillin-class"}),
    ("Tuve asma de niño", {"ended condition: asthma"}),
    ("我小时候有哮喘", {"ended condition: asthma"}),
    # as a note begins
    ("34 years old, female", {"age: 34", "sex: female"}),
    ("34F", {"age: 34", "sex: female"}),
    ("F, 34", {"age: 34", "sex: female"}),
    ("Male, 34, with gout", {"age: 34", "sex: male", "condition: gout"}),
    ("I'm 34, female and pregnant", {"age: 34", "sex: female", "pregnancy: pregnant"}),
    ("female, 34 weeks pregnant", set()),
    ("My sister, 34, female, has gout", {"family_history: gout"}),
    ("M, 34 m", set()),
    # who smokes no more
    ("I don't smoke. I quit smoking in 2020.", {"smoking: former"}),
    ("I don't smoke, I quit in 2020", {"smoking: former"}),
    ("I don't smoke, I quit my job in 2020", {"smoking: no yes"}),
    ("I don't smoke and never have", {"smoking: no yes"}),
    ("I don't smoke. I quit drinking in 2020.", {"smoking: no yes", "alcohol: former"}),
    # medicines of which one began or ended
    ("In May I started lisinopril and metformin", {"medicine: lisinopril", "medicine: metformin"}),
    ("I stopped lisinopril in May and take metformin", {"ended medicine: lisinopril", "medicine: metformin"}),
    ("I stopped taking lisinopril and metformin", {"ended medicine: lisinopril", "ended medicine: metformin"}),
    # Spanish
    ("No tomo aspirina", {"medicine: no aspirin"}),
    ("Ya no tengo asma", {"ended condition: asthma"}),
    ("Ya no soy alérgica a la penicilina", {"allergy: no penicillin-class"}),
    ("Soy alérgico al níquel, no al látex", {"allergy: nickel", "allergy: no latex"}),
    ("Nací el 3 de enero de 1980", {"birth_date: 1980-01-03"}),
    ("Cambié de sertralina a escitalopram", {"ended medicine: sertraline", "medicine: escitalopram"}),
    ("Di a luz la semana pasada", {"pregnancy: no pregnant"}),
    ("No soy alérgico a ningún medicamento", {"allergy: none"}),
    ("Soy diabético y tomo metformina desde 2018", {"condition: diabetes", "medicine: metformin"}),
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
    ("我对青霉素不再过敏了", {"allergy: no penicillin-class"}),
    ("除了磺胺,我没有药物过敏", {"allergy: sulfonamide-antibiotic"}),
    ("我吃青霉素会起皮疹", {"allergy: penicillin-class"}),
    ("我不吃二甲双胍了", {"ended medicine: metformin"}),
    ("从依那普利换成氯沙坦", {"ended medicine: enalapril", "medicine: losartan"}),
    ("我45岁,不是54岁", {"age: 45"}),
    ("我的哮喘已经好了", {"ended condition: asthma"}),
    ("我已经不抽烟了", {"smoking: former"}),
    ("我今年45岁", {"age: 45"}),
    ("我怀孕12周了", {"pregnancy: pregnant"}),
    ("怀孕了，可以吃布洛芬吗？", {"pregnancy: pregnant"}),
    ("孕12周能吃布洛芬吗？", {"pregnancy: pregnant"}),
    ("孕妇可以吃布洛芬吗？", set()),
    ("怀孕期间可以打流感疫苗吗？", set()),
    ("我没有怀孕", {"pregnancy: no pregnant"}),
    ("我妈妈有糖尿病,我对阿司匹林过敏", {"family_history: diabetes", "allergy: aspirin"}),
    ("HAS-BLED score of a 70-year-old with a previous gastrointestinal bleed and aspirin", set()),
    ("What is the dose of amoxicillin for a healthy 5 year old?", set()),
    ("I'm a 70-year-old with gout", {"age: 70", "condition: gout"}),
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
    ("So you take no medicines?", "Right, just 500 mg twice a day", {"medicine: none"}),
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


def only(message: str, asked: str = "", kind: str = "medicine", **options: object) -> Fact:
    found = [fact for fact in told(message, asked, **options) if fact.kind == kind]
    assert len(found) == 1
    return found[0]


def test_details_of_a_medicine_are_read() -> None:
    fact = only("Since 2019 I take metformin 500 mg twice a day")
    assert (fact.value, fact.dose, fact.frequency, fact.valid_from) == ("metformin", "500 mg", "twice a day", "2019")
    assert only("I take metformin 500 mg twice a day").valid_from is None
    assert only("I've been on lisinopril for three years").valid_from == "2022"
    assert only("I stopped taking sertraline in May").valid_until == "2025-05"
    assert only("I stopped taking sertraline in December").valid_until == "2024-12"  # none is after today
    assert only("I was on naproxen until last year but I stopped it because of my stomach").valid_until == "2024"


@pytest.mark.parametrize(
    ("message", "since"),
    [
        ("I started lisinopril in May and metformin", {"lisinopril": "2025-05", "metformin": None}),
        ("I started lisinopril 5 mg in May, metformin and aspirin", {"lisinopril": "2025-05", "metformin": None,
                                                                     "aspirin": None}),
        ("I started lisinopril and metformin in May", {"lisinopril": "2025-05", "metformin": "2025-05"}),
        ("Since 2019 I take metformin and lisinopril", {"lisinopril": "2019", "metformin": "2019"}),
        ("In May I started lisinopril and in June metformin", {"lisinopril": "2025-05", "metformin": "2025-06"}),
        ("I take lisinopril since May and metformin since 2019", {"lisinopril": "2025-05", "metformin": "2019"}),
        ("I've been on lisinopril for three years and metformin", {"lisinopril": "2022", "metformin": None}),
        ("I started sertraline in 2019 and switched to escitalopram in 2021", {"sertraline": "2019",
                                                                               "escitalopram": "2021"}),
        ("I was diagnosed with asthma in 2010 and gout", {"asthma": "2010", "gout": None}),
        ("I had my appendix removed in 2003 and a hysterectomy", {"appendectomy": "2003", "hysterectomy": None}),
        ("My creatinine was 1.2 mg/dl in March and my potassium 4.5", {"creatinine": "2025-03", "potassium": None}),
    ],
)  # fmt: skip
def test_a_date_is_of_what_it_is_told_of_alone(message: str, since: dict[str, str | None]) -> None:
    assert {fact.value: fact.valid_from for fact in told(message)} == since


def test_when_smoking_ended_is_read_beside_the_denial() -> None:
    for message in ("I don't smoke, I quit in 2020", "I don't smoke. I quit smoking in 2020."):
        fact = only(message, kind="smoking")
        assert (fact.value, fact.valid_from, fact.words) == ("former", "2020", "ex-smoker (since 2020)")
    merged = merge(told("I quit smoking in 2020"), told("I don't smoke"))
    assert [one.words for one in merged.current] == ["ex-smoker (since 2020)"]
    assert [one.words for one in merge(told("I don't smoke"), told("I quit smoking in 2020")).current] == [
        "ex-smoker (since 2020)"
    ]


@pytest.mark.parametrize(
    ("message", "words"),
    [
        ("I speak Spanish", "language: Spanish"),
        ("I'm 8 months old", "8 months old"),
        ("I used to have asthma", "asthma (ended by 2025-11-22)"),
        ("I had my appendix removed in 2003", "appendectomy (2003)"),
        ("I stopped drinking in 2020", "no longer drinks alcohol (since 2020)"),
    ],
)
def test_a_fact_is_named_in_words(message: str, words: str) -> None:
    assert [fact.words for fact in told(message)] == [words]


def test_a_fact_that_is_told_again_later_has_gone_on() -> None:
    later = TODAY + timedelta(days=70)
    age, pregnancy = told("I'm 40 and 12 weeks pregnant")
    assert told_again(pregnancy, later).weeks == 22
    aged = told_again(age, TODAY + timedelta(days=400))
    assert (aged.number, aged.value) == (41, "41")
    assert told_again(age, TODAY) == age


def test_details_of_an_answer_are_read() -> None:
    asked = "How long have you been on Accutane?"
    assert only("About three months now.", asked).valid_from == "2025-08"
    fact = only("Yes, 50 mg twice a day.", "Are you taking metoprolol?")
    assert (fact.dose, fact.frequency) == ("50 mg", "twice a day")
    assert only("Yes, 20 weeks.", "Are you pregnant?", kind="pregnancy").value == "pregnant"


def test_details_of_an_allergy_are_read() -> None:
    fact = only("I'm allergic to penicillin. It gives me hives.", kind="allergy")
    assert (fact.reaction, fact.severity) == ("hives", "mild")
    assert [quote.text for quote in fact.quotes] == ["I'm allergic to penicillin.", "It gives me hives."]
    assert only("I had a severe allergic reaction to latex", kind="allergy").severity == "severe"
    assert only("Codeine makes me nauseous and gave me vomiting", kind="allergy").severity == "intolerance"
    fact = only("I get a really bad rash.", "What happens when you take clonidine?", kind="allergy", topic="allergy")
    assert (fact.value, fact.severity) == ("clonidine", "mild")


def test_details_of_the_body_and_of_tests_are_read() -> None:
    fact = only("My creatinine was 1.4 mg/dl on 3 March 2025", kind="laboratory")
    assert (fact.value, fact.number, fact.unit, fact.valid_from) == ("creatinine", 1.4, "mg/dl", "2025-03-03")
    assert only("I'm 12 weeks pregnant", kind="pregnancy").weeks == 12
    fact = only("My blood pressure is 150/90", kind="laboratory")
    assert (fact.number, fact.low, fact.unit, fact.words) == (150, 90, "mmHg", "blood pressure 150/90 mmHg")
    assert only("My ferritin is 1,200 ng/ml", kind="laboratory").number == 1200
    assert only("I'm 5 months pregnant", kind="pregnancy").weeks == 21.7
    assert only("My grandfather had glaucoma", kind="family_history").relative == "grandfather"
    assert only("I quit smoking in 2015", kind="smoking").valid_from == "2015"


def test_who_answers_for_somebody_tells_that_persons_facts() -> None:
    asked = "Does she take any medicine?"
    assert labels(told("She takes one aspirin a day.", asked)) == {"medicine: aspirin"}
    assert labels(told("She takes one aspirin a day.")) == set()
    assert labels(told("She is allergic to latex.", spoken_for=True)) == {"allergy: latex"}


def test_a_question_that_goes_on_is_about_what_was_spoken_of() -> None:
    assert labels(told("Yes I do.", "How about simvastatin?", topic="medicine")) == {"medicine: simvastatin"}
    assert labels(told("Yes I do.", "How about simvastatin?")) == set()


# Proof.

PARTS = (
    "I take|metformin|500 mg|my mother|has diabetes|I'm allergic to|penicillin|and|.|,|no|not|I don't smoke|since 2019"
    "|I am 40|pregnant|我对青霉素过敏|Tomo|ibuprofeno|\n|Can I|stopped|it|if|but|creatinine 120|É|😀|she|İ|ß|½|yes"
    "|hives|?"
)
WORDS = st.sampled_from(PARTS.split("|"))
TEXTS = st.one_of(st.lists(WORDS, max_size=14).map(" ".join), st.text(max_size=60))


@given(TEXTS, TEXTS)
def test_every_quote_stands_in_its_message(message: str, asked: str) -> None:
    texts = {"message": message, "asked": asked}
    for fact in told(message, asked):
        for quote in fact.quotes:
            assert texts[quote.message][quote.start : quote.stop] == quote.text
            assert quote.message == ("message" if quote.role == "patient" else "asked")
        assert any(quote.role == "patient" for quote in fact.quotes)
        assert any(fact.written in quote.text for quote in fact.quotes)


@given(st.lists(st.tuples(st.sampled_from(["user", "assistant"]), TEXTS), max_size=5))
def test_every_fact_of_a_dialogue_is_proven_by_its_turns(turns: list[tuple[str, str]]) -> None:
    found = extract_dialogue([{"role": role, "content": content} for role, content in turns], today=TODAY)
    for fact in found:
        assert proven(fact, {str(number): content for number, (_, content) in enumerate(turns)})
        for quote in fact.quotes:
            assert (turns[int(quote.message)][0] == "user") == (quote.role == "patient")


def quoted(text: str, message: str = "m", role: str = "patient") -> Quote:
    return Quote.model_validate({"role": role, "message": message, "start": 0, "stop": len(text), "text": text})


def fact(kind: str, value: str, said: date = TODAY, **details: object) -> Fact:
    written = str(details.pop("written", value))
    return Fact.model_validate(
        {"kind": kind, "value": value, "written": written, "said": said, "quotes": (quoted(written),), **details}
    )


def test_a_made_up_quote_is_refused() -> None:
    made_up = fact("medicine", "warfarin")
    assert proven(made_up, {"m": "warfarin, every day"}) == made_up
    with pytest.raises(UnprovenFact, match="not in message"):
        proven(made_up, {"m": "I take aspirin"})
    with pytest.raises(UnprovenFact, match="not in message"):
        proven(made_up, {})
    with pytest.raises(UnprovenFact, match="tells its value"):
        proven(fact("medicine", "warfarin", quotes=(quoted("I take aspirin"),)), {"m": "I take aspirin"})


def test_a_doctors_words_alone_prove_nothing() -> None:
    with pytest.raises(ValidationError, match="no words of the patient"):
        fact("medicine", "warfarin", quotes=(quoted("You take warfarin", role="doctor"),))
    said = [{"role": "assistant", "content": "You take warfarin. You're allergic to latex and I take aspirin."}]
    assert extract_dialogue(said, today=TODAY) == []


def test_a_fact_has_details_of_its_kind_only() -> None:
    with pytest.raises(ValidationError, match="a fact of allergy has no dose"):
        fact("allergy", "latex", dose="5 mg")
    with pytest.raises(ValidationError):
        fact("medicine", "aspirin", valid_from="in May")


def test_a_yes_is_proven_by_the_question_and_the_answer() -> None:
    turns = [
        {"role": "doctor", "content": "Good morning."},
        {"role": "doctor", "content": "Are you still taking metoprolol?"},
        {"role": "patient", "content": "Yeah."},
    ]
    (found,) = extract_dialogue(turns, today=TODAY)
    assert [(quote.role, quote.message, quote.text) for quote in found.quotes] == [
        ("doctor", "1", "Are you still taking metoprolol?"),
        ("patient", "2", "Yeah."),
    ]


def test_an_answer_after_asking_back_still_answers() -> None:
    turns = [
        ("doctor", "Do you take any medication?"), ("patient", "You mean prescriptions?"),
        ("doctor", "I mean anything at all?"), ("patient", "No, I don't."),
    ]  # fmt: skip
    found = extract_dialogue([{"role": role, "content": content} for role, content in turns], today=TODAY)
    assert labels(found) == {"medicine: none"}


@pytest.mark.parametrize(
    ("words", "expected"),
    [("Yes", "yes"), ("Um, yeah.", "yes"), ("Not that I know of", "no"), ("I don't know", ""), ("No idea", ""),
     ("Maybe", ""), ("是的", "yes"), ("没有", "no"), ("Sí", "yes"), ("I don't know of any", "no"), ("Sure", "yes")],
)  # fmt: skip
def test_answers_are_yes_or_no_or_neither(words: str, expected: str) -> None:
    assert polarity(words.lower().replace("í", "i")) == expected


# Merging.

METFORMIN = fact("medicine", "metformin", said=date(2024, 1, 1), dose="500 mg", valid_from="2019")
PENICILLIN = fact("allergy", "penicillin-class", written="penicillin")


def test_a_medicine_that_was_stopped_ends() -> None:
    merged = merge([METFORMIN], [fact("medicine", "metformin", valid_until="2025-05")])
    assert merged.current == ()
    (ended,) = merged.ended
    assert (ended.valid_from, ended.valid_until, ended.dose) == ("2019", "2025-05", "500 mg")
    assert merged.contradictions == ()


def test_what_was_started_again_later_is_not_ended() -> None:
    again = fact("medicine", "metformin", valid_from="2025-06")
    assert merge([again], [fact("medicine", "metformin", valid_until="2025-05")]).current == (again,)


def test_a_single_intake_ends_no_medicine() -> None:
    taken = fact("medicine", "metformin", valid_until="2025-11-22", once=True)
    assert merge([METFORMIN], [taken]).current == (METFORMIN,)


def test_a_fact_told_again_keeps_its_details_and_all_its_proof() -> None:
    again = fact("medicine", "metformin", quotes=(quoted("metformin", "later"),))
    (current,) = merge([METFORMIN], [again]).current
    assert (current.dose, current.valid_from, len(current.quotes)) == ("500 mg", "2019", 2)


def test_a_new_dose_takes_the_place_of_the_old() -> None:
    merged = merge([METFORMIN], [fact("medicine", "metformin", dose="1 g")])
    assert [one.dose for one in merged.current] == ["1 g"]
    assert [(one.dose, one.valid_until) for one in merged.ended] == [("500 mg", "2025-11-22")]


def test_what_a_record_says_of_long_ago_ends_nothing_that_was_told_since() -> None:
    asthma, old = fact("condition", "asthma", said=date(2024, 1, 1)), (quoted("asthma", role="record"),)
    resolved = fact("condition", "asthma", valid_until="2010", quotes=old)
    assert merge([asthma], [resolved]).current == (asthma,)
    assert merge([asthma], [resolved.model_copy(update={"said": date(2010, 1, 1)})]).current == (asthma,)
    assert merge([asthma], [fact("condition", "asthma", valid_until="2025-10", quotes=old)]).current == ()
    assert merge([asthma], told("I no longer have asthma")).current == ()


def test_only_a_correction_ends_an_allergy() -> None:
    ended = fact("allergy", "penicillin-class", valid_until="2024")
    assert merge([PENICILLIN], [ended]).current == (PENICILLIN,)
    assert merge([PENICILLIN], [ended.model_copy(update={"corrects": True})]).current == ()
    for words in ("I'm no longer allergic to penicillin", "I tested negative for penicillin allergy"):
        assert profile_of([PENICILLIN, *told(words)]).allergies == ()
    for words in (
        "Sorry to bother you. I have no allergies.",
        "Actually I have no allergies",
        "I'm not allergic now",
    ):
        assert profile_of([PENICILLIN, *told(words)]).allergies == ("penicillin",)


def test_an_older_statement_changes_nothing_that_was_told_later() -> None:
    for new, old in (
        ("I weigh 72 kg", "I weigh 80 kg"), ("I'm not pregnant", "I'm pregnant"), ("I don't smoke", "I smoke"),
        ("I don't take aspirin", "I take aspirin"), ("I take aspirin", "I don't take aspirin"),
        ("I take aspirin 75 mg", "I take aspirin 300 mg"), ("I take aspirin", "I don't take any medication"),
    ):  # fmt: skip
        merged = merge(told(new), extract(old, today=date(2020, 1, 1)))
        assert labels(list(merged.current)) == labels(told(new))
        assert merged.contradictions == ()
        assert [one.dose for one in merged.current] == [one.dose for one in told(new)]


def test_what_began_after_it_was_denied_is_no_contradiction() -> None:
    denied = extract("I don't have diabetes", today=date(2024, 1, 1))
    merged = merge(denied, told("I was diagnosed with diabetes last month"))
    assert labels(list(merged.current)) == {"condition: diabetes"}
    assert merged.contradictions == ()


def test_of_two_reactions_the_graver_counts() -> None:
    facts = [*told("I had anaphylaxis from penicillin"), *told("Penicillin gives me a rash")]
    assert profile_of(facts).allergies == ("Penicillin (severe, anaphylaxis)",)


def test_a_denial_of_one_value_leaves_another() -> None:
    for known, asked in (
        ("I'm a woman", "Is your sex male?"), ("I weigh 70 kg", "Do you weigh 80 kg?"),
        ("I quit smoking", "Do you smoke?"),
        ("My creatinine is 120 µmol/l", "Was your creatinine 140 µmol/l?"),
    ):  # fmt: skip
        merged = merge(told(known), told("No.", asked))
        assert list(merged.current) == told(known)
        assert merged.contradictions == ()
    denied = fact("sex", "male", negated=True)
    assert profile_of([denied]).sex is None


def test_a_pregnancy_goes_on_when_it_is_told_again_and_ends_with_a_birth() -> None:
    facts = extract("I'm 12 weeks pregnant", today=date(2025, 9, 1))
    assert profile_of([*facts, *told("I'm pregnant and have a headache")]).weeks_pregnant == 23.7
    assert profile_of([*facts, *told("I had a miscarriage last year")]).pregnant is True
    assert profile_of([*facts, *told("I've had a miscarriage before")]).pregnant is True
    assert profile_of([*facts, *told("I gave birth last week")]).pregnant is False
    early = extract("I'm 12 weeks pregnant", today=date(2025, 2, 1))
    assert profile_of([*early, *told("I gave birth in July")]).pregnant is None  # and she may be again
    assert profile_of([*told("I'm not pregnant"), *told("My period is late, I might be pregnant")]).pregnant is None
    assert profile_of([*facts, *told("I might be pregnant")]).pregnant is True


def test_a_class_gives_way_to_its_member() -> None:
    blood_thinner = fact("medicine", "anticoagulant")
    assert merge([blood_thinner], [fact("medicine", "warfarin")]).current == (fact("medicine", "warfarin"),)
    assert merge([fact("medicine", "warfarin")], [blood_thinner]).current == (fact("medicine", "warfarin"),)


def test_an_allergy_that_is_denied_stays_and_is_flagged() -> None:
    for denial in (fact("allergy", "any", negated=True), fact("allergy", "penicillin-class", negated=True)):
        merged = merge([PENICILLIN], [denial])
        assert merged.current == (PENICILLIN,)
        assert [(one.known, one.new, one.kept) for one in merged.contradictions] == [(PENICILLIN, denial, "known")]


def test_an_allergy_after_a_denial_is_taken_and_flagged() -> None:
    merged = merge([fact("allergy", "any", negated=True)], [PENICILLIN])
    assert merged.current == (PENICILLIN,)
    assert [one.kept for one in merged.contradictions] == ["new"]


def test_no_drug_allergies_leaves_an_allergy_to_food() -> None:
    peanut, no_drugs = fact("allergy", "peanut"), fact("allergy", "drugs", negated=True)
    assert set(merge([peanut], [no_drugs]).current) == {peanut, no_drugs}
    assert merge([PENICILLIN], [no_drugs]).contradictions


def test_a_correction_takes_the_place_of_what_was_wrong() -> None:
    merged = merge([PENICILLIN], [fact("allergy", "penicillin-class", negated=True, corrects=True)])
    assert [one.label for one in merged.current] == ["no penicillin-class"]
    assert merged.contradictions == ()
    (found,) = told("Sorry, I meant I'm not allergic to penicillin")
    assert found.corrects
    assert found.negated


def test_what_changes_in_time_is_no_contradiction() -> None:
    for kind, old, new in (("weight", "70 kg", "72 kg"), ("smoking", "yes", "former"), ("age", "40", "41")):
        known = fact(kind, old, said=date(2024, 11, 20), number=None if kind == "smoking" else float(old[:2]))
        later = fact(kind, new, number=None if kind == "smoking" else float(new[:2]))
        merged = merge([known], [later])
        assert merged.current == (later,)
        assert merged.contradictions == ()


def test_what_can_not_change_is_a_contradiction() -> None:
    for old, new in (
        (fact("sex", "female"), fact("sex", "male")),
        (fact("birth_date", "1980"), fact("birth_date", "1975")),
        (fact("age", "40", number=40.0), fact("age", "60", number=60.0)),
        (fact("birth_date", "1980"), fact("age", "60", number=60.0)),
    ):
        merged = merge([old], [new])
        assert new in merged.current
        assert len(merged.contradictions) == 1


def test_a_medicine_that_is_denied_is_flagged() -> None:
    merged = merge([METFORMIN], [fact("medicine", "metformin", negated=True)])
    assert [one.label for one in merged.current] == ["no metformin"]
    assert len(merged.contradictions) == 1
    merged = merge([fact("medicine", "any", negated=True)], [fact("medicine", "metformin")])
    assert merged.current == (fact("medicine", "metformin"),)
    assert merged.contradictions == ()


def test_of_two_values_of_a_test_the_later_counts() -> None:
    march, june = (
        fact("laboratory", "egfr", number=n, valid_from=day) for n, day in ((58.0, "2025-03"), (44.0, "2025-06"))
    )
    assert merge([march], [june]).current == (june,)
    assert merge([june], [march]).current == (june,)
    assert merge([june], [march]).ended == (march,)


KINDS = st.sampled_from(["allergy", "medicine", "condition", "smoking", "pregnancy"])
FACTS = st.builds(
    lambda kind, value, negated, until: fact(kind, value, negated=negated, valid_until=until),
    KINDS, st.sampled_from(["any", "aspirin", "warfarin", "asthma"]), st.booleans(), st.sampled_from([None, "2024"]),
)  # fmt: skip


@given(st.lists(FACTS, max_size=6))
def test_what_is_current_has_not_ended_and_stays_so(facts: list[Fact]) -> None:
    merged = merge([], facts)
    assert all(one.valid_until is None for one in merged.current)
    assert len({one.key for one in merged.current}) == len(merged.current)
    again = merge(merged.current, [])
    assert again.current == merged.current
    assert again.contradictions == ()


# The profile.


def test_the_profile_holds_what_is_current() -> None:
    message = (
        "I'm a 45 year old woman, I weigh 70 kg. I take metformin 500 mg twice a day and I stopped aspirin in May. "
        "I have asthma. I'm allergic to penicillin, it gives me hives. My eGFR is 58. I'm not pregnant. "
        "My mother has gout."
    )
    profile = profile_of(told(message))
    assert (profile.age, profile.sex, profile.weight_kg, profile.egfr) == (45, "female", 70, 58)
    assert (profile.pregnant, profile.breastfeeding) == (False, None)
    assert profile.medicines == ("metformin 500 mg twice a day",)
    assert profile.conditions == ("asthma",)
    assert profile.allergies == ("penicillin (mild, hives)",)


def test_an_age_and_a_pregnancy_go_on() -> None:
    facts = told("I'm 40 and 12 weeks pregnant")
    assert profile_of(facts).weeks_pregnant == 12
    assert profile_of(facts, today=TODAY + timedelta(days=70)).weeks_pregnant == 22
    later = profile_of(facts, today=TODAY + timedelta(days=400))
    assert (later.age, later.pregnant) == (41, None)
    assert profile_of(told("I was born on 3 May 1980"), today=date(2026, 5, 4)).age == 46


def test_creatinine_is_in_micromoles() -> None:
    assert profile_of(told("My creatinine is 1.4 mg/dl")).creatinine_umol_l == pytest.approx(123.8, abs=0.1)
    assert profile_of(told("My creatinine is 140 µmol/l")).creatinine_umol_l == 140
    assert profile_of([]).creatinine_umol_l is None


def test_values_that_can_not_be_are_left_out() -> None:
    assert profile_of(told("My creatinine is 1.4")).creatinine_umol_l == pytest.approx(123.8, abs=0.1)
    assert profile_of(told("My creatinine is 140")).creatinine_umol_l == 140
    made = (
        fact("laboratory", "egfr", number=999.0), fact("laboratory", "creatinine", number=900.0, unit="mg/dl"),
        fact("weight", "0 kg", number=0.0), fact("height", "9 m", number=900.0), fact("age", "200", number=200.0),
        fact("birth_date", "1980-02-31"), fact("birth_date", "0000"), fact("birth_date", "2090"),
        fact("pregnancy", "pregnant", weeks=99.0),
    )  # fmt: skip
    for one in made:
        assert not possible(one)
        assert profile_of(merge([fact("age", "45", number=45.0)], [one]).current).pregnant is None
    assert profile_of(told("I'm 1 week pregnant"), today=TODAY - timedelta(days=30)).weeks_pregnant is None


def test_an_age_at_odds_with_the_day_of_birth_counts_if_it_was_told_later() -> None:
    born = extract("I was born in 1950", today=date(2025, 1, 1))
    assert profile_of([*born, *told("I'm 45")]).age == 45
    assert profile_of([*born, *told("I'm 75")]).age == 75


# The evaluation.


def mts(section: str, note: str, dialogue: str) -> dict[str, str]:
    return {"id": "row", "section": section, "section_text": note, "dialogue": dialogue}


def test_rows_of_turns_are_compared_with_their_facts() -> None:
    turns = [{"role": "user", "content": "I take metformin and I'm allergic to latex. I don't smoke."}]
    gold = [("medications", "Metformin"), ("allergy", "peanuts"), ("smoking", "no yes")]
    row = {"id": "a", "turns": turns, "facts": [{"kind": kind, "value": value} for kind, value in gold]}
    report = run([row], TODAY)
    assert (report["n"], report["facts"], report["found"], report["unproven"]) == (1, 3, 3, 0)
    assert (report["precision"], report["recall"]) == (0.6667, 0.6667)
    assert (report["misses"], report["false"]) == (["a: allergy peanuts"], ["a: allergy latex"])


@pytest.mark.parametrize(
    ("section", "note", "answer", "misses", "false"),
    [
        ("ALLERGY", "No known drug allergies.", "No.", [], []),
        ("ALLERGY", "He is allergic to sulfa and eggs.", "Sulfa and eggs.", [], []),
        ("ALLERGY", "Latex.", "Peanuts.", ["row: allergy latex"], ["row: allergy peanut"]),
        ("ALLERGY", "The patient has asthma.", "Not sure.", [], []),
    ],
)
def test_notes_on_allergies_are_read(section: str, note: str, answer: str, misses: list[str], false: list[str]) -> None:
    report = run([mts(section, note, f"Doctor: Any allergies?\r\nPatient: {answer}")], TODAY)
    assert (report["misses"], report["false"]) == (misses, false)


def test_notes_on_medicines_are_read() -> None:
    dialogue = "Doctor: What do you take?\nPatient: I take Xylozap and aspirin, and a water pill."
    report = run([mts("MEDICATIONS", "Aspirin, Xylozap and furosemide.", dialogue)], TODAY)
    assert report["misses"] == ["row: medicine furosemide"]
    assert report["false"] == []  # neither the unknown name nor the class of what the note names
    assert run([mts("MEDICATIONS", "None.", "Doctor: Any medications?\nPatient: No.")], TODAY)["recall"] == 1.0
    assert run([mts("IMMUNIZATIONS", "None.", "Patient: I take aspirin.")], TODAY)["n"] == 0


def test_guests_speak_for_the_patient() -> None:
    turns = turns_of("Doctor: Does he take anything?\r\nGuest_family: He takes aspirin.\r\nPatient: Yes.")
    assert [turn["role"] for turn in turns] == ["doctor", "family", "patient"]
    assert turns[1]["content"] == "He takes aspirin."


@pytest.mark.parametrize(
    "said",
    ["Cetirizine makes my hives go away", "Penicillin gives my son hives", "Benadryl made my rash better",
     "I have hives"],
)  # fmt: skip
def test_what_helps_against_a_rash_or_gives_one_to_somebody_else_is_no_allergy(said: str) -> None:
    assert [fact.kind for fact in extract(said, today=date(2026, 11, 22))] == []


def test_what_gives_the_patient_a_rash_is_one() -> None:
    (fact,) = extract("Penicillin gives me hives", today=date(2026, 11, 22))
    assert fact.words == "allergy to Penicillin (mild, hives)"
