"""Answers beside reference texts: likeness by words and by meaning, likelihood, length, and what passages prove."""

import csv
import io
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from statistics import median
from typing import Any

from primum.evals import audit
from primum.evals.cases import Case, Report, read, share
from primum.evals.endpoint import Messages, Progress, Sampling, Writer
from primum.evals.folder import Folder, Likelihood, perplexity
from primum.evals.metrics import bootstrap, paired
from primum.graph.errors import BadInput
from primum.safety.sentences import count_words, strip_thinking

VERBOSE = 1.5  # times the reference's words, above which an answer counts as too long
TOKENS = 512
# The layer of which BERTScore's authors take the vectors is known of their own models; of others, this share of all.
LAYER = 0.75
COMPARED = ("rouge1", "rougeL", "bleu", "bertscore", "words_to_reference", "support")


def read_rows(path: Path) -> list[dict[str, Any]]:
    """Rows of JSONL or CSV with `question` and `answer`, or of a prepared folder.

    Raises:
        ValueError: the file can't be read, or a row lacks a field; it says which.
    """
    if path.suffix == ".csv":
        try:
            found = list(csv.DictReader(io.StringIO(path.read_text(encoding="utf-8-sig"))))
        except OSError as error:
            raise ValueError(f"{path}: can't be read ({error.strerror})") from None
    else:
        found = [dict(case) for case in read(path, dict[str, Any])]
    if not found:
        raise ValueError(f"{path}: no rows in it")
    return [_row(row, number, path) for number, row in enumerate(found, 1)]


def _row(row: Case, number: int, path: Path) -> dict[str, Any]:
    name = str(row.get("id") or f"{path.name}:{number}")
    if "messages" in row:
        return {**row, "id": name}
    if missing := [field for field in ("question", "answer") if not row.get(field)]:
        raise ValueError(f"{path}, row {number}: field {missing[0]!r} is missing or empty")
    messages = [{"role": "user", "content": row["question"]}, {"role": "assistant", "content": row["answer"]}]
    return {"id": name, "kind": "open", "messages": messages}


def reference(row: Case) -> str:
    """The text that an answer is measured by, without a thought before it."""
    said = str(row.get("answer") or "") if row.get("kind") == "open" else ""
    return strip_thinking(said or row["messages"][-1]["content"])[0]


async def run(
    rows: Sequence[Case],
    writer: Writer,
    bert: Path | None = None,
    on_progress: Progress = lambda _done, _of: None,
    max_tokens: int = TOKENS,
) -> Report:
    """Asks each row's prompt and measures what comes; likelihoods where the model is loaded here.

    Raises:
        ModelUnavailable: the model gives no answers.
        BadInput: the folder for BERTScore holds no model.
    """
    written = await writer.write([prompt(row) for row in rows], Sampling(max_tokens=max_tokens), on_progress)
    found = measured(rows, [one.answer for one in written], bert)
    likely = likelihoods(rows, writer) if isinstance(writer, Folder) else None
    cut = sum(one.cut for one in written)
    return {"model": writer.name, **found, "cut": cut, **likelihood(likely)}


def prompt(row: Case) -> Messages:
    messages: Messages = row["messages"][:-1]
    return messages


def likelihoods(rows: Sequence[Case], model: Folder) -> list[Likelihood]:
    """How likely a model that is loaded here finds each reference."""
    return [model.likelihood(prompt(row), row["messages"][-1]["content"]) for row in rows]


def likelihood(found: Sequence[Likelihood] | None) -> Report:
    """The figures of likelihoods; without any, why there are none."""
    if found is None:
        return {
            "perplexity": None,
            "token_accuracy": None,
            "not_measured": "perplexity and token accuracy: an endpoint tells them of what it writes alone; give the "
            "model's folder by --folder",
        }
    value = perplexity(found)
    return {
        "perplexity": round(value, 4) if value is not None else None,
        "token_accuracy": share(sum(one.likeliest for one in found), sum(one.tokens for one in found)),
        "nats_per_token": bootstrap([-one.logprob / one.tokens for one in found if one.tokens]),
    }


def measured(rows: Sequence[Case], answers: Sequence[str], bert: Path | None = None) -> Report:
    """The figures of an answer to each row, each mean with its interval."""
    references = [reference(row) for row in rows]
    table = [_words(row, answer, wanted) for row, answer, wanted in zip(rows, answers, references, strict=True)]
    if bert is not None:
        for row, value in zip(table, bert_scores(answers, references, bert), strict=True):
            row["bertscore"] = value
    judged = [(row, audit.judge_row(case, answer)) for row, case, answer in zip(table, rows, answers, strict=True)
              if case.get("kind") == "grounded"]  # fmt: skip
    for row, one in judged:
        row["support"] = round(one.support, 4)
    said = [row for row in table if row["words"]]
    return {
        "n": len(rows),
        "empty": len(table) - len(said),
        "empty_ids": [row["id"] for row in table if not row["words"]],
        **{name: bootstrap([row[name] for row in table]) for name in ("rouge1", "rouge2", "rougeL", "bleu")},
        "corpus_bleu": _corpus_bleu(answers, references),
        "bertscore": bootstrap([row["bertscore"] for row in table]) if bert else None,
        "bertscore_note": f"F1 by {bert.name}" if bert else "not measured: name a model's folder by --bert-model",
        "words": {"median": median(row["words"] for row in table), "reference": median(map(count_words, references))},
        "words_to_reference": bootstrap([row["words_to_reference"] for row in said]),
        "too_long": share(sum(row["words_to_reference"] > VERBOSE for row in said), len(said)),
        "support": bootstrap([row["support"] for row, _ in judged]),
        "rows": table,
    }


def _words(row: Case, answer: str, wanted: str) -> dict[str, Any]:
    from sacrebleu import sentence_bleu

    words = count_words(answer)
    likeness = _rouge()(wanted, answer)
    return {
        "id": row["id"],
        "words": words,
        "words_to_reference": round(words / max(1, count_words(wanted)), 4),
        **likeness,
        "bleu": round(sentence_bleu(answer, [wanted], tokenize=_tokenizer(wanted)).score / 100, 4),
    }


def _rouge() -> Callable[[str, str], dict[str, float]]:
    """F1 of shared words, pairs of words and longest common sequence; of Chinese, of its signs."""
    from rouge_score.rouge_scorer import RougeScorer

    names = ("rouge1", "rouge2", "rougeL")

    def score(wanted: str, answer: str) -> dict[str, float]:
        chinese = _tokenizer(wanted) == "zh"
        scorer = RougeScorer(names, use_stemmer=not chinese, tokenizer=_Signs() if chinese else None)
        return {name: round(one.fmeasure, 4) for name, one in scorer.score(wanted, answer).items()}

    return score


class _Signs:
    """Rouge's own tokenizer throws away all that is not Latin."""

    def tokenize(self, text: str) -> list[str]:
        return [sign for sign in text if not sign.isspace()]


def _tokenizer(text: str) -> str:
    return "zh" if any("一" <= sign <= "鿿" for sign in text) else "13a"


def _corpus_bleu(answers: Sequence[str], references: Sequence[str]) -> float:
    from sacrebleu import corpus_bleu

    return round(corpus_bleu(list(answers), [list(references)], tokenize=_tokenizer(references[0])).score / 100, 4)


def bert_scores(answers: Sequence[str], references: Sequence[str], model: Path) -> list[float]:
    """BERTScore's F1 of each answer, by a model of this machine.

    Raises:
        BadInput: no model is in the folder.
    """
    import json

    from bert_score import BERTScorer

    config = model / "config.json"
    if not config.is_file():
        raise BadInput(f"{model}: no model for BERTScore (no config.json). Name a folder with one, or none.")
    layers = int(json.loads(config.read_text(encoding="utf-8"))["num_hidden_layers"])
    scorer = BERTScorer(model_type=str(model), num_layers=max(1, round(layers * LAYER)), device="cpu")
    _, _, f1 = scorer.score(list(answers), list(references))
    return [round(float(value), 4) for value in f1]


def compare(before: Mapping[str, Any], after: Mapping[str, Any]) -> dict[str, Any]:
    """The differences over the rows of both reports, by figure; those that both have."""
    known: Mapping[str, Mapping[str, Any]] = {row["id"]: row for row in before["rows"]}
    found = {}
    for name in COMPARED:
        pairs = [
            (known[row["id"]][name], row[name])
            for row in after["rows"]
            if name in row
            and name in known.get(row["id"], {})
            # Silence is no better length.
            and (name != "words_to_reference" or (row["words"] and known[row["id"]]["words"]))
        ]
        if difference := paired([one for one, _ in pairs], [other for _, other in pairs]):
            found[name] = difference
    return found
