"""The agent as an object: ask, or follow a turn as it happens."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from typing import Any
from uuid import UUID, uuid4

import psycopg
import psycopg_pool
import structlog
from langgraph.checkpoint.base import BaseCheckpointSaver

from primum.graph.answer import Answer
from primum.graph.context import Audience, Run
from primum.graph.errors import MemoryUnavailable, PrimumError
from primum.graph.request import check_name, check_text
from primum.graph.resources import Resources
from primum.graph.state import TurnInput
from primum.graph.stream import Event, of_answer, of_error, of_passages, of_task
from primum.safety.profile import Profile

log = structlog.get_logger(__name__)

Queue = asyncio.Queue[Event | None]


class Agent:
    """Answers questions. Safe to share between tasks; threads may run at once, each one turn at a time."""

    def __init__(self, resources: Resources) -> None:
        self.resources = resources
        self._running: set[asyncio.Task[Answer]] = set()

    async def ask(
        self,
        question: str,
        *,
        patient: str = "me",
        thread: str | None = None,
        audience: Audience = "patient",
        max_words: int | None = None,
        temperature: float | None = None,
        profile: Profile | None = None,
    ) -> Answer:
        """One question, one audited answer.

        Args:
            question: up to 8,000 characters.
            patient: whose conversation it is.
            thread: the conversation to go on with; none starts a new one.
            audience: how to speak; clinicians get doses and grades of evidence.
            max_words: the answer's length, 200 unless set; no sentence is cut.
            temperature: of the draft, 0 unless set.
            profile: what is known of the person: allergies, medicines, age …

        Raises:
            BadInput: question, patient or thread can't be used.
            ThreadBusy: the thread's last question is still being answered.
            MemoryUnavailable: the database can't be reached.
        """
        request = _request(audience, max_words, temperature, profile)
        task = await self._start(question, patient, thread, request, None)
        # A caller that gives up does not take an accepted question with it.
        return await asyncio.shield(task)

    async def stream(
        self,
        question: str,
        *,
        patient: str = "me",
        thread: str | None = None,
        audience: Audience = "patient",
        max_words: int | None = None,
        temperature: float | None = None,
        profile: Profile | None = None,
    ) -> AsyncIterator[Event]:
        """The same turn as events, ended by `done` or `error`; raises as `ask` does before the first."""
        queue: Queue = asyncio.Queue()
        request = _request(audience, max_words, temperature, profile)
        task = await self._start(question, patient, thread, request, queue)
        while (event := await queue.get()) is not None:
            yield event
        await asyncio.wait([task])
        if error := task.exception():
            yield of_error(error)

    async def recover(self) -> int:
        """Answers the questions whose process died before it could; their number."""
        found = 0
        while turn := await self.resources.threads.claim():
            found += 1
            log.info("turn.recovered", run_id=str(turn.run_id))
            task = self._run(turn.run_id, turn.thread_id, turn.patient, turn.question, turn.request, None)
            await asyncio.wait([task])
        return found

    async def forget(self, thread: str, patient: str) -> None:
        """Removes a thread with its turns and checkpoints. Raises UnknownThread, and ThreadBusy in mid-turn."""
        await self.resources.threads.delete(check_name(thread, "thread"), check_name(patient, "patient"))
        saver = self.resources.graph.checkpointer
        if isinstance(saver, BaseCheckpointSaver):
            await saver.adelete_thread(thread)

    async def close(self) -> None:
        """Waits for the turns that are under way."""
        if self._running:
            await asyncio.wait(self._running, timeout=self.resources.settings.turn_timeout)

    async def _start(
        self,
        question: str,
        patient: str,
        thread: str | None,
        request: Mapping[str, Any],
        queue: Queue | None,
    ) -> asyncio.Task[Answer]:
        question = check_text(question)
        patient = check_name(patient, "patient")
        thread = check_name(thread, "thread") if thread is not None else str(uuid4())
        run_id = uuid4()
        await self.resources.threads.admit(run_id, thread, patient, question, request)
        return self._run(run_id, thread, patient, question, request, queue)

    def _run(
        self, run_id: UUID, thread: str, patient: str, question: str, request: Mapping[str, Any], queue: Queue | None
    ) -> asyncio.Task[Answer]:
        task = asyncio.create_task(self._execute(run_id, thread, patient, question, request, queue))
        self._running.add(task)
        task.add_done_callback(self._done)
        return task

    def _done(self, task: asyncio.Task[Answer]) -> None:
        self._running.discard(task)
        if not task.cancelled() and (error := task.exception()) and not isinstance(error, PrimumError):
            log.error("turn.broke", error=type(error).__name__)

    async def _execute(
        self,
        run_id: UUID,
        thread: str,
        patient: str,
        question: str,
        request: Mapping[str, Any],
        queue: Queue | None,
    ) -> Answer:
        """Runs the graph and keeps what came of it. The row of an interrupted turn stays `running`: see `recover`."""
        run = self.resources.new_run(str(run_id))
        try:
            answer = await self._run_graph(run, thread, patient, question, request, queue)
            kept = answer.model_dump(mode="json")
            await self.resources.threads.finish(run_id, kept)
            if queue is not None:
                for event in of_answer(kept):
                    queue.put_nowait(event)
        except (psycopg.Error, psycopg_pool.PoolTimeout) as error:
            raise MemoryUnavailable(
                "The database can't be reached. Your question was kept if it was there before."
            ) from error
        except MemoryUnavailable:
            raise
        except Exception as error:
            # Ours or not: a question that breaks a turn would break it again.
            await self.resources.threads.fail(run_id, type(error).__name__)
            raise
        finally:
            if queue is not None:
                queue.put_nowait(None)
        log.info("turn.answered", run_id=str(run_id), status=answer.status, ms=answer.trace.timings_ms)
        return answer

    async def _run_graph(
        self, run: Run, thread: str, patient: str, question: str, request: Mapping[str, Any], queue: Queue | None
    ) -> Answer:
        given = {key: request[key] for key in ("max_words", "temperature") if request.get(key) is not None}
        turn = TurnInput(question=question, **given)  # type: ignore[typeddict-item]
        profile = Profile.model_validate(request.get("profile") or {})
        context = self.resources.context(run, patient, request.get("audience") or "patient", profile)
        answer: dict[str, Any] = {}
        # `exit` writes one checkpoint a turn; a turn that dies on the way is run again from its admitted row.
        async for task in self.resources.graph.astream(
            turn,
            config={"configurable": {"thread_id": thread}, "recursion_limit": 50},
            context=context,
            stream_mode="tasks",
            durability="exit",
        ):
            if queue is not None and (event := of_task(task)):
                queue.put_nowait(event)
                if event.data == {"name": "retrieve", "state": "finished"}:
                    queue.put_nowait(of_passages(run.passages.values()))
            if task["name"] == "respond" and task.get("result"):
                answer = dict(task["result"])["answer"]
        return Answer.model_validate(answer)


def _request(
    audience: Audience, max_words: int | None, temperature: float | None, profile: Profile | None
) -> dict[str, Any]:
    """What is kept of a request beside its question, so that an interrupted turn can be run again."""
    known = profile.model_dump(mode="json", exclude_defaults=True) if profile else {}
    return {"audience": audience, "max_words": max_words, "temperature": temperature, "profile": known}
