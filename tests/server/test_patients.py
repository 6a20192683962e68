"""A patient's chart over HTTP: seen with its proofs, corrected, ended, removed, taken along, erased."""

import json
from datetime import UTC, datetime
from typing import Any

import httpx
import pytest
from httpx_sse import connect_sse

from primum.memory.erasure import Receipt, is_genuine
from tests.fakes import FakeVLLM
from tests.served import events, refused

SAID = "I'm allergic to penicillin and I take warfarin 5 mg daily. What is gout?"


def chart(api: httpx.Client, patient: str = "anna", **query: Any) -> Any:
    response = api.get(f"/patients/{patient}/facts", params=query)
    response.raise_for_status()
    return response.json()


def texts(api: httpx.Client, **query: Any) -> list[str]:
    return [fact["text"] for fact in chart(api, **query)["facts"]]


@pytest.fixture
def told(api: httpx.Client, vllm: FakeVLLM) -> httpx.Client:
    vllm.default = "No."
    events(api, question=SAID, patient="anna")
    return api


def test_each_fact_is_shown_with_the_words_that_prove_it(told: httpx.Client) -> None:
    allergy, medicine = chart(told)["facts"]
    assert allergy["text"] == "allergy to penicillin" and allergy["kind"] == "allergy" and allergy["source"] == "rules"
    assert allergy["proof"] == ["I'm allergic to penicillin"] and not allergy["ended"]
    assert medicine["text"] == "warfarin 5 mg daily" and medicine["said"] == datetime.now(UTC).date().isoformat()
    assert chart(told, "ben") == {"facts": [], "unclear": []}


def test_facts_are_corrected_added_and_ended(told: httpx.Client) -> None:
    before = datetime.now(UTC).isoformat()
    number = chart(told)["facts"][1]["id"]
    body = {
        "set": [
            {"kind": "allergy", "value": "penicillin", "severity": "severe", "reaction": "swelling"},
            {"kind": "weight", "value": "70 kg"},
        ],
        "end": [{"id": number, "on": "2026-05-01"}],
    }
    response = told.patch("/patients/anna/facts", json=body)
    assert response.status_code == 200
    assert texts(told) == ["allergy to penicillin (severe, swelling)", "weight 70 kg"]
    assert response.json()["facts"][1]["proof"] == ["70 kg"] and response.json()["facts"][1]["source"] == "form"
    assert texts(told, at=before) == ["allergy to penicillin", "warfarin 5 mg daily"]
    assert "warfarin 5 mg daily (until 2026-05-01)" in texts(told, ended=True)


def test_a_fact_is_removed_for_good(told: httpx.Client) -> None:
    number = chart(told)["facts"][0]["id"]
    assert told.delete("/patients/anna/facts", params={"id": number}).status_code == 204
    assert texts(told, ended=True) == ["warfarin 5 mg daily"]
    message = refused(told.delete("/patients/anna/facts", params={"id": number}), 400, "BadInput")
    assert f"No fact {number}" in message


def test_what_is_unclear_is_shown_until_it_is_settled(told: httpx.Client) -> None:
    events(told, question="I have no allergies. What is gout?", patient="anna")
    (unclear,) = chart(told)["unclear"]
    assert unclear["known"]["text"] == "allergy to penicillin" and unclear["new"]["text"] == "no allergies"
    assert unclear["kept"] == "known" and unclear["known"]["proof"] == ["I'm allergic to penicillin"]
    told.patch("/patients/anna/facts", json={"set": [{"kind": "allergy", "value": "none"}]}).raise_for_status()
    assert chart(told)["unclear"] == [] and texts(told) == ["warfarin 5 mg daily", "no allergies"]


@pytest.mark.parametrize(
    ("right", "left"),
    [
        ("known", ["allergy to penicillin", "warfarin 5 mg daily"]),
        ("new", ["no allergies", "warfarin 5 mg daily"]),
        ("neither", ["warfarin 5 mg daily"]),
    ],
)
def test_what_is_unclear_is_settled_by_its_number(told: httpx.Client, right: str, left: list[str]) -> None:
    events(told, question="I have no allergies. What is gout?", patient="anna")
    (unclear,) = chart(told)["unclear"]
    ruling = {"settle": [{"id": unclear["id"], "right": right}]}
    after = told.patch("/patients/anna/facts", json=ruling)
    assert after.json() == chart(told) and after.json()["unclear"] == []
    facts = after.json()["facts"]
    assert sorted(fact["text"] for fact in facts) == sorted(left)
    ruled = [fact for fact in facts if fact["kind"] == "allergy"]
    assert [fact["source"] for fact in ruled] == (["form"] if right != "neither" else [])
    assert all(fact["proof"][-1] == fact["text"] for fact in ruled)
    message = refused(told.patch("/patients/anna/facts", json=ruling), 400, "BadInput")
    assert f"Nothing unclear has the number {unclear['id']}" in message


@pytest.mark.parametrize(
    ("bad", "says"),
    [
        ({"end": [{"id": 987654}]}, "No fact 987654 holds"),
        ({"settle": [{"id": 987654, "right": "known"}]}, "Nothing unclear has the number 987654"),
    ],
)
def test_of_several_changes_all_are_made_or_none(told: httpx.Client, bad: dict[str, Any], says: str) -> None:
    events(told, question="I have no allergies. What is gout?", patient="anna")
    before = chart(told, ended=True), chart(told)["unclear"]
    (unclear,) = before[1]
    numbers = {fact["kind"]: fact["id"] for fact in chart(told)["facts"]}
    good = {
        "settle": [{"id": unclear["id"], "right": "known"}],
        "end": [{"id": numbers["medicine"]}],
        "set": [{"kind": "weight", "value": "70 kg"}],
    }
    both = {name: [*good.get(name, []), *bad.get(name, [])] for name in good}
    assert says in refused(told.patch("/patients/anna/facts", json=both), 400, "BadInput")
    assert (chart(told, ended=True), chart(told)["unclear"]) == before
    assert told.patch("/patients/anna/facts", json=good).status_code == 200
    assert texts(told) == ["allergy to penicillin", "weight 70 kg"] and chart(told)["unclear"] == []


def test_a_fact_tells_each_of_its_parts_in_a_field(told: httpx.Client) -> None:
    entries = [
        {"kind": "allergy", "value": "latex", "severity": "mild", "reaction": "hives", "valid_from": "2019"},
        {"kind": "medicine", "value": "metformin", "dose": "500 mg", "frequency": "twice a day"},
        {"kind": "family_history", "value": "diabetes", "relative": "mother"},
        {"kind": "laboratory", "value": "creatinine was 1.2 mg/dL", "valid_from": "2026-03"},
        {"kind": "laboratory", "value": "blood pressure 150/90"},
    ]
    told.patch("/patients/anna/facts", json={"set": entries}).raise_for_status()
    facts = {fact["value"]: fact for fact in chart(told)["facts"]}
    assert {"written": "latex", "severity": "mild", "reaction": "hives", "valid_from": "2019"}.items() <= facts[
        "latex"
    ].items()
    assert (facts["metformin"]["dose"], facts["metformin"]["frequency"]) == ("500 mg", "twice a day")
    assert (facts["warfarin"]["dose"], facts["warfarin"]["written"]) == ("5 mg", "warfarin")
    assert facts["diabetes"]["relative"] == "mother"
    creatinine = facts["creatinine"]
    assert (creatinine["number"], creatinine["unit"], creatinine["valid_from"]) == (1.2, "mg/dl", "2026-03")
    assert (facts["blood pressure"]["number"], facts["blood pressure"]["low"]) == (150, 90)


def test_the_description_of_the_api_says_what_each_field_holds(told: httpx.Client) -> None:
    schemas = told.get("/openapi.json").json()["components"]["schemas"]
    fields = schemas["FactView"]["properties"]
    for name in ("written", "reaction", "severity", "dose", "frequency", "relative", "number", "unit", "valid_until"):
        assert fields[name]["description"], name
    assert {"id", "known", "new", "kept"} == set(schemas["Unclear"]["required"])
    assert schemas["Settling"]["properties"]["right"]["enum"] == ["known", "new", "neither"]


def test_a_fact_that_has_ended_is_removed_and_what_holds_of_the_same_stays(told: httpx.Client) -> None:
    told.patch("/patients/anna/facts", json={"set": [{"kind": "medicine", "value": "warfarin 3 mg daily"}]})
    (old,) = [fact for fact in chart(told, ended=True)["facts"] if fact["ended"]]
    assert old["dose"] == "5 mg"
    assert told.delete("/patients/anna/facts", params={"id": old["id"]}).status_code == 204
    assert texts(told, ended=True) == ["allergy to penicillin", "warfarin 3 mg daily"]
    refused(told.delete("/patients/anna/facts", params={"id": old["id"]}), 400, "BadInput")


@pytest.mark.parametrize(
    ("kind", "typed", "text"),
    [
        ("allergy", "no known allergies", "no allergies"),
        ("allergy", "no known medicine allergies", "no medicine allergies"),
        ("medicine", "no regular medicines", "no medicines"),
        ("condition", "no known conditions", "no conditions"),
        ("condition", "no asthma", "no asthma"),
        ("smoking", "never", "no smoking"),
        ("smoking", "10 a day", "smoking: yes"),
        ("smoking", "ex-smoker since 2015", "ex-smoker (since 2015)"),
        ("smoking", "quit in 2015", "ex-smoker (since 2015)"),
        ("alcohol", "two glasses of wine a week", "alcohol: yes"),
        ("alcohol", "teetotal", "no alcohol"),
        ("language", "Spanish", "language: Spanish"),
        ("age", "8 months", "8 months old"),
    ],
)
def test_what_is_filled_in_as_one_says_it_is_understood(api: httpx.Client, kind: str, typed: str, text: str) -> None:
    body = {"set": [{"kind": kind, "value": typed}]}
    (fact,) = api.patch("/patients/carl/facts", json=body).json()["facts"]
    assert fact["text"] == text and fact["proof"] == [typed]
    assert fact["negated"] == text.startswith("no ")


@pytest.mark.parametrize(
    ("entry", "code", "says"),
    [
        ({"kind": "weight", "value": "heavy"}, 400, "Write it like this: 70 kg"),
        ({"kind": "medicine", "value": " "}, 400, "1 to 200 characters"),
        ({"kind": "shoe size", "value": "42"}, 422, "kind"),
        ({"kind": "age", "value": "34", "reaction": "rash"}, 400, "no reaction"),
        ({"kind": "smoking", "value": "cheese"}, 400, "Write it like this: 10 a day"),
    ],
)
def test_what_is_no_fact_is_refused_and_changes_nothing(
    told: httpx.Client, entry: dict[str, str], code: int, says: str
) -> None:
    response = told.patch("/patients/anna/facts", json={"set": [{"kind": "weight", "value": "70 kg"}, entry]})
    assert says in refused(response, code, "BadInput")
    assert len(texts(told)) == 2


def test_a_chart_is_taken_along_and_brought_along(told: httpx.Client) -> None:
    bundle = told.get("/patients/anna/fhir")
    assert bundle.headers["content-type"] == "application/fhir+json" and bundle.json()["resourceType"] == "Bundle"
    taken = told.post("/patients/carl/fhir", json=bundle.json())
    assert taken.json() == {"taken": 2, "left_out": []}
    assert sorted(fact["text"] for fact in chart(told, "carl")["facts"]) == sorted(texts(told))
    assert {fact["source"] for fact in chart(told, "carl")["facts"]} == {"import"}
    assert "Bundle" in refused(told.post("/patients/carl/fhir", json={"resourceType": "Patient"}), 400, "BadInput")


def test_a_patient_is_erased_with_a_receipt(told: httpx.Client) -> None:
    receipt = Receipt.model_validate(told.delete("/patients/anna").json())
    assert is_genuine(receipt) and receipt.counts["facts"] == 2 and receipt.patient == "anna"
    assert chart(told) == {"facts": [], "unclear": []}
    assert told.get("/threads", params={"patient": "anna"}).json() == []
    refused(told.delete("/patients/anna"), 404, "UnknownPatient")


def test_a_question_sent_again_with_its_key_gets_the_same_answer(told: httpx.Client, vllm: FakeVLLM) -> None:
    def answer() -> Any:
        headers = {"Idempotency-Key": "once"}
        with connect_sse(told, "POST", "/threads/k/turns", json={"question": "What is gout?"}, headers=headers) as sent:
            return [json.loads(event.data) for event in sent.iter_sse()][-1]

    first = answer()
    assert first["trace"]["run_id"] == answer()["trace"]["run_id"]
    assert len(told.get("/threads/k").json()) == 1


def test_of_a_question_without_a_conversation_nothing_is_kept(told: httpx.Client) -> None:
    told.post("/generate", json={"question": "I take warfarin. What is gout?"}).raise_for_status()
    # Everybody else's rows are out of sight; that nothing is left, the erasure's own tests show.
    assert len(told.get("/threads", params={"patient": "anna"}).json()) == 1


def test_what_a_reader_thinks_of_an_answer_is_kept_and_changed(told: httpx.Client) -> None:
    (thread,) = told.get("/threads", params={"patient": "anna"}).json()
    (turn,) = told.get(f"/threads/{thread['id']}", params={"patient": "anna"}).json()
    path = f"/answers/{turn['run_id']}/feedback"
    for rating in (-1, 1):
        body = {"rating": rating, "reasons": ["wrong"], "comment": "It is not so."}
        assert told.put(path, json=body, params={"patient": "anna"}).status_code == 204
    refused(told.put(path, json={"rating": 1}, params={"patient": "ben"}), 404, "UnknownThread")
    refused(told.put(path, json={"rating": 5}, params={"patient": "anna"}), 422, "BadInput")
    assert Receipt.model_validate(told.delete("/patients/anna").json()).counts["feedback"] == 1


@pytest.mark.parametrize(
    ("entry", "text"),
    [
        ({"kind": "breastfeeding", "value": "no"}, "no breast-feeding"),
        ({"kind": "smoking", "value": "no"}, "no smoking"),
        ({"kind": "family_history", "value": "diabetes", "relative": "father"}, "father: diabetes"),
    ],
)
def test_a_no_that_is_filled_in_denies_and_a_relative_is_named(
    told: httpx.Client, entry: dict[str, str], text: str
) -> None:
    facts = told.patch("/patients/anna/facts", json={"set": [entry]}).json()["facts"]
    assert facts[-1]["text"] == text and facts[-1]["proof"] == [entry["value"]]
    assert told.get("/patients/anna/facts/count").json() == {"count": 3}


def test_in_whom_a_disease_is_must_be_said(told: httpx.Client) -> None:
    body = {"set": [{"kind": "family_history", "value": "diabetes"}]}
    assert "Say in whom" in refused(told.patch("/patients/anna/facts", json=body), 400, "BadInput")


@pytest.mark.parametrize("place", [0, 1])
def test_whatever_is_ended_by_hand_has_ended(told: httpx.Client, place: int) -> None:
    fact = chart(told)["facts"][place]
    told.patch("/patients/anna/facts", json={"end": [{"id": fact["id"], "on": "2026-01-01"}]}).raise_for_status()
    assert fact["text"] not in texts(told)
    assert any(one["ended"] and one["kind"] == fact["kind"] for one in chart(told, ended=True)["facts"])
