"""Who a text is about: what is read, what is not, and where it stands."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from primum.safety.person import Person, at, egfr_of, known, read
from primum.safety.profile import Profile
from primum.safety.units import level

NOBODY = Profile()
AGES: list[tuple[str, tuple[float, ...]]] = [
    ("55-year-old man", (55,)),
    ("a 3 month old", (0.25,)),
    ("a year old", (1,)),
    ("my 6 wk old", (6 / 52,)),
    ("45yo f", (45,)),
    ("45 y/o woman", (45,)),
    ("(Age 22, male. History: none)", (22,)),
    ('{"age": 45, "sex": "female"}', (45,)),
    ("62F with cough", (62,)),
    ("22, M, cough", (22,)),
    ("a baby of 6 weeks", (6 / 52,)),
    ("My dad, 82, takes zolpidem", (82,)),
    ("my son is four and has a fever", (4,)),
    ("I'm 40 and my baby is 6 weeks old", (40, 6 / 52)),
    ("newborn with fever", (0.02,)),
    ("3个月大", (0.25,)),
    ("患者女性，55岁，出现行走不稳", (55,)),
    ("5岁男孩", (5,)),
    ("宝宝3个月发烧", (0.25,)),
    ("tiene 3 meses", (0.25,)),
    ("hombre de 45 años con dolor", (45,)),
]
NO_AGES = [
    "took it 3 days ago",
    "dolor de 3 días",
    "hace 3 años",
    "she is 12 weeks pregnant",
    "he is 3 days post op",
    "I walk 5 m without pain",
    "怀孕3个月的女性",
    "for up to 5 years",
    "amoxicillin for this toddler, 7 days",
    "for children under 6",
    "Children aged 6-8 years: 250 mg",
    "men aged 75 and over",
    "people over the age of 65",
    "an average age of 28 years",
    "newborns are screened",
]


@pytest.mark.parametrize(("text", "ages"), AGES)
def test_ages_that_are_told_are_read(text: str, ages: tuple[float, ...]) -> None:
    assert read(text).ages == pytest.approx(ages)


@pytest.mark.parametrize("text", NO_AGES)
def test_times_and_groups_are_no_ages(text: str) -> None:
    assert read(text).ages == ()


@pytest.mark.parametrize(
    ("text", "sex"),
    [
        ("55-year-old man", "male"),
        ("62F with cough", "female"),
        ("my wife has a fever", "female"),
        ("5岁男孩", "male"),
        ("mi hija", "female"),
        ("I am pregnant", "female"),
        ("my wife and my son", None),
        ("HER2-positive cancer", None),
        ("he has a fever", "male"),
        ("he tenido fiebre", None),
        ("a fever", None),
    ],
)
def test_a_sex_is_read_where_one_alone_is_named(text: str, sex: str | None) -> None:
    assert read(text).sex == sex


@pytest.mark.parametrize(
    ("text", "pregnant", "weeks"),
    [
        ("I'm 34 weeks pregnant", True, 34),
        ("pregnant, about 12 weeks", True, 12),
        ("G2P1 at 33 weeks with headache", True, 33),
        ("estoy embarazada de 20 semanas", True, 20),
        ("怀孕30周", True, 30),
        ("I had a positive pregnancy test", True, None),
        ("pregnant and have had a fever for 2 weeks", True, None),
        ("I'm not pregnant", False, None),
        ("how to prevent getting pregnant", False, None),
        ("you will need a standard pregnancy test", False, None),
        ("ill for 3 weeks", False, None),
    ],
)
def test_pregnancy_is_read_with_its_weeks(text: str, pregnant: bool, weeks: float | None) -> None:
    told = read(text)
    assert (told.pregnant, told.weeks) == (pregnant, weeks)


def test_birth_and_breast_feeding_are_read() -> None:
    assert read("I gave birth a week ago").postpartum
    assert read("I'm breastfeeding").breastfeeding and read("estoy amamantando").breastfeeding
    assert not read("I am not breastfeeding").breastfeeding


@pytest.mark.parametrize(
    ("text", "fact", "value"),
    [
        ("she weighs 70 kg", "weight_kg", 70),
        ("my 5 year old weighs 40 lb", "weight_kg", 18.1),
        ("I weigh 11 stone", "weight_kg", 69.9),
        ("I'm 9 stone 4 and tired", "weight_kg", 59.0),
        ("I'm 8 stone", "ages", ()),
        ("体重65公斤", "weight_kg", 65),
        ("height 170 cm", "height_cm", 170),
        ("he is 1.75 m tall", "height_cm", 175),
        ("I am 5'10\" and overweight", "height_cm", 177.8),
        ("身高170cm", "height_cm", 170),
        ("eGFR 45", "egfr", 45),
        ("eGFR (CKD-EPI) was 45 last month", "egfr", 45),
        ("eGFR <30", "egfr", 29.9),
        ("creatinine clearance of 25 mL/min", "egfr", 25),
        ("my kidney function is 25", "egfr", 25),
        ("creatinine 1.8 mg/dL", "creatinine_umol_l", 159.1),
        ("creatinine of 150", "creatinine_umol_l", 150),
        ("肌酐 150", "creatinine_umol_l", 150),
    ],
)
def test_measures_are_read(text: str, fact: str, value: float) -> None:
    assert getattr(read(text), fact) == pytest.approx(value, abs=0.05)


@pytest.mark.parametrize(
    "text",
    [
        "lost 5 kg",
        "10 mg/kg",
        "BMI 30 kg",
        "20 mg per kg",
        "a 5 ft wall",
        "my creatinine rose",
        "creatinine 0",
        "900 kg",
    ],
)
def test_other_figures_are_no_measures_of_the_person(text: str) -> None:
    assert read(text) == Person()


@pytest.mark.parametrize(
    ("text", "born"),
    [
        ("born on 12 May 1960", "1960-05-12"),
        ("DOB: 1960-05-12", "1960-05-12"),
        ("date of birth May 3rd, 1960", "1960-05-03"),
        ("born 30/07/1980", "1980-07-30"),
        ("born 03/04/1960", "1960"),
        ("born in June 1985", "1985-06"),
        ("I was born in 1985", "1985"),
        ("nací el 5 de mayo de 1970", "1970-05-05"),
        ("出生于1960年5月3日", "1960-05-03"),
        ("a new-born in 5 wards", ""),
    ],
)
def test_a_birth_date_is_read_as_far_as_it_is_sure(text: str, born: str) -> None:
    assert read(text).born == born


def test_each_fact_has_its_place() -> None:
    text = "I’m a 40-year-old woman, 62 kg, 30 weeks pregnant; eGFR was 45."
    told = read(text)
    said = {name: text[start:stop] for name, (start, stop) in told.places.items()}
    assert said == {
        "ages": "40-year-old", "sex": "woman", "pregnant": "pregnant", "weeks": "30 weeks pregnant",
        "weight_kg": "62 kg", "egfr": "eGFR was 45",
    }  # fmt: skip


def test_the_text_goes_before_the_profile() -> None:
    assert known("my son is 4 years old", Profile(age=40)).ages == (4,)
    assert known("I feel ill", Profile(age=40, sex="female", pregnant=True)) == Person((40,), "female", True)
    assert known("eGFR 30", Profile(egfr=80)).egfr == 30


@pytest.mark.parametrize(
    ("text", "age"),
    [
        ("My son is 5, my mother is 80: give HERE", 80),
        ("Adults: 1 g. Children aged 6-8 years: HERE", 7.92),
        ("My daughter is 4 years old. She has a fever. HERE", 4),
        ("HERE for my toddler", 2),
        ("HERE for the elderly", 78),
        ("Not for children. HERE", None),
        ("HERE", None),
    ],
)
def test_words_are_meant_for_the_person_named_nearest(text: str, age: float | None) -> None:
    place = text.index("HERE")
    start = text.rfind(". ", 0, place) + 1
    assert at(text, place, (start, len(text)), NOBODY).age == pytest.approx(age)


def test_the_profiles_weight_is_not_that_of_a_child_spoken_of() -> None:
    profile = Profile(age=40, weight_kg=80)
    assert at("for my 4 year old", 0, (0, 17), profile).weight_kg is None
    assert at("for me", 0, (0, 6), profile).weight_kg == 80


def test_filtration_follows_ckd_epi_2021() -> None:
    assert egfr_of(88.4, 50, "male") == pytest.approx(92, abs=1)
    assert egfr_of(88.4, 50, "female") == pytest.approx(69, abs=1)
    assert egfr_of(88.4, 50, None) == egfr_of(88.4, 50, "female")
    assert at("creatinine 300", 0, (0, 14), Profile(age=70, sex="male")).egfr == pytest.approx(18, abs=1)


@given(st.text(max_size=200))
def test_any_text_is_read_and_levelled_in_place(text: str) -> None:
    assert len(level(text)) == len(text)
    assert all(0 <= start < stop <= len(text) for start, stop in read(text).places.values())


def test_an_age_or_a_weight_is_no_filtration_rate() -> None:
    assert read("eGFR of a 55-year-old woman with creatinine 1.2 mg/dL").egfr is None
    assert read("Creatinine clearance of a man of 70 kg").egfr is None
    assert read("Her eGFR is 48.").egfr == 48 and read("eGFR 7.5 ml/min").egfr == 7.5


@pytest.mark.parametrize(
    "text",
    ["my kidneys work at 20%", "my kidney function is down to 20 percent", "I only have 20% kidney function",
     "mis riñones funcionan al 20%", "肾功能只有20%"],
)  # fmt: skip
def test_kidneys_told_in_percent_are_an_egfr(text: str) -> None:
    assert read(text).egfr == 20


def test_a_number_of_years_beside_a_weight_is_an_age() -> None:
    assert read("AF, 82 y, 58 kg").ages == (82,) and read("smoked for 30 y, 20 a day").ages == ()
