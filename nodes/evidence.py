"""What the nodes of one turn share: its passages by marker, and the support check against them."""

import re
from collections.abc import Iterable, Mapping, Sequence, Set
from dataclasses import replace

from primum.graph.context import Context
from primum.graph.state import State
from primum.retrieval.excerpts import of_another
from primum.retrieval.search import Passage
from primum.safety.findings import Disposition
from primum.safety.lexicon import drugs
from primum.safety.phrases import plain
from primum.safety.profile import Profile
from primum.safety.remembered import remembered
from primum.safety.sentences import split_answer, split_plain
from primum.safety.support import Evidence, Verdict, Violation, check
from primum.safety.validator import dangers, rules_version
from primum.safety.words import Bag, claims

# Of the cosine to the question. Of twelve questions to the starter library, the section that answers is within 0.1 of
# the best one; "Treatment" is 0.27 below "Symptoms" where symptoms are asked for.
NEAR = 0.15
_POINTS_BACK = re.compile(
    r"^\W*(?:(?:yes|no|also|however|but|and|so),? )*(?:it|they|he|she|this|these|those|that|its|their|both|such)\b",
    re.IGNORECASE,
)


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


def asked_in(state: State) -> str:
    """What is asked, so that it stands alone, in the library's language."""
    return state.get("english") or state.get("standalone") or state["question"]


def judge(text: str, passages: Mapping[int, Passage | Evidence], state: State) -> list[Verdict]:
    """The audit by code: each sentence of an answer against the passages, and against the rules for this person.

    Where a question was searched for, a passage on another medicine or another kind of the illness proves nothing, and
    what points back needs something to point to. What is said twice counts, and is shown, once. A passage's own title
    or heading, and what the question says, is no sentence of an answer: it goes.
    """
    searched = {n: p for n, p in passages.items() if isinstance(p, Passage) and state.get("route") == "evidence"}
    beside = {n for n, p in searched.items() if of_another(asked_in(state), p)}
    evidence = {n: Evidence(p.text, p.title, p.heading) for n, p in passages.items() if n not in beside}
    heads = {plain(head) for p in evidence.values() for head in (p.title, p.heading, f"{p.title} {p.heading}")}
    if state.get("route") != "case":  # whose work-up names what the case says
        heads |= {plain(state["question"][a:b]) for a, b in split_plain(state["question"])}
    first = {s.text.casefold().rstrip(".!? "): id(s) for s in reversed(split_answer(text))}
    sentences = [s for s in split_answer(text) if id(s) in first.values() and plain(s.text) not in heads]
    verdicts = check(sentences, evidence, f"{state['question']} {state.get('english', '')}".strip())
    found = unsafe(tuple(sentence.text for sentence in sentences), state)
    judged = [
        replace(v, clinical=True, violations=(Violation("danger", why), *v.violations), quotes={}) if why else v
        for v, why in zip(verdicts, found, strict=True)
    ]
    lost = dangling([v for v in judged if v.clinical and v.stands], searched)
    return [
        replace(v, violations=(Violation("dangling"),), quotes={}) if v in lost else _beside(v, beside) for v in judged
    ]


def _beside(verdict: Verdict, beside: Set[int]) -> Verdict:
    """A marker of a passage that is about something else is called so; to the check there was none."""
    cited = tuple(f"[{n}]" for n in verdict.sentence.markers if n in beside)
    if not cited or not any(violation.rule == "wrong_marker" for violation in verdict.violations):
        return verdict
    others = [violation for violation in verdict.violations if violation.rule != "wrong_marker"]
    return replace(verdict, violations=(*others, Violation("beside", cited)))


def dangling(standing: Sequence[Verdict], passages: Mapping[int, Passage]) -> list[Verdict]:
    """Sentences that open with a word that points back, where none of those before names what they can mean."""
    lost: list[Verdict] = []
    for place, verdict in enumerate(standing):
        cited = [passages[n] for n in verdict.quotes if n in passages]
        if cited and _POINTS_BACK.search(verdict.sentence.text) and not _names(verdict.sentence.text, cited):
            before = [v for v in standing[:place] if v not in lost]
            pages = {passage.document_id for passage in cited}
            if not any(
                _names(v.sentence.text, cited) or pages & {passages[n].document_id for n in v.quotes if n in passages}
                for v in before
            ):
                lost.append(verdict)
    return lost


def _names(text: str, passages: Iterable[Passage]) -> bool:
    """Whether a text names what the passages are about: a word of their titles, or a medicine that stands in them."""
    said, named = Bag.of([text]), drugs(text)
    return any(
        any(map(said.says, claims(p.title))) or bool(named & drugs(f"{p.title} {p.heading} {p.text}")) for p in passages
    )


def unsafe(sentences: tuple[str, ...], state: State) -> tuple[tuple[str, ...], ...]:
    """For each sentence, why it must not be said to this person."""
    disposition = state.get("report", {}).get("disposition", "none")
    asked = state.get("question", "")
    return _unsafe(sentences, Profile(**state.get("profile", {})), disposition, asked, rules_version())


@remembered(maxsize=256)
def _unsafe(
    sentences: tuple[str, ...], profile: Profile, disposition: Disposition, asked: str, _rules: str
) -> tuple[tuple[str, ...], ...]:
    return tuple(tuple(one.text for one in found) for found in dangers(sentences, profile, disposition, asked))


def left_aside(verdicts: Iterable[Verdict], passages: Mapping[int, Passage]) -> list[int]:
    """The markers nearest to the question, if an answer rests on none as near: then it answers something else."""
    cited = [passages[n].similarity for v in verdicts for n in v.quotes if n in passages]
    best = max((passage.similarity for passage in passages.values()), default=0.0)
    if not cited or max(cited) >= best - NEAR:
        return []
    return [n for n, passage in passages.items() if passage.similarity >= best - NEAR]
