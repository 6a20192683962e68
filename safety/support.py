"""The support check: does the passage that a sentence cites prove it?

It is the only place that decides this. Critique reports with it, refine keeps a revision by it, respond takes
out what still fails it. A clinical sentence is proven when one to three neighbouring sentences of a cited
passage, under the passage's title and heading,

* say each of its claiming words, a synonym or a word of the same family, and half of all that title and heading
  leave unsaid (all of it, where that has no claiming word);
* give each of its numbers, with the same unit and no opposite bound;
* name each of its drugs;
* affirm what it affirms and deny what it denies, as the passage's nearest clause does;
* turn nothing round: what is raised is not lowered;
* permit what it permits: a lower dose, or another medicine, is no leave to take this one;
* tell of people, not of one person: a library knows nobody;
* speak of the population that it speaks of.

What is not shown to hold counts as unproven.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from primum.safety.clinical import asserts, is_clinical, only_leads
from primum.safety.lexicon import drugs, named
from primum.safety.opposites import turned
from primum.safety.permission import granted, permits
from primum.safety.polarity import contradicts
from primum.safety.populations import populations
from primum.safety.remembered import remembered
from primum.safety.sentences import Sentence, split_plain
from primum.safety.units import Quantity, quantities, without_quantities
from primum.safety.words import Bag, claims, content, is_common, says_phrase, tokens

RULES_VERSION = "support-4"
NEAR = 0.7  # of what the nearest sentence of a window says, so that another counts beside it
TRIED = 12  # windows of a passage, those that leave out least first

_EVERYONE = re.compile(r"\b(?:(?<!older )adults?|everyone|all ages)\b", re.IGNORECASE)
_AVOIDING = re.compile(r"\b(?:avoid(?:ed|ing|s)?|contraindicated|refrain)\b", re.IGNORECASE)
_PAUSE = re.compile(r"[,;:]\s|\s[–—(]")
_MOTHERS = frozenset({"pregnancy", "breastfeeding"})
_YOUNG = frozenset({"children", "infants"})
_DOSED = frozenset({"kilogram", "meter ** 3", "tablet", "puff", "drop", "iu", "1 / second"})
# "They have taken it with an allergy": what the question told of someone, as if a passage had said it.
_OF_SOMEBODY = re.compile(
    r"^\W*(?:(?:yes|no),? )?(?:(?:the|this) (?:person|patient|user|reader|individual)|they|he|she|you)(?:"
    r"(?: has| have| had|['’]ve)(?: already| also)* (?:been (?:taking|using|told)|taken|used|asked|told|said|mentioned)"
    r"|(?: is| are| was| were|['’]re)(?: already| also| currently)* (?:taking|using|asking|asked|told|allergic to)"
    r"| (?:asks?|wants|mentions))\b|^\W*(?:I|my)\b(?! (?:doctor|library))",
    re.IGNORECASE,
)
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
    return list(_checked(tuple(sentences), tuple(passages.items()), asked))


@remembered(maxsize=64)
def _checked(
    sentences: tuple[Sentence, ...], numbered: tuple[tuple[int, Evidence], ...], asked: str
) -> tuple[Verdict, ...]:
    """A draft is judged when it is written, audited and shown, each time against the same passages."""
    passages = dict(numbered)
    everything = Bag.of([part for e in passages.values() for part in (e.title, e.heading, e.text)])
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
    return tuple(verdicts)


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


@dataclass(frozen=True)
class _Window:
    """One to three sentences of a passage in a row, under its title and heading."""

    text: str
    parts: tuple[str, ...]
    bag: Bag


@remembered(maxsize=2048)
def _parts(text: str) -> tuple[str, ...]:
    return tuple(text[a:b] for a, b in split_plain(text))


@remembered(maxsize=1024)
def _windows(evidence: Evidence) -> tuple[_Window, ...]:
    spans = split_plain(evidence.text)
    runs = [spans[first : first + size] for size in (1, 2, 3) for first in range(len(spans) - size + 1)]
    windows = []
    for run in runs:
        parts = tuple(evidence.text[a:b] for a, b in run)
        bag = Bag.of([*parts, evidence.title, evidence.heading])
        windows.append(_Window(evidence.text[run[0][0] : run[-1][1]], parts, bag))
    return tuple(windows)


def _missing(text: str, bag: Bag) -> list[str]:
    """Claiming words that the bag does not say; its numbers, drugs and denials have rules of their own."""
    bare = _AVOIDING.sub(" ", without_quantities(text))
    covered = _covered(text, bag)
    return [word for word in claims(bare) if word not in covered and not bag.says(word)]


def _covered(text: str, bag: Bag) -> set[str]:
    # A drug is looked up by its substance, so that a brand or another spelling is no missing word.
    return says_phrase(bag, text) | {word for name in named(text) for word in tokens(name)}


def _ranked(text: str, evidence: Evidence) -> list[tuple[list[str], _Window]]:
    """Windows with the claims that each leaves out, fewest first, then shortest."""
    ranked = [(_missing(text, window.bag), window) for window in _windows(evidence)]
    return sorted(ranked, key=lambda item: (len(item[0]), len(item[1].text)))


@remembered(maxsize=16384)
def _prove(text: str, evidence: Evidence, asked: str) -> _Proof:
    """The best window of the passage, and what it leaves unproven."""
    if not content(text) and not quantities(text):
        return _Proof((Violation("unsupported", (text,)),), "")  # "Yes." can't be looked up
    best: _Proof | None = None
    context = f"{evidence.title}. {evidence.heading}."
    for missing, window in _ranked(text, evidence)[:TRIED]:
        if best is not None and missing:
            break  # neither this window nor a later one can prove it
        proof = _Proof(_violations(text, window, _parts(evidence.text), context, missing, asked), window.text)
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
    passages = tuple(part for e in evidences for part in _parts(e.text))
    context = ". ".join(f"{e.title}. {e.heading}" for e in evidences)

    def proves(some: Sequence[_Window]) -> bool:
        parts = tuple(part for window in some for part in window.parts)
        joined = _Window("\n".join(window.text for window in some), parts, Bag.of([*parts, context]))
        return not _violations(text, joined, passages, context, _missing(text, joined.bag), asked)

    if not proves(windows) or any(proves([w for w in windows if w is not left_out]) for left_out in windows):
        return None
    return [window.text for window in windows]


def _violations(
    text: str, window: _Window, passage: tuple[str, ...], context: str, missing: list[str], asked: str
) -> tuple[Violation, ...]:
    found: list[Violation] = []
    if missing or (missing := _only_named(text, window, context)):
        found.append(Violation("unsupported", tuple(missing)))
    if numbers := _wrong_numbers(text, window, context):
        found.append(Violation("number", tuple(numbers)))
    near = _near(text, window.parts, context) or window.parts
    if names := drugs(text).difference(drugs(context), *map(drugs, near)):
        found.append(Violation("drug", tuple(sorted(names))))
    # Another sentence of the passage may be nearer, and deny it.
    if contradicts(text, window.parts) or contradicts(text, passage):
        found.append(Violation("negation"))
    if words := turned(text, near, passage, context):
        found.append(Violation("direction", tuple(words)))
    if permits(text, asked) and not granted(text, near, context):
        found.append(Violation("permission"))
    if _OF_SOMEBODY.search(text) and not any(map(_OF_SOMEBODY.search, near)):
        found.append(Violation("somebody"))
    if groups := _other_population(text, near, context, asked):
        found.append(Violation("population", tuple(sorted(groups))))
    return tuple(found)


@remembered(maxsize=16384)
def _near(text: str, parts: tuple[str, ...], context: str) -> tuple[str, ...]:
    """The sentences that the text rests on, not those that only stand beside them."""
    if len(parts) < 2:
        return parts
    own = _own(text, context)
    said = [len(own) - len(_unsaid(text, own, Bag.of([part]))) for part in parts]
    least = max(len(own) / 2, NEAR * max(said))
    return tuple(part for part, words in zip(parts, said, strict=True) if words >= least)


def _only_named(text: str, window: _Window, context: str) -> list[str]:
    """What title and heading leave unsaid, if what the window itself asserts says less than half of it.

    Of general words alone, which may be put together anyhow ("report the number of burns"), it must say all.
    """
    own = _own(text, context)
    unsaid = _unsaid(text, own, Bag.of([part for part in window.parts if asserts(part)]))
    claiming = not all(map(is_common, own))
    return unsaid if len(unsaid) * 2 > (len(own) if claiming else 0) else []


@remembered(maxsize=8192)
def _own(text: str, context: str) -> tuple[str, ...]:
    """The words of the text that title and heading do not say."""
    around = Bag.of([context])
    return tuple(word for word in content(without_quantities(text)) if not around.says(word))


def _unsaid(text: str, own: Sequence[str], inside: Bag) -> list[str]:
    covered = _covered(text, inside)
    return [word for word in own if word not in covered and not inside.says(word)]


def _wrong_numbers(text: str, window: _Window, context: str) -> list[str]:
    """Numbers of the text that no sentence of the window gives of the same thing."""
    wrong: list[str] = []
    for clause in _PAUSE.split(text):
        if amounts := quantities(clause):
            sources = (context, *_near(clause, window.parts, context))
            wrong += _unmatched(amounts, [q for part in sources for q in quantities(part)])
    return wrong


def _unmatched(claimed: Sequence[Quantity], given: Sequence[Quantity]) -> list[str]:
    return [
        f"{q.value:g} {q.unit}".strip()
        for q in claimed
        if not any(q.matches(g) or (not q.unit and not g.bound and q.value == g.value) for g in given)
    ]


def _other_population(text: str, near: Sequence[str], context: str, asked: str) -> frozenset[str]:
    """Groups that the sentence adds, or that its advice drops."""
    claimed, around = populations(text), populations(context)
    named = frozenset().union(*map(populations, near))
    # On a page about both, a sentence about the one does not speak of the other.
    added = claimed - named - (around - _MOTHERS if named & _MOTHERS else around)
    # Adults are people, unless children are meant.
    if _EVERYONE.search(text) and not any(map(_EVERYONE.search, (context, *near))) and (named | around) & _YOUNG:
        added |= {"adults"}
    giving = _giving(near, quantities(text)) if _ADVICE.search(text) and quantities(text) else []
    if not giving or any(_EVERYONE.search(part) for part, _ in giving):
        return added
    # A dose binds to the group that the source gives it for; on a page about children, to children.
    young = around & _YOUNG if any(q.unit in _DOSED for q in quantities(text)) else frozenset()
    bound = giving[0][1] or young
    if len(bound) != 1:
        return added
    return added | (bound - claimed - populations(asked))


def _giving(near: Sequence[str], amounts: Sequence[Quantity]) -> list[tuple[str, frozenset[str]]]:
    """The sentences that give one of the amounts, each with the groups that it names."""
    return [(part, populations(part)) for part in near if not _unmatched(amounts, quantities(part))]
