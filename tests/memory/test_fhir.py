"""Facts as FHIR R4 and back, and what is read of the records of other makers. All cases are made up here."""

import json
from datetime import UTC, date, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from primum.graph.errors import BadInput
from primum.memory.extract import extract, extract_dialogue
from primum.memory.facts import Fact, Quote, merge, profile_of
from primum.memory.fhir import bundle_of, facts_of
from primum.memory.fhir_codes import PROOF
from primum.safety.dose_reader import read_doses

TODAY = date(2025, 11, 22)
NOW = datetime(2025, 11, 22, 9, 30, tzinfo=UTC)
SNOMED, LOINC, RXNORM = "http://snomed.info/sct", "http://loinc.org", "http://www.nlm.nih.gov/research/umls/rxnorm"


def told(message: str, asked: str = "", today: date = TODAY) -> list[Fact]:
    return extract(message, asked=asked, today=today)


def back(facts: list[Fact]) -> list[Fact]:
    """The facts after they went out as JSON and came in again."""
    found, left = facts_of(json.dumps(bundle_of(facts, "p1", NOW)).encode(), TODAY)
    assert left == []
    return found


def exported(facts: list[Fact]) -> list[dict[str, Any]]:
    """The resources that the facts make, the Patient apart."""
    return [entry["resource"] for entry in bundle_of(facts, "p1", NOW)["entry"][1:]]


# Out and back.

SAID = (
    "I'm a 45 year old woman, born on 3 May 1980. I weigh 70.5 kg and I'm 168 cm tall. I speak Spanish",
    "Since 2019 I take metformin 500 mg twice a day. I stopped aspirin in May. I took two ibuprofen this morning",
    "I'm on Accutane and I take paracetamol as needed. I don't take warfarin. I don't speak English",
    "I don't take any medication. No known allergies",
    "I'm allergic to penicillin. It gives me hives. Codeine makes me nauseous and gave me vomiting",
    "I have a severe shellfish allergy",
    "I have no drug allergies. I'm not allergic to latex. I have a mild peanut allergy",
    "I have asthma, I was diagnosed with gout in 2019, and I don't have diabetes. My mother has diabetes",
    "I had my appendix removed in 2003. I've never had a hysterectomy. My grandfather had glaucoma",
    "I'm 12 weeks pregnant and I'm not breastfeeding. I quit smoking in 2015 and I don't drink alcohol",
    "I'm not pregnant. I smoke. I have two beers a day. I'm breastfeeding",
    "My creatinine was 1.4 mg/dl on 3 March 2025, my eGFR was 38 in March, my blood pressure is 150/90 and my tsh is 2",
    "Sorry, I meant I'm not allergic to penicillin. 我对青霉素过敏。 Tomo metformina dos veces al día",
    "I was diagnosed with foo  bar disease. I'm allergic to foo  bar",
)
ASKED = (
    ("Do you weigh 70 kg?", "No."), ("Are you a man?", "No."), ("Were you born on 3 May 1980?", "No."),
    ("Are you 40 years old?", "No."), ("Was your creatinine 140 µmol/l?", "No."), ("Did you quit smoking?", "No."),
    ("Do you have a family history of breast cancer?", "No."), ("Do you speak Spanish?", "No."),
    ("Any allergies?", "No."), ("Any food allergies?", "No."), ("Are you still taking metoprolol?", "No."),
    ("Are you taking metoprolol?", "Yes, 50 mg twice a day."), ("How old are you?", "42."),
    ("Was your blood pressure 150/90?", "No."),
)  # fmt: skip


@pytest.mark.parametrize("message", SAID)
def test_what_a_message_told_comes_back_as_it_was(message: str) -> None:
    facts = told(message)
    assert facts
    assert back(facts) == facts


@pytest.mark.parametrize(("asked", "answer"), ASKED)
def test_what_an_answer_told_comes_back_as_it_was(asked: str, answer: str) -> None:
    facts = told(answer, asked)
    assert back(facts) == facts


WORDS = st.sampled_from(
    [*" ".join(SAID).split(". "), *"\n|and|but|if|it|É|😀|İ|½|\x01|since 2019|my mother|?".split("|")]
)
TEXTS = st.one_of(
    st.lists(WORDS, max_size=6).map(" ".join), st.lists(WORDS, max_size=6).map(". ".join), st.text(max_size=40)
)
ROLES = st.sampled_from(["user", "assistant", "family"])


@given(
    st.lists(st.tuples(ROLES, st.one_of(TEXTS, st.sampled_from([one for pair in ASKED for one in pair]))), max_size=6)
)
def test_whatever_is_extracted_comes_back_as_it_was(turns: list[tuple[str, str]]) -> None:
    facts = extract_dialogue([{"role": role, "content": content} for role, content in turns], today=TODAY)
    assert back(facts) == facts
    merged = merge((), facts)
    for held in (list(merged.current), list(merged.ended)):
        assert sorted(back(held), key=repr) == sorted(held, key=repr)


def test_a_day_of_birth_that_is_none_comes_back_without_being_one() -> None:
    (sure,) = told("I was born on 31 February 1980")
    facts = [sure.model_copy(update={"value": "1980-02-31"})]
    assert back(facts) == facts
    assert "birthDate" not in bundle_of(facts, "p1", NOW)["entry"][0]["resource"]


def test_facts_of_many_days_come_back_the_oldest_first() -> None:
    old, new = told("I weigh 80 kg", today=date(2024, 1, 1)), told("I weigh 70 kg")
    assert back(new + old) == old + new


def test_a_fact_of_a_record_comes_back_as_it_was() -> None:
    quotes = (Quote(role="record", message="Condition/1", start=0, stop=6, text="Asthma"),)
    fact = Fact(kind="condition", value="asthma", written="Asthma", said=TODAY, quotes=quotes)
    assert back([fact]) == [fact]


def test_an_empty_bundle_is_a_patient_alone() -> None:
    bundle = bundle_of([], "p1", NOW)
    assert [entry["resource"]["resourceType"] for entry in bundle["entry"]] == ["Patient"]
    assert facts_of(bundle, TODAY) == ([], [])


# What other systems read.


def code(concept: dict[str, Any]) -> str:
    return str(concept["coding"][0]["code"])


def test_the_patient_repeats_sex_birth_and_language() -> None:
    facts = told("I'm a woman, born on 3 May 1980. I speak Spanish. I don't speak English")
    patient = bundle_of(facts, "p1", NOW)["entry"][0]["resource"]
    assert (patient["gender"], patient["birthDate"]) == ("female", "1980-05-03")
    assert [code(one["language"]) for one in patient["communication"]] == ["es"]
    assert patient["identifier"][0]["value"] == "p1"


def test_an_allergy_is_an_allergy_intolerance() -> None:
    hives, shellfish, codeine = exported(
        told(
            "I'm allergic to penicillin. It gives me hives. I have a severe shellfish allergy. "
            "Codeine makes me nauseous and gave me vomiting"
        )
    )
    assert (code(hives["clinicalStatus"]), code(hives["verificationStatus"])) == ("active", "unconfirmed")
    assert hives["reaction"] == [{"manifestation": [{"text": "hives"}], "severity": "mild"}]
    assert (hives["criticality"], shellfish["criticality"], codeine["type"]) == ("low", "high", "intolerance")
    assert hives["note"][0] == {"text": "patient: “I'm allergic to penicillin.”"}


def test_what_is_denied_is_never_read_as_told() -> None:
    (denied,) = exported(told("I'm not allergic to latex"))
    assert code(denied["verificationStatus"]) == "refuted"
    (none,) = exported(told("No known allergies"))
    assert (code(none["code"]), code(none["verificationStatus"])) == ("716186003", "unconfirmed")
    assert code(exported(told("I have no drug allergies"))[0]["code"]) == "409137002"
    assert exported(told("I don't take aspirin"))[0]["status"] == "not-taken"
    assert code(exported(told("I don't have diabetes"))[0]["verificationStatus"]) == "refuted"
    assert exported(told("I've never had a hysterectomy"))[0]["status"] == "not-done"
    assert code(exported(told("I'm not pregnant"))[0]["valueCodeableConcept"]) == "60001007"
    (weight,) = exported(told("No.", "Do you weigh 70 kg?"))
    assert "valueQuantity" not in weight
    assert code(weight["dataAbsentReason"]) == "unknown"


def test_medicines_conditions_and_relatives_have_their_elements() -> None:
    (metformin, aspirin) = exported(told("Since 2019 I take metformin 500 mg twice a day. I stopped aspirin in May"))
    assert (metformin["status"], metformin["effectivePeriod"]) == ("active", {"start": "2019"})
    assert metformin["dosage"][0]["text"] == "500 mg, twice a day"
    assert (aspirin["status"], aspirin["effectivePeriod"]) == ("completed", {"end": "2025-05"})
    gout, mother = exported(told("I was diagnosed with gout in 2019. My mother has diabetes"))
    assert (code(gout["clinicalStatus"]), gout["onsetDateTime"]) == ("active", "2019")
    assert (code(mother["relationship"]), mother["condition"][0]["code"]["text"]) == ("MTH", "diabetes")
    (appendix,) = exported(told("I had my appendix removed in 2003"))
    assert (appendix["status"], appendix["performedDateTime"]) == ("completed", "2003")


def test_measures_have_loinc_codes_and_ucum_units() -> None:
    message = "I weigh 70 kg. My creatinine is 140 µmol/l. My eGFR is 38. My blood pressure is 150/90"
    weight, creatinine, egfr, pressure = exported(told(message))
    assert (code(weight["code"]), weight["valueQuantity"]["code"]) == ("29463-7", "kg")
    assert (code(creatinine["code"]), creatinine["valueQuantity"]["code"]) == ("14682-9", "umol/L")
    assert code(exported(told("My creatinine is 1.4 mg/dl"))[0]["code"]) == "2160-0"
    assert (code(egfr["code"]), egfr["valueQuantity"]["value"]) == ("69405-9", 38)
    assert [(code(one["code"]), one["valueQuantity"]["value"]) for one in pressure["component"]] == [
        ("8480-6", 150), ("8462-4", 90),
    ]  # fmt: skip
    pregnant, former = exported(told("I'm 12 weeks pregnant. I quit smoking in 2015"))
    assert (code(pregnant["valueCodeableConcept"]), code(former["valueCodeableConcept"])) == ("77386006", "8517006")
    assert former["effectivePeriod"] == {"start": "2015"}


# The records of other makers.


def resource(kind: str, **elements: Any) -> dict[str, Any]:
    subject = "patient" if kind in ("AllergyIntolerance", "FamilyMemberHistory") else "subject"
    about = {} if kind in ("Patient", "Medication") else {subject: {"reference": "urn:uuid:p"}}
    return {"resourceType": kind, "id": "1", **about, **elements}


def record(*resources: dict[str, Any], patient: dict[str, Any] | None = None, **elements: Any) -> dict[str, Any]:
    """A bundle as Synthea makes it."""
    entries = [{"fullUrl": "urn:uuid:p", "resource": patient or {"resourceType": "Patient", "id": "p"}}]
    entries += [{"fullUrl": f"urn:uuid:{place}", "resource": one} for place, one in enumerate(resources)]
    posted = [{**entry, "request": {"method": "POST", "url": "X"}} for entry in entries]
    return {"resourceType": "Bundle", "type": "transaction", "entry": posted, **elements}


def read(*resources: dict[str, Any], **options: Any) -> list[str]:
    """What is told, in short: `ended` and the details that are known."""
    found, left = facts_of(record(*resources, **options), TODAY)
    assert left == []
    return [
        ", ".join(filter(None, (
            f"{'ended ' if fact.valid_until else ''}{fact.kind}: {fact.label}", fact.dose, fact.frequency,
            fact.reaction, fact.severity, fact.relative, fact.unit,
        )))
        for fact in found
    ]  # fmt: skip


def left_out(one: dict[str, Any]) -> str:
    found, left = facts_of(record(one), TODAY)
    assert found == []
    (line,) = left
    return line


def concept(
    text: str | None = None, display: str | None = None, coded: str = "1", system: str = SNOMED
) -> dict[str, Any]:
    coding = {"coding": [{"system": system, "code": coded, **({"display": display} if display else {})}]}
    return {**({"text": text} if text else {}), **(coding if display or coded != "1" else {})}


def status(name: str) -> dict[str, Any]:
    return {"coding": [{"code": name}]}


ORDER = {"status": "active", "intent": "order"}
RECORDS: list[tuple[dict[str, Any], list[str]]] = [
    # allergies
    (resource("AllergyIntolerance", code=concept("Penicillin V")), ["allergy: penicillin v"]),
    (resource("AllergyIntolerance", code=concept(display="Allergy to peanut (finding)")), ["allergy: peanut"]),
    (resource("AllergyIntolerance", code=concept(display="Shellfish (substance)")), ["allergy: shellfish"]),
    (
        resource("AllergyIntolerance", code=concept("Aspirin"), criticality="high",
                 reaction=[{"manifestation": [concept("Wheal"), concept(display="Wheezing (finding)")]}]),
        ["allergy: aspirin, Wheal, Wheezing, severe"],
    ),
    (
        resource("AllergyIntolerance", code=concept("Latex"),
                 reaction=[{"manifestation": [concept("Hives")], "severity": "moderate"}]),
        ["allergy: latex, Hives"],
    ),
    (resource("AllergyIntolerance", code=concept("Latex"), verificationStatus=status("refuted")),
     ["allergy: no latex"]),
    (resource("AllergyIntolerance", code=concept("NKDA")), ["allergy: none"]),
    (resource("AllergyIntolerance", code=concept(coded="429625007")), ["allergy: none"]),
    # medicines
    (
        resource("MedicationRequest", **ORDER, authoredOn="2019-03-01T10:00:00-05:00",
                 medicationCodeableConcept=concept(display="24 HR Metformin hydrochloride 500 MG Oral Tablet"),
                 dosageInstruction=[{
                     "timing": {"repeat": {"frequency": 2, "period": 1.0, "periodUnit": "d"}},
                     "doseAndRate": [{"doseQuantity": {"value": 500, "unit": "mg"}}],
                 }]),
        ["medicine: metformin, 500 mg, 2 times a day"],
    ),
    (
        resource("MedicationRequest", **ORDER,
                 medicationCodeableConcept=concept("Acetaminophen 325 MG / Hydrocodone Bitartrate 7.5 MG Oral Tablet"),
                 dosageInstruction=[{"text": "Take 500 mg every 6 hours", "asNeededBoolean": False}]),
        ["medicine: acetaminophen/hydrocodone, 500 mg, every 6 hours"],
    ),
    (
        resource("MedicationRequest", status="stopped", intent="order", authoredOn="2015-02-01",
                 medicationCodeableConcept=concept("Naproxen 220 MG Oral Tablet")),
        ["ended medicine: naproxen"],
    ),
    (
        resource("MedicationStatement", status="active", medicationReference={"reference": "#m"},
                 effectiveDateTime="2020-05", contained=[{"resourceType": "Medication", "id": "m",
                                                          "code": concept("Warfarin Sodium 5 MG Oral Tablet")}]),
        ["medicine: warfarin"],
    ),
    (
        resource("MedicationStatement", status="active", medicationCodeableConcept=concept("Amoxicillin"),
                 effectivePeriod={"start": "2025-11-20", "end": "2025-11-27"}),
        ["medicine: amoxicillin"],
    ),
    (resource("MedicationStatement", status="not-taken", medicationCodeableConcept=concept("aspirin")),
     ["medicine: no aspirin"]),
    (resource("MedicationStatement", status="unknown", medicationCodeableConcept=concept(coded="787481004")),
     ["medicine: none"]),
    # conditions
    (resource("Condition", clinicalStatus=status("active"), code=concept(display="Essential hypertension (disorder)")),
     ["condition: hypertension"]),
    (resource("Condition", clinicalStatus=status("resolved"), abatementDateTime="2011-02-03T00:00:00Z",
              code=concept("Viral sinusitis (disorder)")), ["ended condition: viral sinusitis"]),
    (resource("Condition", verificationStatus=status("refuted"), code=concept("Asthma")), ["condition: no asthma"]),
    (resource("Condition", code=concept("Normal pregnancy (finding)")), ["pregnancy: pregnant"]),
    (resource("Condition", code=concept("History of appendectomy (situation)")), ["procedure: appendectomy"]),
    (resource("Condition", code=concept("No known problems")), ["condition: none"]),
    # procedures and relatives
    (resource("Procedure", status="completed", performedPeriod={"start": "2003-04-05T01:00:00Z", "end": "2003-04-06"},
              code=concept(display="Laparoscopic appendectomy (procedure)")), ["procedure: appendectomy"]),
    (resource("Procedure", status="completed", code=concept("Repair of rotator cuff")),
     ["procedure: repair of rotator cuff"]),
    (
        resource("FamilyMemberHistory", status="completed", relationship=concept(coded="MTH", system=(
            "http://terminology.hl7.org/CodeSystem/v3-RoleCode")), condition=[{"code": concept("Gout")},
                                                                             {"code": concept("Breast cancer")}]),
        ["family_history: gout, mother", "family_history: breast-cancer, mother"],
    ),
    # observations
    (resource("Observation", status="final", code=concept(coded="29463-7", system=LOINC),
              valueQuantity={"value": 154.3, "code": "[lb_av]"}), ["weight: 69.99 kg, kg"]),
    (resource("Observation", status="final", code=concept(coded="38483-4", system=LOINC),
              valueQuantity={"value": 1.2, "unit": "mg/dL", "code": "mg/dL"}), ["laboratory: creatinine, mg/dl"]),
    (resource("Observation", status="final", code=concept("Serum potassium"),
              valueQuantity={"value": 4.1, "unit": "mmol/L"}), ["laboratory: potassium, mmol/l"]),
    (
        resource("Observation", status="final", code=concept(coded="85354-9", system=LOINC), component=[
            {"code": concept(coded="8462-4", system=LOINC), "valueQuantity": {"value": 90}},
            {"code": concept(coded="8480-6", system=LOINC), "valueQuantity": {"value": 150}},
        ]),
        ["laboratory: blood pressure, mmHg"],
    ),
    (resource("Observation", status="final", code=concept(coded="72166-2", system=LOINC),
              valueCodeableConcept=concept("Former smoker")), ["smoking: former"]),
    (resource("Observation", status="final", code=concept(coded="72166-2", system=LOINC),
              valueCodeableConcept=concept(coded="266919005")), ["smoking: no yes"]),
    (resource("Observation", status="final", code=concept(coded="82810-3", system=LOINC),
              valueCodeableConcept=concept(coded="LA15173-0", system=LOINC)), ["pregnancy: pregnant"]),
    (resource("Observation", status="final", code=concept(coded="63895-7", system=LOINC), valueBoolean=False),
     ["breastfeeding: no breastfeeding"]),
    (resource("Observation", status="final", code=concept(coded="74013-4", system=LOINC), valueQuantity={"value": 0}),
     ["alcohol: no yes"]),
]  # fmt: skip


@pytest.mark.parametrize(("one", "expected"), RECORDS)
def test_a_resource_of_another_maker_tells_these_facts(one: dict[str, Any], expected: list[str]) -> None:
    assert read(one) == expected


def test_the_patient_tells_sex_birth_and_language() -> None:
    spoken = [{"language": concept("Spanish")}, {"language": concept(coded="en-US", system="urn:ietf:bcp:47")}]
    patient = {"resourceType": "Patient", "id": "p", "gender": "male", "birthDate": "1958-01", "communication": spoken}
    assert read(patient=patient) == ["sex: male", "birth_date: 1958-01", "language: es", "language: en"]
    assert read(patient={"resourceType": "Patient", "gender": "other"}) == []


def test_the_words_of_a_record_are_its_proof() -> None:
    dosage = [{"text": "500 mg daily"}]
    one = resource("MedicationStatement", status="active", medicationCodeableConcept=concept("Accutane"), dosage=dosage)
    found, _ = facts_of(record(one, timestamp="2025-11-02T00:00:00Z"), TODAY)
    (fact,) = found
    assert (fact.value, fact.written, fact.said) == ("isotretinoin", "Accutane", date(2025, 11, 2))
    assert [(quote.role, quote.message, quote.start, quote.stop, quote.text) for quote in fact.quotes] == [
        ("record", "urn:uuid:0", 0, 8, "Accutane"), ("record", "urn:uuid:0", 9, 21, "500 mg daily"),
    ]  # fmt: skip
    bare = {"resourceType": "Bundle", "type": "collection", "entry": [{"resource": one}]}
    assert facts_of(bare, TODAY)[0][0].quotes[0].message == "MedicationStatement/1"


def test_a_medication_of_the_bundle_is_found_by_its_reference() -> None:
    medication = resource("Medication", id="m", code=concept(display="Simvastatin 10 MG Oral Tablet"))
    for name in ("urn:uuid:0", "Medication/m", "https://example.org/fhir/Medication/m"):
        asked = resource("MedicationRequest", **ORDER, medicationReference={"reference": name})
        assert read(medication, asked) == ["medicine: simvastatin"]
    assert left_out(medication) == "Medication/m: facts are not read from resources of this type"


def test_how_often_is_in_words_that_the_rules_read() -> None:
    for repeat, expected, per_day in (
        ({"frequency": 1, "period": 1, "periodUnit": "d"}, "once a day", 1),
        ({"frequency": 3, "period": 1, "periodUnit": "d"}, "3 times a day", 3),
        ({"frequency": 1, "period": 8, "periodUnit": "h"}, "every 8 hours", 3),
    ):
        dosage = {"timing": {"repeat": repeat}, "doseAndRate": [{"doseQuantity": {"value": 500, "unit": "mg"}}]}
        one = resource("MedicationRequest", **ORDER, medicationCodeableConcept=concept("metformin"),
                       dosageInstruction=[dosage])  # fmt: skip
        assert read(one) == [f"medicine: metformin, 500 mg, {expected}"]
        (dose,) = read_doses(f"metformin 500 mg {expected}")
        assert dose.per_day == per_day
    coded = {"timing": {"code": concept(coded="BID")}, "doseAndRate": [{"doseQuantity": {"value": 1}}]}
    one = resource(
        "MedicationRequest", **ORDER, medicationCodeableConcept=concept("metformin"), dosageInstruction=[coded]
    )
    assert read(one) == ["medicine: metformin, BID"]


def test_dates_are_those_of_the_record() -> None:
    test = resource("Observation", status="final", code=concept(coded="69405-9", system=LOINC),
                    effectiveDateTime="2025-03-04T23:00:00-05:00", valueQuantity={"value": 58})  # fmt: skip
    asthma = resource("Condition", code=concept("Asthma"), onsetDateTime="1990", recordedDate="2024-07")
    (old, new), _ = facts_of(record(test, asthma), TODAY)
    assert (old.value, old.valid_from, old.said) == ("asthma", "1990", date(2024, 7, 1))
    assert (new.value, new.valid_from, new.said) == ("egfr", "2025-03-04", date(2025, 3, 4))
    assert profile_of([old, new]).egfr == 58


LEFT_OUT: list[tuple[dict[str, Any], str]] = [
    (resource("Encounter"), "facts are not read from resources of this type"),
    (resource("NoSuchType"), "facts are not read from resources of this type"),
    (resource("Condition", code=concept("Asthma"), verificationStatus=status("entered-in-error")), "entered-in-error"),
    (resource("Condition", code=concept("Asthma"), verificationStatus=status("differential")), "is differential"),
    (resource("Observation", status="entered-in-error", code=concept("INR")), "entered-in-error"),
    (resource("Condition", code=concept("Asthma"), subject={"reference": "Patient/other"}), "not about the patient"),
    (resource("Condition", code=concept(coded="195967001")), "codes alone"),
    (resource("Condition", code=concept("Full-time employment (finding)")), "a finding"),
    (resource("Condition", clinicalStatus=status("resolved"), code=concept("Normal pregnancy (finding)")), "is over"),
    (resource("AllergyIntolerance", clinicalStatus=status("resolved"), code=concept("Latex")), "holds no longer"),
    (resource("AllergyIntolerance", code=concept("Unknown")), "nothing is known"),
    (resource("MedicationRequest", status="active", intent="plan", medicationCodeableConcept=concept("x")), "no order"),
    (resource("MedicationRequest", **ORDER, doNotPerform=True, medicationCodeableConcept=concept("x")), "no order"),
    (resource("MedicationRequest", **ORDER, medicationReference={"reference": "Medication/gone"}), "codes alone"),
    (resource("MedicationStatement", status="intended", medicationCodeableConcept=concept("x")), "intended"),
    (resource("Procedure", status="completed", code=concept("Depression screening")), "no surgery"),
    (resource("Observation", status="final", code=concept("Creatinine [Mass/volume] in Urine", coded="2161-8",
                                                          system=LOINC), valueQuantity={"value": 9}), "no observation"),
    (resource("Observation", status="final", code=concept("Urine creatinine"), valueQuantity={"value": 9}),
     "no observation"),
    (resource("Observation", status="final", code=concept(coded="69405-9", system=LOINC),
              valueQuantity={"value": 60, "comparator": ">"}), "no exact value"),
    (resource("Observation", status="final", code=concept(coded="29463-7", system=LOINC),
              valueQuantity={"value": 11, "unit": "stone-ish"}), "unit is not known"),
    (resource("Observation", status="final", code=concept(coded="29463-7", system=LOINC),
              valueQuantity={"value": 7000, "unit": "kg"}), "out of range"),
    (resource("Observation", status="final", code=concept(coded="72166-2", system=LOINC),
              valueCodeableConcept=concept(coded="266927001")), "nothing is known"),
    (resource("FamilyMemberHistory", status="health-unknown", relationship=concept("mother")), "health-unknown"),
    (resource("Condition", code=concept("Asthma"), modifierExtension=[{"url": "urn:x", "valueBoolean": True}]),
     "modifierExtension"),
]  # fmt: skip


@pytest.mark.parametrize(("one", "why"), LEFT_OUT)
def test_what_is_not_known_to_be_so_is_left_out_with_its_reason(one: dict[str, Any], why: str) -> None:
    line = left_out(one)
    assert line.startswith(f"{one['resourceType']}/{one['id']}: ")
    assert why in line


def test_what_another_system_changed_counts() -> None:
    bundle = bundle_of(told("I take metformin"), "p1", NOW)
    bundle["entry"][1]["resource"] |= {"status": "completed", "effectivePeriod": {"end": "2025-11"}}
    (fact,), _ = facts_of(bundle, TODAY)
    assert (fact.value, fact.valid_until) == ("metformin", "2025-11")
    bundle = bundle_of(told("I'm a woman"), "p1", NOW)
    bundle["entry"][0]["resource"]["gender"] = "male"
    assert [fact.value for fact in facts_of(bundle, TODAY)[0]] == ["female", "male"]


# What is no record.

SECRET = "Zebulon"


def nested(depth: int) -> dict[str, Any]:
    return {"url": "urn:x", **({"extension": [nested(depth - 1)]} if depth else {"valueString": SECRET})}


ASTHMA = resource("Condition", code=concept("Asthma"))
WRONG: list[tuple[dict[str, Any] | bytes, str]] = [
    (b"<Bundle/>", "no JSON"),
    (b"[" * 100_000, "no JSON"),
    (b"[]", "no Bundle"),
    ({"resourceType": "Patient"}, "no Bundle"),
    ({"resourceType": "Bundle", "type": "collection", "entry": [SECRET]}, "entry is no list of objects"),
    ({"resourceType": "Bundle", "type": "collection", "entry": [{"resource": {"id": SECRET}}]}, "no resourceType"),
    ({"resourceType": "Bundle", "type": SECRET}, "type is none of the codes"),
    ({"resourceType": "Bundle", "type": "history"}, "type history is no record"),
    (record(ASTHMA, resource("Patient")), "more than one patient"),
    ({"resourceType": "Bundle", "type": "searchset", "entry": [
        {"resource": ASTHMA}, {"resource": {**ASTHMA, "subject": {"reference": "Patient/2"}}},
    ]}, "more than one patient"),
    (record(patient={"resourceType": "Patient", "birthDate": SECRET}), "Patient of entry 0: birthDate is missing"),
    (record(patient={"resourceType": "Patient", "gender": SECRET}), "gender is none of the codes"),
    (record(patient={"resourceType": "Patient", SECRET: 1}), "it has an element that R4 does not have"),
    (record(resource("MedicationStatement", status="active")), "MedicationStatement/1: "),
    (record({**ASTHMA, "contained": [{"resourceType": SECRET}]}), "no type that R4 has"),
    (record({**ASTHMA, "extension": [nested(300)]}), "nested too deeply"),
    (record({**ASTHMA, "extension": [{"url": PROOF, "valueString": SECRET}]}), "is not whole"),
]  # fmt: skip


@pytest.mark.parametrize(("bundle", "why"), WRONG)
def test_what_is_no_record_is_refused_without_a_patients_words(bundle: dict[str, Any] | bytes, why: str) -> None:
    with pytest.raises(BadInput, match=why) as error:
        facts_of(bundle, TODAY)
    assert SECRET not in str(error.value)
    assert "Asthma" not in str(error.value)
