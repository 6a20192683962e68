"""An evaluation on many workers, by Ray Data: each asks its share, and the answers come in the order of the rows.

Those gain that wait for a model in many places: one folder loaded on each GPU, an endpoint whose answers are more than
one process takes in, and the whole agent, which works at each case. What `ray.data.llm` asks an endpoint with is not
used: it sends a batch's requests one after the other, and where a server refuses one, ends the run with the prompt in
its error.
"""

import asyncio
import pickle
from collections.abc import AsyncGenerator, Callable, Coroutine, Sequence
from contextlib import AsyncExitStack, aclosing
from functools import partial
from typing import TYPE_CHECKING, Any, Protocol, TypeVar, cast

from primum.evals.endpoint import Kept, Messages, Progress, Sampling, Writer, Written, key_of
from primum.graph.agent import Agent
from primum.graph.answer import Answer
from primum.graph.errors import PrimumError
from primum.graph.resources import open_resources
from primum.graph.settings import Settings
from primum.retrieval.workers import next_of, room, rows_of, started

if TYPE_CHECKING:
    from ray.data import Dataset

BATCHES = 4  # times the requests at once that a worker is given together, so that few of its slots wait for the last
CPU = 0.5  # of a core that Ray reserves for a worker without a GPU: it waits for others

Rows = dict[str, Any]
T_contra = TypeVar("T_contra", contravariant=True)
R_co = TypeVar("R_co", covariant=True)
T = TypeVar("T")
R = TypeVar("R")


class Work(Protocol[T_contra, R_co]):
    """What a worker does with its share; made once in each."""

    def __call__(self, items: Sequence[T_contra], /) -> Coroutine[Any, Any, Sequence[R_co]]: ...


async def spread(
    items: Sequence[T],
    make: Callable[[], Work[T, R]],
    workers: int,
    batch: int,
    *,
    on_gpus: bool = False,
) -> AsyncGenerator[R]:
    """What the workers make of the items, in their order, as it comes. A worker that dies has its share done again.

    Args:
        make: sent to the workers pickled.
        batch: items that a worker is given together.

    Raises:
        BadInput: Ray does not start.
        PrimumError: what a worker raised.
    """
    if not items:
        return
    with started(), rows_of(_pipeline(items, make, workers, batch, on_gpus)) as rows:
        while row := await asyncio.to_thread(next_of, rows):
            made = pickle.loads(row["made"])  # noqa: S301 (our own, from our workers)
            if isinstance(made, PrimumError):
                raise made
            yield cast(R, made)


def _pipeline(items: Sequence[T], make: Callable[[], Work[T, R]], workers: int, batch: int, on_gpus: bool) -> "Dataset":
    import ray.data
    from ray.data import ActorPoolStrategy, DataContext

    DataContext.get_current().execution_options.preserve_order = True
    blocks = -(-len(items) // batch)
    return ray.data.from_items(
        [{"item": pickle.dumps(item)} for item in items], override_num_blocks=blocks
    ).map_batches(
        _Worker,
        fn_constructor_args=(make,),
        batch_size=None,
        compute=ActorPoolStrategy(size=workers),
        num_cpus=CPU,
        num_gpus=1 if on_gpus else 0,
    )


class _Worker:
    """The work in a process of its own, which has one event loop for all that it is given."""

    def __init__(self, make: Callable[[], Work[Any, Any]]) -> None:
        self._work = make()
        self._runner = asyncio.Runner()

    def __call__(self, rows: Rows) -> Rows:
        items = [pickle.loads(item) for item in rows["item"]]  # noqa: S301 (our own)
        try:
            made = self._runner.run(self._work(items))
        except PrimumError as error:  # as it is: Ray would make its own of it, with a trace
            made = [error]
        return {"made": [pickle.dumps(one) for one in made]}


class Workers:
    """A model that many workers ask.

    Args:
        load: makes the model's writer in each worker, which is told how many requests it may have at once.
        at_once: requests at a time, of all workers together.
        url: an endpoint's, by which `kept` knows its answers.
        on_gpus: whether each worker has the model on a GPU of its own, where Ray has some.
    """

    def __init__(
        self,
        name: str,
        load: Callable[[int], Writer],
        workers: int | None,
        at_once: int,
        *,
        url: str = "",
        kept: Kept | None = None,
        on_gpus: bool = False,
    ) -> None:
        self.name = name
        self._load, self._workers, self._at_once, self._on_gpus = load, workers, at_once, on_gpus
        self._url, self._kept = url, kept or Kept(None)

    async def write(
        self, prompts: Sequence[Messages], sampling: Sampling, on_progress: Progress = lambda _done, _of: None
    ) -> list[Written]:
        """As one writer does. Raises ModelUnavailable, and BadInput where Ray has no room."""
        keys = [key_of(self._url, self.name, messages, sampling) for messages in prompts]
        known = [self._kept.get(key) for key in keys]
        left = [place for place, written in enumerate(known) if written is None]
        done = len(prompts) - len(left)
        with started():
            found, on_gpus = room(self._workers, gpus=self._on_gpus)
            workers = min(found, self._at_once)
            share = self._at_once // workers
            make = partial(_Writing, self._load, share, sampling)
            asked = spread([prompts[place] for place in left], make, workers, BATCHES * share, on_gpus=on_gpus)
            places = iter(left)
            async with aclosing(asked) as answers:
                async for written in answers:
                    place = next(places)
                    known[place] = written
                    self._kept.add(keys[place], written)
                    done += 1
                    on_progress(done, len(prompts))
        return cast(list[Written], known)


class _Writing:
    """A writer's answers."""

    def __init__(self, load: Callable[[int], Writer], share: int, sampling: Sampling) -> None:
        self._writer, self._sampling = load(share), sampling

    async def __call__(self, prompts: Sequence[Messages]) -> Sequence[Written]:
        return await self._writer.write(prompts, self._sampling)


class Agents:
    """The whole agent in each worker, which answers one question after the other; `how` is what `Agent.ask` is told."""

    def __init__(self, settings: Settings, **how: Any) -> None:
        self._settings, self._how = settings, how
        self._open = AsyncExitStack()  # until the worker's process ends
        self._agent: Agent | None = None

    async def __call__(self, questions: Sequence[str]) -> Sequence[Answer]:
        if self._agent is None:
            self._agent = Agent(await self._open.enter_async_context(open_resources(self._settings)))
        return [await self._agent.ask(question, **self._how) for question in questions]
