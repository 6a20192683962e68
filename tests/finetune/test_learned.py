"""What goes through the head on a CPU is less, and what comes out is the same."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from transformers import AutoModelForCausalLM
from trl.trainer.utils import add_fused_lm_head

from primum.finetune.learned import PER_TOKEN, score_learned_alone

LABELS = torch.tensor([[-100, -100, 5, 6], [-100, 4, 3, -100]])
IDS = torch.tensor([[2, 3, 5, 6], [2, 4, 3, 7]])


@pytest.fixture
def model(llama: Path) -> Any:
    model = AutoModelForCausalLM.from_pretrained(llama, dtype=torch.float32)
    add_fused_lm_head(model, outputs=PER_TOKEN)
    return model


def told(model: Any, labels: torch.Tensor = LABELS) -> Any:
    model.zero_grad()
    output = model(input_ids=IDS, labels=labels, fused_lm_head=True)
    output.loss.backward()
    return output


def test_the_same_comes_out_of_the_learned_positions_alone(model: Any) -> None:
    before = told(model)
    gradient = {name: one.grad.clone() for name, one in model.named_parameters()}
    score_learned_alone(SimpleNamespace(model=model))
    heard: list[tuple[int, ...]] = []
    model.get_output_embeddings()  # the head is used by its weight, so that what reaches it is seen at the backbone
    model.base_model.register_forward_hook(lambda _m, _a, out: heard.append(tuple(out.last_hidden_state.shape)))
    after = told(model)
    assert heard == [(1, 4, model.config.hidden_size)]  # four words are learned, of eight
    for name in (*PER_TOKEN, "label_mask", "loss"):
        torch.testing.assert_close(getattr(after, name), getattr(before, name))
    for name, one in model.named_parameters():
        torch.testing.assert_close(one.grad, gradient[name])


def test_where_nothing_is_learned_the_loss_is_nothing(model: Any) -> None:
    score_learned_alone(SimpleNamespace(model=model))
    assert told(model, torch.full_like(LABELS, -100)).loss == 0


def test_a_model_that_writes_is_left_as_it_is(model: Any) -> None:
    before = model(input_ids=IDS).logits
    score_learned_alone(SimpleNamespace(model=model))
    torch.testing.assert_close(model(input_ids=IDS).logits, before)
    assert model.generate(IDS, max_new_tokens=2, do_sample=False).shape == (2, 6)
