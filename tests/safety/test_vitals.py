"""Vital signs read from text, and the scores."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from primum.safety.person import Person
from primum.safety.vitals import Vitals, alarms, news2, read

READ = [
    ("BP 100/60", {"systolic": 100, "diastolic": 60}),
    ("blood pressure is 185 over 110", {"systolic": 185, "diastolic": 110}),
    ("HR 130", {"heart_rate": 130}),
    ("sats 88%", {"spo2": 88}),
    ("SpO2 88", {"spo2": 88}),
    ("temp 39.5", {"temperature": 39.5}),
    ("a fever of 102 F", {"temperature": 38.9}),
    ("38.6°C", {"temperature": 38.6}),
    ("RR 30", {"respiratory_rate": 30}),
    ("GCS 8", {"gcs": 8}),
    ("AVPU V", {"consciousness": "V"}),
    (
        '{"hr": 130, "bp_sys": 80, "spo2": 85, "avpu": "A"}',
        {"heart_rate": 130, "systolic": 80, "spo2": 85, "consciousness": "A"},
    ),
    (
        '{"heart_rate": 138, "systolic_bp": 82, "temperature_c": 37.1, "respiratory_rate": 22}',
        {"heart_rate": 138, "systolic": 82, "temperature": 37.1, "respiratory_rate": 22},
    ),
    ("blood sugar 52", {"glucose": 2.9}),
    ("glucose 3.1 mmol/L", {"glucose": 3.1}),
    ("血压80/50 心率130 体温39度", {"systolic": 80, "diastolic": 50, "heart_rate": 130, "temperature": 39}),
    ("fiebre de 38,5", {"temperature": 38.5}),
    ("fever for 3 days", {}),
    ("my blood pressure was 210/120 last year", {}),
    ("previously well, BP 100/60, SpO2 91%", {"systolic": 100, "diastolic": 60, "spo2": 91}),
    ("PMH asthma, RR 30, SpO2 88%", {"respiratory_rate": 30, "spo2": 88}),
    ("previously BP 80/40", {}),
    ("call 911 on 10/12", {}),
]


@pytest.mark.parametrize(("text", "signs"), READ)
def test_vital_signs_are_read(text: str, signs: dict[str, float | str]) -> None:
    found = {sign: value for sign, value in vars(read(text)).items() if value not in (None, False)}
    assert {k: pytest.approx(v, abs=0.06) if not isinstance(v, str) else v for k, v in signs.items()} == found


@pytest.mark.parametrize(
    ("vitals", "score", "red"),
    [
        (Vitals(heart_rate=75, systolic=125, respiratory_rate=16, spo2=98, temperature=37, consciousness="A"), 0, ()),
        (
            Vitals(heart_rate=131, systolic=90, respiratory_rate=25, spo2=91, temperature=39.1, consciousness="V"),
            17,
            ("respiratory_rate", "spo2", "systolic", "heart_rate", "consciousness"),
        ),
        (Vitals(heart_rate=91, systolic=110, respiratory_rate=21, spo2=95, temperature=38.1), 6, ()),
        (Vitals(heart_rate=40, temperature=35.0), 6, ("heart_rate", "temperature")),
        (Vitals(heart_rate=41, spo2=93, on_oxygen=True), 5, ()),
    ],
)
def test_news2_as_published(vitals: Vitals, score: int, red: tuple[str, ...]) -> None:
    assert news2(vitals) == (score, red)


@pytest.mark.parametrize(
    ("vitals", "who", "level"),
    [
        (Vitals(temperature=38.2), Person((0.1,)), "emergency"),
        (Vitals(temperature=38.2), Person((3.0,)), None),
        (Vitals(heart_rate=150), Person((0.5,)), None),
        (Vitals(heart_rate=150), Person((40.0,)), "emergency"),
        (Vitals(respiratory_rate=45), Person((0.5,)), None),
        (Vitals(respiratory_rate=75), Person((0.5,)), "emergency"),
        (Vitals(systolic=60), Person((4.0,)), "emergency"),
        (Vitals(systolic=165), Person((30.0,), "female", True, 30.0), "emergency"),
        (Vitals(systolic=165), Person((30.0,), "female"), None),
        (Vitals(temperature=39.6, heart_rate=114), Person((28.0,), "female", True, 20.0), "emergency"),
        (Vitals(spo2=86), Person(), "emergency"),
        (Vitals(consciousness="U"), Person(), "emergency"),
        (Vitals(gcs=14), Person((40.0,)), "urgent"),
        (Vitals(glucose=3.5), Person(), "urgent"),
        (Vitals(glucose=2.0), Person(), "emergency"),
        (Vitals(heart_rate=0), Person(), "emergency"),
        (Vitals(), Person(), None),
    ],
)
def test_alarms_fit_age_and_pregnancy(vitals: Vitals, who: Person, level: str | None) -> None:
    levels = {alarm.level for alarm in alarms(vitals, who)}
    assert ("emergency" if "emergency" in levels else "urgent" if levels else None) == level


@given(st.text(max_size=200))
def test_any_text_is_read(text: str) -> None:
    read(text)


@given(st.integers(30, 200), st.integers(60, 250), st.integers(5, 60), st.integers(60, 100))
def test_what_is_written_is_what_is_read(rate: int, pressure: int, breaths: int, oxygen: int) -> None:
    found = read(f"HR {rate}, BP {pressure}/50, RR {breaths}, SpO2 {oxygen}%")
    assert (found.heart_rate, found.systolic, found.respiratory_rate, found.spo2) == (rate, pressure, breaths, oxygen)
