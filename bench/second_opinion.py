"""The same multiple-choice questions through inspect-ai and through `primum eval mcq`: the figures must agree.

inspect-ai (UK AI Security Institute) is no part of Primum: it is installed beside it, in an environment of its own,
    python -m venv inspect && inspect/bin/pip install "inspect-ai>=0.3.150" openai
    python bench/second_opinion.py inspect/bin/python questions.jsonl.gz --url http://127.0.0.1:8401/v1 --model primum

Both ask the same prompts, greedily, of one endpoint; inspect-ai reads the letter by a pattern of its own. Without
`--url` a scripted server answers: letters, sentences, thoughts and nonsense, so that the readings of all forms are
compared. Prints JSON; ends with 1 if a right answer of one is a wrong one of the other.
"""

import argparse
import asyncio
import json
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from primum.evals import mcq
from primum.evals.choices import Question, read
from primum.evals.endpoint import Endpoint

# Run by inspect-ai's own Python. `answer` is its scorer for "ANSWER: LETTER"; ours ask for the letter alone, so its
# `pattern` scorer reads a letter that is alone, opens the answer, or follows "answer is".
TASK = r"""
import json, sys
from inspect_ai import Task, eval as run
from inspect_ai.dataset import Sample
from inspect_ai.model import GenerateConfig, get_model
from inspect_ai.scorer import pattern
from inspect_ai.solver import generate

rows = [json.loads(line) for line in open(sys.argv[1])]
url, name, seed_tokens, logs = sys.argv[2], sys.argv[3], int(sys.argv[4]), sys.argv[5]
model = get_model("openai-api/primum/" + name, base_url=url, api_key="none")
task = Task(
    dataset=[Sample(id=row["id"], input=row["prompt"], target=row["answer"]) for row in rows],
    solver=generate(),
    scorer=pattern(
        r"(?s)^(?:.*</think>)?[\s(\[*]*(?:The answer is )?([A-J])(?=[\s)\].:*]*$|[).:])", ignore_case=False
    ),
    config=GenerateConfig(temperature=0.0, max_tokens=seed_tokens, seed=0, max_connections=8),
)
(log,) = run(task, model=model, display="none", log_dir=logs)
right = {str(one.id): one.scores["pattern"].value == "C" for one in log.samples}
print(json.dumps({"status": log.status, "right": right}))
"""


class Replies:
    """A scripted model: by the question's number it is right or wrong, in one of several forms."""

    FORMS = ("{}", "{}.", "({})", "{}) because of that.", "The answer is {}.", "<think>Is it A?</think>{}", "Hm.", "")

    def __init__(self, questions: Sequence[Question]) -> None:
        self._by_prompt = {str(mcq.prompt(one)[-1]["content"]): place for place, one in enumerate(questions)}
        self._questions = questions

    def __call__(self, body: Mapping[str, Any]) -> str:
        place = self._by_prompt[_text(body["messages"][-1]["content"])]
        one = self._questions[place]
        others = [letter for letter in one.options if letter != one.answer]
        letter = one.answer if place % 3 else others[0]
        return self.FORMS[place % len(self.FORMS)].format(letter)


def _text(content: Any) -> str:
    """A message's text; inspect-ai may send it in parts."""
    return content if isinstance(content, str) else "".join(part["text"] for part in content)


def second_opinion(python: str, questions: Sequence[Question], url: str, model: str, tokens: int) -> dict[str, bool]:
    """Which questions inspect-ai finds answered rightly."""
    with tempfile.TemporaryDirectory() as folder:
        rows, script = Path(folder) / "rows.jsonl", Path(folder) / "task.py"
        asked = [{"id": one.id, "prompt": mcq.prompt(one)[-1]["content"], "answer": one.answer} for one in questions]
        rows.write_text("".join(json.dumps(row) + "\n" for row in asked), encoding="utf-8")
        script.write_text(TASK, encoding="utf-8")
        command = [python, str(script), str(rows), url, model, str(tokens), folder]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        sys.exit(f"inspect-ai failed:\n{done.stderr[-2000:]}")
    told = json.loads(done.stdout.strip().splitlines()[-1])
    if told["status"] != "success":
        sys.exit(f"inspect-ai ended with {told['status']}")
    return {str(name): bool(right) for name, right in told["right"].items()}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("python", help="of the environment with inspect-ai")
    parser.add_argument("data", type=Path, nargs="+")
    parser.add_argument("--url")
    parser.add_argument("--model", default="primum")
    parser.add_argument("--limit", type=int, default=64)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--max-tokens", type=int, default=16)
    given = parser.parse_args()
    questions = mcq.sampled(read(given.data), given.limit, given.seed)
    with ExitStack() as stack:
        url = given.url
        if url is None:
            from tests.fakes import FakeVLLM

            server = stack.enter_context(FakeVLLM())
            server.default = Replies(questions)
            url = server.url
        ours = asyncio.run(mcq.run(questions, Endpoint(url, given.model), max_tokens=given.max_tokens))
        theirs = second_opinion(given.python, questions, url, given.model, given.max_tokens)
    differ = [row["id"] for row in ours["rows"] if row["right"] != theirs[row["id"]]]
    right = sum(theirs.values()) / len(theirs)
    print(json.dumps({"n": len(questions), "primum": ours["accuracy"], "inspect": round(right, 4), "differ": differ}))
    sys.exit(bool(differ))


if __name__ == "__main__":
    main()
