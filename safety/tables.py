"""The CSV tables of `data/`."""

import csv
from importlib.resources import files


def read_table(name: str) -> list[dict[str, str]]:
    """The rows of a table by their columns; the last ones that a row leaves out are empty."""
    with (files("primum.safety") / "data" / name).open(encoding="utf-8") as file:
        return list(csv.DictReader(file, restval=""))
