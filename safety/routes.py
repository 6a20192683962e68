"""Forms that hardly reach the blood: what a rule on tablets is worth for a gel, drops, a spray or an inhaler.

A finding is never taken away, only lowered, and says why; what `data/routes.csv` does not name keeps its severity.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from itertools import zip_longest

from primum.safety import contraindications, interactions
from primum.safety.contraindications import drug_set
from primum.safety.findings import SEVERITIES, Finding, Severity
from primum.safety.lexicon import Mention, members, mentions, substances
from primum.safety.remembered import remembered
from primum.safety.tables import read_table

Local = Mapping[str, frozenset[str]]

_WHERE = {
    "skin": "on the skin", "patch": "as a patch", "eye": "in the eye", "ear": "in the ear", "nose": "in the nose",
    "lung": "inhaled", "mouth": "in the mouth", "vagina": "in the vagina", "rectum": "in the rectum",
    "uterus": "as a coil",
}  # fmt: skip
_NEAR = 40  # letters before a name in which its form may stand
_HAN = re.compile(r"[一-鿿]")
# Between a name and its form, on one line: "1 %", "sodium", "(", "in a". What may part two things ends it:
# "ibuprofen, a cream for my knee", "ibuprofen - cream - tablets", "ibuprofen as a cream did not help".
_BETWEEN = (
    r"-?(?:[ \t(]|\d[\d.,]*\s?(?:%|mg/ml|mg/g|mg|mcg|µg|micrograms?|g\b)?|w/w|\b(?:sodium|potassium|hydrochloride"
    r"|acetate|propionate|dipropionate|furoate|valerate|butyrate|maleate|nitrate|diethylamine|acetonide"
    r"|in(?: an?)?|en(?: una?)?)\b)*"
)
_HOLDS = r"[ \t]*(?:\b(?:of|containing|that contains|de)\b[ \t]*|[(:][ \t]*)$"
_MILLIGRAMS = re.compile(r"\d\s?mg\b(?!/)")
# What makes a gel a capsule, or leaves open whether it is one: "gel caps", "cream or tablets".
_CAPSULE = re.compile(r"[\s-]?(?:caps?\b|capsules?|tabs?\b|tablets?)", re.IGNORECASE)
_SWALLOWED = re.compile(
    r"(?:[^\w.;!?\n]+\w+){0,6}?[^\w.;!?\n]+(?:tablets?|pills?|capsules?|caplets?|syrup|suspension|injections?|infusion"
    r"|by mouth|orally|swallow\w*|intraveno\w+|iv|tabletas?|pastillas?|comprimidos?|cápsulas?|inyecci\w+)\b"
    r"|[^。；！？\n]{0,6}?(?:片剂?|胶囊|口服|注射)",
    re.IGNORECASE,
)
_SWALLOWS = re.compile(r"\b(?:swallow\w*|eat\w*|ate|drink\w*|drank|inject\w*)\s+(?:\w+\s+){0,2}$|口服$", re.IGNORECASE)


@dataclass(frozen=True)
class _Form:
    form: str
    route: str


@dataclass(frozen=True)
class Rule:
    """One row: what is given so keeps at most this severity; `against` is all that it holds for, or nothing for all.

    `against` names other medicines, conditions, kinds of finding and ids of rules.
    """

    id: str
    drugs: frozenset[str]
    routes: frozenset[str]
    most: Severity
    against: frozenset[str]
    others: frozenset[str]
    why: str
    source: str


@cache
def rules() -> tuple[Rule, ...]:
    """Every row of `data/routes.csv`."""
    known = interactions.sources()
    grades: dict[str, Severity] = {grade: grade for grade in SEVERITIES}
    return tuple(
        Rule(
            row["id"], drug_set(row["drugs"]), frozenset(row["routes"].split("|")), grades[row["most"]],
            frozenset(filter(None, row["with"].split("|"))), drug_set(row["with"]) if row["with"] else frozenset(),
            row["why"], "; ".join(known[key] for key in row["source"].split(";")),
        )
        for row in read_table("routes.csv")
    )  # fmt: skip


@cache
def _forms() -> dict[str, dict[str, _Form]]:
    """The written forms by their place: nouns that follow a name, adjectives before it, and brands of one form."""
    found: dict[str, dict[str, _Form]] = {"after": {}, "before": {}, "brand": {}}
    for row in read_table("forms.csv"):
        for place in ("before", "after") if row["place"] == "both" else (row["place"],):
            found[place].setdefault(row["written"].casefold(), _Form(row["form"], row["route"]))
    return found


def _any_of(place: str) -> str:
    longest = sorted(_forms()[place], key=len, reverse=True)
    words = "|".join(re.escape(one) for one in longest if not _HAN.search(one))
    return "|".join([rf"\b(?:{words})(?:e?s)?\b", *(re.escape(one) for one in longest if _HAN.search(one))])


@cache
def _last_words() -> frozenset[str]:
    """The last word of each form: a text with none of them, which most are, names no form."""
    last = {written.split()[-1] for place in ("after", "before") for written in _forms()[place]}
    return frozenset(f"{word}{ending}" for word in last for ending in ("", "s", "es"))


def _may_name_a_form(text: str, named: Sequence[Mention]) -> bool:
    words = re.findall(r"[^\W\d_]+|\d+", text.casefold())
    brands = _forms()["brand"]
    return (
        not _last_words().isdisjoint(words)
        or bool(_HAN.search(text))
        or any(one.written.casefold() in brands for one in named)
    )


@cache
def _patterns() -> tuple[re.Pattern[str], ...]:
    after, before = _any_of("after"), _any_of("before")
    return tuple(
        re.compile(pattern, re.IGNORECASE)
        for pattern in (
            rf"{_BETWEEN}({after})", rf"({before})[ \t]*$", rf"({after}){_HOLDS}", rf"({after})$", rf"^({before})",
        )
    )  # fmt: skip


def form_of(text: str, mention: Mention, until: int | None = None) -> tuple[str, str] | None:
    """The form and the route in which a text names a medicine, if both are clear: ("gel", "skin").

    Args:
        until: where the next medicine is named, whose form is its own.
    """
    following, adjective, holding, last, first = _patterns()
    before, stop = text[max(0, mention.start - _NEAR) : mention.start], mention.stop
    form = _forms()["brand"].get(mention.written.casefold())
    ends = last.search(mention.written)  # "clotrimazole vaginal" is one name, which "cream" goes on with
    if match := following.match(text, mention.start + ends.start() if ends else mention.stop, until or len(text)):
        stop = match.end()
        form = _named(match[1])
        if form and form.route == "skin" and _MILLIGRAMS.search(match[0]):
            form = None  # a strength in milligrams is a capsule's
    for match in (first.search(mention.written), adjective.search(before), holding.search(before)):
        told = _named(match[1]) if match else None
        # "Vaginal estriol cream": a cream is for the skin only if nothing else is said.
        form = told if told and (form is None or form.route == "skin") else form
    if form is None or _CAPSULE.match(text, stop) or _SWALLOWED.match(text, stop, until or len(text)):
        return None
    return None if _SWALLOWS.search(before) else (form.form, form.route)


def _named(written: str) -> _Form | None:
    key = written.casefold()
    keys = (key, key.removesuffix("s"), key.removesuffix("es"))
    return next((forms[one] for one in keys for forms in (_forms()["after"], _forms()["before"]) if one in forms), None)


def local_in(texts: Iterable[str]) -> Local:
    """The medicines that every mention in these texts names in a form with a route of its own, with their routes."""
    found: dict[str, set[str]] = {}
    whole: set[str] = set()
    for text in texts:
        named = mentions(text)
        if not _may_name_a_form(text, named):
            whole.update(name for one in named for name in (one.name, *substances(one.name)))
            continue
        for mention, after in zip_longest(named, named[1:]):
            form = form_of(text, mention, after.start if after else None)
            for name in {mention.name, *substances(mention.name)}:
                if form is None:
                    whole.add(name)
                else:
                    found.setdefault(name, set()).add(form[1])
    return {name: frozenset(routes) for name, routes in found.items() if name not in whole}


def lowered(finding: Finding, local: Local) -> Finding:
    """The finding as it holds for the forms in which its medicines are used; the same one if these change nothing."""
    kind, _, rule_id = finding.rule.partition(".")
    if kind not in ("interaction", "contraindication", "duplicate"):
        return finding
    medicines = finding.subjects[:1] if kind == "contraindication" else finding.subjects
    terms = frozenset({kind, rule_id}) | _terms(rule_id if kind == "contraindication" else "")
    for medicine in medicines:
        if medicine in local:
            others = [other for other in medicines if other != medicine]
            finding = _weighed(finding, medicine, local[medicine], terms, others)
    return finding


def _weighed(
    finding: Finding, medicine: str, routes: frozenset[str], terms: frozenset[str], others: list[str]
) -> Finding:
    met: list[Rule] = []
    for substance in substances(medicine):
        for route in routes:
            matching = [rule for rule in _rules_on(substance, route) if _holds(rule, terms, others)]
            if not matching:
                return finding
            met += matching
    worst = max(met, key=lambda rule: SEVERITIES.index(rule.most))
    if SEVERITIES.index(worst.most) >= SEVERITIES.index(finding.severity):
        return finding
    where = " and ".join(_WHERE[route] for route in sorted(routes))
    text = (
        f"{medicine[:1].upper()}{medicine[1:]} {where}: {worst.why} So this counts as {worst.most} here, "
        f"not {finding.severity}. By mouth or as an injection it would hold in full: {finding.text}"
    )
    source = "; ".join(dict.fromkeys([*finding.source.split("; "), *worst.source.split("; ")]))
    return finding.model_copy(update={"severity": worst.most, "text": text, "source": source})


@remembered(maxsize=4096)
def _rules_on(substance: str, route: str) -> tuple[Rule, ...]:
    inside = members(substance)
    return tuple(
        rule
        for rule in rules()
        if route in rule.routes and (substance in rule.drugs or (inside and inside <= rule.drugs))
    )


def _holds(rule: Rule, terms: frozenset[str], others: list[str]) -> bool:
    if not rule.against or rule.against & terms:
        return True
    return any(not rule.others.isdisjoint({name, *substances(name), *members(name)}) for name in others)


@cache
def _whens() -> dict[str, frozenset[str]]:
    """What each contraindication depends on: conditions, and `pregnant`, `age`, `egfr`, `weeks`."""
    return {rule.id: frozenset(re.findall(r"[a-z][a-z0-9-]*", rule.when)) for rule in contraindications.rules()}


def _terms(rule_id: str) -> frozenset[str]:
    return _whens().get(rule_id, frozenset())
