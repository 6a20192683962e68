"""The model's part of memory, as an evaluation asks it: what a message tells of its writer."""

import asyncio
from dataclasses import dataclass

from primum.graph.context import Run
from primum.graph.errors import InvalidModelOutput
from primum.graph.llm import Endpoint
from primum.memory.proposals import Proposals
from primum.nodes.prompts import render
from primum.nodes.remember import MOST_TOKENS


@dataclass(frozen=True)
class Proposer:
    """Asks an endpoint from a thread beside its event loop, as `nodes/remember.py` does in a job."""

    endpoint: Endpoint
    loop: asyncio.AbstractEventLoop

    def __call__(self, message: str) -> Proposals:
        """Raises ModelUnavailable."""
        return asyncio.run_coroutine_threadsafe(self._ask(message), self.loop).result()

    async def _ask(self, message: str) -> Proposals:
        model = self.endpoint.bind("router", Run())
        try:
            return await model.fill([("user", render("remember", message=message))], Proposals, max_tokens=MOST_TOKENS)
        except InvalidModelOutput:
            return Proposals(facts=[])
