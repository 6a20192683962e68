"""What must not come back with a backup: erased patients, removed facts and conversations, withdrawn consents and keys.

A backup is older than what was erased after it. So the removals are listed outside of it, from the audit trail:
pseudonyms, numbers and times, no patient's name and no word of anybody. Held against a restored database, the list
takes out again what had gone after it: a removal whose event stands in the database's own trail was done to its rows
already, so somebody who came anew after their erasure stays. No clock decides that.
"""

import json
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import psycopg
from pydantic import ValidationError

from primum.graph.errors import BadInput
from primum.memory.erasure import SEALED, Receipt, is_genuine
from primum.memory.files import drafted
from primum.memory.identity import Identity
from primum.memory.secret import Secret

FORMAT = "primum removals 1"
_TIME = "{:%d %B %Y at %H:%M:%S UTC}".format
_BEFORE = " One of a PRIMUM_SECRET of before takes that as PRIMUM_SECRET_BEFORE."
_EVENTS = """
select tenant, at, case when details ->> 'by_age' = 'true' then 'erase by age' else action end, subject,
  details -> 'removed', details -> 'runs', encode(hash, 'hex')
from audit_events
where action in ('erase', 'remove facts', 'remove conversation', 'revoke key')
  or action = 'consent' and details ->> 'given' = 'false'
order by at
"""
# What a restore took out again: its own trail is older than these.
_RESTORED = """
select tenant, (r ->> 'at')::timestamptz, r ->> 'action', r ->> 'subject', r -> 'removed', r -> 'runs',
  coalesce(r ->> 'event', '')
from audit_events, jsonb_array_elements(details -> 'removals') r
where action = 'restore' and jsonb_typeof(details -> 'removals') = 'array'
"""
_THREADS = "(select key::text from threads where tenant = %(tenant)s and patient = %(patient)s)"
_ERASE_BY_AGE = (  # which leaves the keys that hold
    *(f"delete from checkpoints.{table} where thread_id in {_THREADS}" for table in SEALED),
    "delete from jobs.procrastinate_jobs where lock = %(key)s",
    "delete from patients where tenant = %(tenant)s and id = %(patient)s",
)
_ERASE = (
    "delete from api_keys where tenant = %(tenant)s and patient = %(patient)s and created_at < %(before)s",
    *_ERASE_BY_AGE,
)
_OF_FACTS = """
tenant = %(tenant)s and patient = %(patient)s and id = any(%(removed)s::text[]::int8[]) and recorded_at < %(before)s
"""
_SAME = "c.{side} ->> 'kind' = f.fact ->> 'kind' and c.{side} ->> 'value' = f.fact ->> 'value'"
_FORGET = (
    f"""
    delete from contradictions c using (select fact from facts where {_OF_FACTS}) f
    where c.tenant = %(tenant)s and c.patient = %(patient)s and c.told_at < %(before)s
      and (({_SAME.format(side="known")}) or ({_SAME.format(side="new")}))
    """,
    # Whoever told them has told them already: a job or a turn that comes back unfinished learns nothing of its run.
    """
    insert into effects (run_id, step, tenant, patient)
    select run_id, step, tenant, patient from turns, unnest(array['rules', 'model']) step
    where tenant = %(tenant)s and patient = %(patient)s and run_id::text = any(%(runs)s)
    on conflict do nothing
    """,
    f"delete from facts where {_OF_FACTS}",
)
_KEYS = "tenant = %(tenant)s and patient = %(patient)s and key::text = any(%(removed)s) and created_at < %(before)s"
_LEAVE = (
    *(
        f"delete from checkpoints.{table} where thread_id in (select key::text from threads where {_KEYS})"
        for table in SEALED
    ),
    f"delete from threads where {_KEYS}",
)
_WITHDRAW = (
    "delete from drafts where tenant = %(tenant)s and patient = %(patient)s and at < %(before)s",
    """
    update patients set consent = false, consent_at = %(at)s, consent_by = 'removals'
    where tenant = %(tenant)s and id = %(patient)s and (consent_at is null or consent_at < %(before)s)
    """,
)
_REVOKE = (
    """
    update api_keys set revoked_at = %(at)s
    where tenant = %(tenant)s and id = any(%(removed)s) and revoked_at is null
    """,
)
_AGAIN = {
    **{
        "erase": _ERASE,
        "erase by age": _ERASE_BY_AGE,
        "remove facts": _FORGET,
        "remove conversation": _LEAVE,
        "consent": _WITHDRAW,
    },
    "revoke key": _REVOKE,
}
# Also who has an API key and was never here.
_PATIENTS = "select tenant, id, key::text, created_at from patients"
_WITH_KEYS = f"""
{_PATIENTS}
union all
select k.tenant, k.patient, '', min(k.created_at) from api_keys k where k.patient is not null and not exists
  (select from patients p where p.tenant = k.tenant and p.id = k.patient) group by k.tenant, k.patient
"""


@dataclass(frozen=True)
class Removal:
    """One of them. `subject` is the patient's pseudonym; `event` is the hash of the trail's event that tells of it.

    `removed` are numbers of facts or API keys, or keys of conversations; `runs` are those that told the facts.
    """

    tenant: str
    at: datetime
    action: str
    subject: str
    removed: tuple[str, ...] = ()
    runs: tuple[str, ...] = ()
    event: str = ""  # of a list that is older than this field: then times decide


@dataclass(frozen=True)
class Removals:
    """A list, and until when it tells all; None for receipts, each of which tells of its own erasure alone."""

    removals: Sequence[Removal]
    made_at: datetime | None = None

    @property
    def until(self) -> datetime:
        """Of when the last is that it can tell of."""
        return self.made_at or max(one.at for one in self.removals)


@dataclass(frozen=True)
class Again:
    """How many patients, facts, conversations, consents and API keys were taken out again."""

    patients: int = 0
    facts: int = 0
    conversations: int = 0
    consents: int = 0
    keys: int = 0


def check_newer(lists: Iterable[Removals], than: datetime) -> None:
    """That one of them at least can tell of what was removed after a backup was made. Raises BadInput."""
    newest = max(one.until for one in lists).astimezone(UTC)
    if (newest if than.microsecond else newest.replace(microsecond=0)) <= than:  # older backups know whole seconds
        raise BadInput(
            f"The backup was made on {_TIME(than.astimezone(UTC))}, and the newest of these lists tells of what was "
            f"removed until {_TIME(newest)}: who was erased after that would come back. Nothing was changed. Where the "
            "database that was backed up still answers, `primum backup removals FILE` makes a newer list of it; else "
            "take the newest that there is anywhere, or receipts of `primum erase`. If no newer one can be had, say so "
            "with --no-newer-list."
        )


def listed(connection: psycopg.Connection[Any]) -> Removals:
    """All that the trails tell of, of a connection that sees every tenant's (`primum.memory.backup.sees_all`)."""
    made_at = datetime.now(UTC)
    return Removals(_in_order(_told(connection)), made_at)


def _told(connection: psycopg.Connection[Any]) -> set[Removal]:
    """What was removed by now, or was as a restore took it out again."""
    return {
        Removal(tenant, at.astimezone(UTC), action, subject, tuple(map(str, removed or ())), tuple(runs or ()), event)
        for events in (_EVENTS, _RESTORED)
        for tenant, at, action, subject, removed, runs, event in connection.execute(events.encode())
    }


def noted(removals: Iterable[Removal], tenant: str) -> list[dict[str, Any]]:
    """Those of a tenant, as a restore's event keeps them: the trail that it put back does not tell of them."""
    return [
        {name: value for name, value in _plain(one).items() if name != "tenant"}
        for one in removals
        if one.tenant == tenant
    ]


def lacking(connection: psycopg.Connection[Any], removals: Iterable[Removal]) -> list[Removal]:
    """Those that these rows' own trail does not tell of, each once."""
    done = {one.event for one in _told(connection)}
    return list(dict.fromkeys(one for one in removals if not one.event or one.event not in done))


def _has_event(one: Removal) -> bool:
    return one.event != ""


def _plain(one: Removal) -> dict[str, Any]:
    return {**vars(one), "at": one.at.isoformat(), "removed": list(one.removed), "runs": list(one.runs)}


def _in_order(removals: Iterable[Removal]) -> list[Removal]:
    return sorted(removals, key=lambda one: (one.at, one.tenant, one.subject, one.action))


def write(removals: Removals, path: Path, secret: Secret) -> None:
    """As JSON lines; the last one proves the others.

    What a list that is there tells stays told: a database that was set back knows less than it did.

    Raises:
        BadInput: the file can't be written, or is there and no list of this installation.
    """
    if path.exists():
        told = (*read(path, secret).removals, *removals.removals)
        # Told twice, by a list that is older than its events and by one that has them, it counts with its event.
        once = {(one.tenant, one.at, one.action, one.subject, one.removed): one for one in sorted(told, key=_has_event)}
        removals = replace(removals, removals=_in_order(once.values()))
    made_at = removals.made_at.isoformat() if removals.made_at else None
    lines = [
        {"format": FORMAT, "made_at": made_at},
        *map(_plain, removals.removals),
    ]
    text = "".join(json.dumps(line, ensure_ascii=False) + "\n" for line in lines)
    text += json.dumps({"proof": secret.proof(text.encode()).hex()}) + "\n"
    with drafted(path) as file:
        file.write(text.encode())


def read(path: Path, secret: Secret) -> Removals:
    """A list, or one receipt of `primum erase`.

    Raises:
        BadInput: it is neither, was changed, or is another installation's.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError):
        raise BadInput(f"{path} can't be read.") from None
    try:
        return _receipt(Receipt.model_validate_json(text), path, secret)
    except ValidationError:
        return _list(text, path, secret)


def _receipt(receipt: Receipt, path: Path, secret: Secret) -> Removals:
    if not is_genuine(receipt) or not secret.signs_by(receipt.public_key):
        raise BadInput(f"{path} is not a receipt of this installation, or was changed.{_BEFORE}")
    subject = secret.pseudonym(Identity(receipt.tenant, receipt.patient))
    return Removals([Removal(receipt.tenant, receipt.erased_at, "erase", subject, event=receipt.audit_head)])


def _list(text: str, path: Path, secret: Secret) -> Removals:
    *lines, last = re.findall(r"[^\n]*\n|[^\n]+$", text) or [""]  # not by U+2028, which a tenant's name may hold
    try:
        head, *rows = [json.loads(line) for line in lines]
        proof = bytes.fromhex(json.loads(last)["proof"])
        known = head["format"] == FORMAT
    except (ValueError, KeyError, TypeError):
        raise BadInput(f"{path} is neither a list of removals nor a receipt.") from None
    if not known or not secret.proves("".join(lines).encode(), proof):
        raise BadInput(f"{path} was changed, or is the list of another installation.{_BEFORE}")
    given = [
        Removal(
            **row
            | {
                "at": datetime.fromisoformat(row["at"]),
                "removed": tuple(row["removed"]),
                "runs": tuple(row.get("runs", ())),
            }
        )
        for row in rows
    ]
    return Removals(given, datetime.fromisoformat(head["made_at"]))


def take_out(connection: psycopg.Connection[Any], removals: Iterable[Removal], secret: Secret) -> Again:
    """Takes out again what these rows lack of removals, in the transaction of one that may change every row."""
    there = connection.execute("select to_regclass('api_keys')").fetchone()
    keys = bool(there and there[0])  # older tables have none
    patients = {
        subject: (patient, key, created_at)
        for tenant, patient, key, created_at in connection.execute((_WITH_KEYS if keys else _PATIENTS).encode())
        for subject in secret.pseudonyms(Identity(tenant, patient))
    }
    gone = dict.fromkeys(_AGAIN, 0)
    for removal in removals:
        if removal.subject not in patients and removal.action != "revoke key":
            continue
        patient, key, created_at = patients.get(removal.subject, ("", "", None))
        if not removal.event and created_at is not None and created_at >= removal.at:
            continue
        given = {
            **vars(removal),
            **{"patient": patient, "key": key, "removed": list(removal.removed), "runs": list(removal.runs)},
            "before": "infinity" if removal.event else removal.at,
        }
        last = 0
        for statement in (one for one in _AGAIN[removal.action] if keys or "api_keys" not in one):
            last = connection.execute(statement.encode(), given).rowcount
        gone[removal.action] += last
        if removal.action in ("erase", "erase by age"):
            del patients[removal.subject]
    return Again(gone.pop("erase") + gone.pop("erase by age"), *gone.values())
