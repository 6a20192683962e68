"""What of a draft is told while the rest of it is still written: sentences that have passed the whole audit."""

import asyncio
from types import TracebackType
from typing import Final, Self

import structlog
from langgraph.types import StreamWriter

from primum.graph.context import Context
from primum.graph.errors import PrimumError
from primum.graph.state import State
from primum.nodes.critique import objections_to
from primum.nodes.evidence import judge, read_passages
from primum.nodes.respond import answer_so_far
from primum.safety.sentences import split_answer

log = structlog.get_logger(__name__)

AUDITED: Final = "audited"  # the key of what goes to LangGraph's `custom` stream
GRACE = 0.1  # seconds; a draft that has come to its end by then is not worth a call of its own


class Ahead:
    """Audits a draft's first sentences by code and by the critic, and tells them to who follows the turn.

    One audit at a time, each of at least twice as many sentences as were told before: a draft takes few of them. They
    decide what is told early, nothing else: the draft is audited as a whole when it is there, and the answer that
    comes of it replaces what was told. What fails here is only not told.
    """

    def __init__(self, state: State, context: Context, tell: StreamWriter) -> None:
        self._state, self._context, self._tell = state, context, tell
        # An answer that waits for a clinician is nothing to read before.
        self._wanted = context.run.followed and state["route"] == "evidence" and not context.signs
        self._audit: asyncio.Task[None] | None = None
        self._seen, self._told = 0, 0  # sentences of the last audit, and of the last that had something to tell

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if self._audit is not None:
            self._audit.cancel()
            await asyncio.wait([self._audit])

    def look(self, text: str) -> None:
        """Has the sentences audited that have ended, unless an audit is under way or they are too few."""
        if not self._wanted or (self._audit is not None and not self._audit.done()):
            return
        ended = len(split_answer(text)) - 1
        if ended > self._seen and ended >= 2 * self._told:
            self._seen = ended
            self._audit = asyncio.create_task(self._audited(text))

    async def _audited(self, text: str) -> None:
        state, context = self._state, self._context
        try:
            await asyncio.sleep(GRACE)
            passages = await read_passages(state, context)
            verdicts = judge(text, passages, state)[:-1]  # the last sentence may not have ended
            standing = [v for v in verdicts if v.clinical and v.stands]
            if not standing:
                return
            against = await objections_to(standing, passages, state, context)
            if answer := answer_so_far(verdicts, against, passages, state, context):
                self._told = self._seen
                self._tell({AUDITED: {"text": answer["text"], "citations": answer["citations"]}})
        except PrimumError:
            context.run.model_down = None  # a preview's failure is no word on the calls that the turn needs
        except Exception as error:  # nor does it take the turn along: the draft is audited all the same
            log.error("sentences.not_told", error=type(error).__name__)
