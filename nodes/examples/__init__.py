"""Labelled messages, a YAML file for each thing that likeness decides, and what of a question is compared with them."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache, lru_cache
from importlib.resources import files
from pathlib import Path
from typing import Literal

import numpy as np
import structlog
import yaml

from primum.graph.context import Examples
from primum.retrieval.embedder import Embedder
from primum.retrieval.likeness import NONE, Likeness, embed_once, fit
from primum.safety.words import tokens

Kind = Literal["routes", "emergencies", "harm"]

log = structlog.get_logger(__name__)

# Shares of the harmless examples that may score higher. Of 60 frank questions, all chosen to be hard, 5 % would decline
# 5 more than the rules do, 2 % declines 2; what is let through meets an answer from checked sources or none.
CALLED_EMERGENCY, DECLINED = 0.05, 0.02
_MEASURED = re.compile(r"\{[^{}]*\}")  # vital signs as JSON: the rules read them, to an embedder they are noise
_LONGEST = 2000  # characters; an embedder reads 512 tokens
# Pronouns, polite words and verbs that ask for anything: what is made of these alone is like everything and nothing.
_EMPTY = frozenset(
    "i me my mine you your yours it its this that these those there they them their he him his she her we us our one "
    "ones what which who how why when where and or but so then than to of for in on at with about a an the m s ll d re "
    "ve am is are was were be do does did have has can could should would will shall may might if let go get give show "
    "tell say explain teach know mean see like need make try look please thanks thank ok okay yes yeah yep sure hello "
    "hi hey well just really very also too only while during some any more else other again now next here tip tips "
    "hint hints idea ideas advice example way thing things something anything everything bit lot all".split()
)


def meaningful(question: str) -> str:
    """What of a question is compared."""
    return _MEASURED.sub(" ", question)[:_LONGEST].strip() or question[:_LONGEST]


def telling(question: str) -> list[str]:
    """The words of a message that say something: "show me how" has none, and is near whatever asks so shortly."""
    return [word for word in tokens(question) if word not in _EMPTY]


@cache
def labelled(kind: Kind) -> Mapping[str, Sequence[str]]:
    """The messages of `<kind>.yaml` by label. What needs no help today is no request for harm either."""
    text = (files("primum.nodes") / "examples" / f"{kind}.yaml").read_text("utf-8")
    found: dict[str, list[str]] = yaml.load(text, Loader=yaml.CSafeLoader)
    if kind == "harm":
        found[NONE] = list(dict.fromkeys([*found[NONE], *labelled("emergencies")[NONE]]))
    return found


@dataclass(frozen=True)
class _Source:
    """Where vectors come from; two embedders of one fingerprint make the same ones."""

    fingerprint: str
    embedder: Embedder = field(compare=False)
    folder: Path = field(compare=False)


def load_examples(embedder: Embedder, folder: Path) -> Examples:
    """All of them as vectors of the embedder, kept in the folder and, since fitting takes a second, in the process.

    Blocking: the first time of all it takes half a minute.
    """
    return _loaded(_Source(embedder.fingerprint, embedder, folder))


@lru_cache(maxsize=2)
def _loaded(source: _Source) -> Examples:
    embedder = source.embedder
    kinds: tuple[Kind, ...] = ("routes", "emergencies", "harm")
    texts = list(dict.fromkeys(text for kind in kinds for texts in labelled(kind).values() for text in texts))
    vectors = dict(zip(texts, embed_once(texts, embedder, source.folder), strict=True))

    def likeness(kind: Kind, allowed: float) -> Likeness | None:
        rows = [(label, vectors[text]) for label, texts in labelled(kind).items() for text in texts]
        found = fit([label for label, _ in rows], np.stack([vector for _, vector in rows]), allowed)
        if found is None:
            log.warning("examples.unfit", kind=kind, embedder=embedder.name)
        return found

    return Examples(
        routes={route: [vectors[text].tolist() for text in texts] for route, texts in labelled("routes").items()},  # type: ignore[misc]
        emergencies=likeness("emergencies", CALLED_EMERGENCY),
        harm=likeness("harm", DECLINED),
    )
