"""Pairs from Primum's own turns: drafts that the audit rejected beside what it let through, and clinicians' edits.

Only of patients who consent now. Personal data goes from every text; `subject` is the pseudonym of the audit, by which
a patient's rows are found again and taken out.
"""

import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, cast
from uuid import uuid4

from primum.evals import report
from primum.finetune.rows import Message, Opinion, Pair, write_rows
from primum.graph.errors import BadInput
from primum.graph.writing import writing
from primum.memory import drafts, exports
from primum.memory.audit import Audit
from primum.memory.drafts import Kept
from primum.memory.identity import Identity
from primum.safety.personal import redacted

PAIRS, OPINIONS = exports.FILES
_MARKER = re.compile(r"\[(\d{1,3})\]")
_SPLIT = "\n\x00\n"  # between the texts of a row, so that one person has one label in all of them


@dataclass(frozen=True)
class Collected:
    """The rows of one patient."""

    identity: Identity
    pairs: Sequence[Pair]
    opinions: Sequence[Opinion]


async def collect(audit: Audit, tenant: str, *, without_chart: bool = False) -> Sequence[Collected]:
    """The rows of each patient of a tenant who consents; those without any are left out."""
    found = []
    for patient in await drafts.patients(audit.database, tenant):
        identity = Identity(tenant, patient)
        subject = audit.secret.pseudonym(identity)
        turns = await drafts.of_patient(audit.database, identity, without_chart=without_chart)
        pairs = [pair for turn in turns for pair in pairs_of(turn, subject)]
        opinions = [opinion for turn in turns if (opinion := opinion_of(turn, subject))]
        if pairs or opinions:
            found.append(Collected(identity, pairs, opinions))
    return found


async def export(audit: Audit, tenant: str, out: Path, *, actor: str, without_chart: bool = False) -> dict[str, Any]:
    """Writes `pairs.jsonl`, `opinions.jsonl` and `card.json`; the database knows from then on whose rows lie there.

    Raises:
        BadInput: the folder holds rows already.
        MemoryUnavailable: the database can't be reached.
    """
    if any((out / name).exists() for name in exports.FILES):
        raise BadInput(f"{out} holds rows already. Give a new folder, so that each is known by what is in it.")
    found = await collect(audit, tenant, without_chart=without_chart)
    pairs = [pair for one in found for pair in one.pairs]
    opinions = [opinion for one in found for opinion in one.opinions]
    folder = _write(out, pairs, opinions)
    card = _card(pairs, opinions, exports.hashes_of(out))
    await _register(audit, found, folder, card["files"], actor)
    report.write(card, out / "card.json")
    return {"out": str(out), **card}


def _write(out: Path, pairs: Sequence[Pair], opinions: Sequence[Opinion]) -> Path:
    """Writes the rows; the folder by its whole name."""
    with writing(out):
        out.mkdir(parents=True, exist_ok=True)
        write_rows(out / PAIRS, pairs)
        write_rows(out / OPINIONS, opinions)
    return out.resolve()


async def _register(audit: Audit, found: Sequence[Collected], out: Path, hashes: Mapping[str, str], actor: str) -> None:
    """Notes for each patient that their rows lie there; without it nobody could take them out, so the files go too.

    Raises:
        BadInput: one of them withdrew meanwhile.
    """
    made = uuid4()
    try:
        for one in found:
            rows = len(one.pairs) + len(one.opinions)
            written = exports.Written(made, str(out), hashes, rows)
            async with audit.database.begin(one.identity) as connection:
                await exports.add(connection, one.identity.tenant, one.identity.patient, written)
                await audit.add(connection, one.identity, actor, "export", {"export": str(made), "rows": rows})
    except BaseException as error:  # whatever it was, also a Ctrl-C: raised again
        for name in exports.FILES:
            (out / name).unlink(missing_ok=True)
        if isinstance(error, exports.Withdrawn):
            raise BadInput(f"{error} Nothing was exported: export again.") from None
        raise


def _card(pairs: Sequence[Pair], opinions: Sequence[Opinion], files: Mapping[str, str]) -> dict[str, Any]:
    return {
        "made_at": datetime.now(UTC).isoformat(timespec="seconds"),
        "pairs": len(pairs),
        "opinions": len(opinions),
        "subjects": len({row["subject"] for row in (*pairs, *opinions)}),
        "origins": dict(Counter(pair["origin"] for pair in pairs)),
        "findings": dict(Counter(rule for pair in pairs for rule in pair["findings"]).most_common()),
        "licence": "of this installation: by consent of each patient, for the training of models; not to be published",
        "personal_data": "taken out by rules (HIPAA's safe harbour); a name without any sign of being one may stay",
        "files": dict(files),
    }


def pairs_of(turn: Kept, subject: str = "") -> Iterator[Pair]:
    """What a turn teaches: what the audit let through over each other draft, and a clinician's words over ours."""
    chosen = "" if turn.decision == "refused" else turn.chosen
    seen = {_bare(chosen)}
    for number, attempt in enumerate(turn.attempts if chosen else []):
        if attempt["findings"] and _bare(attempt["text"]) not in seen:
            seen.add(_bare(attempt["text"]))
            rules = [finding["rule"] for finding in attempt["findings"]]
            yield _pair(turn, f"{turn.run_id}-{number}", chosen, attempt["text"], "audit", rules, subject)
    if turn.decision == "edited" and (after := in_the_prompts_markers(turn.after, turn)):
        before = in_the_prompts_markers(turn.before, turn)
        if before and _bare(before) != _bare(after):
            yield _pair(turn, f"{turn.run_id}-edit", after, before, "clinician", [], subject)


def opinion_of(turn: Kept, subject: str = "") -> Opinion | None:
    """What a reader thought of the answer; nothing where they said nothing, or it is not of the passages alone."""
    if turn.rating is None or not (text := in_the_prompts_markers(turn.answered, turn)):
        return None
    *prompt, completion = _without_personal([*turn.prompt, {"role": "assistant", "content": text}])
    return Opinion(
        id=f"{turn.run_id}-opinion",
        prompt=prompt,
        completion=[completion],
        label=turn.rating > 0,
        reasons=[redacted(reason) for reason in turn.reasons],
        subject=subject,
        provenance=_provenance(turn),
    )


def in_the_prompts_markers(text: str, turn: Kept) -> str:
    """An answer's text without the warnings that code put on it, its markers those of the prompt; none if one has none.

    An answer numbers its citations from 1 as they appear, a prompt by rank: the same quote stands behind both.
    """
    shown = {one["marker"]: one["quote"].split(" … ") for one in turn.citations}
    passages = _passages(turn)
    numbers: dict[str, str] = {}
    for marker, quotes in shown.items():
        holding = [n for n, passage in passages.items() if all(quote in passage for quote in quotes)]
        if holding:
            numbers[str(marker)] = str(holding[0])
    own = "\n".join(line for line in text.splitlines() if not line.startswith(">")).strip()
    if any(match not in numbers for match in _MARKER.findall(own)):
        return ""
    return _MARKER.sub(lambda match: f"[{numbers[match[1]]}]", own)


def _passages(turn: Kept) -> dict[int, str]:
    from primum.evals.audit import passages_in

    return {number: one.text for message in turn.prompt for number, one in passages_in(message["content"]).items()}


def _pair(
    turn: Kept, name: str, chosen: str, rejected: str, origin: str, findings: Sequence[str], subject: str
) -> Pair:
    answers = [{"role": "assistant", "content": text} for text in (chosen, rejected)]
    *prompt, better, worse = _without_personal([*turn.prompt, *answers])
    return cast(
        Pair,
        {
            "id": name,
            "prompt": prompt,
            "chosen": [better],
            "rejected": [worse],
            "origin": origin,
            "findings": list(dict.fromkeys(findings)),
            "subject": subject,
            "provenance": _provenance(turn),
        },
    )


def _provenance(turn: Kept) -> dict[str, str]:
    prompts = " ".join(f"{name}:{value}" for name, value in sorted(turn.prompt_hashes.items()))
    return {"run_id": str(turn.run_id), "model": turn.model, "rules": turn.rules_version, "prompts": prompts}


def _without_personal(messages: Sequence[Mapping[str, str]]) -> list[Message]:
    """The messages without personal data; our own instructions, the system's, hold none."""
    said = [message["content"] for message in messages if message["role"] != "system"]
    cleaned = iter(redacted(_SPLIT.join(said)).split(_SPLIT))
    return [
        cast(Message, {**message, "content": message["content"] if message["role"] == "system" else next(cleaned)})
        for message in messages
    ]


def _bare(text: str) -> str:
    return " ".join(text.split()).casefold()
