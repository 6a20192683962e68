"""The agent as an object: ask, or follow a turn as it happens."""

import asyncio
import contextlib
import re
import time
from collections.abc import AsyncIterator, Coroutine, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from typing import Any, Protocol, TypeVar, cast
from uuid import UUID, uuid4

import psycopg
import structlog
from langchain_core.tools import BaseTool
from langgraph.checkpoint.base import BaseCheckpointSaver
from langgraph.types import Command
from langsmith import tracing_context

from primum.graph.answer import Answer
from primum.graph.context import Audience, Run
from primum.graph.errors import BadInput, MemoryUnavailable, PrimumError, TurnFailed, UnknownThread
from primum.graph.request import check_name, check_text
from primum.graph.resources import Resources
from primum.graph.state import Exchange, Form, TurnInput
from primum.graph.stream import LAST, WAITING, Event, Feed, Following, of_answer, of_error, of_passages, of_task
from primum.graph.tools import tools_for
from primum.memory.drafts import Drafted
from primum.memory.identity import Identity
from primum.memory.jobs import Worker, open_worker
from primum.memory.reviews import Choice
from primum.memory.session import passes, why
from primum.memory.threads import LEASE, TurnRow
from primum.nodes.ahead import AUDITED
from primum.nodes.remember import remember
from primum.nodes.sign_off import UNSAID, check_markers
from primum.safety.profile import Profile

BEAT = LEASE / 3  # seconds between signs of life of the turns under way
WAITS = "A clinician looks at the answer to your question before you get it. It will stand here."
LOOK = 0.2  # seconds between looks at a turn that waits for another
_NO_EVENT = "There is no such event: give the id of the one that came last, as it came."

log = structlog.get_logger(__name__)
T = TypeVar("T")


@dataclass(frozen=True)
class _Turn:
    """A turn of this process: whose it is, and what was asked how."""

    identity: Identity
    run_id: UUID
    thread: str
    thread_key: UUID
    question: str
    request: Mapping[str, Any]
    feed: Feed
    again: bool = False  # it was begun before
    followed: bool = False  # somebody reads along

    @property
    def actor(self) -> str:
        return str(self.request.get("actor") or self.request.get("audience") or "patient")


class Observer(Protocol):
    """Is told how turns end."""

    def answered(self, answer: Answer, seconds: float) -> None: ...

    def failed(self, error: str) -> None: ...

    def running(self, turns: int) -> None: ...


class Agent:
    """Answers questions. Safe to share between tasks; threads may run at once, each one turn at a time."""

    def __init__(self, resources: Resources, observer: Observer | None = None) -> None:
        self.resources = resources
        self._observer = observer
        self._running: set[asyncio.Task[Any]] = set()
        self._turns: dict[UUID, _Turn] = {}
        self._runs: set[UUID] = set()
        self._cut_off: set[UUID] = set()  # by an outage of the database, which has not heard of it yet
        self._heart: asyncio.Task[None] | None = None

    async def ask(
        self,
        question: str,
        *,
        patient: str = "me",
        thread: str | None = None,
        tenant: str | None = None,
        audience: Audience = "patient",
        max_words: int | None = None,
        temperature: float | None = None,
        profile: Profile | None = None,
        history: Sequence[Exchange] = (),
        idempotency_key: str | None = None,
        actor: str | None = None,
        form: Form | None = None,
        reasoning: bool = False,
    ) -> Answer:
        """One question, one audited answer.

        Args:
            question: up to 8,000 characters.
            patient: whose conversation it is; what is known of them is taken into account.
            thread: the conversation to go on with; none starts a new one.
            tenant: whose patient it is; the settings' unless given.
            audience: how to speak; clinicians get doses and grades of evidence.
            max_words: the answer's length, 200 unless set; no sentence is cut.
            temperature: of the draft, 0 unless set.
            profile: what is known of the person beside their chart: allergies, medicines, age …
            history: what was said before, where the thread does not hold it; a question may point back to it.
            idempotency_key: of a question that may be sent again; the same key gets the first answer.
            actor: who asks, for the audit, where no person's name may stand; the audience unless given.
            form: `case` for a clinician's case, worked up into `Answer.case`; `answer` for a plain answer. None:
                what surely is a clinician's case is taken for one.
            reasoning: whether a clinician gets the model's reasoning, which nobody audits, beside the answer.

        Raises:
            BadInput: question, patient or thread can't be used, or a case or reasoning is asked for a patient.
            ThreadBusy: the thread's last question is still being answered.
            MemoryUnavailable: the database can't be reached.
        """
        request = _request(audience, max_words, temperature, profile, history, actor, form, reasoning)
        identity = self.resources.identity(patient, tenant)
        task, _ = await self._start(identity, question, thread, request, idempotency_key)
        # A caller that gives up does not take an accepted question with it.
        return await asyncio.shield(task)

    def stream(
        self,
        question: str,
        *,
        patient: str = "me",
        thread: str | None = None,
        tenant: str | None = None,
        audience: Audience = "patient",
        max_words: int | None = None,
        temperature: float | None = None,
        profile: Profile | None = None,
        history: Sequence[Exchange] = (),
        idempotency_key: str | None = None,
        actor: str | None = None,
        form: Form | None = None,
        reasoning: bool = False,
        ahead: bool = True,
    ) -> Following:
        """The same turn as events, ended by `done` or `error`; raises as `ask` does before the first.

        `ahead`: sentences that have passed their audit are told while the rest is written, for a few short model calls
        more.
        """

        async def start() -> AsyncIterator[Event]:
            request = _request(audience, max_words, temperature, profile, history, actor, form, reasoning)
            identity = self.resources.identity(patient, tenant)
            _, turn = await self._start(identity, question, thread, request, idempotency_key, followed=ahead)
            return _named(turn.run_id, turn.feed.after())

        return Following(start)

    def resume(self, last: str, *, patient: str = "me", tenant: str | None = None) -> Following:
        """The events after the one with this id, whatever process makes the answer; raises before the first.

        Where another process does, its steps are not told: the answer is waited for. Where a clinician has yet to sign
        it, that is told instead.

        Raises:
            BadInput: it is no event's id.
            UnknownThread: the patient has no such turn.
            MemoryUnavailable: the database can't be reached.
        """

        async def find() -> AsyncIterator[Event]:
            run_id, number = _event_id(last)
            identity = self.resources.identity(patient, tenant)
            await self.resources.threads.look(identity, run_id)
            turn = self._turns.get(run_id)
            if turn is None:
                return _named(run_id, self._retold(identity, run_id).after(number))
            # Of a turn that was begun before, another process may have told this event.
            if not turn.again and not turn.feed.has(number):
                raise BadInput(_NO_EVENT)
            return _named(run_id, turn.feed.after(number))

        return Following(find)

    def tools(
        self,
        *,
        patient: str = "me",
        tenant: str | None = None,
        audience: Audience = "patient",
        actor: str | None = None,
    ) -> tuple[BaseTool, ...]:
        """LangChain tools for an agent of your own: `ask`, `search_evidence`, `recall_facts`, the checks, and so on.

        They are this patient's alone: whose they are is nothing that a model may choose. Raises BadInput.
        """
        return tools_for(self, self.resources.identity(patient, tenant), audience, actor)

    async def recover(self) -> int:
        """Answers the questions whose process died before it could; their number."""
        found = []
        while claimed := await self.resources.threads.claim():
            identity, row = claimed
            log.info("turn.recovered", run_id=str(row.run_id))
            found.append(self._run(_turn(identity, row), queued=row.status == "queued"))
        if found:
            await asyncio.wait(found)
        return len(found)

    async def decide(
        self, tenant: str, run_id: UUID, decision: Choice, actor: str, edited: str | None = None
    ) -> Answer:
        """What a clinician makes of an answer that waits, kept once; the answer as it goes out.

        Raises:
            BadInput: the edited text has a marker that leads nowhere.
            UnknownThread: the tenant has no such answer.
            AlreadyDecided: somebody was faster.
            MemoryUnavailable: the database can't be reached.
        """
        threads, reviews = self.resources.threads, self.resources.reviews
        if edited is not None:
            check_markers(edited, await reviews.answer(Identity(tenant, ""), run_id))
        identity = await reviews.decide(tenant, run_id, decision, actor, edited, holder=threads.holder, lease=LEASE)
        found = await threads.turn(run_id)
        if found is None:
            raise UnknownThread("The conversation was removed in the meantime.")
        return await asyncio.shield(self._run(_turn(identity, found[1])))

    async def forget(self, thread: str, patient: str, tenant: str | None = None, actor: str = "patient") -> None:
        """Removes a thread with its turns and checkpoints. Raises UnknownThread, and ThreadBusy in mid-turn."""
        identity = self.resources.identity(patient, tenant)
        key = await self.resources.threads.delete(identity, check_name(thread, "thread"), actor)
        saver = self.resources.graph.checkpointer
        if isinstance(saver, BaseCheckpointSaver):
            await saver.adelete_thread(str(key))

    async def remember(self, run_id: UUID) -> None:
        """What is done after the reply of a run; nothing if it was erased meanwhile."""
        found = await self.resources.threads.turn(run_id)
        if found is None:
            return
        identity, row = found
        audience: Audience = row.request.get("audience") or "patient"
        run = self.resources.new_run(run_id)
        await self.resources.adapters.look()
        await remember(row, self.resources.context(run, identity, row.thread_id, audience))

    @asynccontextmanager
    async def working(self) -> AsyncIterator[Worker]:
        """Does the jobs of the database while it is open: what is remembered of turns, and what is too old."""
        settings = self.resources.settings

        async def retain() -> None:
            await self.resources.erasure.retain(settings.keep_days)

        async with open_worker(self.resources.database.url, self.remember, retain) as worker:
            work = asyncio.create_task(worker.run())
            work.add_done_callback(tell_end)
            try:
                yield worker
            finally:
                work.cancel()
                await asyncio.wait([work])

    async def close(self) -> None:
        """Waits for the turns that are under way."""
        if self._running:
            await asyncio.wait(self._running, timeout=self.resources.settings.turn_timeout)
        if self._heart is not None:
            self._heart.cancel()

    async def _start(
        self,
        identity: Identity,
        question: str,
        thread: str | None,
        request: Mapping[str, Any],
        idempotency_key: str | None,
        *,
        followed: bool = False,
    ) -> tuple[asyncio.Task[Answer], _Turn]:
        question = check_text(question)
        thread = check_name(thread, "thread") if thread is not None else str(uuid4())
        if idempotency_key is not None:
            check_name(idempotency_key, "idempotency key")
        taken = await self.resources.threads.admit(
            identity,
            uuid4(),
            thread,
            question,
            request,
            idempotency_key=idempotency_key,
            may_queue=self.resources.settings.when_busy == "queue",
        )
        turn = _Turn(identity, taken.run_id, thread, taken.thread_key, question, request, Feed(), followed=followed)
        if taken.repeats:
            return self._watch(self._repeated(turn), turn.feed), turn
        return self._run(turn, queued=taken.status == "queued"), turn

    def _run(self, turn: _Turn, *, queued: bool = False) -> asyncio.Task[Answer]:
        self._runs.add(turn.run_id)
        if self._observer is not None:
            self._observer.running(len(self._runs))
        if self._heart is None:
            self._heart = asyncio.create_task(self._beat())
        self._turns[turn.run_id] = turn
        task = self._watch(self._execute(turn, queued), turn.feed)
        task.add_done_callback(lambda _: self._turns.pop(turn.run_id, None))
        return task

    def _watch(self, work: Coroutine[Any, Any, T], feed: Feed) -> asyncio.Task[T]:
        task: asyncio.Task[T] = asyncio.create_task(work)
        self._running.add(task)
        task.add_done_callback(lambda task: self._done(task, feed))
        return task

    def _done(self, task: asyncio.Task[Any], feed: Feed) -> None:
        self._running.discard(task)
        if not task.cancelled() and (error := task.exception()):
            feed.put(of_error(error))
            if not isinstance(error, PrimumError):
                log.error("turn.broke", error=type(error).__name__)
        feed.close()

    async def _beat(self) -> None:
        """Signs of life of the turns under way, so that nobody takes them over; and word of those that are not."""
        while True:
            await asyncio.sleep(BEAT)
            with contextlib.suppress(PrimumError):  # the database is away; its turns will find out
                if self._runs:
                    await self.resources.threads.beat(self._runs)
                if gone := self._cut_off - self._runs:
                    await self.resources.threads.release(gone)
                    self._cut_off -= gone

    async def _repeated(self, turn: _Turn) -> Answer:
        """The answer of a question that was sent before, waited for if it is still being made."""
        return await self._told_again(turn.identity, turn.run_id, turn.feed)

    def _retold(self, identity: Identity, run_id: UUID) -> Feed:
        """The last events of a turn that this process does not run."""
        feed = Feed()
        self._watch(self._told_again(identity, run_id, feed), feed)
        return feed

    async def _told_again(self, identity: Identity, run_id: UUID, feed: Feed) -> Answer:
        while True:
            status, kept = await self.resources.threads.look(identity, run_id)
            if kept is not None:
                for event in of_answer(kept):
                    feed.put(event)
                return Answer.model_validate(kept)
            if status == "waiting":
                answer = _waiting(Answer.model_validate(await self.resources.reviews.answer(identity, run_id)))
                for event in of_answer(answer.model_dump(mode="json")):
                    feed.put(event)
                return answer
            if status == "failed":
                raise TurnFailed("No answer could be made of this question. Send it with another idempotency key.")
            await asyncio.sleep(LOOK)

    async def _execute(self, turn: _Turn, queued: bool) -> Answer:
        """Runs the graph and keeps what came of it. The row of an interrupted turn stays `running`: see `recover`."""
        threads = self.resources.threads
        try:
            if queued:
                await self._wait_for_turn(turn)
            started = time.perf_counter()
            run = self.resources.new_run(turn.run_id)
            run.followed = turn.followed
            # A host program may trace runs of its own, which must not take a patient's words along.
            with tracing_context(enabled=self.resources.settings.langsmith):
                answer, waits = await self._run_graph(run, turn)
            kept = answer.model_dump(mode="json")
            drafted = self._drafted(run, answer)
            if waits:
                if not await threads.wait(turn.identity, turn.run_id, kept, turn.actor, drafted):
                    return await self._repeated(turn)
                answer = _waiting(answer)
                for event in of_answer(answer.model_dump(mode="json")):
                    turn.feed.put(event)
                return answer
            seconds = time.perf_counter() - started
            made_of = {**self._made_of(answer, kept), "ms": round(seconds * 1000, 1), "tokens": answer.trace.tokens}
            if not await threads.finish(turn.identity, turn.run_id, kept, turn.actor, made_of, drafted):
                return await self._repeated(turn)  # it was taken for dead, and another process answers
            for event in of_answer(kept):
                turn.feed.put(event)
        except psycopg.Error as error:  # of the checkpoints
            if passes(error):
                self._cut_off.add(turn.run_id)
            raise MemoryUnavailable(f"{why(error)} Your question was kept if it was there before.") from error
        except MemoryUnavailable as error:
            if passes(error.__cause__):
                self._cut_off.add(turn.run_id)
            raise
        except Exception as error:
            # Ours or not: a question that breaks a turn would break it again.
            if self._observer is not None:
                self._observer.failed(type(error).__name__)
            await threads.fail(turn.identity, turn.run_id, type(error).__name__, turn.actor)
            raise
        finally:
            self._runs.discard(turn.run_id)
            if self._observer is not None:
                self._observer.running(len(self._runs))
        if self._observer is not None:
            self._observer.answered(answer, seconds)
        log.info("turn.answered", run_id=str(turn.run_id), status=answer.status, ms=answer.trace.timings_ms)
        return answer

    async def _wait_for_turn(self, turn: _Turn) -> None:
        """Until the thread's earlier questions are answered, by whatever process."""
        while not await self.resources.threads.begin(turn.identity, turn.run_id):  # noqa: ASYNC110
            await asyncio.sleep(LOOK)

    def _drafted(self, run: Run, answer: Answer) -> Drafted | None:
        """What a model may be trained with; nothing of a turn without a draft."""
        if not run.attempts or not run.prompt:
            return None
        return Drafted(
            prompt=[{"role": role, "content": said} for role, said in run.prompt],
            attempts=[{"text": one.text, "findings": list(one.findings)} for one in run.attempts],
            chosen=run.shown,
            model=answer.trace.adapter or answer.trace.model,
            prompt_hashes=answer.trace.prompt_hashes,
            rules_version=answer.trace.rules_version,
            without_chart=self.resources.settings.learn_without_chart,
        )

    def _made_of(self, answer: Answer, kept: Mapping[str, Any]) -> dict[str, Any]:
        """What an answer was made of, for the audit: names, versions, numbers of rows, and a mark of its text."""
        trace = answer.trace
        return {
            "status": answer.status,
            "model": trace.model,
            "adapter": trace.adapter,
            "adapters": trace.adapters,
            "prompts": trace.prompt_hashes,
            "corpus": trace.corpus_version,
            "rules": trace.rules_version,
            "chunks": [citation.chunk_id for citation in answer.citations],
            "facts": [fact.id for fact in answer.facts],
            "findings": [finding.rule for finding in answer.safety.findings],
            "answer": self.resources.secret.mark(str(kept["text"]).encode()),
        }

    async def _run_graph(self, run: Run, turn: _Turn) -> tuple[Answer, bool]:
        """The answer, and whether it waits for a clinician. A turn that they decided on goes on where it waited."""
        request = turn.request
        asked = TurnInput(
            question=turn.question,
            max_words=request.get("max_words"),
            temperature=request.get("temperature"),
            form=request.get("form"),
            reasons=bool(request.get("reasons")),
            before=request.get("before") or [],
        )
        profile = Profile.model_validate(request.get("profile") or {})
        await self.resources.adapters.look()
        context = self.resources.context(run, turn.identity, turn.thread, request.get("audience") or "patient", profile)
        answer: dict[str, Any] = {}
        waits = False
        thread = {"thread_id": str(turn.thread_key)}
        decision = await self.resources.reviews.decision(turn.identity, turn.run_id) if turn.again else None
        # `exit` writes one checkpoint a turn; a turn that dies on the way is run again from its admitted row.
        async for part in self.resources.graph.astream(
            asked if decision is None else Command(resume=decision),
            config={"configurable": thread, "recursion_limit": 50},
            context=context,
            stream_mode=["tasks", "custom"],
            durability="exit",
        ):
            kind, task = cast(tuple[str, dict[str, Any]], part)
            if kind == "custom":
                turn.feed.put(Event(AUDITED, task[AUDITED]))
                continue
            if event := of_task(task):
                turn.feed.put(event)
                if event.data["state"] == "finished" and event.data["name"] in ("retrieve", "gather"):
                    turn.feed.put(of_passages(run.passages.values()))
            if task["name"] in ("respond", "sign_off") and task.get("result"):
                answer = dict(task["result"]).get("answer", answer)
            waits = waits or bool(task.get("interrupts"))
        if not answer:  # a process went through the graph to its end, and died before it could say so
            answer = (await self.resources.graph.aget_state({"configurable": thread})).values["answer"]
        return Answer.model_validate(answer), waits


def _waiting(answer: Answer) -> Answer:
    """What is told of an answer while a clinician has not decided."""
    told: dict[str, Any] = {"text": WAITS, "status": "waiting", "citations": [], "confidence": 0.0, **UNSAID}
    return answer.model_copy(update=told)


def _event_id(given: str) -> tuple[UUID, str]:
    """The run and the event of an id. Raises BadInput."""
    run, _, event = given.partition("/")
    try:
        run_id = UUID(run)
    except ValueError:
        raise BadInput(_NO_EVENT) from None
    if event not in (*LAST, *WAITING) and not re.fullmatch("[1-9][0-9]{0,5}", event):
        raise BadInput(_NO_EVENT)
    return run_id, event


async def _named(run_id: UUID, events: AsyncIterator[Event]) -> AsyncIterator[Event]:
    """The events under the ids that a reader goes on from."""
    async for event in events:
        yield replace(event, id=f"{run_id}/{event.id}")


def _turn(identity: Identity, row: TurnRow) -> _Turn:
    """A turn that was begun before, to be gone on with."""
    return _Turn(identity, row.run_id, row.thread_id, row.thread_key, row.question, row.request, Feed(), again=True)


def _request(
    audience: Audience,
    max_words: int | None,
    temperature: float | None,
    profile: Profile | None,
    history: Sequence[Exchange],
    actor: str | None,
    form: Form | None,
    reasoning: bool,
) -> dict[str, Any]:
    """What is kept of a request beside its question, so that an interrupted turn can be run again."""
    if audience != "clinician" and (form == "case" or reasoning):
        asked = "A case is worked up" if form == "case" else "Reasoning is shown"
        raise BadInput(f"{asked} for clinicians alone: ask with the audience clinician.")
    known = profile.model_dump(mode="json", exclude_defaults=True) if profile else {}
    limits = {"max_words": max_words, "temperature": temperature, "form": form, "reasons": reasoning}
    return {"audience": audience, "actor": actor, "profile": known, "before": [*history], **limits}


def tell_end(task: "asyncio.Task[None]") -> None:
    """Nobody waits for a task in the background: one that broke would end unseen."""
    if not task.cancelled() and (error := task.exception()):
        log.error("a task in the background broke", error=type(error).__name__)
