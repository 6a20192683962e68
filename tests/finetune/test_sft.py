"""SFT learns the assistant's words and no others, and can be stopped and gone on with."""

import json
import os
import signal
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file
from transformers import AutoTokenizer, TrainerCallback

from primum.finetune import policy, sft
from primum.finetune.chat import Chat
from primum.finetune.prepared import open_data
from primum.finetune.recipe import Recipe
from primum.finetune.rows import Message
from primum.graph.errors import BadInput, TrainingFailed
from primum.graph.fingerprint import fingerprint, model_fingerprint
from tests.finetune.conftest import Prepare
from tests.finetune.recipes import recipe
from tests.finetune.tiny import example


def losses(out: Path) -> list[float]:
    return [line["loss"] for line in json.loads((out / "log_history.json").read_text()) if "loss" in line]


def learned(chat: Chat, messages: list[Message]) -> str:
    """The words that the labels leave to be learned; each label is its own token's id, or -100."""
    ids, labels = chat.tokens(messages)
    assert all(label in (-100, one) for one, label in zip(ids, labels, strict=True))
    return str(chat.tokenizer.decode([one for one, label in zip(ids, labels, strict=True) if label != -100]))


def test_an_adapter_is_trained_on_all_seven_projections(llama: Path, sums: Path, tmp_path: Path) -> None:
    out = tmp_path / "run"
    done = sft.train(recipe("sft", llama, sums, {"max_steps": 12}), out)
    touched = {name.split(".")[-3] for name in load_file(out / "adapter_model.safetensors")}
    assert touched == {"q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"}
    assert losses(out)[-1] < losses(out)[0]
    record = json.loads((out / "run.json").read_text())
    assert record == done
    assert record["outcome"] == "finished"
    assert record["base"]["hash"] == model_fingerprint(llama)
    assert set(record["data"]["hashes"]) == {"train.jsonl", "validation.jsonl", "test.jsonl"}
    assert record["packages"]["trl"]
    assert AutoTokenizer.from_pretrained(out).chat_template


def test_only_the_assistants_words_are_learned(llama: Path) -> None:
    chat = Chat(AutoTokenizer.from_pretrained(llama))
    messages: list[Message] = [
        {"role": "system", "content": "never more"},
        {"role": "user", "content": "what is safe"},
        {"role": "assistant", "content": "one tablets"},
        {"role": "user", "content": "for pain"},
        {"role": "assistant", "content": "two tablets"},
    ]
    assert learned(chat, messages) == "two tablets </s>"


def test_the_trainer_computes_its_loss_from_those_labels(llama: Path, sums: Path) -> None:
    one = recipe("sft", llama, sums)
    rows, told = sft.tokenized(open_data(sums, "sft"), "train", policy.chat_of(one), one, 64)
    chat = policy.chat_of(one)
    assert told["rows"] == 16
    for row in rows:
        words = chat.tokenizer.decode([label for label in row["labels"] if label != -100])
        assert words.split()[0] == "####"
        assert words.endswith("</s>")


def test_reasoning_is_learned_though_the_template_would_leave_it_out(llama: Path) -> None:
    chat = Chat(AutoTokenizer.from_pretrained(llama))
    messages: list[Message] = [
        {"role": "user", "content": "what is safe"},
        {"role": "assistant", "content": "<think> because </think> one tablets"},
    ]
    assert "<think>" not in chat.tokenizer.apply_chat_template(messages, tokenize=False)
    assert learned(chat, messages) == "<think> because </think> one tablets </s>"


def test_reasoning_that_the_prompt_opens_is_not_opened_twice(llama: Path) -> None:
    chat = Chat(AutoTokenizer.from_pretrained(llama))
    assert chat.completion("assistant <think>\n", "<think>\nbecause </think> one") == "because </think> one </s>"


def test_what_is_stopped_goes_on_from_where_it_was_and_ends_the_same(llama: Path, sums: Path, tmp_path: Path) -> None:
    one = recipe("sft", llama, sums, {"max_steps": 6})
    sft.train(one, tmp_path / "whole")
    with pytest.raises(TrainingFailed, match=r"Stopped at step 3.*--resume"):
        sft.train(one, tmp_path / "parts", callbacks=(SendSignal(signal.SIGTERM, 3),))
    assert (tmp_path / "parts" / "checkpoint-3" / "trainer_state.json").is_file()
    done = sft.train(one, tmp_path / "parts", resume=True)
    assert done["steps"] == 6
    whole, parts = (load_file(tmp_path / name / "adapter_model.safetensors") for name in ("whole", "parts"))
    assert all(torch.allclose(whole[name], parts[name], atol=1e-6) for name in whole)


def test_a_checkpoint_that_was_not_written_whole_is_passed_over(llama: Path, sums: Path, tmp_path: Path) -> None:
    one = recipe("sft", llama, sums, {"save_strategy": "steps", "save_steps": 2})
    sft.train(one, tmp_path / "run")
    (tmp_path / "run" / "checkpoint-4" / "trainer_state.json").unlink()
    assert sft.train(one, tmp_path / "run", resume=True)["steps"] == 4


@pytest.mark.parametrize("schedule", [{}, {"warmup_steps": 3, "lr_scheduler_type": "cosine"}])
def test_a_run_goes_on_at_the_rate_that_it_is_told_now(
    llama: Path, sums: Path, tmp_path: Path, schedule: dict[str, Any]
) -> None:
    out = tmp_path / "run"

    def at(rate: float) -> Recipe:
        kept = {"save_strategy": "steps", "save_steps": 2, "learning_rate": rate}
        return recipe("sft", llama, sums, kept | schedule)

    def rates(folder: Path) -> list[float]:
        history = json.loads((folder / "log_history.json").read_text())
        return [line["learning_rate"] for line in history if "learning_rate" in line]

    sft.train(at(0.01), out)
    (out / "checkpoint-4" / "trainer_state.json").unlink()
    sft.train(at(1e-9), tmp_path / "whole")
    done = sft.train(at(1e-9), out, resume=True)
    assert rates(out)[2:] == pytest.approx(rates(tmp_path / "whole")[2:])
    before, after = (load_file(one / "adapter_model.safetensors") for one in (out / "checkpoint-2", out))
    assert all(torch.allclose(before[name], after[name], atol=1e-7) for name in before)
    assert done["recipe"]["training"]["learning_rate"] == 1e-9
    (until,) = done["until"]
    assert (until["step"], until["recipe"]["training"]["learning_rate"]) == (2, 0.01)


@pytest.mark.parametrize(("kept", "said"), [("no", "begins anew: there is no"), ("steps", "goes on from checkpoint-1")])
def test_what_is_told_of_a_broken_loss_is_what_resuming_does(
    llama: Path, sums: Path, tmp_path: Path, kept: str, said: str
) -> None:
    training = {"learning_rate": 1e30, "save_strategy": kept, "save_steps": 1}
    with pytest.raises(TrainingFailed, match=f"--resume {said}"):
        sft.train(recipe("sft", llama, sums, training), tmp_path / "run")


def test_a_folder_with_a_run_is_not_written_over(llama: Path, sums: Path, tmp_path: Path) -> None:
    (tmp_path / "run.json").write_text("{}")
    with pytest.raises(BadInput, match="--resume"):
        sft.train(recipe("sft", llama, sums), tmp_path)


def test_another_model_or_other_data_can_not_resume_a_run(
    llama: Path, sums: Path, prepare: Prepare, tmp_path: Path
) -> None:
    sft.train(recipe("sft", llama, sums), tmp_path / "run")
    with pytest.raises(BadInput, match="another adapter"):
        sft.train(recipe("sft", llama, sums, adapter={"r": 8}), tmp_path / "run", resume=True)
    other = prepare([example(1, "what is safe", "one")], "other")
    with pytest.raises(BadInput, match="another data"):
        sft.train(recipe("sft", llama, other), tmp_path / "run", resume=True)


def test_it_ends_early_when_the_validation_loss_gains_nothing(llama: Path, sums: Path, tmp_path: Path) -> None:
    training = {
        "max_steps": 40,
        "eval_strategy": "steps",
        "eval_steps": 1,
        "save_strategy": "best",
        "learning_rate": 0.0,
    }
    done = sft.train(recipe("sft", llama, sums, training, early_stopping=2), tmp_path / "run")
    assert done["outcome"] == "stopped early"
    assert done["steps"] == 3


def test_packing_joins_rows_into_one_window(llama: Path, sums: Path, tmp_path: Path) -> None:
    training = {
        "packing": True,
        "max_length": 64,
        "packing_strategy": "wrapped",
        "num_train_epochs": 1,
        "max_steps": -1,
    }
    done = sft.train(recipe("sft", llama, sums, training), tmp_path / "run")
    assert done["rows"]["rows"] == 16
    assert done["steps"] == 1  # sixteen rows are four windows, one batch


def test_all_weights_are_trained_without_an_adapter(llama: Path, sums: Path, tmp_path: Path) -> None:
    done = sft.train(recipe("sft", llama, sums, adapter=None), tmp_path / "run")
    assert (tmp_path / "run" / "model.safetensors").is_file()
    again = recipe("sft", llama, sums, start_from=tmp_path / "run")
    assert sft.train(again, tmp_path / "more")["trained_parameters"] == done["trained_parameters"]


def test_an_adapter_goes_on_from_an_earlier_run(llama: Path, sums: Path, tmp_path: Path) -> None:
    first, more = tmp_path / "first", tmp_path / "more"
    sft.train(recipe("sft", llama, sums, {"max_steps": 12}), first)
    sft.train(recipe("sft", llama, sums, start_from=first), more)
    assert losses(more)[0] < losses(first)[0]
    assert json.loads((more / "run.json").read_text())["start_from"] == fingerprint(first)


def test_an_adapter_of_another_base_model_is_refused(llama: Path, sums: Path, tmp_path: Path) -> None:
    sft.train(recipe("sft", llama, sums), tmp_path / "run")
    record = tmp_path / "run" / "run.json"
    record.write_text(record.read_text().replace(model_fingerprint(llama), "0" * 64))
    with pytest.raises(BadInput, match="another base model"):
        sft.train(recipe("sft", llama, sums, start_from=tmp_path / "run"), tmp_path / "more")


def test_four_bits_are_trained_by_an_adapter(llama: Path, sums: Path, tmp_path: Path) -> None:
    done = sft.train(recipe("sft", llama, sums, {"bf16": True}, quantization="nf4"), tmp_path / "run")
    assert done["outcome"] == "finished"
    assert all("lora" in name for name in load_file(tmp_path / "run" / "adapter_model.safetensors"))


def test_an_answer_longer_than_wanted_weighs_as_much_as_one_of_that_length() -> None:
    labels = torch.tensor([[-100, 5, 6, 7, 8], [-100, 5, 6, -100, -100], [-100, 5, -100, -100, -100]])
    assert sft.weights(labels, 2).tolist() == [0.5, 1.0, 1.0]


def test_concise_training_changes_nothing_where_no_answer_is_too_long(llama: Path, sums: Path, tmp_path: Path) -> None:
    sft.train(recipe("sft", llama, sums), tmp_path / "plain")
    sft.train(recipe("sft", llama, sums, concise=50), tmp_path / "long")
    sft.train(recipe("sft", llama, sums, concise=1), tmp_path / "short")
    assert losses(tmp_path / "long") == pytest.approx(losses(tmp_path / "plain"), abs=1e-3)
    assert losses(tmp_path / "short")[0] == pytest.approx(losses(tmp_path / "plain")[0] / 3, rel=0.05)


def test_a_row_that_does_not_fit_is_named_and_not_cut(llama: Path, prepare: Prepare, tmp_path: Path) -> None:
    folder = prepare([example(1, "what is safe", "one"), example(2, "what is safe", "two " * 40)])
    with pytest.raises(BadInput, match=r"1 rows are longer than the 32 tokens.*row-2.*longest has 49.*too_long: drop"):
        sft.train(recipe("sft", llama, folder, {"max_length": 32}), tmp_path / "run")
    done = sft.train(recipe("sft", llama, folder, {"max_length": 32}, too_long="drop"), tmp_path / "run")
    assert done["rows"] == {"rows": 1, "longest": 49, "dropped_too_long": 1}


def test_a_loss_that_is_no_number_ends_it_at_once(llama: Path, sums: Path, tmp_path: Path) -> None:
    spoilt = recipe("sft", llama, sums, {"max_steps": 20, "logging_steps": 20})
    with pytest.raises(TrainingFailed, match=r"at step 3\. Lower training\.learning_rate"):
        sft.train(spoilt, tmp_path / "run", callbacks=(Spoil(2),))


def test_modules_that_the_model_has_not_are_named_with_those_it_has(llama: Path, sums: Path, tmp_path: Path) -> None:
    with pytest.raises(BadInput, match=r"no fc1, fc2\. Its layers: .*q_proj"):
        sft.train(recipe("sft", llama, sums, adapter={"target_modules": ["q_proj", "fc1", "fc2"]}), tmp_path / "run")


def test_a_tokenizer_without_a_chat_template_is_told_how_to_get_one(t5: Path, sums: Path, tmp_path: Path) -> None:
    with pytest.raises(BadInput, match=r"has no chat template.*chat_template: FILE\.jinja"):
        sft.train(recipe("sft", t5, sums), tmp_path / "run")


def test_a_model_that_is_not_there_is_told(sums: Path, tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="nowhere can't be loaded"):
        sft.train(recipe("sft", tmp_path / "nowhere", sums), tmp_path / "run")


class SendSignal(TrainerCallback):  # type: ignore[misc]
    def __init__(self, number: int, step: int) -> None:
        self.number, self.step = number, step

    def on_step_begin(self, _arguments: Any, state: Any, _control: Any, **_: Any) -> None:
        if state.global_step + 1 == self.step:
            os.kill(os.getpid(), self.number)


class Spoil(TrainerCallback):  # type: ignore[misc]
    """Makes a weight of the model infinite after some steps, as a learning rate that is too high does."""

    def __init__(self, step: int) -> None:
        self.step = step

    def on_step_end(self, _arguments: Any, state: Any, _control: Any, model: Any = None, **_: Any) -> None:
        if state.global_step == self.step:
            for weight in model.parameters():
                if weight.requires_grad:
                    weight.data.fill_(float("inf"))
