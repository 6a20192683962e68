"""The support check: does the passage that a sentence cites prove it?

It is the only place that decides this. Critique reports with it, refine keeps a revision by it, respond takes
out what still fails it. A clinical sentence is proven when one to three neighbouring sentences of a cited
passage, under the passage's title and heading,

* say each of its claiming words, a synonym or a word of the same family, and half of all that title and heading
  leave unsaid;
* give each of its numbers, with the same unit and no opposite bound;
* name each of its drugs;
* affirm what it affirms and deny what it denies, as the passage's nearest clause does;
* turn nothing round: what is raised is not lowered;
* speak of the population that it speaks of.

What is not shown to hold counts as unproven.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import lru_cache
from itertools import pairwise

from primum.safety.clinical import is_clinical, only_leads
from primum.safety.lexicon import drugs, named
from primum.safety.opposites import turned
from primum.safety.polarity import contradicts
from primum.safety.populations import populations
from primum.safety.sentences import Sentence, split_plain
from primum.safety.units import Quantity, quantities, without_quantities
from primum.safety.words import Bag, claims, content, says_phrase, tokens

RULES_VERSION = "support-2"
TRIED = 12  # windows of a passage, those that leave out least first

_EVERYONE = re.compile(r"\b(?:adults?|everyone|all ages)\b", re.IGNORECASE)
_AVOIDING = re.compile(r"\b(?:avoid(?:ed|ing|s)?|contraindicated|refrain)\b", re.IGNORECASE)
_PAUSE = re.compile(r"[,;:]\s|\s[–—(]")
_YOUNG = frozenset({"children", "infants"})
_DOSED = frozenset({"kilogram", "meter ** 3", "tablet", "puff", "drop", "iu", "1 / second"})
_ADVICE = re.compile(r"\b(?:take|give|use|swallow|inject|avoid|dose|maximum|every)\b", re.IGNORECASE)


@dataclass(frozen=True)
class Evidence:
    """What one marker points to."""

    text: str
    title: str = ""
    heading: str = ""


@dataclass(frozen=True)
class Violation:
    """One way in which a sentence is not proven; `subjects` are the words, numbers or names concerned."""

    rule: str
    subjects: tuple[str, ...] = ()


@dataclass(frozen=True)
class Verdict:
    """The check's word on one sentence.

    `quotes` holds, for each marker that proves it, the passage's own words; `better` the markers that
    would prove it where its own do not.
    """

    sentence: Sentence
    clinical: bool
    violations: tuple[Violation, ...] = ()
    quotes: Mapping[int, str] = field(default_factory=dict)
    better: tuple[int, ...] = ()

    @property
    def stands(self) -> bool:
        return not self.violations


@dataclass(frozen=True)
class _Proof:
    violations: tuple[Violation, ...]
    quote: str

    @property
    def weight(self) -> int:
        return sum(max(1, len(violation.subjects)) for violation in self.violations)


def warm() -> None:
    """Loads the tables that a first check would wait for: drug names and units, about three seconds."""
    check([Sentence("Take 1 g of aspirin.", (1,))], {1: Evidence("Take 1 g of aspirin.")})


def check(sentences: Sequence[Sentence], passages: Mapping[int, Evidence], asked: str = "") -> list[Verdict]:
    """Judges each sentence against the passages that it cites.

    Args:
        sentences: an answer's, from `split_answer`.
        passages: what each marker stands for.
        asked: the question; a population that it names need not be repeated by the answer.
    """
    everything = Bag([part for e in passages.values() for part in (e.title, e.heading, e.text)])
    verdicts: list[Verdict] = []
    lead: tuple[int, ...] = ()
    for sentence in sentences:
        listed = sentence.prefix.strip() and not sentence.heading
        if listed and not sentence.markers and lead:
            sentence = replace(sentence, markers=lead)
        verdicts.append(_judge(sentence, passages, everything, asked))
        if sentence.text.endswith(":"):
            lead = sentence.markers
        elif not listed:
            lead = ()
    return verdicts


def _judge(sentence: Sentence, passages: Mapping[int, Evidence], everything: Bag, asked: str) -> Verdict:
    if not is_clinical(sentence.text) or only_leads(sentence, everything):
        return Verdict(replace(sentence, markers=()), clinical=False)
    unknown = tuple(f"[{n}]" for n in sentence.markers if n not in passages)
    cited = [n for n in sentence.markers if n in passages]
    alone = {n: _prove(sentence.text, passages[n], asked) for n in cited}
    proving = [n for n in cited if not alone[n].violations]
    if proving:
        return Verdict(replace(sentence, markers=tuple(proving)), True, (), {n: alone[n].quote for n in proving})
    if len(cited) > 1 and (together := _prove_together(sentence.text, [passages[n] for n in cited], asked)):
        return Verdict(replace(sentence, markers=tuple(cited)), True, (), dict(zip(cited, together, strict=True)))
    better = tuple(n for n, e in passages.items() if n not in cited and not _prove(sentence.text, e, asked).violations)
    if not sentence.markers:
        violations: tuple[Violation, ...] = (Violation("missing_marker"),)
    elif not cited:
        violations = (Violation("wrong_marker", unknown),)
    else:
        nearest = min(alone.values(), key=lambda proof: proof.weight)
        violations = (Violation("wrong_marker", tuple(f"[{n}]" for n in cited)),) if better else nearest.violations
    return Verdict(sentence, True, violations, {}, better[:2])


@lru_cache(maxsize=4096)
def _windows(text: str) -> tuple[str, ...]:
    """The passage's sentences, and each two and three in a row, as they stand there."""
    spans = split_plain(text)
    windows = [text[a:b] for a, b in spans]
    windows += [text[first[0] : second[1]] for first, second in pairwise(spans)]
    windows += [text[a[0] : c[1]] for a, c in zip(spans, spans[2:], strict=False)]
    return tuple(windows)


@lru_cache(maxsize=32768)
def _bag(window: str, title: str, heading: str) -> Bag:
    return Bag([window, title, heading])


def _missing(text: str, bag: Bag) -> list[str]:
    """Claiming words that the bag does not say; its numbers, drugs and denials have rules of their own."""
    bare = _AVOIDING.sub(" ", without_quantities(text))
    covered = _covered(text, bag)
    return [word for word in claims(bare) if word not in covered and not bag.says(word)]


def _covered(text: str, bag: Bag) -> set[str]:
    # A drug is looked up by its substance, so that a brand or another spelling is no missing word.
    return says_phrase(bag, text) | {word for name in named(text) for word in tokens(name)}


def _ranked(text: str, evidence: Evidence) -> list[tuple[list[str], str]]:
    """Windows with the claims that each leaves out, fewest first, then shortest."""
    ranked = [
        (_missing(text, _bag(window, evidence.title, evidence.heading)), window) for window in _windows(evidence.text)
    ]
    return sorted(ranked, key=lambda item: (len(item[0]), len(item[1])))


def _prove(text: str, evidence: Evidence, asked: str) -> _Proof:
    """The best window of the passage, and what it leaves unproven."""
    best: _Proof | None = None
    for missing, window in _ranked(text, evidence)[:TRIED]:
        if best is not None and missing:
            break  # neither this window nor a later one can prove it
        context = f"{evidence.title}. {evidence.heading}."
        proof = _Proof(_violations(text, window, evidence.text, context, missing, asked), window)
        if not proof.violations:
            return proof
        if best is None or proof.weight < best.weight:
            best = proof
    return best or _Proof((Violation("unsupported", claims(text)),), "")


def _prove_together(text: str, evidences: Sequence[Evidence], asked: str) -> list[str] | None:
    """One window of each passage that together prove the sentence, each with a share that no other has."""
    windows = [ranked[0][1] for e in evidences if (ranked := _ranked(text, e))]
    if len(windows) < len(evidences):
        return None
    passages = "\n".join(e.text for e in evidences)
    context = ". ".join(f"{e.title}. {e.heading}" for e in evidences)
    joined = Bag([*windows, context])
    if _violations(text, "\n".join(windows), passages, context, _missing(text, joined), asked):
        return None
    for left_out in range(len(windows)):
        rest = [w for number, w in enumerate(windows) if number != left_out]
        if not _violations(text, "\n".join(rest), passages, context, _missing(text, Bag([*rest, context])), asked):
            return None
    return windows


def _violations(
    text: str, window: str, passage: str, context: str, missing: list[str], asked: str
) -> tuple[Violation, ...]:
    found: list[Violation] = []
    if missing or (missing := _only_named(text, window, context)):
        found.append(Violation("unsupported", tuple(missing)))
    if numbers := _wrong_numbers(text, window, context):
        found.append(Violation("number", tuple(numbers)))
    if names := drugs(text) - drugs(window) - drugs(context):
        found.append(Violation("drug", tuple(sorted(names))))
    # Another sentence of the passage may be nearer, and deny it.
    if contradicts(text, window) or contradicts(text, passage):
        found.append(Violation("negation"))
    if words := turned(text, window, passage, context):
        found.append(Violation("direction", tuple(words)))
    if groups := _other_population(text, window, context, asked):
        found.append(Violation("population", tuple(sorted(groups))))
    return tuple(found)


def _only_named(text: str, window: str, context: str) -> list[str]:
    """What title and heading leave unsaid, if the window itself says less than half of it."""
    around, inside = _bag(context, "", ""), _bag(window, "", "")
    covered = _covered(text, inside)
    own = [word for word in content(without_quantities(text)) if not around.says(word)]
    unsaid = [word for word in own if word not in covered and not inside.says(word)]
    return unsaid if len(unsaid) * 2 > len(own) else []


def _wrong_numbers(text: str, window: str, context: str) -> list[str]:
    """Numbers of the text that no sentence of the window gives of the same thing."""
    wrong: list[str] = []
    parts = [window[a:b] for a, b in split_plain(window)]
    for clause in _PAUSE.split(text):
        if amounts := quantities(clause):
            near = [part for part in parts if len(parts) == 1 or not _only_named(clause, part, context)]
            wrong += _unmatched(amounts, [q for part in (context, *near) for q in quantities(part)])
    return wrong


def _unmatched(claimed: Sequence[Quantity], given: Sequence[Quantity]) -> list[str]:
    return [
        f"{q.value:g} {q.unit}".strip()
        for q in claimed
        if not any(q.matches(g) or (not q.unit and not g.bound and q.value == g.value) for g in given)
    ]


def _other_population(text: str, window: str, context: str, asked: str) -> frozenset[str]:
    """Groups that the sentence adds, or that its advice drops."""
    claimed, around = populations(text), populations(context)
    added = claimed - populations(window) - around
    giving = _giving(window, quantities(text)) if _ADVICE.search(text) and quantities(text) else []
    if not giving or any(_EVERYONE.search(part) for part, _ in giving):
        return added
    # A dose binds to the group that the source gives it for; on a page about children, to children.
    young = around & _YOUNG if any(q.unit in _DOSED for q in quantities(text)) else frozenset()
    bound = giving[0][1] or young
    if len(bound) != 1:
        return added
    everyone = frozenset({"adults"} if _EVERYONE.search(text) and not claimed else ())
    return added | everyone | (bound - claimed - populations(asked))


def _giving(window: str, amounts: Sequence[Quantity]) -> list[tuple[str, frozenset[str]]]:
    """The sentences of the window that give one of the amounts, each with the groups that it names."""
    parts = [window[a:b] for a, b in split_plain(window)]
    return [(part, populations(part)) for part in parts if not _unmatched(amounts, quantities(part))]
