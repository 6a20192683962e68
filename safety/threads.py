"""Which earlier messages of a thread are about the person and the matter of the newest.

A warning sign may be told in two messages: "my kid has a fever of 39", then "and for a 2 month old?".
"""

import re
from collections.abc import Sequence

from primum.safety.context import normalise
from primum.safety.person import read

TURNS = 4  # messages back; what was said longer ago may be over
_YEARS = 3  # that two ages may differ and still be of one person
_PEOPLE = {
    "self": re.compile(
        r"\bi(?:'m(?! (?:worr|afraid|scared|asking|not sure|wonder|writing))|'ve|'d| feel| felt| had| got"
        r"| can't breathe)\b|\bmy (?:own |left |right |lower |upper )?(?:head|chest|heart|belly|stomach|skin|legs?"
        r"|arms?|back|neck|throat|eyes?|face|lips?|tongue|hands?|f(?:oo|ee)t|breath\w*|temperature|fever|blood|urine"
        r"|period)\b|\b(?:tengo|siento|estoy|me duele)\b"
        r"|我(?!的?(?:们|家|妈|爸|儿|女|孩|宝|老|奶|爷|外|朋|姐|妹|哥|弟|婆|男|丈|妻))"
    ),
    "mother": re.compile(r"\b(?:mother|mom|mum|mummy|mommy|madre|mama)\b|妈|母亲"),
    "father": re.compile(r"\b(?:father|dad|daddy|padre|papa)\b|爸|父亲"),
    "grandmother": re.compile(r"\b(?:grandmother|grandma|granny|gran|nan|nana|abuela)\b|奶奶|外婆|姥姥"),
    "grandfather": re.compile(r"\b(?:grandfather|grandpa|grandad|granddad|abuelo)\b|爷爷|外公|姥爷"),
    "son": re.compile(r"\b(?:son|boy|hijo|nino)\b|儿子"),
    "daughter": re.compile(r"\b(?:daughter|girl|hija|nina)\b|女儿"),
    "child": re.compile(r"\b(?:child|kid|baby|toddler|infant|newborn|little one|bebe)\b|孩|宝宝|婴儿"),
    "wife": re.compile(r"\b(?:wife|girlfriend|esposa|mujer|novia)\b|老婆|妻子"),
    "husband": re.compile(r"\b(?:husband|boyfriend|esposo|marido|novio)\b|老公|丈夫"),
    "brother": re.compile(r"\b(?:brother|hermano)\b|哥哥|弟弟"),
    "sister": re.compile(r"\b(?:sister|hermana)\b|姐姐|妹妹"),
    "friend": re.compile(r"\b(?:friend|neighbou?r|colleague|roommate|flatmate|amig[oa]|vecin[oa])\b|朋友|邻居|同事"),
    "third": re.compile(r"\b(?:he|he's|she|she's|him|his|hers?|they|them)\b|他|她"),
}
_CHILDREN = frozenset({"son", "daughter", "child"})
_I = re.compile(r"\b(?:i|i'm|i've|me|my|mine)\b|我")
_ANOTHER = re.compile(
    r"\b(?:he|she|him|his|hers?|patients?|parents?|partner|aunt|uncle|niece|nephew|children|kids|babies"
    r"|give|giving|prescribe)\b|他|她|患者|病人"
)
_NEW_MATTER = re.compile(
    r"\b(?:(?:an)?other|different|new|unrelated|separate|next) (?:question|topic|subject|patient|case|matter|person)\b"
    r"|\bon another note\b|\bsomething else\b|\b(?:otra (?:pregunta|cosa)|otro (?:tema|paciente)|cambiando de tema)\b"
    r"|换个|另一个|另外问"
)


def together(message: str, earlier: Sequence[str]) -> list[str]:
    """The latest of the earlier messages that are about whom the message is about, in their order."""
    plain = normalise(message)
    if _NEW_MATTER.search(plain):
        return []
    people, ages, sexes, found = _people(plain), read(message).ages, {read(message).sex} - {None}, list[str]()
    for one in reversed(earlier[-TURNS:]):
        plain, who = normalise(one), read(one)
        same_age = not ages or not who.ages or any(abs(a - b) <= _YEARS for a in ages for b in who.ages)
        same_sex = not sexes or who.sex is None or who.sex in sexes
        if same_age and same_sex and _same(people, _people(plain)):
            found.append(one)
            people, ages, sexes = people | _people(plain), ages or who.ages, sexes | ({who.sex} - {None})
        if _NEW_MATTER.search(plain):
            break
    return found[::-1]


def of_oneself(message: str) -> bool:
    """Whether a message asks for who writes it: it says "I", and names nobody else whom that could be for."""
    plain = normalise(message)
    return bool(_I.search(plain)) and not _ANOTHER.search(plain) and not _people(plain) - {"self", "third"}


def _people(plain: str) -> frozenset[str]:
    """Whom a normalised text names."""
    return frozenset(person for person, words in _PEOPLE.items() if words.search(plain))


def _same(ones: frozenset[str], others: frozenset[str]) -> bool:
    """Whether two messages may be about the same person; one that names nobody may be about anyone."""
    if not ones or not others or ones & others - {"third"}:
        return True
    named = [people - {"third"} for people in (ones, others)]
    if "third" in ones | others and not all(named):
        return "self" not in named[0] | named[1] or bool((named[0] | named[1]) - {"self"})
    children = [people & _CHILDREN for people in (ones, others)]
    return all(children) and "child" in children[0] | children[1]
