"""On a CPU, the words of the answer alone go through the model's head.

TRL's fused head leaves the positions that nothing is learned at out only where its Triton kernels run. On a CPU it
scores the prompt too, which of our rows is nine tenths: half of the time of a step.
"""

from functools import wraps
from typing import Any

PER_TOKEN = ("log_probs", "entropy", "log_sum_sq_probs", "mean_logits", "is_top1")


def score_learned_alone(trainer: Any) -> None:
    """Of a TRL trainer's model, and of the one that it is measured against. What comes out is the same."""
    for model in (trainer.model, getattr(trainer, "ref_model", None)):
        if model is not None and model.device.type == "cpu":
            _compact(model.get_base_model() if hasattr(model, "get_base_model") else model)


def _compact(model: Any) -> None:
    forward = model.forward
    learned: list[Any] = []  # of the forward that is under way, the mask of its positions

    def pick(_module: Any, _args: Any, output: Any) -> Any:
        if learned:
            output.last_hidden_state = output.last_hidden_state[:, :-1][learned[0]][None]
        return output

    @wraps(forward)  # `generate` reads its signature
    def compact(*args: Any, fused_lm_head: bool = False, labels: Any = None, **given: Any) -> Any:
        mask = labels[:, 1:] != -100 if fused_lm_head and labels is not None else None
        if mask is None or not mask.any():
            fused = {"fused_lm_head": True} if fused_lm_head else {}
            return forward(*args, **given, **fused, **({} if labels is None else {"labels": labels}))
        learned.append(mask)
        try:
            output = forward(*args, fused_lm_head=True, shift_labels=labels[:, 1:][mask][None], **given)
        finally:
            learned.clear()
        for name in PER_TOKEN:
            found = getattr(output, name)
            if found is not None:
                setattr(output, name, found.new_zeros(mask.shape).masked_scatter(mask, found))
        output.label_mask = mask
        return output

    model.base_model.register_forward_hook(pick)
    model.forward = compact
