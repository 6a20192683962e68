"""Questions of which nothing is kept, whoever goes away in the middle."""

import asyncio

from sqlalchemy import text

from primum.graph.agent import Agent
from primum.memory.session import Database
from primum.server.passing import nobody, passing
from tests.fakes import FakeVLLM, Says

ASKED = "How much paracetamol may I take?"
SLOW = Says("Adults can take 500 mg of paracetamol every 4 to 6 hours [1].", first=1.0)


async def test_a_conversation_whose_reader_has_left_goes_once_it_is_answered(
    agent: Agent, vllm: FakeVLLM, database_url: str
) -> None:
    vllm.default = SLOW
    somebody = nobody("main")

    async def read() -> None:
        async with passing(agent, somebody, of_nobody=True) as thread:
            async for _event in agent.stream(ASKED, patient=somebody.patient, tenant="main", thread=thread):
                pass

    reader = asyncio.create_task(read())
    async with asyncio.timeout(20):
        while not vllm.written:  # noqa: ASYNC110
            await asyncio.sleep(0.01)
    reader.cancel()
    await asyncio.gather(reader, return_exceptions=True)
    database = Database(database_url, pool=1)
    async with database.begin_as_worker() as connection:
        assert await connection.scalar(text("select count(id) from patients")) == 0
    await database.close()
