"""How a model server serves: tokens a second, times to and between tokens, and how much is shared. Prints JSON.

    python -m bench.serving --url http://127.0.0.1:8000/v1 [--url ROUTER=REPLICA,REPLICA …] --model NAME
        [--at-once 1 4 16] [--prompt 256 1024] [--tokens 128] [--requests 32] [--first 2000] [--between 100]
        [--agent http://127.0.0.1:8400] [--second-opinion VLLM] [--plot FILE.svg]

Prompts are those of the graph: its system prompt, passages of the starter library, a question; so that they share what
they share in use. Each server that a --url names is one row of the table, and is asked alone: give the addresses of one
replica and of a router before two. After a router's `=` come those behind it, which are asked for their counters; to it
each request is a conversation of its own. Answers have just as many tokens where the server knows `ignore_eos` (vLLM).

`goodput` counts requests whose first token came within --first milliseconds and whose others came within --between on
average. Cache hits are the servers' own counters. --agent asks a Primum whose model that server is, beside the bare
calls. --second-opinion lets `vllm bench serve` measure the first row again. What fails is told as `errors` and costs no
other row.
"""

import argparse
import asyncio
import json
import random
import subprocess
import tempfile
from collections.abc import AsyncIterator, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from statistics import mean, quantiles
from time import perf_counter
from typing import Any
from uuid import uuid4

import httpx

from bench.rig import report
from primum.graph.llm import SESSION
from primum.nodes.prompts import render
from primum.retrieval.loaders import STARTER, Source, load

WORDS_A_TOKEN = 0.7  # of our prompts, roughly; what a prompt really had, the server says
HITS, ASKED = "vllm:prefix_cache_hits_total", "vllm:prefix_cache_queries_total"


@dataclass
class Told:
    """Of one request: seconds to its first token, between its tokens, and to its end."""

    first: float = 0.0
    gaps: list[float] = field(default_factory=list)
    whole: float = 0.0
    prompt: int = 0
    tokens: int = 0
    error: str = ""

    @property
    def between(self) -> float:
        """Seconds a token after the first; a chunk may hold several."""
        return (self.whole - self.first) / (self.tokens - 1) if self.tokens > 1 else 0.0


def prompts(words: int, run: str) -> Iterator[list[dict[str, str]]]:
    """Prompts of about so many words, each other than all before and than another run's; their rules are the same."""
    sources = sorted((one for one in load(STARTER) if isinstance(one, Source)), key=lambda one: one.uri)
    system = render("system", audience="patient")
    for number in count():
        chosen = random.Random(f"{run} {number}")
        left = words - len(system.split())
        parts: list[str] = []
        while left > 0:
            source = chosen.choice(sources)
            text = " ".join(source.text.split()[:left])
            parts.append(f"[{len(parts) + 1}] {source.title}\n{text}")
            left -= len(text.split())
        question = f"QUESTION\nWhat should I know of {chosen.choice(sources).title}? (case {run}-{number})"
        user = "\n\n".join([f"PASSAGES of case {run}-{number}", *parts, question])
        yield [{"role": "system", "content": system}, {"role": "user", "content": user}]


async def ask(http: httpx.AsyncClient, url: str, model: str, messages: list[dict[str, str]], tokens: int) -> Told:
    told = Told()
    body = {"model": model, "messages": messages, "max_tokens": tokens, "temperature": 0, "stream": True}
    body |= {"ignore_eos": True, "stream_options": {"include_usage": True}}
    body |= {"chat_template_kwargs": {"enable_thinking": False}}
    session = {SESSION: uuid4().hex}
    began = last = perf_counter()
    try:
        async with http.stream("POST", f"{url}/chat/completions", json=body, headers=session) as reply:
            reply.raise_for_status()
            async for chunk in _chunks(reply):
                now = perf_counter()
                if usage := chunk.get("usage"):
                    told.prompt, told.tokens = usage["prompt_tokens"], usage["completion_tokens"]
                if any((choice.get("delta") or {}).get("content") for choice in chunk.get("choices") or ()):
                    if told.first:
                        told.gaps.append(now - last)
                    else:
                        told.first = now - began
                    last = now
    except (httpx.HTTPError, ValueError) as error:
        told.error = type(error).__name__
    told.whole = perf_counter() - began
    if not told.first and not told.error:
        told.error = "empty"
    return told


async def _chunks(reply: httpx.Response) -> AsyncIterator[dict[str, Any]]:
    async for line in reply.aiter_lines():
        if line.startswith("data: ") and line != "data: [DONE]":
            yield json.loads(line.removeprefix("data: "))


@dataclass(frozen=True)
class Address:
    """A server to measure, and those behind it if it is a router."""

    url: str
    replicas: tuple[str, ...]

    @classmethod
    def read(cls, text: str) -> "Address":
        url, _, behind = text.partition("=")
        return cls(url, tuple(behind.split(",")) if behind else (url,))


async def counters(http: httpx.AsyncClient, replicas: Sequence[str]) -> tuple[float, float] | None:
    """Tokens that the servers found in their prefix caches, and that they looked for; None if one does not say."""
    found = [0.0, 0.0]
    for url in replicas:
        try:
            reply = await http.get(f"{url.removesuffix('/v1')}/metrics")
            reply.raise_for_status()
        except httpx.HTTPError:
            return None
        lines = reply.text.splitlines()
        for place, name in enumerate((HITS, ASKED)):
            found[place] += sum(float(line.rsplit(" ", 1)[1]) for line in lines if line.startswith(name))
    return (found[0], found[1]) if found[1] else None


async def row(
    http: httpx.AsyncClient,
    given: argparse.Namespace,
    address: Address,
    at_once: int,
    asked: Iterator[list[dict[str, str]]],
) -> dict[str, Any]:
    """One line of the table."""
    url = address.url
    await ask(http, url, given.model, next(asked), 8)  # the first of a length is compiled for
    todo = iter([next(asked) for _ in range(given.requests)])
    found: list[Told] = []

    async def session() -> None:
        found.extend([await ask(http, url, given.model, messages, given.tokens) for messages in todo])

    before = await counters(http, address.replicas)
    began = perf_counter()
    await asyncio.gather(*(session() for _ in range(at_once)))
    took = perf_counter() - began
    after = await counters(http, address.replicas)
    well = [one for one in found if not one.error]
    good = [one for one in well if one.first * 1000 <= given.first and one.between * 1000 <= given.between]
    hits = (after[0] - before[0]) / max(1.0, after[1] - before[1]) if before and after else None
    return {
        "url": url,
        "at_once": at_once,
        "prompt_tokens": round(mean(one.prompt for one in well)) if well else 0,
        "answer_tokens": round(mean(one.tokens for one in well)) if well else 0,
        "requests": len(found),
        "errors": sorted(one.error for one in found if one.error),
        "tokens_a_second": round(sum(one.tokens for one in well) / took, 1),
        "requests_a_second": round(len(well) / took, 3),
        "goodput_a_second": round(len(good) / took, 3),
        "first_ms": spread([one.first for one in well]),
        "between_ms": spread([one.between for one in well]),
        "longest_gap_ms": spread([max(one.gaps) for one in well if one.gaps]),
        "whole_ms": spread([one.whole for one in well]),
        "prefix_cache": round(hits, 3) if hits is not None else None,
    }


def spread(seconds: Sequence[float]) -> dict[str, float] | None:
    """Median and 95th percentile, in milliseconds."""
    if len(seconds) < 2:
        return None
    cut = quantiles(seconds, n=20, method="inclusive")
    return {"p50": round(cut[9] * 1000, 1), "p95": round(cut[18] * 1000, 1)}


async def through_agent(http: httpx.AsyncClient, given: argparse.Namespace, at_once: int) -> dict[str, Any]:
    """The same number of questions to a Primum: whole turns, audited."""
    titles = [one.title for one in load(STARTER) if isinstance(one, Source)]
    todo = iter(f"What should I know about {random.Random(n).choice(titles)}?" for n in range(given.requests))
    seconds: list[float] = []
    status: list[str] = []
    errors: list[str] = []

    async def session() -> None:
        for question in todo:
            began = perf_counter()
            try:
                reply = await http.post(f"{given.agent}/generate", json={"question": question})
                reply.raise_for_status()
                status.append(reply.json()["answer"]["status"])
            except (httpx.HTTPError, ValueError, LookupError) as error:
                errors.append(type(error).__name__)
            else:
                seconds.append(perf_counter() - began)

    began = perf_counter()
    await asyncio.gather(*(session() for _ in range(at_once)))
    took = perf_counter() - began
    return {
        "at_once": at_once,
        "turns_a_second": round(len(seconds) / took, 3),
        "ms": spread(seconds),
        "status": {name: status.count(name) for name in sorted(set(status))},
        "errors": sorted(errors),
    }


def second_opinion(given: argparse.Namespace, at_once: int, size: int) -> dict[str, Any]:
    """What `vllm bench serve` says of the first address, with prompts of its own; or why it says nothing."""
    with tempfile.TemporaryDirectory() as folder:
        command = [given.second_opinion, "bench", "serve", "--backend", "openai-chat"]
        command += ["--base-url", Address.read(given.url[0]).url.removesuffix("/v1")]
        command += ["--endpoint", "/v1/chat/completions"]
        command += ["--model", given.tokenizer or given.model, "--served-model-name", given.model]
        command += ["--dataset-name", "random", "--random-input-len", str(size), "--random-output-len"]
        command += [str(given.tokens), "--num-prompts", str(given.requests), "--max-concurrency", str(at_once)]
        command += ["--ignore-eos", "--save-result", "--result-dir", folder, "--result-filename", "told.json"]
        try:
            done = subprocess.run(command, check=False, capture_output=True, text=True)
        except OSError as error:
            return {"errors": [f"{given.second_opinion}: {error.strerror}"]}
        if done.returncode:
            return {"errors": [f"exit {done.returncode}", *done.stderr.strip().splitlines()[-3:]]}
        told = json.loads((Path(folder) / "told.json").read_text())
    names = ("output_throughput", "median_ttft_ms", "p99_ttft_ms", "median_tpot_ms", "median_itl_ms", "completed")
    return {name: round(told[name], 1) for name in names if name in told}


def plot(rows: Sequence[dict[str, Any]], file: Path) -> None:
    """Tokens a second and the time to the first token by how many ask at once, a line for each address and length."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(8, 3.4), layout="constrained")
    left, right = figure.subplots(1, 2)
    lines: dict[tuple[str, int], list[dict[str, Any]]] = {}
    for one in rows:
        lines.setdefault((one["url"], one["asked_prompt"]), []).append(one)
    for (url, size), points in lines.items():
        across = [one["at_once"] for one in points]
        left.plot(across, [one["tokens_a_second"] for one in points], marker="o", label=f"{url}, {size} tokens")
        right.plot(across, [(one["first_ms"] or {}).get("p95") for one in points], marker="o")
    left.set(xlabel="requests at once", ylabel="tokens a second", ylim=(0, None))
    right.set(xlabel="requests at once", ylabel="first token, p95, ms", ylim=(0, None))
    left.legend(frameon=False, fontsize=7)
    figure.savefig(file, metadata={"Date": None} if file.suffix == ".svg" else None)


async def measure(given: argparse.Namespace) -> dict[str, Any]:
    limits = httpx.Limits(max_connections=None)
    headers = {"Authorization": f"Bearer {given.key}"}
    told: dict[str, Any] = {"run": uuid4().hex[:8], "model": given.model, "servers": [], "agent": []}
    async with httpx.AsyncClient(timeout=600, limits=limits, headers=headers) as http:
        for size in given.prompt:
            asked = prompts(int(size * WORDS_A_TOKEN), told["run"])  # of all rows: no server has read one before
            for address in map(Address.read, given.url):
                for at_once in given.at_once:
                    told["servers"].append({"asked_prompt": size, **await row(http, given, address, at_once, asked)})
        for at_once in given.at_once if given.agent else ():
            told["agent"].append(await through_agent(http, given, at_once))
    if given.second_opinion:
        told["second_opinion"] = await asyncio.to_thread(second_opinion, given, given.at_once[0], given.prompt[0])
    if given.plot:
        plot(told["servers"], given.plot)
    return told


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--url", action="append", required=True)
    parser.add_argument("--model", default="primum")
    parser.add_argument("--key", default="none")
    parser.add_argument("--at-once", type=int, nargs="+", default=[1, 4, 16])
    parser.add_argument("--prompt", type=int, nargs="+", default=[512, 1024])
    parser.add_argument("--tokens", type=int, default=128)
    parser.add_argument("--requests", type=int, default=32)
    parser.add_argument("--first", type=float, default=2000)
    parser.add_argument("--between", type=float, default=100)
    parser.add_argument("--agent")
    parser.add_argument("--second-opinion", metavar="VLLM")
    parser.add_argument("--tokenizer", help="folder of the model, for --second-opinion")
    parser.add_argument("--plot", type=Path)
    report(measure(parser.parse_args()))


if __name__ == "__main__":
    main()
