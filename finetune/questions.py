"""Questions as people ask them: of a page's title and heading, and another way to put a question."""

import re

from primum.retrieval.source import Source

# What a heading tells, and how one asks for it. {x} is the page's subject.
_ASKED = (
    (r"(?:symptoms?|signs?|symptoms and signs|warning signs)", (
        "What are the symptoms of {x}?", "How do I know if I have {x}?", "Which signs point to {x}?",
        "What {does} {x} feel like?")),
    (r"treatments?|treatments that help", (
        "How {is} {x} treated?", "What treatments are there for {x}?", "What helps against {x}?",
        "What can a doctor do about {x}?")),
    (r"what you can do|self-care|staying well", (
        "What can I do myself about {x}?", "How can I help myself with {x}?", "What should I do at home for {x}?")),
    (r"(?:common )?causes", ("What causes {x}?", "Why do people get {x}?", "Where {does} {x} come from?")),
    (r"causes and risks|causes and risk factors", (
        "What causes {x}?", "Who is at risk of {x}?", "Why do people get {x}?")),
    (r"who is at (?:higher )?risk", ("Who is at risk of {x}?", "Who is more likely to get {x}?")),
    (r"diagnosis|tests?|testing", (
        "How {is} {x} diagnosed?", "How do doctors recognise {x}?", "How does one test for {x}?")),
    (r"diagnosis and treatment", ("How {is} {x} diagnosed and treated?", "What will a doctor do about {x}?")),
    (r"prevention|how to prevent it", ("How can I prevent {x}?", "How do I lower my risk of {x}?")),
    (r"how it spreads", ("How {does} {x} spread?", "Can I catch {x} from others?", "How does one catch {x}?")),
    (r"what to do now|first aid", (
        "What should I do about {x} right now?", "What is the first aid for {x}?", "What do I do first for {x}?")),
    (r"what not to do|what to avoid", ("What should I not do with {x}?", "What should be avoided with {x}?")),
    (r"recovery", ("What is recovery from {x} like?", "What happens after {x}?")),
    (r"side effects", (
        "What are the side effects of {x}?", "Which side effects can {x} have?",
        "What can {x} do to me besides helping?")),
    (r"how to (?:take|use) it", ("How should I take {x}?", "How {is} {x} taken?", "How do I use {x} correctly?")),
    (r"what it is for|uses", ("What {is} {x} used for?", "What {is} {x} for?", "When {is} {x} prescribed?")),
    (r"who should not (?:take|have|use) it", (
        "Who should not take {x}?", "For whom {is} {x} not suitable?", "When should {x} not be taken?")),
    (r"with other medicines|interactions", (
        "Which medicines do not go with {x}?", "Can I take {x} with other medicines?",
        "What {does} {x} interact with?")),
    (r"pregnancy and breastfeeding", (
        "How safe {is} {x} in pregnancy and while breastfeeding?", "I am pregnant. What should I know about {x}?",
        "Can {x} be used when pregnant or breastfeeding?")),
    (r"pregnancy", ("What should I know about {x} in pregnancy?", "How {does} {x} affect a pregnancy?")),
    (r"when to get medical help|when to see a doctor", (
        "When should I see a doctor about {x}?", "When {does} {x} need medical help?",
        "When {is} {x} an emergency?")),
    (r"", ("What {is} {x}?", "Can you explain {x}?", "What should I know about {x}?")),
)  # fmt: skip
_PATTERNS = [(re.compile(pattern, re.IGNORECASE), templates) for pattern, templates in _ASKED]
_BRACKETS = re.compile(r"\s*\([^()]*\)")
_SINGULAR = frozenset("diabetes measles shingles herpes scabies rabies mumps rickets hiccups".split())
_ASKING = re.compile(r"(?:what|which|who|when|where|how|why|is|are|can|does|do|should)\b", re.IGNORECASE)

# What a page may leave out: the question, the words that would show that it does not, the kinds of page it fits.
_BESIDE = (
    ("How {is} {x} diagnosed?", r"diagnos|tests?\b|scan|x-ray|blood|examin", {"condition", "child", "symptom"}),
    ("Can I catch {x} from others?", r"contagi|spread|catch|infect|pass(?:es|ed)? (?:on|to)", {"condition", "child"}),
    ("Can one inherit {x}?", r"famil|inherit|gene|parent|relative", {"condition", "mental_health", "symptom"}),
    ("How much does treatment of {x} cost?", r"\bcosts?\b|pric|free of charge|pay", {"condition", "child"}),
    ("How much {does} {x} cost?", r"\bcosts?\b|pric|free of charge|pay", {"medicine"}),
    ("Can I drink alcohol with {x}?", r"alcohol|drink", {"medicine"}),
    ("Can I drive while taking {x}?", r"driv|machin|drows", {"medicine"}),
    ("Which foods go badly with {x}?", r"food|diet|grapefruit|\beat", {"medicine", "condition"}),
    ("Can I fly with {x}?", r"\bfly|flight|travel|plane", {"condition", "pregnancy", "mental_health"}),
    ("How many people have {x}?", r"\bone in\b|people (?:have|get)|million|per cent|%|common", {"condition", "child"}),
)  # fmt: skip
_BESIDES = [(question, re.compile(shown, re.IGNORECASE), kinds) for question, shown, kinds in _BESIDE]


def subject(source: Source) -> str:
    """A page's title as it stands in a sentence: in small letters, unless the page itself writes it otherwise."""
    title = _BRACKETS.sub("", source.title).strip()
    first = title.partition(" ")[0]
    if first[1:] != first[1:].lower() or re.search(rf"\b{re.escape(first)}\b", _mid_sentence(source.text)):
        return title
    return title[:1].lower() + title[1:]


def _mid_sentence(text: str) -> str:
    """Only what stands inside sentences: each word that follows a small letter or a comma."""
    return " ".join(re.findall(r"(?<=[a-z,] )\S+", text))


def asked_of(name: str, heading: str) -> list[str]:
    """The ways to ask for what a section tells; `heading` is empty for what opens the page."""
    last = heading.rpartition(" – ")[2].strip()
    if last.endswith("?"):
        return [last if name.lower() in last.lower() else f"{name[:1].upper()}{name[1:]}: {last}"]
    found = next((templates for pattern, templates in _PATTERNS if pattern.fullmatch(last)), None)
    if found:
        return [_filled(template, name) for template in found]
    small = last[:1].lower() + last[1:] if last[1:2].islower() else last
    if name.lower() in small.lower():
        return [f"What should I know about {small}?", f"Can you tell me about {small}?"]
    if small.startswith(("in ", "for ", "during ", "at ")):
        return [f"What should I know about {name} {small}?", f"Can you tell me about {name} {small}?"]
    if _ASKING.match(last):
        return [f"I would like to know about {name}: {small}."]
    return [f"What should I know about {name}: {small}?", f"What about {name}: {small}?"]


def beside(source: Source, name: str) -> list[str]:
    """Questions about the page's subject that nothing on the page answers."""
    return [
        _filled(question, name)
        for question, shown, kinds in _BESIDES
        if source.kind in kinds and not shown.search(source.text)
    ]


def rephrased(question: str) -> list[str]:
    """Other ways to put a question that one of our templates makes; none for any other question."""
    for templates, template, pattern in _SHAPES:
        found = pattern.fullmatch(question.strip())
        if found and _is_name(found["x"]):
            return [_filled(other, found["x"]) for other in templates if other != template]
    return []


def _filled(template: str, name: str) -> str:
    many = _is_plural(name)
    return template.format(x=name, **{"is": "are" if many else "is", "does": "do" if many else "does"})


def _is_plural(name: str) -> bool:
    """Whether a name is of several things, as far as its form tells: `beta-blockers`, but not `diabetes`."""
    head = re.split(r" (?:in|for|of) ", name.lower())[0]
    last = head.split()[-1] if head.split() else ""
    singular = last in _SINGULAR or last.endswith(("ss", "is", "us", "'s", "’s"))
    return " and " in head or (last.endswith("s") and not singular and len(last) > 3)


def _shape(template: str) -> re.Pattern[str]:
    """What a question made of this template looks like."""
    escaped = re.escape(template).replace(r"\{x\}", "(?P<x>.+)")
    return re.compile(escaped.replace(r"\{is\}", "(?:is|are)").replace(r"\{does\}", "(?:do|does)"), re.IGNORECASE)


_SHAPES = [(templates, template, _shape(template)) for _, templates in _ASKED for template in templates]


def _is_name(text: str) -> bool:
    """Whether what stands in a template's gap is a name: short, one clause."""
    return len(text.split()) <= 6 and not re.search(r"[?.,;:!]|\b(?:and|or|that|which|when|if)\b", text)
