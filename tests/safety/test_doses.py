"""Doses as they are read, and as they are judged: tables of cases, the project's own file of cases, any text."""

import csv
import json
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from primum.safety.dose_reader import read_doses
from primum.safety.doses import check, limits, table
from primum.safety.findings import Finding
from primum.safety.profile import Profile
from primum.safety.validator import told

CASES = [json.loads(line) for line in (Path(__file__).parent / "dose_cases.jsonl").read_text("utf-8").splitlines()]
DATA = Path(__file__).parents[2] / "safety" / "data"
NOBODY = Profile()


def exceeds(findings: tuple[Finding, ...]) -> bool:
    return any(finding.severity in ("major", "contraindicated") for finding in findings)


def rules(text: str, profile: Profile = NOBODY) -> set[str]:
    return {finding.rule for finding in check(text, profile)}


def test_own_cases_are_judged_with_precision_and_recall_of_95_per_cent() -> None:
    judged = [(exceeds(check(c["text"], Profile(**c.get("profile", {})))), c["exceeds"], c["id"]) for c in CASES]
    hits = sum(got and want for got, want, _ in judged)
    wrong = [name for got, want, name in judged if got != want]
    assert len(CASES) >= 150
    assert hits / sum(got for got, _, _ in judged) >= 0.95, wrong
    assert hits / sum(want for _, want, _ in judged) >= 0.95, wrong


@pytest.mark.parametrize(
    ("text", "drug", "amount", "per_day"),
    [
        ("two 500 mg paracetamol tablets every 6 hours", "acetaminophen", 1000, 4),
        ("paracetamol 1 g qid", "acetaminophen", 1000, 4),
        ("ibuprofen 800 mg four times a day", "ibuprofen", 800, 4),
        ("ibuprofen 2x400mg three times a day", "ibuprofen", 800, 3),
        ("ibuprofen 400–800 mg every 8 hours", "ibuprofen", 800, 3),
        ("methotrexate 10 mg once a week", "methotrexate", 10, 1 / 7),
        ("paracetamol 5 ml of 120 mg/5 ml four times a day", "acetaminophen", 120, 4),
        ("half a tablet of zolpidem 10 mg at night", "zolpidem", 5, 1),
        ("clonazepam .5 mg b.i.d.", "clonazepam", 0.5, 2),
        ("warfarin 5.0 mg once daily", "warfarin", 5, 1),
        ("metformin 1,000 mg twice daily", "metformin", 1000, 2),
        ("levothyroxine 100 µg every morning", "levothyroxine", 0.1, 1),
        ("insulin glargine 20 units at bedtime", "insulin glargine", 20, 1),
        ("salbutamol 4 puffs every 4 hours", "albuterol", 4, 6),
        ("布洛芬一日三次，每次400毫克", "ibuprofen", 400, 3),
        ("对乙酰氨基酚每6小时1克", "acetaminophen", 1000, 4),
        ("阿莫西林 500mg每日三次", "amoxicillin", 500, 3),
        ("amoxicilina 500 mg cada 8 horas", "amoxicillin", 500, 3),
        ("ibuprofeno 400 mg tres veces al día", "ibuprofen", 400, 3),
        ("Augmentin 875/125 mg twice daily", "amoxicillin/clavulanate", 1000, 2),
        ("tylenol 1000mg q4h", "acetaminophen", 1000, 6),
        ("paracetamol 500 mg x 2 three times a day", "acetaminophen", 1000, 3),
        ("paracetamol 250 mg/5 ml: give 20 ml four times a day", "acetaminophen", 1000, 4),
        ("Give 5 ml (120 mg) of paracetamol four times a day", "acetaminophen", 120, 4),
        ("paracetamol 240 mg in 10 ml four times a day", "acetaminophen", 240, 4),
        ("two tablets of 650 mg paracetamol every 6 hours", "acetaminophen", 1300, 4),
        ("paracetamol 1 g in the morning, at noon and at night", "acetaminophen", 1000, 3),
        ("ibuprofen 400 mg every 4 hours, at most twice a day", "ibuprofen", 400, 2),
        ("ibuprofen 400 mg every 4 hours, up to 3 doses", "ibuprofen", 400, 3),
        ("paracetamol 3 g a day in 3 doses", "acetaminophen", 1000, 3),
        ("ibuprofen 400 mg x 3", "ibuprofen", 400, 3),
        ("ibuprofen 400 mg x 3 daily", "ibuprofen", 400, 3),
        ("ibuprofen 400 mg morning, noon and night", "ibuprofen", 400, 3),
        ("ibuprofen 400 mg 6-hourly", "ibuprofen", 400, 4),
        ("zoledronic acid 5 mg yearly", "zoledronic acid", 5, 1 / 365),
        ("2 tablets of paracetamol (1000 mg each) once daily", "acetaminophen", 2000, 1),
        ("强的松10毫克每2天一次", "prednisone", 10, 0.5),
        ("阿莫西林每日1.5克，分3次", "amoxicillin", 500, 3),
        ("co-codamol 500 mg four times a day", "co-codamol", 500, 4),
        ("Tylenol 3 times a day 500 mg", "acetaminophen", 500, 3),
        ("I take warfarin. Would 800 mg, as my friend takes of ibuprofen, be safe?", "ibuprofen", 800, None),
        ("alendronate 70 mg every Monday", "alendronate", 70, 1 / 7),
        ("prednisolone 10 mg on alternate days", "prednisolone", 10, 0.5),
        ("paracetamol 1 g alle 6 Stunden", "acetaminophen", 1000, 4),
        ("paracétamol 1 g toutes les 6 heures", "acetaminophen", 1000, 4),
        ("zolpidem 10s, I take two and a half each night", "zolpidem", 25, 1),
        ("half of a ten milligram zolpidem at bedtime", "zolpidem", 5, 1),
        ("hydroxychloroquine 200 mg tablets, three every single day", "hydroxychloroquine", 600, 1),
        ("Wellbutrin XL 300, one with each of my three meals", "bupropion", 300, 3),
        ("digoxin: my tablets are 250, I take two daily", "digoxin", None, None),
        ("Piriton 4 mg every 4 hours, six a day", "chlorpheniramine", 4, 6),
        ("20 mL of 2% lidocaine once", "lidocaine", 400, None),
        ("0.5 mL of 1:1000 adrenaline IM", "epinephrine", 0.5, None),
        ("drew up 0.8 ml of U-100 NovoRapid", "insulin aspart", 80, None),
        ("布洛芬混悬液(100毫升:2克)每次5毫升", "ibuprofen", 100, None),
        ("加巴喷丁300毫克一天三次,每次五粒", "gabapentin", 1500, 3),
        ("Trulicity 1.5 mg on Monday, Wednesday and Friday", "dulaglutide", 1.5, 3 / 7),
        ("prednisolone down from 15 mg to 12.5 mg daily", "prednisolone", None, None),
        ("trimethoprim 200 mg twice a day for three days, 6 tablets", "trimethoprim", 200, 2),
        ("olanzapine 10 mg at night, 28", "olanzapine", 10, 1),
        ("dos pastillas de zolpidem de 10 todas las noches", "zolpidem", 20, None),
        ("calculated 2.7 mg vincristine, capped and given as 2 mg", "vincristine", 2, None),
        ("Imodium 4 mg, had eight lots of that since this morning", "loperamide", 4, 8),
    ],
)
def test_amount_and_frequency_are_read(text: str, drug: str, amount: float | None, per_day: float | None) -> None:
    (dose,) = [dose for dose in read_doses(text) if dose.kind == "advice"]
    assert dose.drug == drug
    assert dose.amount == (amount and pytest.approx(amount))
    assert dose.per_day == (per_day and pytest.approx(per_day, rel=0.01))


def test_a_frequency_goes_for_both_of_two_drugs() -> None:
    one, other = read_doses("Take 400 mg of ibuprofen and 1 g of paracetamol four times a day.")
    assert (one.drug, one.per_day, other.drug, other.per_day) == ("ibuprofen", 4, "acetaminophen", 4)


@pytest.mark.parametrize(
    ("text", "total", "amount"),
    [
        ("gabapentin 2,700 mg a day, split as three 900s", 2700, None),
        ("Yesterday I had 8 paracetamol in total, the 500 mg ones, two at a time", 4000, 1000),
        ("morphine 2 mg every 5 minutes up to 10 mg", 10, 2),
    ],
)
def test_parts_of_a_day_are_not_added_to_its_total(text: str, total: float, amount: float | None) -> None:
    (dose,) = read_doses(text)
    assert (dose.total, dose.amount) == (total, amount)


@pytest.mark.parametrize(
    ("text", "days"),
    [
        ("apixaban 10 mg twice a day for 7 days, then 5 mg twice a day", 7),
        ("apixaban 10 mg twice a day for the first week, then 5 mg twice a day", 7),
        ("cefalexin 500 mg three times a day 5/7", 5),
        ("cisplatin 20 mg/m2 daily, days 1 to 5", 5),
        ("docetaxel 75 mg/m2 days 1, 2 and 3", 3),
        ("paclitaxel 80 mg/m2 days 1, 8 and 15", None),
        ("利伐沙班15毫克每日两次用21天", 21),
        ("voriconazole 400 mg every 12 hours for 24 hours", 1),
    ],
)
def test_the_days_of_a_course_are_read(text: str, days: float | None) -> None:
    assert read_doses(text)[0].course == days


def test_two_times_of_day_are_two_doses_that_are_added_up() -> None:
    morning, night = read_doses("Metformin 1000 mg in the morning and 2000 mg at night")
    assert (morning.total, night.total, night.extra) == (1000, 2000, True)


@pytest.mark.parametrize(
    ("text", "total", "amount"),
    [
        ("paracetamol: no more than 4 g a day", 4000, None),
        ("paracetamol: no more than 1 g at a time", None, 1000),
        ("paracetamol: no more than 1 g every 6 hours", 4000, 1000),
        ("methotrexate: no more than 21 mg a week", 3, None),
        ("paracetamol 120 mg/5 ml: at most 50 ml a day", 1200, None),
        ("paracetamol 500 mg tablets: at most 8 tablets in 24 hours", 4000, None),
    ],
)
def test_a_limit_is_for_a_day_a_week_or_one_intake(text: str, total: float | None, amount: float | None) -> None:
    (limit,) = [dose for dose in read_doses(text) if dose.kind == "limit"]
    assert limit.total == (total and pytest.approx(total))
    assert limit.amount == amount


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("Never take more than 4 g of paracetamol in 24 hours.", "limit"),
        ("Do not exceed 8 tablets of paracetamol in a day.", "limit"),
        ("Do not take 8 g of paracetamol.", "denied"),
        ("不要服用8克对乙酰氨基酚。", "denied"),
        ("No tome 8 g de paracetamol.", "denied"),
        ("Taking more than 4 g of paracetamol a day can damage your liver.", "warning"),
        ("The lethal dose of paracetamol is 20 g.", "warning"),
        ("8 g of paracetamol a day is not dangerous.", "advice"),
        ("4 g of paracetamol a day is the maximum.", "limit"),
        ("is 8 g paracetamol too much?", "advice"),
        ("Can't I take 8 g of paracetamol?", "advice"),
        ("I took an overdose of 20 g paracetamol", "advice"),
        ("An overdose of 20 g paracetamol kills", "warning"),
        ("Take a handful of paracetamol: 3 handfuls.", "unreadable"),
        ("co-codamol 5 ml daily", "unreadable"),
        ("amoxicillin 3 spoons a day", "unreadable"),
        ("In 2012 I swallowed 30 paracetamol.", "former"),
        ("I did NOT take ten paracetamol tablets!", "denied"),
        ("Lorazepam 10 mg was charted, then corrected to 1 mg.", "former"),
        ("My wife's metoprolol is 50 mg. I take metoprolol 100 mg.", "former"),
    ],
)
def test_advice_is_told_from_limits_denials_and_warnings(text: str, kind: str) -> None:
    assert kind in {dose.kind for dose in read_doses(text)}


@pytest.mark.parametrize(
    "text",
    [
        "Metformin helps in type 2 diabetes; your blood pressure is 180/110 and you were born on 12/05/1960.",
        "Take vitamin B12 as your doctor says; glucose was 250 mg/dL.",
        "Metformin: eat 30 g of fibre a day.",
        "Your digoxin level is 2.5 ng/ml.",
        "I take lithium; the trough was 1.2 mmol.",
    ],
)
def test_numbers_that_are_no_doses_are_left_alone(text: str) -> None:
    assert [dose for dose in read_doses(text) if dose.total or dose.amount] == []


@pytest.mark.parametrize(
    ("text", "profile", "rule", "severity"),
    [
        ("ibuprofen 800 mg four times a day", {}, "dose.daily", "major"),
        ("paracetamol 1 g every 4 hours", {}, "dose.daily", "contraindicated"),
        ("ibuprofen 1.2 g at once", {}, "dose.single", "major"),
        ("methotrexate 10 mg daily", {}, "dose.weekly-given-daily", "contraindicated"),
        ("alendronate 70 mg every day", {}, "dose.weekly-given-daily", "contraindicated"),
        ("paracetamol 500 mg every 2 hours, max 4 g a day", {}, "dose.interval", "major"),
        ("metformin 1 g twice daily", {"egfr": 25}, "dose.kidney", "major"),
        ("metformin 1 g twice daily", {"age": 70, "sex": "male", "creatinine_umol_l": 300}, "dose.kidney", "major"),
        ("paracetamol 1 g four times a day", {"conditions": ["cirrhosis"]}, "dose.liver", "major"),
        ("ibuprofen 400 mg", {"pregnant": True, "weeks_pregnant": 30}, "dose.pregnancy", "major"),
        ("aspirin 300 mg for my 8-year-old", {}, "dose.age", "major"),
        ("amoxicillin 600 mg three times a day", {"age": 3, "weight_kg": 14}, "dose.daily", "major"),
        ("do not exceed 8 g of paracetamol a day", {}, "dose.limit", "contraindicated"),
        ("paracetamol 1.000 mg every 6 hours", {}, "dose.ambiguous", "moderate"),
        ("ibuprofen 400 three times a day", {}, "dose.unreadable", "moderate"),
        ("metformin 1 g twice daily, my eGFR is 25", {}, "dose.kidney", "major"),
        ("metformin 1 g twice daily", {"conditions": ["CKD stage 4"]}, "dose.kidney", "major"),
        ("paracetamol 1 g four times a day, I have hepatitis", {}, "dose.liver", "major"),
        ("paracetamol 1 g four times a day, every 2 hours", {}, "dose.interval", "major"),
        ("ibuprofen 50 mg/kg for my 3 year old", {}, "dose.single", "contraindicated"),
        ("amiodarone 200 mg daily for my 3 year old", {}, "dose.age", "moderate"),
        ("digoxin 0.5 mg/kg daily", {}, "dose.daily", "contraindicated"),
        ("vitamin D3 5 mg a day", {}, "dose.daily", "contraindicated"),
        ("salbutamol 5 mg inhaled every hour", {}, "dose.daily", "contraindicated"),
        ("potassium chloride 6 g three times a day", {}, "dose.daily", "contraindicated"),
        ("potassium chloride 100 mmol three times a day", {}, "dose.daily", "contraindicated"),
        ("potassium chloride 40 mmol IV push", {}, "dose.never", "major"),
        ("potassium chloride 40 mmol IV over 30 minutes", {}, "dose.rate", "contraindicated"),
        ("a new fentanyl 25 patch every morning", {}, "dose.interval", "major"),
        ("injected 80 units of Lantus, the plan says 8", {}, "dose.mistaken", "contraindicated"),
        ("apixaban 10 mg twice a day", {"conditions": ["atrial fibrillation"]}, "dose.daily", "contraindicated"),
        ("simvastatin 40 mg at night", {"medicines": ["amlodipine 10 mg"]}, "dose.daily", "contraindicated"),
        ("enoxaparin 80 mg twice daily", {"egfr": 16, "weight_kg": 78}, "dose.kidney", "major"),
        ("metaxalone 800 mg", {"age": 5, "weight_kg": 18}, "dose.single", "contraindicated"),
        ("noradrenaline 30 mcg/kg/min", {"weight_kg": 70}, "dose.rate", "contraindicated"),
        ("heparin infusion 12,000 units/h", {}, "dose.rate", "contraindicated"),
        ("docetaxel 175 mg/m2 every 3 weeks", {}, "dose.single", "contraindicated"),
        ("cladribine 5 mg/m2", {}, "dose.unreadable", "moderate"),
    ],
)
def test_a_dose_is_judged_for_the_person(text: str, profile: dict[str, object], rule: str, severity: str) -> None:
    found = check(text, Profile.model_validate(profile))
    assert (rule, severity) in {(finding.rule, finding.severity) for finding in found}, found


@pytest.mark.parametrize(
    ("right", "wrong"),
    [
        ("metformin 5000 mg bid - sorry typo, 500 mg bid", "metformin 500 mg bid, and now 5000 mg bid"),
        ("enalapril 50 mg al día, perdón, quise poner 5 mg al día", "enalapril 5 mg al día, ahora 50 mg al día"),
        ("华法林每天15mg,我看错了,是每天5mg", "医生开华法林每天3mg,我看错了吃了30mg"),
        ("He said take four 800 mg ibuprofen at once. I didn't, I take one.", "I took four 800 mg ibuprofen at once."),
        ("Taking 8 g of paracetamol a day can destroy the liver.", "I take 8 g of paracetamol a day, it may harm me."),
        ("flecainide 300 mg once when palpitations start", "flecainide 300 mg twice a day"),
        ("alternating ibuprofen 600 mg and paracetamol 1 g every 4 hours", "ibuprofen 600 mg every 4 hours"),
        ("adrenaline 1 mg IV, cardiac arrest", "adrenaline 1 mg IV push, hives, no arrest"),
        ("colchicine 500 mcg twice a day, max 6 mg per course", "colchicine 6 mg a day"),
        ("nitroglycerin 0.4 mg, one every 5 min, up to 3", "nitroglycerin 0.4 mg, one every 5 min"),
        ("alendronate 70 mg weekly", "my weekly alendronate 70 mg every morning"),
        (
            "Calpol six plus for my 6 year old, 5 ml at 8, 2 and 8",
            "Calpol six plus for my 6 year old, 15 ml at 8, 2 and 8",
        ),
        (
            "2 Panadol Extra four times a day",
            "2 Panadol Extra four times a day and also 3 sachets of Lemsip Max in a day",
        ),
        ("ibuprofen 100 mg/5 ml, 4 ml, 8 kg", "ibuprofen 100 mg/5 ml, 10 ml every 6 hours, 8 kg"),
        ("ramipril 10 mg twice a day, BP 128/80", "ramipril 40 mg twice a day, BP 128/80"),
        ("amoxicillin 500 mg caps x21, one three times a day", "took amoxicillin 500 mg caps x21 last night"),
        ("lorazepam 1 mg, caja de 30 comprimidos, uno al día", "me tomé una caja de 30 comprimidos de lorazepam 1 mg"),
        ("gentamicin 7 mg/kg, 80 kg, so 560 mg once a day", "gentamicin 7 mg/kg, 80 kg, so 560 mg twice a day"),
        ("It is 5 mg of bisoprolol, not 50 mg.", "Not 5 mg, I take 50 mg of bisoprolol."),
        ("He asked for diazepam 50 mg; declined.", "He asked for diazepam 50 mg and got it."),
        ("If I took 30 paracetamol, would I die? I take two a day.", "I took 30 paracetamol. I take two a day."),
        ("My son takes 40 mg citalopram, I'm 78 and on 20 mg.", "I'm 78 and on 40 mg citalopram."),
        ("losartan 50 mg am, 50 mg pm", "losartan 100 mg am, 100 mg pm"),
        ("bortezomib 1.3 mg/m2 days 1, 4, 8, 11", "bortezomib 13 mg/m2 days 1, 4, 8, 11"),
    ],
)
def test_one_dose_is_right_where_its_neighbour_is_too_much(right: str, wrong: str) -> None:
    assert not exceeds(check(right, NOBODY))
    assert exceeds(check(wrong, NOBODY))


def test_a_dose_of_someone_else_is_not_judged_by_the_kidneys_of_the_writer() -> None:
    text = "My husband is on gabapentin 1200 mg three times a day. The doctor only gave me 100 mg at night."
    assert not exceeds(check(text, Profile(egfr=20)))


def test_the_same_substance_in_several_products_is_added_up() -> None:
    text = "co-codamol 30/500 two tablets four times a day and paracetamol 500 mg four times a day"
    assert "dose.sum" in rules(text)
    assert "dose.sum" not in rules("co-codamol 30/500 one tablet four times a day and paracetamol 500 mg twice a day")
    assert "dose.sum" in rules("ibuprofen 800 mg three times a day plus another 800 mg of ibuprofen at bedtime")
    assert "dose.sum" in rules("metformin 2000 mg in the morning and 2000 mg at night")
    assert "dose.sum" not in rules("metformin 2000 mg in the morning or 2000 mg at night")
    assert "dose.sum" in rules("diclofenaco 100 mg, uno con el desayuno y otro con la cena")
    assert "dose.daily" in rules("tadalafil 20 mg at 6 pm and again at 9 pm")
    assert "dose.sum" in rules("co-codamol 30/500, two four times a day, and 2 x 500 mg paracetamol each time as well")
    medicines = Profile(medicines=("co-codamol 30/500 2 tablets four times a day",))
    assert "dose.sum" in rules("Take paracetamol 1 g four times a day.", medicines)


def test_a_finding_says_what_was_read_both_limits_and_its_source() -> None:
    (found,) = check("I take warfarin and want to take ibuprofen 800 mg four times a day", NOBODY)
    assert found.subjects == ["ibuprofen"]
    for words in ("800 mg × 4 = 3,200 mg a day", "2,400 mg", "1,200 mg", "3,200 mg (FDA label)"):
        assert words in found.text
    assert "British National Formulary" in found.source and "2024" in found.source


def test_what_the_table_does_not_know_is_told_on_request_and_never_called_safe() -> None:
    text = "Take eculizumab 900 mg once."
    assert check(text, NOBODY) == ()
    (found,) = check(text, NOBODY, tell_unknown=True)
    assert (found.rule, found.severity) == ("dose.unknown", "info")
    assert "not checked" in found.text and "safe" not in found.text


@pytest.mark.parametrize(
    ("text", "route"),
    [
        ("fentanyl 1 patch every 3 days", "transdermal"),
        ("salbutamol 2 puffs", "inhaled"),
        ("fluticasone 2 puffs in each nostril", "nasal"),
        ("paracetamol 1 suppository", "rectal"),
        ("morphine 10 mg iv", "iv"),
        ("insulin glargine 20 units under the skin", "sc"),
        ("paracetamol 500 mg by mouth", "oral"),
        ("paracetamol 500 mg", None),
    ],
)
def test_the_route_named_nearest_counts(text: str, route: str | None) -> None:
    assert [dose.route for dose in read_doses(text)] == [route]


def test_limits_follow_age_and_route() -> None:
    assert limits("citalopram", Profile(age=40))[0].total == 40
    assert limits("citalopram", Profile(age=70))[0].total == 20
    assert limits("Advil", NOBODY, "oral")[0].substance == "ibuprofen"
    assert limits("ketorolac", NOBODY, "im")[0].total == 120
    assert limits("no such drug", NOBODY) == ()


def test_the_table_is_whole() -> None:
    rows = [row for group in table().values() for row in group]
    assert len(table()) >= 500
    for row in rows:
        assert row.age_min < row.age_max, row
        assert row.single is None or row.total is None or row.load or row.single <= row.total * max(row.days, 1), row
        assert row.source.count(",") >= 2, row
    with (DATA / "products.csv").open(encoding="utf-8", newline="") as file:
        rows_of_products = list(csv.DictReader(file))
    assert {row["substance"] for row in rows_of_products} <= set(table())
    meant = [name for row in rows_of_products if not row["amount"] for name in row["product"].lower().split("|")]
    assert len(meant) == len(set(meant)), {name for name in meant if meant.count(name) > 1}


@given(st.sampled_from(sorted(name for name, rows in table().items() if rows[0].total)), st.integers(30, 400))
@settings(max_examples=50, deadline=None)
def test_far_more_than_any_limit_is_always_found(drug: str, factor: int) -> None:
    rows = table()[drug]
    most = max(max(row.total or 0, row.single or 0, row.load or 0, row.weekly_dose or 0) for row in rows)
    unit = rows[0].unit
    text = f"{drug} {most * factor:.4f} {unit} once daily" if unit in ("mg", "unit", "ml", "meq", "puff") else ""
    assert not text or exceeds(check(text, Profile(age=40))), text


@given(st.text(max_size=200), st.sampled_from(["paracetamol 1 g", "ibuprofen", "布洛芬", ""]))
@settings(max_examples=50, deadline=None)
def test_no_text_breaks_the_reader(text: str, drug: str) -> None:
    check(f"{text} {drug} {text}", NOBODY)


@pytest.mark.parametrize(
    "text",
    [
        "CKD 4 paracetamol 1 g",
        "NYHA 3 bisoprolol 10 mg",
        "GOLD 3 prednisolone 40 mg",
        "day 3 amoxicillin 500 mg",
        "Type 2 metformin 1 g",
        "step 3 montelukast 10 mg",
        "ASA 2 paracetamol 1 g",
        "Child-Pugh class 7 amoxicillin 1 g",
    ],
)
def test_the_number_of_a_stage_or_a_day_is_no_count_of_tablets(text: str) -> None:
    assert not [
        one for one in check(text, Profile()) if one.rule.startswith(("dose.single", "dose.daily", "dose.unreadable"))
    ]


@pytest.mark.parametrize(
    "text",
    ["took 4 naproxen 500 mg", "three times a day 3 paracetamol 500 mg", "every day 10 paracetamol 500 mg"],
)
def test_a_count_before_a_name_counts_whatever_stands_before_it(text: str) -> None:
    assert [one for one in check(text, Profile()) if one.rule.startswith(("dose.single", "dose.daily"))]


def test_a_child_known_by_weight_alone_is_told_its_weight_and_no_age_that_nobody_gave() -> None:
    for text in ("My child weighs 12 kg. Paracetamol 500 mg four times a day", "12 kg, paracetamol 500 mg"):
        found = check(text, Profile())
        assert "for a child of 12 kg" in found[0].text and "years" not in found[0].text
    assert "for a child of 3 years" in check("My 3 year old weighs 12 kg, paracetamol 500 mg", Profile())[0].text


@pytest.mark.parametrize(
    ("text", "over"),
    [
        ("Apixaban 5 mg bd in AF, 82 y, 58 kg, creatinine 1.6 mg/dL", True),
        ("82 year old, 58 kg, atrial fibrillation, apixaban 5 mg twice daily", True),
        ("AF, 82 year old, creatinine 150 µmol/L, apixaban 5 mg twice a day", True),
        ("AF, 55 kg, creatinine 150, 70 year old, apixaban 5 mg bd", True),
        ("82 year old, 58 kg, atrial fibrillation, apixaban 2.5 mg twice daily", False),
        ("70 y, 58 kg, AF, apixaban 5 mg bd", False),
        ("DVT, 82 year old, 55 kg, apixaban 5 mg twice a day", False),
        ("84 year old man with AF takes dabigatran 150 mg twice daily", True),
        ("84 year old man with AF takes dabigatran 110 mg twice daily", False),
        ("74 year old man with AF takes dabigatran 150 mg twice daily", False),
    ],
)
def test_an_anticoagulant_is_lowered_by_two_of_age_weight_and_creatinine(text: str, over: bool) -> None:
    found = [one for one in check(text, told(text, Profile())) if one.rule.startswith(("dose.daily", "dose.single"))]
    assert bool(found) == over
    assert not [one for one in found if "82 mg" in one.text or "70 mg" in one.text]
