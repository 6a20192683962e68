"""How much of a critique's and a refine's prompt a server's prefix cache has from the draft. Prints JSON.

    python -m bench.prompts

The prompts are those of real turns on the starter library, answered by a scripted endpoint whose first draft has one
sentence that no passage proves, so that it is refined and then audited. Tokens are the packaged embedder's word pieces.
"""

import asyncio
import json
import logging
from statistics import mean
from typing import Any

import httpx
import structlog

from bench.rig import endpoint, resources
from bench.turn import question
from primum.graph.agent import Agent
from primum.retrieval.embedder import load_embedder

TURNS = 20
FALSE = "Drinking vinegar cures it [1]."


def flat(body: dict[str, Any]) -> list[str]:
    """The words of a prompt in the order in which every chat template writes them, roles included."""
    return [word for message in body["messages"] for word in (f"<{message['role']}>", *message["content"].split())]


def common(prompt: list[str], draft: list[str]) -> int:
    """How many words at the start are the same."""
    return next(
        (n for n, (a, b) in enumerate(zip(prompt, draft, strict=False)) if a != b), min(len(prompt), len(draft))
    )


async def measure() -> dict[str, Any]:
    count = load_embedder().count_tokens
    bodies: list[dict[str, Any]] = []

    async def record(request: httpx.Request) -> None:
        if request.url.path.endswith("/chat/completions"):
            bodies.append(json.loads(request.content))

    shares: dict[str, list[float]] = {"critique": [], "refine": []}
    sizes: list[int] = []
    with endpoint(words=120, delay=0.0, false=FALSE) as url:
        async with resources(url) as opened:
            opened.http.event_hooks["request"].append(record)
            agent = Agent(opened)
            for number in range(TURNS):
                bodies.clear()
                await agent.ask(question(number))
                prompts = [body for body in bodies if len(body["messages"]) > 1]
                draft = flat(prompts[0])
                sizes.append(count(" ".join(draft)))
                for body in prompts[1:]:
                    prompt = flat(body)
                    shared = " ".join(prompt[: common(prompt, draft)])
                    kind = "critique" if "response_format" in body else "refine"
                    shares[kind].append(count(shared) / count(" ".join(prompt)))
    return {
        "turns": TURNS,
        "draft_prompt_tokens": round(mean(sizes)),
        **{
            f"{kind}_common_with_draft": {"mean": round(mean(found), 3), "least": round(min(found), 3), "n": len(found)}
            for kind, found in shares.items()
        },
    }


def main() -> None:
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.ERROR))
    print(json.dumps(asyncio.run(measure()), indent=2))


if __name__ == "__main__":
    main()
