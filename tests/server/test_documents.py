"""The library over HTTP: put in, found, cited, read, taken out; each tenant its own."""

import json
from typing import Any

import httpx

from primum.graph.settings import Settings
from primum.server.documents import MAX_DOCUMENT
from tests.fakes import FakeVLLM
from tests.retrieval.documents import guideline
from tests.served import key, refused

PAGE = b"# Zebrafinch fever\n\nZebrafinch fever is treated with rest and lemon tea."
ASKED = {"question": "How is zebrafinch fever treated?"}


def put(api: httpx.Client, name: str, content: bytes, headers: Any = None, **form: str) -> httpx.Response:
    return api.post("/documents", files={"file": (name, content)}, data=form, headers=headers)


def answer(api: httpx.Client, headers: Any = None) -> Any:
    response = api.post("/generate", json=ASKED, headers=headers)
    response.raise_for_status()
    return response.json()["answer"]


def titles(found: Any) -> set[str]:
    return {citation["title"] for citation in found["citations"]}


def test_a_file_put_in_is_cited_read_and_taken_out(door: httpx.Client, settings: Settings) -> None:
    doctor = key(settings, "clinician")
    taken = put(door, "fever.md", PAGE, doctor).json()
    assert (taken["added"], taken["skipped"]) == (1, [])
    assert put(door, "fever.md", PAGE, doctor).json()["unchanged"] == 1
    (cited,) = answer(door, doctor)["citations"]
    assert cited["title"] == "Zebrafinch fever"
    (entry,) = door.get("/documents", params={"like": "zebrafinch"}, headers=doctor).json()
    assert entry["private"] and entry["uri"] == "upload:fever.md" and entry["id"] == cited["document_id"]
    page = door.get(f"/documents/{entry['id']}", headers=doctor).json()
    assert "lemon tea" in page["sections"][0]["text"]
    assert door.delete(f"/documents/{entry['id']}", headers=doctor).status_code == 204
    assert "Zebrafinch fever" not in titles(answer(door, doctor))
    refused(door.get(f"/documents/{entry['id']}", headers=doctor), 404, "UnknownDocument")


def test_another_tenant_neither_finds_nor_sees_nor_removes_it(door: httpx.Client, settings: Settings) -> None:
    here, there = key(settings, "clinician"), key(settings, "clinician", tenant="other")
    put(door, "fever.md", PAGE, here).raise_for_status()
    (entry,) = door.get("/documents", params={"like": "zebrafinch"}, headers=here).json()
    assert door.get("/documents", params={"like": "zebrafinch"}, headers=there).json() == []
    assert "Zebrafinch fever" not in titles(answer(door, there))
    for method in ("GET", "DELETE"):
        refused(door.request(method, f"/documents/{entry['id']}", headers=there), 404, "UnknownDocument")


def test_everyones_part_takes_an_operator(door: httpx.Client, settings: Settings) -> None:
    doctor, admin, there = key(settings, "clinician"), key(settings, "admin"), key(settings, "clinician", tenant="o")
    refused(put(door, "fever.md", PAGE, doctor, everyones="true"), 403, "NotAllowed")
    put(door, "fever.md", PAGE, admin, everyones="true").raise_for_status()
    (cited,) = answer(door, there)["citations"]
    refused(door.delete(f"/documents/{cited['document_id']}", headers=doctor), 403, "NotAllowed")
    assert door.delete(f"/documents/{cited['document_id']}", headers=admin).status_code == 204


def test_a_patient_reads_and_changes_nothing(door: httpx.Client, settings: Settings) -> None:
    anna = key(settings, "patient", "anna")
    assert door.get("/documents", headers=anna).json()
    refused(put(door, "fever.md", PAGE, anna), 403, "NotAllowed")
    refused(door.delete("/documents/1", headers=anna), 403, "NotAllowed")


def test_a_pdf_is_read_and_what_cant_be_is_refused_by_reason(api: httpx.Client, vllm: FakeVLLM) -> None:
    vllm.default = "No."
    assert put(api, "doses.pdf", guideline()).json()["added"] == 1
    for name, content, told in (
        ("fever.exe", b"MZ", "can't be read"),
        ("broken.pdf", b"%PDF-1.4 no", "can't be read"),
        ("empty.md", b"", "can't be read"),
        ("..", PAGE, "needs a name"),
        (".hidden", PAGE, "needs a name"),
    ):
        assert told in refused(put(api, name, content), 400, "BadInput"), name
    assert put(api, "../../etc/fever.md", PAGE).json()["added"] == 1
    (entry,) = api.get("/documents", params={"like": "zebrafinch"}).json()
    assert entry["uri"] == "upload:fever.md"


def test_a_file_over_the_limit_is_refused(api: httpx.Client) -> None:
    refused(put(api, "large.md", b"x" * MAX_DOCUMENT), 413, "BadInput")
    assert "file" in refused(api.post("/documents", content=b"{}"), 422, "BadInput")


def test_rows_of_a_table_file_are_documents_of_it(api: httpx.Client) -> None:
    rows = b"\n".join(
        json.dumps({"_id": n, "title": f"Finch {n}", "text": f"Finch {n} is blue."}).encode() for n in "ab"
    )
    assert put(api, "finches.jsonl", rows).json()["added"] == 2
    assert {entry["uri"] for entry in api.get("/documents", params={"like": "finch"}).json()} == {
        "upload:finches.jsonl#a",
        "upload:finches.jsonl#b",
    }
