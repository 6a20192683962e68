"""Which rows fit into the model's window. None is cut: a cut answer teaches to stop in the middle."""

from collections.abc import Iterable, Iterator
from typing import Any

from primum.graph.errors import BadInput

NAMED = 5


class Fitting:
    """Lets rows through that have at most `limit` tokens; None is no limit."""

    def __init__(self, limit: int | None, *, drop: bool, remedy: str = "raise training.max_length") -> None:
        self.limit, self.drop, self.remedy = limit, drop, remedy
        self.kept = 0
        self.longest = 0
        self.too_long: list[str] = []

    def __call__(self, rows: Iterable[tuple[str, int, dict[str, Any]]]) -> Iterator[dict[str, Any]]:
        """The rows of (id, tokens, row) that fit.

        Raises:
            BadInput: some do not and are not to be dropped, or none is left.
        """
        for name, length, row in rows:
            self.longest = max(self.longest, length)
            if self.limit is not None and length > self.limit:
                self.too_long.append(name)
            else:
                self.kept += 1
                yield row
        if self.too_long and not self.drop:
            raise BadInput(
                f"{len(self.too_long)} rows are longer than the {self.limit} tokens that fit, such as "
                f"{', '.join(self.too_long[:NAMED])}; the longest has {self.longest}. To mend it, {self.remedy}; or "
                "leave such rows out by `too_long: drop`."
            )
        if not self.kept and not self.too_long:
            raise BadInput("There are no rows in this split: add some, or set training.eval_strategy=no.")
        if not self.kept:
            raise BadInput(f"No row fits into {self.limit} tokens: {self.remedy}.")

    @property
    def told(self) -> dict[str, int]:
        return {"rows": self.kept, "longest": self.longest, "dropped_too_long": len(self.too_long)}
