"""A model in a Hugging Face folder, or an adapter on its base: what it writes, how likely a right answer is to it."""

import asyncio
import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from primum.evals.endpoint import Messages, Progress, Sampling, Token, Written
from primum.graph.errors import BadInput, TrainingFailed
from primum.graph.fingerprint import template_of

if TYPE_CHECKING:
    import torch

BATCH = 8
TOP = 20


@dataclass(frozen=True)
class Likelihood:
    """Of a right answer under a model: the sum of its tokens' log-probabilities, and how many were the likeliest."""

    logprob: float
    tokens: int
    likeliest: int


class Folder:
    """A model that is loaded here. `base` is where an adapter's model lies, where its own note of it does not.

    A run is asked in the form that it was trained in; `given` is what the chat template is told for any other folder.
    An encoder–decoder model, such as T5, has no chat template: its encoder reads the messages as they stand.
    """

    def __init__(
        self, folder: Path, base: Path | None = None, *, given: Mapping[str, Any] | None = None, batch: int = BATCH
    ) -> None:
        self.name = folder.name
        self._batch = batch
        own = template_of(folder)
        self._given = {**((given or {}) if own is None else own)}
        self._model, self._tokenizer = _load(folder, base)

    async def write(
        self, prompts: Sequence[Messages], sampling: Sampling, on_progress: Progress = lambda _done, _of: None
    ) -> list[Written]:
        """An answer to each prompt, in batches of prompts of like length. Raises TrainingFailed."""
        texts = [self._prompt(messages) for messages in prompts]
        order = sorted(range(len(texts)), key=lambda place: len(texts[place]))
        written: dict[int, Written] = {}
        for start in range(0, len(order), self._batch):
            places = order[start : start + self._batch]
            found = await asyncio.to_thread(self._generate, [texts[place] for place in places], sampling)
            written |= dict(zip(places, found, strict=True))
            on_progress(len(written), len(texts))
        return [written[place] for place in range(len(texts))]

    def likelihood(self, prompt: Messages, answer: str) -> Likelihood:
        """How likely the model finds an answer, token by token. Raises TrainingFailed."""
        import torch

        opening = self._prompt(prompt)
        if self._two_parts:
            return self._likelihood_in_two_parts(opening, answer)
        given = self._tokenizer(opening, add_special_tokens=False, return_tensors="pt").input_ids[0]
        whole = self._tokenizer(opening + answer, add_special_tokens=False, return_tensors="pt").input_ids[0]
        first = min(_shared(given.tolist(), whole.tolist()), len(whole) - 1)
        with torch.inference_mode(), _in_words():
            logits = self._model(whole[None].to(self._model.device)).logits[0].float().cpu()
        told = torch.log_softmax(logits[first - 1 : -1], dim=-1)
        wanted = whole[first:]
        return _likelihood(told, wanted)

    def _likelihood_in_two_parts(self, opening: str, answer: str) -> Likelihood:
        import torch

        given = self._tokenizer(opening, return_tensors="pt").input_ids
        wanted = self._tokenizer(text_target=answer, add_special_tokens=False, return_tensors="pt").input_ids
        with torch.inference_mode(), _in_words():
            device = self._model.device
            logits = self._model(given.to(device), labels=wanted.to(device)).logits[0].float().cpu()
        return _likelihood(torch.log_softmax(logits, dim=-1), wanted[0])

    @property
    def _two_parts(self) -> bool:
        return bool(self._model.config.is_encoder_decoder)

    def _prompt(self, messages: Messages) -> str:
        if self._two_parts:
            return plain(messages)
        turns = [dict(message) for message in messages]
        return str(
            self._tokenizer.apply_chat_template(turns, tokenize=False, add_generation_prompt=True, **self._given)
        )

    def _generate(self, texts: Sequence[str], sampling: Sampling) -> list[Written]:
        import torch

        given = self._tokenizer(
            list(texts),
            add_special_tokens=self._two_parts,  # a template has written its own
            return_tensors="pt",
            padding=True,
            return_token_type_ids=False,
        )
        torch.manual_seed(sampling.seed)
        options: dict[str, Any] = {"do_sample": False}
        if sampling.temperature:
            options = {"do_sample": True, "temperature": sampling.temperature, "top_k": 0}
        with torch.inference_mode(), _in_words():
            out = self._model.generate(
                **given.to(self._model.device),
                max_new_tokens=sampling.max_tokens,
                pad_token_id=self._tokenizer.pad_token_id,
                output_logits=sampling.logprobs,
                return_dict_in_generate=True,
                **options,
            )
        start = 1 if self._two_parts else given["input_ids"].shape[1]  # a decoder's first token is its start
        logits = torch.stack(out.logits, dim=1).float() if sampling.logprobs else None
        return [
            self._written(row[start:].tolist(), logits[place] if logits is not None else None)
            for place, row in enumerate(out.sequences)
        ]

    def _written(self, ids: Sequence[int], logits: "torch.Tensor | None") -> Written:
        ends = self._model.generation_config.eos_token_id
        stops = {*ends} if isinstance(ends, list) else {ends, self._tokenizer.eos_token_id}
        length = next((place for place, one in enumerate(ids) if one in stops), len(ids))
        tokens = (
            [self._token(one, logits[place]) for place, one in enumerate(ids[:length])] if logits is not None else []
        )
        text = self._tokenizer.decode(ids[:length], skip_special_tokens=True)
        return Written(text.strip(), tuple(tokens), cut=length == len(ids))

    def _token(self, one: int, logits: "torch.Tensor") -> Token:
        told = logits.log_softmax(dim=-1)
        best = told.topk(min(TOP, len(told)))
        top = {
            self._tokenizer.decode([int(place)]): round(float(value), 4)
            for value, place in zip(best.values, best.indices, strict=True)
        }
        return Token(self._tokenizer.decode([one]), float(told[one]), top)


def plain(messages: Messages) -> str:
    """What an encoder reads of a prompt."""
    return "\n\n".join(message["content"] for message in messages)


def _likelihood(told: "torch.Tensor", wanted: "torch.Tensor") -> Likelihood:
    """Of the tokens `wanted`, under the log-probabilities of all tokens at each place."""
    logprob = float(told.gather(1, wanted[:, None]).sum())
    return Likelihood(logprob, len(wanted), int((told.argmax(dim=-1) == wanted).sum()))


def perplexity(found: Sequence[Likelihood]) -> float | None:
    """Over all tokens of all answers; None of nothing."""
    tokens = sum(one.tokens for one in found)
    return math.exp(-sum(one.logprob for one in found) / tokens) if tokens else None


def _shared(one: Sequence[int], other: Sequence[int]) -> int:
    """How many tokens two texts begin with alike: an answer's first may merge with the prompt's last."""
    return next((place for place, (a, b) in enumerate(zip(one, other, strict=False)) if a != b), len(one))


def _load(folder: Path, base: Path | None) -> tuple[Any, Any]:
    """Raises BadInput: no model is there, its base is not, or it has no chat template."""
    import torch
    from transformers import AutoConfig, AutoModelForCausalLM, AutoModelForSeq2SeqLM, AutoTokenizer

    adapter = folder / "adapter_config.json"
    try:
        under = base or Path(_base_of(adapter)) if adapter.exists() else folder
        two_parts = bool(AutoConfig.from_pretrained(under).is_encoder_decoder)
        kind = AutoModelForSeq2SeqLM if two_parts else AutoModelForCausalLM
        model: Any = kind.from_pretrained(under, dtype=torch.bfloat16)
        if adapter.exists():
            from peft import PeftModel

            # Folded in, as it is when it is merged: half the time of a token.
            model = PeftModel.from_pretrained(model, folder).merge_and_unload()
        there = folder if (folder / "tokenizer_config.json").exists() else under
        tokenizer = AutoTokenizer.from_pretrained(there, padding_side="right" if two_parts else "left")
    except (OSError, ValueError) as error:
        reason = str(error).partition("\n")[0]
        advice = "Give its base by --base." if adapter.exists() else "Give a folder with config.json and weights."
        raise BadInput(f"{folder}: no model can be loaded ({reason}). {advice}") from None
    if tokenizer.chat_template is None and not two_parts:
        raise BadInput(f"{folder}: its tokenizer has no chat template. Take that of the instruct model beside it.")
    if tokenizer.pad_token_id is None:
        tokenizer.pad_token = tokenizer.eos_token
    return model.eval().to("cuda" if torch.cuda.is_available() else "cpu"), tokenizer


def _base_of(adapter: Path) -> str:
    told: Mapping[str, Any] = json.loads(adapter.read_text(encoding="utf-8"))
    return str(told["base_model_name_or_path"])


class _in_words:  # noqa: N801
    """Out of memory, said so that it can be mended."""

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, _: object) -> None:
        import torch

        if isinstance(error, torch.OutOfMemoryError):
            raise TrainingFailed("The model does not fit the device. Serve it by vLLM, and give its --url.") from None
