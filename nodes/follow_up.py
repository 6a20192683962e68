"""Which questions lean on the conversation, and what they ask once it is said with them: by rules, without a model."""

import re
from collections.abc import Sequence

from primum.graph.state import Exchange
from primum.nodes.examples import telling
from primum.retrieval.terms import expand
from primum.safety.language import Language, detect
from primum.safety.lexicon import mentions
from primum.safety.populations import populations, regardless
from primum.safety.words import Bag, claims, stem

# Words that point back into the conversation.
_POINTS_BACK: dict[Language, re.Pattern[str]] = {
    "en": re.compile(
        r"\b(?:it|its|that|this|these|those|they|them|he|she|him|her|there|one|ones|same|instead|too|also|else|more)\b"
        r"|^\W*(?:and|but|or|so|then|(?:what|how) (?:about|if))\b",
        re.IGNORECASE,
    ),
    "zh": re.compile(r"^(?:那|还有|如果是|换成|对于|但)|[它他她]|这[个种些药病]|那[个种些]|也(?:可以|能|会|是|要)"),
    "es": re.compile(
        r"^\W*(?:y|pero|o|entonces|además)\b|\b(?:eso|esto|esa|ese|ello|ellos|ella|él|lo mismo|también|tampoco)\b",
        re.IGNORECASE,
    ),
}
# What a question may ask of anything: who says no more speaks of what was said before.
_ASPECTS = frozenset(
    map(
        stem,
        "symptoms signs warning treatment treat cure causes risk risks factors prevention prevent side effects dose "
        "maximum take drink safe dangerous serious contraindications interactions missed overdose diagnosis diagnose "
        "test help aid contagious spread complications prognosis medical eat diet foods avoid normal range medicine "
        "tablet together long often much work".split(),
    )
)
# What stands for the subject, and the word that says of which kind it is.
_PRONOUN = re.compile(
    r"\b(?:it|they|them|(?P<own>its|their)|(?:this|that|these|those)"
    r"(?: (?:medicines?|medications?|drugs?|tablets?|pills?|illness|disease|condition|problem|infection))?)\b",
    re.IGNORECASE,
)
_OPENING = re.compile(r"^\W*(?:(?:and|but|or|so|then|ok|okay|(?:what|how) about)\b\W*)+", re.IGNORECASE)
_AMONG = re.compile(r"(?:in|for|during|while|when|at)\b", re.IGNORECASE)
_TAKEN = frozenset({"alcohol", "caffeine", "nicotine"})  # beside a medicine, not for one
_LONGEST = 8  # words of a subject; what is longer is a story


def points_back(question: str, before: Sequence[Exchange] = ()) -> bool:
    """Whether a question leans on what was said before.

    By a pronoun or an opening "and"; or it names nothing of its own to search for: no claiming word, or one alone
    that is a group of people ("in pregnancy?") or was told already ("does the rash itch?").
    """
    language = language_of(question, before)
    if _POINTS_BACK[language].search(question):
        return True
    own = own_words(expand(question, language).english)
    if len(own) > 1 or all(populations(word) for word in own):
        return len(own) <= 1
    told = Bag.of(f"{one['question']} {one['answer']}" for one in before)
    return bool(populations(question) or (re.search(rf"\bthe {own[0]}", question, re.IGNORECASE) and told.says(own[0])))


def language_of(question: str, before: Sequence[Exchange]) -> Language:
    """The question's language; of one that tells none, the thread's."""
    return detect(question, *(one["question"] for one in before))


def own_words(english: str) -> list[str]:
    """The words that say what a question is about."""
    return [word for word in claims(english) if stem(word) not in _ASPECTS]


def subject_of(history: Sequence[Exchange]) -> str:
    """What the thread is about, as a question that stands alone; empty if nothing was asked."""
    about = ""
    for number, exchange in enumerate(history):
        asked = exchange["question"]
        if not about or not points_back(asked, history[:number]):
            about = asked
        elif telling(asked) and (len(parts := joined(about, asked)) == 1 or detect(asked, about) == "en"):
            about = " ".join(parts)
    return about


def joined(about: str, question: str) -> list[str]:
    """A question that points back, said with what it is about: in one piece, or in two.

    A medicine takes the place of another, and people that of others. Where something else is asked of the same
    thing, the thing is taken over, and not what was asked of it before.
    """
    language = detect(question, about)
    english = expand(question, language).english
    aspects = [word for word in telling(english) if stem(word) in _ASPECTS]
    named, before = mentions(question), mentions(about)
    if len(named) == len(before) == 1 and not aspects and len(own_words(english)) == 1 and named[0].name not in _TAKEN:
        return [about[: before[0].start] + named[0].written + about[before[0].stop :]]
    if (language, detect(about)) != ("en", "en"):
        return [about, question]
    subject, rest = _subject(about), _OPENING.sub("", question)
    if subject and (place := _PRONOUN.search(rest)):
        return [rest[: place.start()] + subject + ("'s" if place["own"] else "") + rest[place.end() :]]
    asks_of_others = _AMONG.match(rest) and not aspects
    if not subject or asks_of_others or not telling(question):
        return [regardless(about) if asks_of_others else about, question]
    return [f"{subject}: {rest}"]


def _subject(about: str) -> str:
    """The words of a question that name what it is about, as they stand in it; nothing if it is a story."""
    own = {word for word in own_words(about) if not populations(word)}
    words = [*re.finditer(r"[\w'’-]+", about)]
    places = [number for number, word in enumerate(words) if own & {*re.split(r"['’]", word.group().lower())}]
    if not places:
        return ""
    first, last = places[0], places[-1]
    while first and _belongs(words[first - 1].group()):  # "type 2 diabetes"
        first -= 1
    return about[words[first].start() : words[last].end()] if last - first < _LONGEST else ""


def _belongs(word: str) -> bool:
    return word.isdigit() or bool(telling(word) and stem(word.lower()) not in _ASPECTS and not populations(word))
