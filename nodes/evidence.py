"""What the nodes of one turn share: its passages by marker, and the support check against them."""

from collections.abc import Iterable, Mapping
from dataclasses import replace

from primum.graph.context import Context
from primum.graph.state import State
from primum.retrieval.search import Passage
from primum.safety.findings import Disposition
from primum.safety.phrases import plain
from primum.safety.profile import Profile
from primum.safety.remembered import remembered
from primum.safety.sentences import split_answer
from primum.safety.support import Evidence, Verdict, Violation, check
from primum.safety.validator import dangers, rules_version

# Of the cosine to the question. Of twelve questions to the starter library, the section that answers is within 0.1 of
# the best one; "Treatment" is 0.27 below "Symptoms" where symptoms are asked for.
NEAR = 0.15


async def read_passages(state: State, context: Context) -> dict[int, Passage]:
    """The turn's passages by marker, from 1; one that was deleted meanwhile leaves its number empty.

    They are read once a run; `respond` reads them anew, so that nothing is cited that is gone.
    """
    hits = {hit["chunk_id"]: (number, hit) for number, hit in enumerate(state.get("hits", []), 1)}
    if hits and not context.run.passages:
        for passage in await context.library.read(list(hits)):
            number, hit = hits[passage.chunk_id]
            context.run.passages[number] = replace(
                passage, score=hit["score"], similarity=hit["similarity"], words=hit["words"]
            )
    return context.run.passages


def judge(text: str, passages: Mapping[int, Passage | Evidence], state: State) -> list[Verdict]:
    """The audit by code: each sentence of an answer against the passages, and against the rules for this person.

    What is said twice counts, and is shown, once. A passage's own title or heading is no sentence: it goes.
    """
    evidence = {n: Evidence(p.text, p.title, p.heading) for n, p in passages.items()}
    heads = {plain(head) for p in evidence.values() for head in (p.title, p.heading, f"{p.title} {p.heading}")}
    first = {s.text.casefold().rstrip(".!? "): id(s) for s in reversed(split_answer(text))}
    sentences = [s for s in split_answer(text) if id(s) in first.values() and plain(s.text) not in heads]
    verdicts = check(sentences, evidence, f"{state['question']} {state.get('english', '')}".strip())
    found = unsafe(tuple(sentence.text for sentence in sentences), state)
    return [
        replace(v, clinical=True, violations=(Violation("danger", why), *v.violations), quotes={}) if why else v
        for v, why in zip(verdicts, found, strict=True)
    ]


def unsafe(sentences: tuple[str, ...], state: State) -> tuple[tuple[str, ...], ...]:
    """For each sentence, why it must not be said to this person."""
    disposition = state.get("report", {}).get("disposition", "none")
    return _unsafe(sentences, Profile(**state.get("profile", {})), disposition, rules_version())


@remembered(maxsize=256)
def _unsafe(
    sentences: tuple[str, ...], profile: Profile, disposition: Disposition, _rules: str
) -> tuple[tuple[str, ...], ...]:
    return tuple(tuple(one.text for one in found) for found in dangers(sentences, profile, disposition))


def left_aside(verdicts: Iterable[Verdict], passages: Mapping[int, Passage]) -> list[int]:
    """The markers nearest to the question, if an answer rests on none as near: then it answers something else."""
    cited = [passages[n].similarity for v in verdicts for n in v.quotes if n in passages]
    best = max((passage.similarity for passage in passages.values()), default=0.0)
    if not cited or max(cited) >= best - NEAR:
        return []
    return [n for n, passage in passages.items() if passage.similarity >= best - NEAR]
