"""What is kept of patients, from the command line."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.commands import Done, primum
from tests.conftest import Cluster


@pytest.fixture
def run(database_url: str, tmp_path: Path) -> Callable[..., Done]:
    def command(*arguments: str, code: int = 0) -> Done:
        done = primum(*arguments, PRIMUM_DATABASE_URL=database_url, PRIMUM_SECRET="s" * 40)
        assert done.returncode == code, done.stderr
        return done

    return command


def listed(done: Done) -> list[Any]:
    return [fact["text"] for fact in json.loads(done.stdout)]


def test_a_chart_is_filled_in_shown_ended_and_removed(run: Callable[..., Done]) -> None:
    run("facts", "set", "allergy", "penicillin", "--severity", "severe", "--patient", "anna")
    done = run("facts", "set", "medicine", "warfarin 5 mg daily", "--patient", "anna")
    assert "allergy to penicillin (severe)" in done.stdout and "“warfarin 5 mg daily” (form, " in done.stdout
    facts = json.loads(run("facts", "list", "--patient", "anna", "--json").stdout)
    number = next(fact["id"] for fact in facts if fact["kind"] == "medicine")
    done = run("facts", "end", str(number), "--on", "2026-05-01", "--patient", "anna", "--json")
    assert listed(done) == ["allergy to penicillin (severe)"]
    ended = listed(run("facts", "list", "--patient", "anna", "--ended", "--json"))
    assert "warfarin 5 mg daily (until 2026-05-01)" in ended
    done = run("facts", "remove", str(facts[0]["id"]), "--patient", "anna")
    assert done.stdout == "" and "Removed, with 1 version(s)" in done.stderr
    assert "Nothing is known of this patient." in run("facts", "list", "--patient", "anna").stderr


def test_of_two_that_cannot_both_be_true_one_is_chosen_and_one_that_ended_is_removed(run: Callable[..., Done]) -> None:
    for value in ("34", "60"):
        run("facts", "set", "age", value, "--patient", "anna")
    run("facts", "set", "birth_date", "1950-05-31", "--patient", "anna")
    done = run("facts", "unclear", "--patient", "anna")
    (first, _) = done.stdout.splitlines()
    assert "known: 60 years old “60” (" in first
    number = first.split()[0]
    done = run("facts", "settle", number, "known", "--patient", "anna", "--json")
    assert listed(done) == ["60 years old"] and json.loads(done.stdout)[0]["source"] == "form"
    assert "Nothing is unclear." in run("facts", "unclear", "--patient", "anna").stderr
    assert "Nothing unclear has the number" in run("facts", "settle", number, "new", "--patient", "anna", code=2).stderr

    run("facts", "set", "medicine", "warfarin 5 mg daily", "--until", "2020", "--patient", "anna")
    facts = json.loads(run("facts", "list", "--ended", "--patient", "anna", "--json").stdout)
    (ended,) = [fact["id"] for fact in facts if fact["kind"] == "medicine"]
    assert "Removed, with 1 version(s)" in run("facts", "remove", str(ended), "--patient", "anna").stderr


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["set", "shoes", "42"], "The kinds are: age, birth_date"),
        (["set", "weight", "heavy"], "Write it like this: 70 kg"),
        (["end", "99"], "No fact 99 holds"),
        (["settle", "1", "both"], "Say which is true: known, new, neither"),
        (["list", "--patient", "two words"], "without blanks"),
    ],
)
def test_wrong_use_is_said_so(run: Callable[..., Done], arguments: list[str], says: str) -> None:
    done = run("facts", *arguments, code=2)
    assert says in done.stderr and done.stdout == ""


def test_a_chart_is_taken_along_and_brought_along(run: Callable[..., Done], tmp_path: Path) -> None:
    run("facts", "set", "allergy", "penicillin", "--patient", "anna")
    file = tmp_path / "anna.json"
    file.write_text(run("facts", "export", "--patient", "anna").stdout)
    assert json.loads(file.read_text())["resourceType"] == "Bundle"
    assert run("facts", "import", str(file), "--patient", "carl").stdout == "1 facts taken in, 0 resources left out\n"
    assert listed(run("facts", "list", "--patient", "carl", "--json")) == ["allergy to penicillin"]
    file.write_text("{}")
    assert "Bundle" in run("facts", "import", str(file), "--patient", "carl", code=2).stderr


def test_a_patient_is_erased_and_the_receipt_can_be_proven(run: Callable[..., Done], tmp_path: Path) -> None:
    run("facts", "set", "allergy", "penicillin", "--patient", "anna")
    assert "Aborted" in run("erase", "anna", code=1).stderr
    file = tmp_path / "receipt.json"
    file.write_text(run("erase", "anna", "--yes").stdout)
    assert json.loads(file.read_text())["counts"]["facts"] == 1
    assert run("audit", "verify", "--receipt", str(file)).stdout == "The receipt is genuine.\n"
    file.write_text(file.read_text().replace('"facts": 1', '"facts": 0'))
    assert "was changed" in run("audit", "verify", "--receipt", str(file), code=1).stdout
    assert "nothing of such a patient" in run("erase", "anna", "--yes", code=2).stderr


def test_the_trail_is_verified_and_a_change_in_it_found(
    run: Callable[..., Done], cluster: Cluster, database_url: str
) -> None:
    for value in ("penicillin", "latex", "eggs"):
        run("facts", "set", "allergy", value, "--patient", "anna")
    assert run("audit", "verify").stdout.startswith("The trail holds: 3 events, head ")
    name = database_url.partition("?")[0].rpartition("/")[2]
    change = "update audit_events set actor = 'nobody' where number = 2"
    cluster.run(f"alter table audit_events disable trigger append_only; {change}", name)
    done = run("audit", "verify", "--json", code=1)
    assert json.loads(done.stdout)["broken_at"] == 2
    assert "Nothing is recorded" in run("audit", "show", "6f1e0c1e-0000-4000-8000-000000000000", code=2).stderr
    assert "named by its run_id" in run("audit", "show", "nonsense", code=2).stderr


def test_another_secret_opens_nothing(run: Callable[..., Done], database_url: str) -> None:
    run("facts", "set", "allergy", "penicillin")
    done = primum("facts", "list", PRIMUM_DATABASE_URL=database_url, PRIMUM_SECRET="t" * 40)
    assert done.returncode == 2 and "made with another PRIMUM_SECRET" in done.stderr
