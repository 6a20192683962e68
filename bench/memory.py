"""What memory costs: time of recalling and reading facts in a turn, and tokens of a prompt as a thread grows. JSON.

    python -m bench.memory [--turns 200]

Two things in each part: messages that tell nothing beside messages that tell facts, on a chart of forty facts; and
Primum's prompts beside those of an agent that sends its whole history each time.
"""

import argparse
import asyncio
from datetime import date
from itertools import count
from statistics import median, quantiles
from typing import Any

from sqlalchemy import text

from bench.rig import Script, report, resources
from primum.graph.agent import Agent
from primum.memory.facts import Kind
from primum.memory.forms import entered
from tests.fakes import FakeVLLM

TELLS_NOTHING = "What are the symptoms of gout, how is it treated, and when should I see a doctor about it? ({})"
TELLS = (
    "I am {} years old and I weigh 80 kg. I take amlodipine 5 mg daily and metformin 500 mg twice a day, I am allergic "
    "to latex, and my creatinine was 1.{} mg/dL in May. How is gout treated?"
)
KNOWN: list[tuple[Kind, str]] = (
    [("allergy", name) for name in ("penicillin", "latex", "peanuts", "codeine", "eggs", "kiwi", "shellfish", "wool")]
    + [("medicine", name) for name in ("warfarin 5 mg daily", "metformin", "ramipril 5 mg daily", "simvastatin 20 mg",
                                       "omeprazole", "levothyroxine", "salbutamol", "amlodipine")]
    + [("condition", name) for name in ("asthma", "gout", "type 2 diabetes", "high blood pressure", "migraine",
                                        "osteoarthritis", "eczema", "hypothyroidism", "depression", "psoriasis")]
    + [("procedure", name) for name in ("appendectomy", "cataract surgery", "hysterectomy", "tonsillectomy")]
    + [("laboratory", name) for name in ("creatinine 1.1 mg/dL", "eGFR 62", "potassium 4.1 mmol/L", "HbA1c 7.1 %")]
    + [("age", "61"), ("sex", "female"), ("weight", "80 kg"), ("height", "168 cm"), ("language", "Spanish")]
)  # fmt: skip
WORDS = 200


def spread(times: list[float]) -> dict[str, float]:
    cuts = quantiles(times, n=100)
    return {"p50_ms": round(median(times), 2), "p95_ms": round(cuts[94], 2)}


async def recalls(agent: Agent, message: str, times: int) -> list[float]:
    """Milliseconds of the node `recall`, each in a thread of its own."""
    answers = [
        await agent.ask(message.format(30 + number % 40, number % 10), max_words=WORDS) for number in range(times)
    ]
    return [answer.trace.timings_ms["recall"] for answer in answers]


async def prompts(agent: Agent, vllm: FakeVLLM, turns: int) -> dict[str, Any]:
    """Words of the draft's prompt of each turn, and of one that holds the whole history instead."""
    ours: list[int] = []
    plain: list[int] = []
    said = 0
    async with agent.working():
        for number in count():
            if len(ours) == turns:
                break
            before = len(vllm.written)
            question = TELLS_NOTHING.format(number)
            answer = await agent.ask(question, thread="long", max_words=WORDS)
            if len(vllm.written) == before:
                continue  # vectors by hash: a number may look like another topic
            prompt = " ".join(message["content"] for message in vllm.written[before]["messages"])
            kept = prompt.partition("WHAT THIS PERSON")[0].split() + prompt.partition("\nQUESTION\n")[2].split()
            ours.append(len(prompt.split()))
            plain.append(len(kept) + said)
            said += len(question.split()) + len(answer.text.split())
            if number % 10 == 9:
                await _drained(agent)
    return {
        "words_at": {str(n): {"primum": ours[n - 1], "whole_history": plain[n - 1]} for n in (10, 100, turns)},
        "turn_100_over_turn_10": round(ours[99] / ours[9], 3),
        "last_turn_over_whole_history": round(ours[-1] / plain[-1], 3),
    }


async def _drained(agent: Agent) -> None:
    """Waits for the jobs of the turns so far."""
    statement = text("select count(*) from jobs.procrastinate_jobs where task_name = 'remember'")
    while True:
        async with agent.resources.database.begin_as_worker() as connection:
            if not await connection.scalar(statement):
                return
        await asyncio.sleep(0.1)


async def measure(turns: int) -> dict[str, Any]:
    with FakeVLLM() as vllm:
        vllm.default = Script(WORDS, 0.0, "")
        async with resources(vllm.url) as opened:
            agent = Agent(opened)
            me = opened.identity("me")
            await opened.charts.take(me, [entered(kind, value, date.today()) for kind, value in KNOWN], "form")
            await recalls(agent, TELLS, 10)
            nothing = await recalls(agent, TELLS_NOTHING, turns)
            facts = await recalls(agent, TELLS, turns)
            return {
                "facts_in_the_chart": len((await opened.charts.read(me)).facts),
                "recall_and_inline_extraction": {"tells_nothing": spread(nothing), "tells_facts": spread(facts)},
                "prompt": await prompts(agent, vllm, turns),
            }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--turns", type=int, default=200)
    report(measure(parser.parse_args().turns))


if __name__ == "__main__":
    main()
