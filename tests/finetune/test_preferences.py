"""DPO, ORPO and KTO raise the better answers over the worse, from a start that is proven to be the reference."""

import json
import math
from pathlib import Path
from typing import Any

import pytest
import torch
from peft import PeftModel
from safetensors.torch import load_file
from transformers import AutoModelForCausalLM

from primum.finetune import dpo, kto, orpo, policy, sft
from primum.finetune.preferences import compared
from primum.finetune.prepared import open_data
from primum.finetune.rows import write_rows
from primum.graph.errors import BadInput, TrainingFailed
from primum.graph.fingerprint import card_of, file_hash
from primum.memory.exports import trained_with
from tests.finetune.conftest import Prepare
from tests.finetune.recipes import recipe
from tests.finetune.tiny import example, opinion, pair

MARGIN = "rewards/margins"


@pytest.fixture
def pairs(tmp_path: Path) -> Path:
    file = tmp_path / "pairs.jsonl"
    write_rows(file, (pair(n, f"what is safe for pain {n % 9 + 1}", "one tablets", "ten tablets") for n in range(8)))
    return file


def margins(out: Path) -> list[float]:
    return [line[MARGIN] for line in json.loads((out / "log_history.json").read_text()) if MARGIN in line]


def test_dpo_begins_at_ln_2_and_raises_the_margin(llama: Path, pairs: Path, tmp_path: Path) -> None:
    done = dpo.train(recipe("dpo", llama, pairs), tmp_path / "run")
    assert done["loss_at_start"] == pytest.approx(math.log(2), abs=0.001)
    assert done["reference"] == "the frozen base model"
    assert margins(tmp_path / "run")[-1] > margins(tmp_path / "run")[0]


@pytest.mark.parametrize("bits", ["none", "nf4"])
def test_dpo_over_an_earlier_run_is_measured_from_that_run(
    llama: Path, sums: Path, pairs: Path, tmp_path: Path, bits: str
) -> None:
    sft.train(recipe("sft", llama, sums, {"max_steps": 8}), tmp_path / "sft")
    again = recipe("dpo", llama, pairs, start_from=tmp_path / "sft", quantization=bits)
    done = dpo.train(again, tmp_path / "dpo")
    assert done["loss_at_start"] == pytest.approx(math.log(2), abs=0.01)
    assert done["reference"].startswith("the adapter `ref`")
    before, after = (load_file(tmp_path / name / "adapter_model.safetensors") for name in ("sft", "dpo"))
    assert set(before) == set(after)
    assert any(not torch.equal(before[name], after[name].to(before[name].dtype)) for name in before)
    assert not (tmp_path / "dpo" / "ref").exists()
    PeftModel.from_pretrained(AutoModelForCausalLM.from_pretrained(llama), str(tmp_path / "dpo"))


def test_the_card_tells_what_the_runs_before_learned_from(llama: Path, sums: Path, pairs: Path, tmp_path: Path) -> None:
    """The file of pairs has none beside it; of the folder the hashes are told, of no run a path."""
    sft.train(recipe("sft", llama, sums), tmp_path / "sft")
    dpo.train(recipe("dpo", llama, pairs, start_from=tmp_path / "sft"), tmp_path / "dpo")
    sft.train(recipe("sft", llama, sums, start_from=tmp_path / "dpo"), tmp_path / "more")
    told = card_of(tmp_path / "more")["data"]
    rows, of_pairs = json.loads((sums / "card.json").read_text()), {"hashes": {"pairs.jsonl": file_hash(pairs)}}
    assert told["hashes"] == rows["hashes"]
    assert told["before"] == [
        {"method": "sft", "data": rows["hashes"], "card": rows},
        {"method": "dpo", "data": of_pairs["hashes"], "card": of_pairs},
    ]
    assert str(tmp_path) not in (tmp_path / "more" / "card.json").read_text()
    assert {*trained_with({file_hash(pairs)}, tmp_path / "exported")} == {tmp_path / "dpo", tmp_path / "more"}


def test_a_file_of_pairs_has_no_validation_rows_and_the_way_without_is_told(
    llama: Path, pairs: Path, tmp_path: Path
) -> None:
    wanted = recipe("dpo", llama, pairs, {"eval_strategy": "steps", "eval_steps": 2})
    with pytest.raises(BadInput, match=r"no rows in this split: .*training\.eval_strategy=no"):
        dpo.train(wanted, tmp_path / "run")


def test_dpo_on_all_weights_is_measured_from_a_copy(llama: Path, pairs: Path, tmp_path: Path) -> None:
    done = dpo.train(recipe("dpo", llama, pairs, adapter=None), tmp_path / "run")
    assert done["reference"] == "a frozen copy of the model"
    assert done["loss_at_start"] == pytest.approx(math.log(2), abs=0.001)


def test_dpo_goes_on_from_its_checkpoint_with_the_same_reference(
    llama: Path, sums: Path, pairs: Path, tmp_path: Path
) -> None:
    sft.train(recipe("sft", llama, sums), tmp_path / "sft")
    training = {"save_strategy": "steps", "save_steps": 2}
    one = recipe("dpo", llama, pairs, training, start_from=tmp_path / "sft")
    dpo.train(one, tmp_path / "whole")
    dpo.train(one, tmp_path / "parts")
    (tmp_path / "parts" / "checkpoint-4" / "trainer_state.json").unlink()
    dpo.train(one, tmp_path / "parts", resume=True)
    assert margins(tmp_path / "parts") == pytest.approx(margins(tmp_path / "whole"), abs=1e-4)


def test_a_reference_that_is_not_the_start_ends_it(
    llama: Path, prepare: Prepare, pairs: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As where the reference of a trained adapter is the base without it."""
    rows = prepare(example(n, f"what is safe for pain {n + 1}", "one tablets") for n in range(8))
    sft.train(recipe("sft", llama, rows, {"max_steps": 12, "learning_rate": 0.1}), tmp_path / "sft")
    loaded = policy.model_of

    def merged(one: Any) -> Any:
        model = loaded(one).merge_and_unload().requires_grad_(True)
        model.config._name_or_path = str(llama)  # where the copy is loaded from
        return model

    monkeypatch.setattr(policy, "model_of", merged)
    with pytest.raises(TrainingFailed, match=r"The loss of step 0 is .* and not ln 2 = 0\.6931.*start_from"):
        dpo.train(recipe("dpo", llama, pairs, start_from=tmp_path / "sft"), tmp_path / "dpo")


def test_orpo_needs_no_reference(llama: Path, pairs: Path, tmp_path: Path) -> None:
    done = orpo.train(recipe("orpo", llama, pairs), tmp_path / "run")
    assert done["reference"] == "none"
    assert margins(tmp_path / "run")[-1] > margins(tmp_path / "run")[0]


def test_kto_learns_from_single_opinions(llama: Path, tmp_path: Path) -> None:
    file = tmp_path / "opinions.jsonl"
    write_rows(
        file, (opinion(n, "what is safe", "one tablets" if n % 2 else "ten tablets", bool(n % 2)) for n in range(8))
    )
    done = kto.train(recipe("kto", llama, file, {"max_steps": 8}), tmp_path / "run")
    assert done["figures"]["rewards/chosen"] > done["figures"]["rewards/rejected"]


def test_both_answers_of_a_pair_end_their_turn_once(llama: Path, pairs: Path) -> None:
    one = recipe("dpo", llama, pairs)
    rows, _ = compared(open_data(pairs, "dpo"), "train", policy.chat_of(one), one, None)
    assert rows[0]["prompt"].split()[-1] == "assistant"
    assert (rows[0]["chosen"], rows[0]["rejected"]) == ("one tablets </s>", "ten tablets </s>")


def test_a_file_of_other_rows_is_told_with_its_line(llama: Path, tmp_path: Path) -> None:
    file = tmp_path / "pairs.jsonl"
    file.write_text('{"question": "?", "chosen": "a", "rejected": "b"}\n')
    with pytest.raises(BadInput, match=r"pairs\.jsonl, line 1: field"):
        dpo.train(recipe("dpo", llama, file), tmp_path / "run")
