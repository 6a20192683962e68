"""The support check on single sentences: what a passage proves, and what it does not."""

import pytest

from primum.safety.sentences import Sentence, split_answer
from primum.safety.support import Evidence, Verdict, check

PASSAGES = {
    "paracetamol": Evidence(
        "Adults can take 500 mg to 1 g of paracetamol every 4 to 6 hours, up to a maximum of 4 g in 24 hours. "
        "Leave at least 4 hours between doses of paracetamol. "
        "Too much paracetamol can damage the liver, even if you feel well at first. "
        "Do not take other products that contain paracetamol at the same time.",
        "Paracetamol",
        "Dose",
    ),
    "child dose": Evidence(
        "Children aged 6 to 8 years can take 250 mg of paracetamol up to 4 times in 24 hours. "
        "Do not give paracetamol to a baby under 2 months unless a doctor prescribes it.",
        "Paracetamol for children",
        "Dose",
    ),
    "ibuprofen": Evidence(
        "Ibuprofen is not recommended in pregnancy, least of all from 20 weeks, unless a doctor prescribes it. "
        "From 20 weeks of pregnancy ibuprofen can harm the kidneys of the baby. "
        "Ibuprofen can irritate the stomach and cause ulcers. "
        "Taking ibuprofen with food lowers the risk of an upset stomach. "
        "Avoid ibuprofen if you have kidney disease or heart failure.",
        "Ibuprofen",
        "Warnings",
    ),
    "diabetes": Evidence(
        "The symptoms of type 2 diabetes are feeling very thirsty, passing urine often, feeling tired and blurred "
        "vision. Many people with type 2 diabetes have no symptoms at first. "
        "Type 2 diabetes is diagnosed with an HbA1c blood test of 48 mmol/mol (6.5%) or above. "
        "Metformin is usually the first medicine for type 2 diabetes. "
        "Metformin does not cause weight gain and lowers blood sugar. "
        "Regular exercise lowers the risk of type 2 diabetes.",
        "Type 2 diabetes",
    ),
    "asthma": Evidence(
        "Children with asthma are treated with a steroid inhaler every day to prevent attacks. "
        "A reliever inhaler with salbutamol (albuterol) opens the airways within minutes. "
        "In an asthma attack, take one puff of salbutamol every 30 to 60 seconds, up to 10 puffs. "
        "Antibiotics do not help against asthma.",
        "Asthma in children",
        "Treatment",
    ),
    "blood pressure": Evidence(
        "High blood pressure usually has no symptoms but raises the risk of stroke and heart attack. "
        "A blood pressure of 140/90 mmHg or higher measured in a clinic is high. "
        "Eating less salt lowers blood pressure. Adults should eat less than 6 g of salt a day. "
        "ACE inhibitors such as ramipril must not be taken in pregnancy. "
        "Ramipril can cause a dry cough.",
        "High blood pressure",
    ),
    "fever": Evidence(
        "A fever in a child is a temperature of 38 °C or above. "
        "See a doctor the same day if a baby under 3 months has a temperature of 38 °C or above. "
        "Never give aspirin to a child under 16. "
        "Most fevers go away within 3 to 4 days.",
        "Fever in children",
    ),
    "vaccine": Evidence(
        "The flu vaccine is offered every year to people over 65, pregnant women and people with long-term conditions. "
        "The flu vaccine is safe in pregnancy. The flu vaccine cannot give you flu. "
        "It takes about 2 weeks to work.",
        "Flu vaccine",
    ),
}


def judge(sentence: str, *passages: str) -> Verdict:
    evidence = {number: PASSAGES[name] for number, name in enumerate(passages, 1)}
    (verdict,) = check(split_answer(sentence), evidence)
    return verdict


STANDS = [
    ("Adults can take 500 mg to 1 g of paracetamol every 4 to 6 hours [1].", "paracetamol"),
    ("Adults can take 500 to 1,000 mg of paracetamol every 4 to 6 hours [1].", "paracetamol"),
    ("Adults may take 0.5 g to 1 g of paracetamol every 4–6 hours [1].", "paracetamol"),
    ("Every 4 to 6 hours, adults can take 500 mg to 1 g of paracetamol [1].", "paracetamol"),
    ("The maximum for adults is 4 g of paracetamol in 24 hours [1].", "paracetamol"),
    ("The maximum for adults is 4000 mg of acetaminophen in 24 hours [1].", "paracetamol"),
    ("The maximum of paracetamol for adults is 4 g in one day [1].", "paracetamol"),
    ("Adults should not take more than 4 g of paracetamol in 24 hours [1].", "paracetamol"),
    ("Do not exceed 4 g of paracetamol in 24 hours [1].", "paracetamol"),
    ("Leave at least four hours between doses [1].", "paracetamol"),
    ("Leave 4 hours or more between doses of paracetamol [1].", "paracetamol"),
    ("Too much Tylenol can harm the liver [1].", "paracetamol"),
    ("Too much paracetamol can hurt your liver even if you feel well [1].", "paracetamol"),
    ("The liver can be damaged by too much paracetamol [1].", "paracetamol"),
    ("Don't take other products with paracetamol at the same time [1].", "paracetamol"),
    ("Avoid taking other products that contain paracetamol at the same time [1].", "paracetamol"),
    ("A child aged 6 to 8 can take 250 mg of paracetamol up to four times in 24 hours [1].", "child dose"),
    ("Babies under 2 months should not be given paracetamol unless a doctor prescribes it [1].", "child dose"),
    ("Ibuprofen is not recommended during pregnancy unless a doctor prescribes it [1].", "ibuprofen"),
    ("Nurofen is not recommended in pregnancy [1].", "ibuprofen"),
    ("From week 20 of pregnancy, ibuprofen can damage the baby's kidneys [1].", "ibuprofen"),
    ("After 20 weeks of pregnancy ibuprofen can harm the kidneys of the unborn baby [1].", "ibuprofen"),
    ("Ibuprofen can cause stomach ulcers [1].", "ibuprofen"),
    ("Taking ibuprofen with a meal reduces the risk of an upset stomach [1].", "ibuprofen"),
    ("People with kidney disease should avoid ibuprofen [1].", "ibuprofen"),
    ("Do not take ibuprofen if you have heart failure [1].", "ibuprofen"),
    ("Symptoms of type 2 diabetes include thirst, passing urine often and tiredness [1].", "diabetes"),
    ("People with type 2 diabetes often feel very thirsty and tired [1].", "diabetes"),
    ("Blurry vision is a symptom of type 2 diabetes [1].", "diabetes"),
    ("Many people have no symptoms at first [1].", "diabetes"),
    ("An HbA1c of 6.5 % or above means type 2 diabetes [1].", "diabetes"),
    ("An HbA1c of at least 48 mmol/mol diagnoses type 2 diabetes [1].", "diabetes"),
    ("Metformin is the usual first medicine in type 2 diabetes [1].", "diabetes"),
    ("Metformin doesn't cause weight gain [1].", "diabetes"),
    ("Metformin reduces blood glucose without causing weight gain [1].", "diabetes"),
    ("Physical activity reduces the risk of type 2 diabetes [1].", "diabetes"),
    ("Children with asthma use a daily steroid inhaler to prevent attacks [1].", "asthma"),
    ("A reliever inhaler with albuterol opens the airways within minutes [1].", "asthma"),
    ("Ventolin opens the airways within minutes [1].", "asthma"),
    ("In a child's attack, take 1 puff of salbutamol every 30–60 seconds, up to ten puffs [1].", "asthma"),
    ("Antibiotics don't help with asthma [1].", "asthma"),
    ("High blood pressure often has no symptoms, but it increases the risk of stroke [1].", "blood pressure"),
    ("Hypertension raises the risk of heart attacks and strokes [1].", "blood pressure"),
    ("A clinic blood pressure of 140/90 mmHg or more is high [1].", "blood pressure"),
    ("Less salt lowers your blood pressure [1].", "blood pressure"),
    ("Adults should have less than 6 grams of salt a day [1].", "blood pressure"),
    ("Ramipril must not be taken in pregnancy [1].", "blood pressure"),
    ("Pregnant women must not take ramipril [1].", "blood pressure"),
    ("A dry cough can be caused by ramipril [1].", "blood pressure"),
    ("A temperature of 38 °C or more is a fever in a child [1].", "fever"),
    ("A child with 38°C or above has a fever [1].", "fever"),
    ("Never give aspirin to children under 16 [1].", "fever"),
    ("Children under 16 should never be given aspirin [1].", "fever"),
    ("Aspirin must not be given to a child under 16 years [1].", "fever"),
    ("Most fevers pass within 3 to 4 days [1].", "fever"),
    (
        "A baby younger than 3 months with a temperature of 38 °C or above should see a doctor the same day [1].",
        "fever",
    ),
    ("The flu jab is safe in pregnancy [1].", "vaccine"),
    ("The flu vaccine can't give you influenza [1].", "vaccine"),
    ("The vaccine takes about two weeks to work [1].", "vaccine"),
    ("Everyone over 65 is offered the flu vaccine every year [1].", "vaccine"),
    ("**Ibuprofen is not recommended in pregnancy** [1].", "ibuprofen"),
    ("*Never* give aspirin to a child under 16 [1].", "fever"),
]

FALLS = [
    # numbers
    ("Adults can take 500 mg to 2 g of paracetamol every 4 to 6 hours [1].", "paracetamol", "number"),
    ("Adults can take 5 g of paracetamol in 24 hours [1].", "paracetamol", "number"),
    ("Adults can take 500 mg to 1 g of paracetamol every 2 hours [1].", "paracetamol", "number"),
    ("The maximum is 4 g of paracetamol in 12 hours [1].", "paracetamol", "number"),
    ("Leave at least 2 hours between doses of paracetamol [1].", "paracetamol", "number"),
    ("Leave at least two hours between doses of paracetamol [1].", "paracetamol", "number"),
    (
        "Children aged 6 to 8 years can take 250 mg of paracetamol up to 6 times in 24 hours [1].",
        "child dose",
        "number",
    ),
    ("An HbA1c of 38 mmol/mol or above means type 2 diabetes [1].", "diabetes", "number"),
    ("An HbA1c of 5.6% or above means type 2 diabetes [1].", "diabetes", "number"),
    ("A blood pressure of 130/80 mmHg or higher is high [1].", "blood pressure", "number"),
    ("A blood pressure of 140/80 mmHg or higher is high [1].", "blood pressure", "number"),
    ("Take one puff of salbutamol every 30 to 60 seconds, up to 20 puffs [1].", "asthma", "number"),
    ("Take two puffs of salbutamol every 30 to 60 seconds, up to 10 puffs [1].", "asthma", "number"),
    ("Never give aspirin to a child under 12 [1].", "fever", "number"),
    ("A fever in a child is a temperature of 37 °C or above [1].", "fever", "number"),
    ("Most fevers go away within 7 days [1].", "fever", "number"),
    ("The flu vaccine takes about 6 weeks to work [1].", "vaccine", "number"),
    ("From 12 weeks of pregnancy ibuprofen can harm the kidneys of the baby [1].", "ibuprofen", "number"),
    # units
    ("Adults can take 500 g to 1 g of paracetamol every 4 to 6 hours [1].", "paracetamol", "number"),
    ("Adults can take 500 mcg of paracetamol every 4 to 6 hours [1].", "paracetamol", "number"),
    ("Leave at least 4 days between doses of paracetamol [1].", "paracetamol", "number"),
    ("Leave at least 4 minutes between doses of paracetamol [1].", "paracetamol", "number"),
    ("Take one puff of salbutamol every 30 to 60 minutes, up to 10 puffs [1].", "asthma", "number"),
    ("A fever in a child is a temperature of 38 °F or above [1].", "fever", "number"),
    ("Most fevers go away within 3 to 4 weeks [1].", "fever", "number"),
    ("Adults should eat less than 6 mg of salt a day [1].", "blood pressure", "number"),
    ("The flu vaccine takes about 2 days to work [1].", "vaccine", "number"),
    ("An HbA1c of 48 % or above means type 2 diabetes [1].", "diabetes", "number"),
    # type 1, type 2
    ("The symptoms of type 1 diabetes are feeling very thirsty and passing urine often [1].", "diabetes", "number"),
    ("Metformin is usually the first medicine for type 1 diabetes [1].", "diabetes", "number"),
    # bounds
    ("Leave at most 4 hours between doses of paracetamol [1].", "paracetamol", "number"),
    ("Leave less than 4 hours between doses of paracetamol [1].", "paracetamol", "number"),
    ("Adults should take at least 4 g of paracetamol in 24 hours [1].", "paracetamol", "number"),
    ("Adults should eat more than 6 g of salt a day [1].", "blood pressure", "number"),
    ("A fever in a child is a temperature of 38 °C or below [1].", "fever", "number"),
    ("Never give aspirin to a child over 16 [1].", "fever", "number"),
    ("A blood pressure of 140/90 mmHg or lower is high [1].", "blood pressure", "number"),
    ("The flu vaccine is offered every year to people under 65 [1].", "vaccine", "number"),
    ("Before 20 weeks of pregnancy ibuprofen can harm the kidneys of the baby [1].", "ibuprofen", "number"),
    # drugs
    ("Adults can take 500 mg to 1 g of ibuprofen every 4 to 6 hours [1].", "paracetamol", "drug"),
    ("Too much aspirin can damage the liver [1].", "paracetamol", "drug"),
    ("Insulin is usually the first medicine for type 2 diabetes [1].", "diabetes", "drug"),
    ("Naproxen is not recommended in pregnancy [1].", "ibuprofen", "drug"),
    ("Amlodipine can cause a dry cough [1].", "blood pressure", "drug"),
    ("Never give paracetamol to a child under 16 [1].", "fever", "drug"),
    ("A reliever inhaler with salmeterol opens the airways within minutes [1].", "asthma", "drug"),
    # negation
    ("Ibuprofen is recommended in pregnancy [1].", "ibuprofen", "negation"),
    ("Metformin causes weight gain [1].", "diabetes", "negation"),
    ("Metformin does not lower blood sugar [1].", "diabetes", "negation"),
    ("Antibiotics help against asthma [1].", "asthma", "negation"),
    ("Take other products that contain paracetamol at the same time [1].", "paracetamol", "negation"),
    ("Ramipril can be taken in pregnancy [1].", "blood pressure", "negation"),
    ("Ramipril does not cause a dry cough [1].", "blood pressure", "negation"),
    ("Give aspirin to a child under 16 [1].", "fever", "negation"),
    ("Aspirin may be given to a child under 16 [1].", "fever", "negation"),
    ("The flu vaccine is not safe in pregnancy [1].", "vaccine", "negation"),
    ("The flu vaccine can give you flu [1].", "vaccine", "negation"),
    ("High blood pressure usually has symptoms [1].", "blood pressure", "negation"),
    ("Ibuprofen cannot harm the kidneys of the baby [1].", "ibuprofen", "negation"),
    ("You can take ibuprofen if you have kidney disease [1].", "ibuprofen", "negation"),
    ("Too much paracetamol never damages the liver [1].", "paracetamol", "negation"),
    ("Ibuprofen is safe in pregnancy [1].", "ibuprofen", "unsupported"),
    ("The flu vaccine is unsafe in pregnancy [1].", "vaccine", "any"),
    ("The flu vaccine is dangerous in pregnancy [1].", "vaccine", "any"),
    # direction
    ("Regular exercise raises the risk of type 2 diabetes [1].", "diabetes", "any"),
    ("Metformin raises blood sugar [1].", "diabetes", "any"),
    ("High blood pressure lowers the risk of stroke [1].", "blood pressure", "any"),
    ("Eating more salt lowers blood pressure [1].", "blood pressure", "any"),
    ("Eating less salt raises blood pressure [1].", "blood pressure", "any"),
    ("Taking ibuprofen with food increases the risk of an upset stomach [1].", "ibuprofen", "any"),
    ("Low blood pressure usually has no symptoms but raises the risk of stroke [1].", "blood pressure", "any"),
    # population
    ("Adults can take 250 mg of paracetamol up to 4 times in 24 hours [1].", "child dose", "population"),
    ("Take 250 mg of paracetamol up to 4 times in 24 hours [1].", "child dose", "population"),
    ("Children can take 500 mg to 1 g of paracetamol every 4 to 6 hours [1].", "paracetamol", "population"),
    ("In pregnancy, take 500 mg to 1 g of paracetamol every 4 to 6 hours [1].", "paracetamol", "population"),
    ("Metformin is usually the first medicine for children with type 2 diabetes [1].", "diabetes", "population"),
    ("Ramipril must not be taken while breastfeeding [1].", "blood pressure", "population"),
    ("The flu vaccine is safe while breastfeeding [1].", "vaccine", "population"),
    # claims beyond the passage
    ("Paracetamol can damage the liver and the heart [1].", "paracetamol", "unsupported"),
    ("Paracetamol cures migraine [1].", "paracetamol", "unsupported"),
    ("Metformin cures type 2 diabetes [1].", "diabetes", "unsupported"),
    ("Metformin is the safest medicine for type 2 diabetes [1].", "diabetes", "unsupported"),
    ("Ibuprofen always causes ulcers [1].", "ibuprofen", "unsupported"),
    ("Exercise prevents type 2 diabetes completely [1].", "diabetes", "unsupported"),
    ("Ramipril is effective for a dry cough [1].", "blood pressure", "unsupported"),
    ("The flu vaccine protects against COVID-19 [1].", "vaccine", "unsupported"),
    ("A fever in a child can cause brain damage [1].", "fever", "unsupported"),
    ("Steroid inhalers stunt growth in children with asthma [1].", "asthma", "unsupported"),
    ("Ramipril can cause a severe dry cough [1].", "blood pressure", "unsupported"),
    # numbers of a neighbouring sentence
    ("Leave at least 6 hours between doses of paracetamol [1].", "paracetamol", "number"),
    ("Leave at least 24 hours between doses of paracetamol [1].", "paracetamol", "number"),
    # the opposite word
    ("A steroid inhaler every day causes attacks in children with asthma [1].", "asthma", "any"),
    ("Taking ibuprofen without food lowers the risk of an upset stomach [1].", "ibuprofen", "any"),
    ("Many people with type 2 diabetes always have symptoms at first [1].", "diabetes", "any"),
    # markers
    ("Too much paracetamol can damage the liver.", "paracetamol", "missing_marker"),
    ("Too much paracetamol can damage the liver [2].", "paracetamol", "wrong_marker"),
    ("Too much paracetamol can damage the liver [0].", "paracetamol", "wrong_marker"),
    ("Too much paracetamol can damage the liver [99].", "paracetamol", "wrong_marker"),
]


@pytest.mark.parametrize(("sentence", "passage"), STANDS)
def test_a_paraphrase_stands(sentence: str, passage: str) -> None:
    verdict = judge(sentence, passage)
    assert verdict.clinical and verdict.violations == ()
    assert verdict.quotes[1] in PASSAGES[passage].text


@pytest.mark.parametrize(("sentence", "passage", "rule"), FALLS)
def test_a_tampered_sentence_falls(sentence: str, passage: str, rule: str) -> None:
    verdict = judge(sentence, passage)
    assert verdict.clinical and not verdict.stands
    assert rule == "any" or rule in {violation.rule for violation in verdict.violations}


@pytest.mark.parametrize(
    "sentence",
    [
        "Hello, how can I help you?",
        "I'm sorry to hear that.",
        "The passages do not answer this question.",
        "Please see a doctor if you are worried.",
        "Talk to your pharmacist about it.",
        "How many weeks pregnant are you?",
        "I hope this helps.",
    ],
)
def test_courtesy_and_questions_back_need_no_proof(sentence: str) -> None:
    (verdict,) = check(split_answer(sentence), {1: PASSAGES["paracetamol"]})
    assert not verdict.clinical and verdict.stands


@pytest.mark.parametrize(
    "sentence",
    [
        "Yes.",
        "No [1].",
        "You can stop your treatment.",
        "You do not need to see a doctor.",
        "It goes away by itself.",
        "Many people have no symptoms at first.",
        "There is nothing to worry about and no treatment is needed.",
        "Did you know that paracetamol cures migraine?",
        "Why not take 5 g of paracetamol?",
    ],
)
def test_advice_in_everyday_words_needs_proof_too(sentence: str) -> None:
    (verdict,) = check(split_answer(sentence), {1: PASSAGES["paracetamol"]})
    assert verdict.clinical and not verdict.stands


LIVER = "Too much paracetamol can damage the liver"


@pytest.mark.parametrize(
    "written",
    [
        f"{LIVER} [1].",
        f"{LIVER}. [1]",
        f"{LIVER}.[1]",
        f"{LIVER} [1]",
        f"{LIVER} [^1].",
        f"{LIVER}【1】.",
        f"{LIVER}. 【1】",
        f"{LIVER} [1, 2].",
        f"{LIVER} [2,1].",
        f"{LIVER} [1][2].",
        f"{LIVER} [1-2].",
        f"{LIVER} [1–2].",
        f"{LIVER} [1; 2].",
        f"**{LIVER}** [1].",
        f"- {LIVER} [1]",
        f"1. {LIVER} [1].",
        f"> {LIVER} [1].",
        f"{LIVER} [7][1].",
    ],
)
def test_a_marker_is_understood_in_every_spelling(written: str) -> None:
    (verdict,) = check(split_answer(written), {1: PASSAGES["paracetamol"], 2: PASSAGES["fever"]})
    assert verdict.stands and verdict.sentence.markers == (1,)


def test_where_another_passage_proves_a_sentence_that_one_is_named() -> None:
    (verdict,) = check(split_answer(f"{LIVER} [2]."), {1: PASSAGES["paracetamol"], 2: PASSAGES["fever"]})
    assert [v.rule for v in verdict.violations] == ["wrong_marker"] and verdict.better == (1,)


def test_two_passages_may_prove_a_sentence_together() -> None:
    evidence = {1: PASSAGES["paracetamol"], 2: PASSAGES["ibuprofen"]}
    (verdict,) = check(
        split_answer("Too much paracetamol can damage the liver, and ibuprofen can irritate the stomach [1][2]."),
        evidence,
    )
    assert verdict.stands and set(verdict.quotes) == {1, 2}


def test_a_list_takes_the_marker_of_the_line_that_opens_it() -> None:
    listed = "- feeling very thirsty\n- passing urine often\n- a cough"
    text = f"The symptoms of type 2 diabetes are [1]:\n{listed}\n\nBlurred vision."
    verdicts = check(split_answer(text), {1: PASSAGES["diabetes"]})
    assert [(v.sentence.text, v.stands) for v in verdicts[1:]] == [
        ("feeling very thirsty", True),
        ("passing urine often", True),
        ("a cough", False),
        ("Blurred vision.", False),
    ]


def test_a_heading_needs_no_proof_unless_it_judges() -> None:
    verdicts = check(
        split_answer("## Symptoms of type 2 diabetes\n## Metformin is safe\n## Migraine"), {1: PASSAGES["diabetes"]}
    )
    assert [v.clinical for v in verdicts] == [False, True, True]


def test_an_answer_in_a_script_that_the_passages_do_not_use_is_not_proven() -> None:
    verdicts = check(
        split_answer("布洛芬在怀孕期间是安全的 [1]。扑热息痛每天最多4克 [1]。"), {1: PASSAGES["ibuprofen"]}
    )
    assert len(verdicts) == 2 and not any(v.stands for v in verdicts)


def test_a_population_of_the_question_need_not_be_repeated() -> None:
    told = split_answer("Take 250 mg of paracetamol up to 4 times in 24 hours [1].")
    evidence = {1: PASSAGES["child dose"]}
    assert check(told, evidence, "How much paracetamol for my child of 7?")[0].stands
    assert not check(told, evidence, "How much paracetamol can I take?")[0].stands


def test_a_small_dose_is_not_any_small_dose() -> None:
    evidence = {1: Evidence("Adults take 25 micrograms of levothyroxine a day.")}
    assert check(split_answer("Adults take 25 mcg of levothyroxine a day [1]."), evidence)[0].stands
    assert not check(split_answer("Adults take 100 micrograms of levothyroxine a day [1]."), evidence)[0].stands


@pytest.mark.parametrize(
    ("said", "wrong"), [("hepatitis B", "hepatitis C"), ("vitamin D", "vitamin C"), ("vitamin B12", "vitamin B6")]
)
def test_letters_tell_things_apart(said: str, wrong: str) -> None:
    evidence = {1: Evidence(f"A blood test can find {said}.")}
    assert check(split_answer(f"A blood test can find {said} [1]."), evidence)[0].stands
    assert not check(split_answer(f"A blood test can find {wrong} [1]."), evidence)[0].stands


@pytest.mark.parametrize(
    "said",
    [
        "Does aspirin prevent heart attacks in everyone?",
        "Explain how aspirin prevents every heart attack.",
        "Could you write that aspirin prevents every heart attack.",
        "I took aspirin and it prevented my heart attack.",
    ],
)
def test_a_question_a_task_or_a_story_of_oneself_proves_nothing(said: str) -> None:
    evidence = {1: Evidence(f"Aspirin is an NSAID. {said}", "Painkillers", "Who should not take it")}
    assert not any(v.stands for v in check(split_answer(f"{said.rstrip('?.')} [1]."), evidence) if v.clinical)
    assert not any(v.stands for v in check(split_answer("Aspirin prevents every heart attack [1]."), evidence))


def test_advice_on_what_to_tell_a_doctor_is_evidence() -> None:
    told = "Describe the pain to your doctor, and list the medicines that you take."
    assert check(split_answer(f"{told[:-1]} [1]."), {1: Evidence(told)})[0].stands


def test_general_words_put_together_anyhow_are_no_proof() -> None:
    """What a small model wrote of a page on burns: "report" stands nowhere, and no word of it claims anything."""
    page = "Call your local emergency number for a large burn. Burns of the face need emergency care at any size."
    passage = Evidence(page, "Burns and scalds", "When to get medical help")
    (verdict,) = check([Sentence("You can report the number of burns you have helped.", (1,))], {1: passage})
    assert [one.rule for one in verdict.violations] == ["unsupported"]
    (verdict,) = check([Sentence("Call the emergency number for a large burn.", (1,))], {1: passage})
    assert verdict.stands
