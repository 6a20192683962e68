"""What a long thread was about: rolling summaries that hold nothing which was not said.

A summary is made of the questions as they were asked and of whole sentences of the audited answers. A model may choose
which sentences matter; it never writes one. What was told of the patient is not in here: that is in their chart, where
it can't be summarised away.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from pydantic import BaseModel, ConfigDict
from sqlalchemy import bindparam, text
from sqlalchemy.dialects.postgresql import JSONB

from primum.memory.identity import Identity
from primum.memory.session import Database

ASKED, ADVISED, OPEN = 10, 8, 3  # lines that are kept, the latest
LINE = 160  # characters of one
EACH = 2  # sentences of an answer that are kept where no model chose
A_TOKEN = 4  # characters, about

_READ = text("""
select
  (select jsonb_build_object('last', last, 'summary', summary) from summaries where thread_id = :thread) as summary,
  (select coalesce(jsonb_agg(jsonb_build_object('number', number, 'question', question, 'answer', answer)
   order by number), '[]') from (
    select number, question, answer ->> 'text' as answer from turns where thread_id = :thread and status = 'done'
    and number > coalesce((select last from summaries where thread_id = :thread), 0)
  ) as after) as turns
""")
_KEEP = text("""
insert into summaries (tenant, thread_id, patient, last, summary, made_by)
values (:tenant, :thread, :patient, :last, :summary, :made_by)
on conflict (tenant, thread_id) do update
set last = excluded.last, summary = excluded.summary, made_by = excluded.made_by, updated_at = now()
where summaries.last < excluded.last
""").bindparams(bindparam("summary", type_=JSONB))
_MARKER = re.compile(r"\s*\[\d{1,3}\]")


class Summary(BaseModel):
    """What was asked, what was answered, and what was asked back and is still open; the oldest first."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    asked: tuple[str, ...] = ()
    advised: tuple[str, ...] = ()
    open: tuple[str, ...] = ()


@dataclass(frozen=True)
class Due:
    """A thread that has grown too long: its summary so far, and the turns that it is to take in."""

    summary: Summary
    turns: tuple[Mapping[str, Any], ...]

    @property
    def last(self) -> int:
        return int(self.turns[-1]["number"])


class Summaries:
    """The summaries of all threads; each call names whose it is."""

    def __init__(self, database: Database) -> None:
        self.database = database

    async def due(self, identity: Identity, thread: str, keep: int, tokens: int) -> Due | None:
        """What is to be taken in, so that at most `keep` turns of at most `tokens` stay as they are."""
        async with self.database.begin(identity) as connection:
            row = (await connection.execute(_READ, {"thread": thread})).one()
        stay, room = 0, tokens * A_TOKEN
        for turn in reversed(row.turns):
            room -= len(turn["question"]) + len(turn["answer"])
            if stay >= keep or (room < 0 and stay):
                break
            stay += 1
        folded = row.turns[: len(row.turns) - stay]
        if not folded:
            return None
        return Due(Summary(**(row.summary or {}).get("summary", {})), tuple(folded))

    async def keep(self, identity: Identity, thread: str, due: Due, summary: Summary, made_by: str) -> None:
        """Keeps a summary, unless one that goes further is there already."""
        given = {"tenant": identity.tenant, "patient": identity.patient, "thread": thread, "last": due.last}
        async with self.database.begin(identity) as connection:
            await connection.execute(_KEEP, {**given, "summary": summary.model_dump(mode="json"), "made_by": made_by})


def folded(due: Due, chosen: Mapping[int, Sequence[str]], asked_back: Sequence[str]) -> Summary:
    """The summary with the turns taken in.

    Args:
        chosen: by a turn's number, the sentences of its answer that matter.
        asked_back: what the last answers asked and nobody has said yet.
    """
    questions = [_line(turn["question"]) for turn in due.turns]
    advice = [_line(sentence) for turn in due.turns for sentence in chosen.get(turn["number"], ())]
    return Summary(
        asked=_latest((*due.summary.asked, *questions), ASKED),
        advised=_latest((*due.summary.advised, *advice), ADVISED),
        open=_latest((*due.summary.open, *asked_back), OPEN),
    )


def _latest(lines: Sequence[str], count: int) -> tuple[str, ...]:
    """The latest lines, each once."""
    return tuple(dict.fromkeys(line for line in reversed(lines) if line))[:count][::-1]


def _line(words: str) -> str:
    """In one line without markers, cut at a word."""
    plain = " ".join(_MARKER.sub("", words).split())
    if len(plain) <= LINE:
        return plain
    return plain[:LINE].rsplit(" ", 1)[0] + " …"
