"""The same multiple-choice questions by inspect-ai and by `primum eval mcq`, of one real model: do the figures agree?

inspect-ai (UK AI Security Institute) is no part of Primum: it is installed beside it, in an environment of its own,
    python -m venv inspect && inspect/bin/pip install "inspect-ai>=0.3.150" openai
    primum serve model --engine llamacpp --port 8401
    python bench/second_opinion.py inspect/bin/python questions.csv --url http://127.0.0.1:8401/v1 --model primum

inspect-ai asks by its own `multiple_choice` solver and judges by its own `choice` scorer; the prompts that it sent are
then asked by `primum`'s client, greedily as well, and judged by `primum`'s reader. Prints JSON: both accuracies, how
many answers only one of the two could read, and which of the same answers they read differently. Ends with 1 if there
are any of those, or no answer that both could read: then nothing was compared.
"""

import argparse
import asyncio
import json
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from primum.evals import mcq
from primum.evals.choices import LETTERS, Question, read
from primum.evals.endpoint import Endpoint, Sampling

# Run by inspect-ai's own Python.
TASK = """
import json, sys
from inspect_ai import Task, eval as run
from inspect_ai.dataset import Sample
from inspect_ai.model import GenerateConfig, get_model
from inspect_ai.scorer import choice
from inspect_ai.solver import multiple_choice

rows = [json.loads(line) for line in open(sys.argv[1])]
url, name, tokens, logs = sys.argv[2], sys.argv[3], int(sys.argv[4]), sys.argv[5]
task = Task(
    dataset=[Sample(id=row["id"], input=row["question"], choices=row["choices"], target=row["answer"]) for row in rows],
    solver=multiple_choice(),
    scorer=choice(),
    config=GenerateConfig(temperature=0.0, max_tokens=tokens, seed=0, max_connections=1),
)
model = get_model("openai-api/primum/" + name, base_url=url, api_key="none")
(log,) = run(task, model=model, display="none", log_dir=logs)
told = {
    str(one.id): {
        "prompt": one.messages[0].text,
        "said": one.output.completion,
        "read": one.scores["choice"].answer or None,
        "right": one.scores["choice"].value == "C",
    }
    for one in log.samples or []
}
print(json.dumps({"status": log.status, "told": told}))
"""


def lettered(one: Question) -> Question:
    """The question with its options as A, B, C, …, as inspect-ai letters them."""
    options = dict(zip(LETTERS, one.options.values(), strict=False))
    return replace(one, options=options, answer=LETTERS[list(one.options).index(one.answer)])


def second_opinion(python: str, questions: Sequence[Question], url: str, model: str, tokens: int) -> dict[str, Any]:
    """Of each question what inspect-ai asked and was told, the letter that it read, and whether that is right."""
    asked = [
        {"id": one.id, "question": "\n\n".join(filter(None, (one.context, one.question))), "answer": one.answer,
         "choices": list(one.options.values())}
        for one in questions
    ]  # fmt: skip
    with tempfile.TemporaryDirectory() as folder:
        rows, script = Path(folder) / "rows.jsonl", Path(folder) / "task.py"
        rows.write_text("".join(json.dumps(row) + "\n" for row in asked), encoding="utf-8")
        script.write_text(TASK, encoding="utf-8")
        command = [python, str(script), str(rows), url, model, str(tokens), folder]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        sys.exit(f"inspect-ai failed:\n{done.stderr[-2000:]}")
    told = json.loads(done.stdout.strip().splitlines()[-1])
    if told["status"] != "success":
        sys.exit(f"inspect-ai ended with {told['status']}")
    return dict(told["told"])


def compared(
    questions: Sequence[Question], theirs: Mapping[str, Any], ours: Mapping[str, Any], said: Sequence[str]
) -> dict[str, Any]:
    """Both accuracies, and how the two read the same answers: those that inspect-ai was given.

    `ours`: the report of `primum eval mcq`; `said`: what it rests on.
    """
    read = [(one.id, mcq.letter_of(theirs[one.id]["said"], one.options), theirs[one.id]["read"]) for one in questions]
    return {
        "n": len(questions),
        "primum": ours["accuracy"],
        "inspect": round(sum(theirs[one.id]["right"] for one in questions) / len(questions), 4),
        "unread": {"primum": ours["unparsable"], "inspect": sum(letter is None for *_, letter in read)},
        "same_answers": sum(text == theirs[one.id]["said"].strip() for one, text in zip(questions, said, strict=True)),
        "of_inspects_answers": {
            "read_by_both": sum(bool(a and b) for _, a, b in read),
            "only_by_primum": [name for name, a, b in read if a and not b],
            "only_by_inspect": [name for name, a, b in read if b and not a],
            "read_differently": [name for name, a, b in read if a and b and a != b],
        },
    }


async def asked(questions: Sequence[Question], writer: Endpoint, tokens: int) -> tuple[dict[str, Any], list[str]]:
    """The report of `primum eval mcq`, and the answers that it rests on."""
    sampling = Sampling(max_tokens=tokens, logprobs=True)
    written = await writer.write([mcq.prompt(one) for one in questions], sampling)
    return mcq.judged(questions, written), [one.answer for one in written]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("python", help="of the environment with inspect-ai")
    parser.add_argument("data", type=Path, nargs="+")
    parser.add_argument("--url", required=True)
    parser.add_argument("--model", default="primum")
    parser.add_argument("--limit", type=int, default=100)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--max-tokens", type=int, default=32)
    given = parser.parse_args()
    questions = [lettered(one) for one in mcq.sampled(read(given.data), given.limit, given.seed)]
    theirs = second_opinion(given.python, questions, given.url, given.model, given.max_tokens)
    prompts = [replace(one, messages=[{"role": "user", "content": theirs[one.id]["prompt"]}]) for one in questions]
    ours, said = asyncio.run(asked(prompts, Endpoint(given.url, given.model, at_once=1), given.max_tokens))
    told = compared(questions, theirs, ours, said)
    print(json.dumps(told, indent=2))
    both = told["of_inspects_answers"]
    sys.exit(bool(both["read_differently"]) or not both["read_by_both"])


if __name__ == "__main__":
    main()
