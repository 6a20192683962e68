"""The model's instructions: one Markdown file a call, filled in by strict Jinja."""

from functools import cache
from hashlib import sha256
from importlib.resources import files
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined

_FOLDER = files(__name__)
# Markdown for a model, never HTML for a browser: escaping would change "<" and "&" in what is quoted.
_ENVIRONMENT = Environment(
    loader=FileSystemLoader(str(_FOLDER)),
    undefined=StrictUndefined,
    keep_trailing_newline=False,
    autoescape=False,  # noqa: S701
)


def render(name: str, **values: Any) -> str:
    """The instruction `name`, filled in. A value that it needs and does not get is an error."""
    return _ENVIRONMENT.get_template(f"{name}.md").render(**values).strip()


@cache
def hashes() -> dict[str, str]:
    """The first 12 hex digits of each instruction's SHA-256: they stand in every answer's trace."""
    texts = sorted((entry.name, entry.read_bytes()) for entry in _FOLDER.iterdir() if entry.name.endswith(".md"))
    return {name.removesuffix(".md"): sha256(text).hexdigest()[:12] for name, text in texts}
