"""What must not come back with a backup: erased patients, removed facts and conversations, withdrawn consents.

A backup is older than what was erased after it. So the removals are listed outside of it, from the audit trail:
pseudonyms, numbers and times, no patient's name and no word of anybody. Held against a restored database, the list
takes out again what had gone; somebody who came anew after their erasure stays, for they are younger than it.
"""

import hmac
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
_EVENTS = """
select tenant, at, action, subject, details -> 'removed' from audit_events
where action in ('erase', 'remove facts', 'remove conversation') or action = 'consent' and details ->> 'given' = 'false'
order by at
"""
# What a restore took out again: its own trail is older than these.
_RESTORED = """
select tenant, (r ->> 'at')::timestamptz, r ->> 'action', r ->> 'subject', r -> 'removed'
from audit_events, jsonb_array_elements(details -> 'removals') r
where action = 'restore' and jsonb_typeof(details -> 'removals') = 'array'
"""
_THREADS = "(select key::text from threads where tenant = %(tenant)s and patient = %(patient)s)"
_ERASE = (
    *(f"delete from checkpoints.{table} where thread_id in {_THREADS}" for table in SEALED),
    "delete from jobs.procrastinate_jobs where lock = %(key)s",
    "delete from patients where tenant = %(tenant)s and id = %(patient)s",
)
_OF_FACTS = (
    "tenant = %(tenant)s and patient = %(patient)s and id = any(%(removed)s::text[]::int8[]) and recorded_at < %(at)s"
)
_SAME = "c.{side} ->> 'kind' = f.fact ->> 'kind' and c.{side} ->> 'value' = f.fact ->> 'value'"
_FORGET = (
    f"""
    delete from contradictions c using (select fact from facts where {_OF_FACTS}) f
    where c.tenant = %(tenant)s and c.patient = %(patient)s and c.told_at < %(at)s
      and (({_SAME.format(side="known")}) or ({_SAME.format(side="new")}))
    """,
    f"delete from facts where {_OF_FACTS}",
)
_KEYS = "tenant = %(tenant)s and patient = %(patient)s and key::text = any(%(removed)s) and created_at < %(at)s"
_LEAVE = (
    *(
        f"delete from checkpoints.{table} where thread_id in (select key::text from threads where {_KEYS})"
        for table in SEALED
    ),
    f"delete from threads where {_KEYS}",
)
_WITHDRAW = (
    "delete from drafts where tenant = %(tenant)s and patient = %(patient)s and at < %(at)s",
    """
    update patients set consent = false, consent_at = %(at)s, consent_by = 'removals'
    where tenant = %(tenant)s and id = %(patient)s and (consent_at is null or consent_at < %(at)s)
    """,
)
_AGAIN = {"erase": _ERASE, "remove facts": _FORGET, "remove conversation": _LEAVE, "consent": _WITHDRAW}


@dataclass(frozen=True)
class Removal:
    """One of them. `subject` is the patient's pseudonym; `removed` are numbers of facts or keys of conversations."""

    tenant: str
    at: datetime
    action: str
    subject: str
    removed: tuple[str, ...] = ()


@dataclass(frozen=True)
class Removals:
    """A list, and until when it tells all; None for receipts, each of which tells of its own erasure alone."""

    removals: Sequence[Removal]
    made_at: datetime | None = None


@dataclass(frozen=True)
class Again:
    """How many patients, facts, conversations and consents were taken out again."""

    patients: int = 0
    facts: int = 0
    conversations: int = 0
    consents: int = 0


def listed(connection: psycopg.Connection[Any]) -> Removals:
    """All that the trails tell of, of a connection that sees every tenant's (`primum.memory.backup.sees_all`)."""
    made_at = datetime.now(UTC)
    found = {
        Removal(tenant, at.astimezone(UTC), action, subject, tuple(map(str, removed or ())))
        for events in (_EVENTS, _RESTORED)
        for tenant, at, action, subject, removed in connection.execute(events.encode())
    }
    return Removals(_in_order(found), made_at)


def noted(removals: Iterable[Removal], tenant: str) -> list[dict[str, Any]]:
    """Those of a tenant, as a restore's event keeps them: the trail that it put back does not tell of them."""
    return [
        {"at": one.at.isoformat(), "action": one.action, "subject": one.subject, "removed": list(one.removed)}
        for one in removals
        if one.tenant == tenant
    ]


def _in_order(removals: Iterable[Removal]) -> list[Removal]:
    return sorted(removals, key=lambda one: (one.at, one.tenant, one.subject, one.action))


def write(removals: Removals, path: Path, secret: Secret) -> None:
    """As JSON lines; the last one proves the others.

    What a list that is there tells stays told: a database that was set back knows less than it did.

    Raises:
        BadInput: the file can't be written, or is there and no list of this installation.
    """
    if path.exists():
        removals = replace(removals, removals=_in_order({*read(path, secret).removals, *removals.removals}))
    made_at = removals.made_at.isoformat() if removals.made_at else None
    lines = [
        {"format": FORMAT, "made_at": made_at},
        *({**vars(one), "at": one.at.isoformat()} for one in removals.removals),
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
    if not is_genuine(receipt) or receipt.public_key != secret.sign(b"")[1]:
        raise BadInput(f"{path} is not a receipt of this installation, or was changed.")
    subject = secret.pseudonym(Identity(receipt.tenant, receipt.patient))
    return Removals([Removal(receipt.tenant, receipt.erased_at, "erase", subject)])


def _list(text: str, path: Path, secret: Secret) -> Removals:
    *lines, last = re.findall(r"[^\n]*\n", text) or [""]  # not by U+2028, which a tenant's name may hold
    try:
        head, *rows = [json.loads(line) for line in lines]
        proof = bytes.fromhex(json.loads(last)["proof"])
        known = head["format"] == FORMAT
    except (ValueError, KeyError, TypeError):
        raise BadInput(f"{path} is neither a list of removals nor a receipt.") from None
    if not known or not hmac.compare_digest(proof, secret.proof("".join(lines).encode())):
        raise BadInput(f"{path} was changed, or is the list of another installation.")
    given = [row | {"at": datetime.fromisoformat(row["at"]), "removed": tuple(row["removed"])} for row in rows]
    return Removals([Removal(**row) for row in given], datetime.fromisoformat(head["made_at"]))


def take_out(connection: psycopg.Connection[Any], removals: Iterable[Removal], secret: Secret) -> Again:
    """Takes out again what is older than its removal, in the transaction of a connection that may change every row."""
    patients = {
        secret.pseudonym(Identity(tenant, patient)): (tenant, patient, key, created_at)
        for tenant, patient, key, created_at in connection.execute(
            "select tenant, id, key::text, created_at from patients"
        )
    }
    gone = dict.fromkeys(_AGAIN, 0)
    for removal in removals:
        if removal.subject not in patients:
            continue
        tenant, patient, key, created_at = patients[removal.subject]
        if created_at >= removal.at:
            continue
        given = {"tenant": tenant, "patient": patient, "key": key, "at": removal.at, "removed": list(removal.removed)}
        last = 0
        for statement in _AGAIN[removal.action]:
            last = connection.execute(statement.encode(), given).rowcount
        gone[removal.action] += last
        if removal.action == "erase":
            del patients[removal.subject]
    return Again(*gone.values())
