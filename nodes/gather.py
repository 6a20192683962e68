"""gather: reads a case, writes the conditions of the library that it may be, and their passages. No model is asked."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from langgraph.runtime import Runtime

from primum.graph.context import Context
from primum.graph.state import Candidate, Match, State
from primum.nodes.retrieve import hits, screened
from primum.retrieval.excerpts import statements
from primum.retrieval.search import Passage
from primum.safety.presentation import Presentation, present
from primum.safety.profile import Profile
from primum.safety.sentences import split_plain
from primum.safety.words import Bag, claims

WIDE = 40  # passages, from which the conditions are taken
READ = 10  # conditions that are read
KEPT = 5  # conditions that stay
PASSAGES = 30  # of all of them together
RULED = 5  # red flags that are looked for
NO_CONDITION = frozenset({"medicine", "label", "prevention", "symptom"})
# Sections that tell what a condition looks like do not tell what to do, and the other way round.
_ACTS = ("treat", "what to do", "what not", "what you can", "get medical help", "prevent", "recover", "pregnan")
_LEFT_OUT = ("get medical help", "what you can", "prevent", "recover")
SAID, LIKE = 0.5, 0.6  # of a finding's words, or cosine, from which a sentence tells of it


@dataclass(frozen=True)
class _Line:
    """A sentence of a condition's page, and its vector."""

    passage: Passage
    start: int
    stop: int
    vector: Sequence[float]

    @property
    def text(self) -> str:
        return self.passage.text[self.start : self.stop]


async def gather(state: State, runtime: Runtime[Context]) -> State:
    context = runtime.context
    told = present(state["question"], Profile(**state["profile"]))
    pages, dropped = await _pages(state, told, context)
    ranked = await _ranked(told, pages, context)
    found = _kept([pages[one["document_id"]][1] for one in ranked])
    context.run.passages = dict(enumerate(found, 1))
    return State(candidates=ranked, hits=hits(found), searches=1, degraded=[*state.get("degraded", []), *dropped])


async def _pages(
    state: State, told: Presentation, context: Context
) -> tuple[dict[int, tuple[str, list[Passage]]], list[str]]:
    """The pages that a case may be about, by document, each with the red flag that names it."""
    looks = "; ".join((*told.findings, *told.vitals)) or state["question"]
    named = list(state.get("signs", []))[:RULED]
    found, dropped = screened(await context.library.search([looks, *named], WIDE))
    found = [passage for passage in found if passage.kind not in NO_CONDITION]
    ruled = {document: name for name in named if (document := _named(name, found))}
    chosen = list(dict.fromkeys([*ruled, *(passage.document_id for passage in found)]))[:READ]
    pages: dict[int, tuple[str, list[Passage]]] = {}
    for document in chosen:
        near = max((p.similarity for p in found if p.document_id == document), default=0.0)
        whole, _ = screened(await context.library.document(document))
        if whole:  # it may have gone meanwhile
            pages[document] = ruled.get(document, ""), [replace(passage, similarity=near) for passage in whole]
    return pages, dropped


def _named(name: str, found: Sequence[Passage]) -> int | None:
    """The document that a red flag names: in its title, else in the sentence that says what it is."""
    words = claims(name)
    defined = [(p, p.text[slice(*split_plain(p.text)[0])]) for p in found if not p.heading and p.text.strip()]
    for passage, text in [*((p, p.title) for p in found), *defined]:
        bag = Bag.of([text])
        if words and all(bag.says(word) for word in words):
            return passage.document_id
    return None


async def _ranked(told: Presentation, pages: dict[int, tuple[str, list[Passage]]], context: Context) -> list[Candidate]:
    """The conditions that tell of what the case has, those that tell of most first."""
    lines = [line for _, passages in pages.values() for line in _lines(passages)]
    fever = [one for one in told.vitals if "fever" in one.casefold()]  # of the others pages give no words
    here = (*told.findings, *fever, *told.background)
    vectors = await context.library.embed([*here, *told.absent, *(line.text for line in lines)])
    lines = [
        replace(line, vector=vector)
        for line, vector in zip(lines, vectors[len(here) + len(told.absent) :], strict=True)
    ]
    known = dict(zip((*here, *told.absent), vectors, strict=False))
    scored: list[tuple[float, Candidate]] = []
    for document, (rule, passages) in pages.items():
        mine = [line for line in lines if line.passage.document_id == document]
        points = {finding: _best(finding, known[finding], mine) for finding in (*here, *told.absent)}
        weight = sum(points[finding][0] for finding in told.findings) + 0.5 * sum(
            points[f][0] for f in here if f not in told.findings
        )
        candidate = Candidate(
            title=passages[0].title,
            document_id=document,
            rule=rule,
            speaks_for=[match for finding in here if (match := points[finding][1])],
            speaks_against=[match for finding in told.absent if (match := points[finding][1])],
        )
        if candidate["speaks_for"] or rule:
            scored.append((weight + bool(rule) + passages[0].similarity, candidate))
    return [candidate for _, candidate in sorted(scored, key=lambda pair: -pair[0])][:KEPT]


def _lines(passages: Sequence[Passage]) -> list[_Line]:
    """What a page says of how its condition looks."""
    return [
        _Line(passage, start, stop, ())
        for passage in passages
        if not any(word in passage.heading.casefold() for word in _ACTS)
        for start, stop in statements(passage.text)
    ]


def _best(finding: str, vector: Sequence[float], lines: Sequence[_Line]) -> tuple[float, Match | None]:
    """How well a page tells of a finding, and the sentence that tells of it."""
    words, best, found = claims(finding), 0.0, None
    for line in lines:
        bag = Bag.of([line.text])
        said = sum(bag.says(word) for word in words) / len(words) if words else 0.0
        like = sum(a * b for a, b in zip(vector, line.vector, strict=True))
        if (said >= SAID or like >= LIKE) and said + like > best:
            best = said + like
            chunk = line.passage.chunk_id
            found = Match(finding=finding, chunk_id=chunk, start=line.start, stop=line.stop)
    return best / 2, found


def _kept(pages: Sequence[Sequence[Passage]]) -> list[Passage]:
    """The pages' passages, as many of each as there is room for, without those that a work-up does not need."""
    room = PASSAGES // max(1, len(pages))
    kept = [[p for p in page if not any(word in p.heading.casefold() for word in _LEFT_OUT)] for page in pages]
    return [passage for page in kept for passage in page[:room]]
