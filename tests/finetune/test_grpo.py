"""GRPO raises what the rewards can check."""

import json
from pathlib import Path

import pytest

from primum.finetune import grpo
from primum.graph.errors import BadInput
from tests.finetune.conftest import Prepare
from tests.finetune.recipes import recipe
from tests.finetune.tiny import example

TRIES = {"num_generations": 4, "max_completion_length": 6, "beta": 0.0, "temperature": 1.0}


def test_the_reward_rises(llama: Path, sums: Path, tmp_path: Path) -> None:
    """Of the length: a random model seldom ends by itself, and shorter answers earn more."""
    training = TRIES | {"max_steps": 12, "per_device_train_batch_size": 16, "learning_rate": 0.02}
    done = grpo.train(recipe("grpo", llama, sums, training, rewards={"format": 1.0}), tmp_path / "run")
    history = json.loads((tmp_path / "run" / "log_history.json").read_text())
    rewards = [line["reward"] for line in history if "reward" in line]
    assert done["outcome"] == "finished"
    assert sum(rewards[-4:]) > sum(rewards[:4])


def test_rewards_are_weighed_and_logged_by_their_names(llama: Path, sums: Path, tmp_path: Path) -> None:
    done = grpo.train(
        recipe("grpo", llama, sums, TRIES | {"max_steps": 1}, rewards={"number": 2.0, "length": 0.5}), tmp_path / "run"
    )
    figures = done["figures"]
    whole = 2 * figures["rewards/number/mean"] + 0.5 * figures["rewards/length/mean"]
    assert figures["reward"] == pytest.approx(whole, abs=1e-5)


def test_a_reward_that_is_not_there_is_told_with_the_nearest(llama: Path, sums: Path, tmp_path: Path) -> None:
    with pytest.raises(BadInput, match=r"no reward `suport`.*Do you mean `support`\?"):
        grpo.train(recipe("grpo", llama, sums, TRIES, rewards={"suport": 1.0}), tmp_path / "run")


def test_a_prompt_that_leaves_no_room_for_an_answer_is_told(llama: Path, prepare: Prepare, tmp_path: Path) -> None:
    folder = prepare([example(1, "pain " * 300, "one")])
    with pytest.raises(BadInput, match="longer than the 250 tokens"):
        grpo.train(recipe("grpo", llama, folder, TRIES, rewards={"length": 1.0}), tmp_path / "run")


def test_a_choice_without_its_answer_is_told(llama: Path, prepare: Prepare, tmp_path: Path) -> None:
    folder = prepare([example(1, "what is safe", "A", kind="choice")])
    with pytest.raises(BadInput, match="row row-1 is a choice and has no `answer`"):
        grpo.train(recipe("grpo", llama, folder, TRIES, rewards={"choice": 1.0}), tmp_path / "run")
