"""What a message says of the person besides allergies and medicines: body, conditions, family, habits, laboratory."""

import re
from collections.abc import Callable, Iterable, Iterator
from datetime import date, timedelta
from functools import cache
from typing import Any, NamedTuple

from primum.memory.clauses import Clause, Message, Place, Told, outside
from primum.memory.dates import When, dates, told_of
from primum.memory.facts import Kind
from primum.memory.languages import CODES
from primum.safety.finder import Finder
from primum.safety.person import Person, read
from primum.safety.phrases import Phrases
from primum.safety.tables import read_table
from primum.safety.units import NUMBER, number, numbers

_NOT = re.compile(
    r"\b(?:no|not|never|n't|without|neither|nor|don't|doesn't|isn't|haven't|hasn't|didn't|denies|sin|nunca|niego"
    r"|ni)\b|n't\b|没有?|无|不|未|否认"
)
_DOUBT = re.compile(r"\b(?:could|might|may|maybe|perhaps|possibly|trying|hope|hoping|want|planning|think i|worr\w+"
    r"|afraid|wonder"
                    r"|risk|suspect\w*|test(?:ed|s)?|quiero|quizas?|podria|creo)\b|可能|想|怀疑|备孕|计划")  # fmt: skip
_WAS = re.compile(
    r"\b(?:was|were|had been|when i|as a (?:child|kid|teenager)|used to|estaba|era|cuando|been(?= $)|at(?= (?:the "
    r"|age |about |around |of )*$)|since(?= (?:i was |age )*$))\b|以前|曾经|小时候"
)
_OF_A_CHILD = re.compile(
    r"[^,.;]{0,20}?\bold(?: \w+)? (?:baby|infant|toddler|child|kid|son|daughter|boy|girl|twins?|puppy|dog|cat|nephew"
    r"|niece|grand\w+)\b"
    r"|[^,.;]{0,12}?的?(?:宝宝|孩子|儿子|女儿|婴儿)"
)
_MEANT = re.compile(
    r"\W*(?:(?:sorry|no|oops|wait|perdon)\W+)*(?:i meant?|i mean|quise decir|make that)(?: to say)?\W+(?P<n>\d{1,3})"
    r"(?: years?(?: old)?| anos)?\W*$"
)
_NO_MEASURE = re.compile(r"(?:\b(?:not|no)(?: (?:an?|de|tengo))?|不是?) ?$")
_SEX = Finder(
    r"\b(?:i'm|i am|im|soy|as|sex|gender|i was born|sexo)(?: is|:)? (?:an? |una? )?(?:[\w-]+ ){0,5}?(?P<sex>woman"
    r"|female|girl|lady|man|male|guy|boy|gentleman|mujer|hombre|varon)\b(?! (?:friend|doctor|who))"
    r"|(?P<short>(?<![\d.,])[1-9]\d(?P<gap> ?)(?:yo? ?|y/o )?"
    r"(?:f|m|female|male)\b)|(?:我是|性别)[::]?(?:一?[名个位])?[^,。]{0,6}?(?P<han>女|男)"
)
# A message that begins as a note does: `F, 34`, `34 years old, female`.
_OLD = r"(?: ?(?:years?(?: old)?|yrs?(?: old)?|y/?o))?"
_ONE_SEX = "f|m|female|male|woman|man"
_NOTED = re.compile(
    rf"\W*(?:(?:i am|i'm|im) )?(?:(?P<of>{_ONE_SEX}),? (?:aged? )?(?P<years>[1-9]\d{{0,2}}){_OLD}"
    rf"|(?:aged? )?[1-9]\d{{0,2}}{_OLD}, ?(?P<sex>{_ONE_SEX}))(?=\W*$|[,;.:]| (?:with|and|here|on|taking)\b)"
)
_FEMALE = frozenset("woman female girl lady mujer 女 f".split())
_NOT_PREGNANT = Finder(
    r"\b(?:not|never been|isn't|no|n't|wasn't|am not) (?:\w+ ){0,2}?(?:pregnan\w+|embarazad\w|expecting)\b"
    r"|\bpregnancy test(?: \w+){0,2}? (?:was|is|came back|were) negative|\bnegative pregnancy test|没有?怀孕|未怀孕"
    r"|没怀上"
    r"|不再?怀孕|不是孕妇"
)
_BIRTH = Finder(
    r"\b(?:gave birth|had (?:my|the|our|a) baby|delivered (?:my|the|our|a) baby|miscarried|had (?:a miscarriage"
    r"|an abortion)"
    r"|lost the (?:baby|pregnancy)|(?:days?|weeks?) post-?partum|di a luz|perdi el bebe|tuve (?:a )?(?:mi|un"
    r"|el|una) (?:bebe|hij[oa])|(?:tuve un|me hice un) aborto"
    r"|aborte)\b|生了|生完|流产"
)
_EARLIER = re.compile(
    r"\b(?:before|previous\w*|earlier|in the past|once|twice|two|three|several|when|first|antes|cuando)\b|以前|曾"
)
_MAY = re.compile(
    r"^(?!.*\b(?:if|whether|can|could i|trying|si)\b).*\b(?:i (?:might|may|could|think|suspect)|maybe i|perhaps i"
    r"|podria|creo que|quizas?)\b"
    r"|^(?!.*(?:如果|吗|想|备孕)).*我?(?:可能|怀疑|好像)"
)
_DAYS_AFTER_BIRTH = 90
_PREGNANT = Finder(
    r"\b(?:pregnant|expecting (?:a baby|our|my|twins)|embarazada|gestante|\d{1,2} (?:weeks|wks) (?:along|gestation)"
    r"|in (?:my|the) (?:first|second|third|1st|2nd|3rd) trimester"
    r"|(?:my|a|this|positive) (?:\w+ )?pregnancy(?! tests? (?:was |is )?neg))\b|怀孕|孕妇|妊娠|孕\d+周|怀着"
)
_MONTHS_PREGNANT = Finder(
    rf"(?P<n>{NUMBER}) months? (?:pregnant|along)\b|\bembarazada de (?P<es>{NUMBER}) meses\b"
    rf"|怀孕(?:已经?)?(?P<han>{NUMBER})个月"
)
_WEEKS_A_MONTH = 4.345
_OF_ONESELF = re.compile(
    r"\b(?:i|i'm|im|i've|my|me|yo|estoy|soy|tengo|as a|she|she's)\b|我"
    r"|孕(?:已经?)?(?:了|有|\d|[一二三四五六七八九十两])|怀着|^\W*(?:yes,? )?(?:\d+ (?:weeks"
    r"|wks) )?(?:pregnan|embaraz|along)"
)
_NURSING = Finder(
    r"\b(?:breast-? ?feed(?:ing|s)?|nurs(?:e|ing) (?:my|a|the|our) (?:\w+ )?(?:baby|newborn|son|daughter|infant)"
    r"|lactating|amamant\w+|dando (?:el )?pecho|lactancia|dando de mamar|doy (?:el )?pecho|(?P<over>weaned (?:my|the"
    r"|our|him|her)(?: \w+)?|destete))\b|哺乳|母乳喂养|喂奶"
    r"|喂母乳"
)
_STOPPED = re.compile(r"\b(?:stopped|quit|no longer|finished|gave up|weaned|ya no|dej[eo]|not any ?more|former|ex-?"
    r"|past|used to)"
                      r"|不再|停|戒")  # fmt: skip
_QUIT = re.compile(
    r"\W*(?:(?:and|but|because|since|as|porque|pues)\b\W*)*(?:i|yo)?(?:'ve| have)? ?(?:quit|stopped|gave (?:it )?up"
    r"|given (?:it )?up|lo deje|deje)(?: it)?(?= *(?:$|[.,;!?]|(?:in|on|last|about|over|around|almost|when|after|back"
    r"|since|en|hace|a|an|one|two|three|four|five|six|seven|eight|nine|ten|several|many|\d+)\b))"
)
_NO_MORE = re.compile(r"\bany ?(?:more|longer)\b")
_AND = re.compile(r"\b(?:and|but|y|pero)\b")
_DOES = re.compile(r"(?:smokes?|drinks?|have|fumo|bebo)\b")
_SMOKES = Finder(
    r"\b(?P<never>non-?smoker|never smoker|never smoked|no fumo|no fumador\w?)\b|\b(?P<former>ex-?smoker"
    r"|former smoker|used to smoke|(?:quit|stopped|gave up) (?:smoking|cigarettes)|dej[eo] de fumar"
    r"|no longer smoke)\b|\b(?P<yes>smok(?:e|ed|es|ing|er)|vap(?:e|ing)|packs? (?:of cigarettes )?(?:a|per) day"
    r"|cigarettes?|fumo|fumador\w?|fumar|tobacco)\b(?! (?:alarm|detector|marijuana|weed|cannabis))"
    r"|(?P<han_former>戒烟)|(?P<han>(?:抽|吸)烟)"
)
_DRINKS = Finder(
    r"\b(?P<never>teetotal\w*|non-?drinker|no bebo|no tomo alcohol|alcohol-free|abstain from alcohol)\b"
    r"|\b(?P<former>(?:quit|stopped|gave up) (?:drinking|alcohol)|recovering alcoholic|sober|used to drink"
    r"|dej[eo] de beber|no longer drink)\b|\b(?P<yes>drink(?:s|ing)?(?: (?:alcohol|beer|wine|socially|occasionally"
    r"|heavily|a lot(?! of)|rarely|daily|every \w+|on \w+))|(?:drink|have|had|drinking) (?:[\w-]+ ){0,4}?(?:beers?"
    r"|wine|alcohol|whiske?y|vodka|liquor|drinks|pints?|cocktails?|spirits)|(?:don't|never|not|do not) (?:really "
    r"|ever )?drink(?= *(?:$|[.,;!?]|or|and|at all|any|much))|social drinker|alcohol|drinker|bebo (?:alcohol|cerveza"
    r"|vino)|drink$)\b|(?P<han_former>戒酒)|(?P<han>喝酒|饮酒)"
)
_LANGUAGE = Finder(
    r"(?:\b(?:speak|(?:first|native|main|preferred|mother) (?:language|tongue) is|language:|prefer|answer(?: me)? in"
    r"|reply in|write in|talk in|hablo|respond\w* en|mi idioma es|contest\w* en|prefiero)\b|我?(?:说|讲)|请?用)"
    rf" ?(?:only |mainly |mostly |solo )?(?P<name>{'|'.join(CODES)})"
)
_TESTS = {
    "egfr": r"e?gfr|肾小球滤过率|filtrado glomerular",
    "creatinine": r"creatinin[ae]?(?! clearance)|肌酐",
    "hba1c": r"(?:hb|hgb|ha?emoglobin)?[ -]?a1c|(?:glycated|glycosylated) ha?emoglobin"
    r"|hemoglobina (?:glicosilada|glicada|glucosilada)|糖化血红蛋白",
    "potassium": r"potassium|potasio|血钾",
    "sodium": r"sodium|sodio|血钠",
    "glucose": r"(?:fasting )?(?:blood )?(?:glucose|sugar)|glucosa|血糖",
    "inr": "inr",
    "tsh": "tsh",
    "haemoglobin": r"ha?emoglobin|hb|hemoglobina|血红蛋白",
    "ldl": r"ldl(?:[- ]cholesterol)?",
    "hdl": r"hdl(?:[- ]cholesterol)?",
    "cholesterol": r"(?:total )?cholesterol|colesterol|胆固醇",
    "alt": "alt|gpt|谷丙转氨酶",
    "ast": "ast|got(?=[ :]+\\d)",
    "urea": "urea|bun",
    "platelets": "platelets?(?: count)?|plaquetas|血小板",
    "uric acid": "uric acid|urate|acido urico|尿酸",
    "ferritin": "ferritin",
    "crp": "crp",
    "triglycerides": "triglycerides",
    "blood pressure": "blood pressure|bp|(?:presion|tension)(?: arterial)?|血压",
}
_VALUE = (
    r"(?: ?\([a-z0-9 ]{1,15}\))?(?P<gap>(?:[ :=,(]|is|was|of|at|now|level|levels|about|around|came back|result|last"
    r"|en|es|era|de|fue|around"
    r"|again|currently|still|up to|down to|measured|today|yesterday|this morning|has|have|dropped|fell|fallen|went"
    r"|gone|up|down|rose|risen"
    r"|increased|decreased|improved|to|from \d+(?:\.\d+)? to|为"
    r"|是)*)(?P<number>\d{1,3}(?:,\d{3})+|\d{1,4}(?:[.,]\d+)?)(?:(?:/| over )(?P<low>\d{2,3}))?(?![\d/]*\d)"
    r" ?(?P<unit>%|mg/dl|mmol/l|mmol/mol|[µu]mol/l|micromol/l|ml/min(?:/1\.73 ?m[2²])?|g/dl|g/l|meq/l|miu/l|u/l|iu/l"
    r"|ng/ml|µg/l|ug/l|mm ?hg|mg/l|(?:x ?)?10\^?9/l|[µu]mol|mmol|mg)?"
)
_OF_URINE = re.compile(r"(?:\b(?:urin\w+|albumin|protein)|尿)(?: to|[- /])* ?$")
_PROCEDURES = {
    "appendectomy": r"append(?:ic)?ectomy|(?:removed|took out|take out) (?:my|the) (?:appendix)|appendix (?:was "
    r"|taken |is )?(?:removed|out)|apendicectomia|(?:operaron|quitaron|operad[oa])(?: de)?(?: la?| el|l)? apendic\w+"
    r"|阑尾(?:切除"
    r"|手术)",
    "cholecystectomy": r"cholecystectomy|(?:removed|took out|take out) (?:my|the) (?:gall ?bladder)"
    r"|gall ?bladder (?:was |taken |is )?(?:removed|out|surgery)|colecistectomia"
    r"|(?:operaron|quitaron|operad[oa])(?: de)? la vesicula|胆囊切除",
    "tonsillectomy": r"tonsillectomy|(?:removed|took out|take out) (?:my|the) (?:tonsils)|tonsils (?:were |taken "
    r"|are )?(?:removed|out)|扁桃体切除",
    "hysterectomy": r"hysterectomy|(?:removed|took out|take out) (?:my|the) (?:uterus|womb)|uterus (?:was )?removed"
    r"|histerectomia|子宫切除",
    "caesarean section": r"c-?sections?|ca?esarean(?: sections?)?|cesarea|剖宫产|剖腹产",
    "mastectomy": r"(?:double )?mastectomy|乳房切除",
    "vasectomy": "vasectomy",
    "splenectomy": "splenectomy|spleen removed",
    "coronary bypass": r"(?:heart|coronary|triple|double|quadruple) bypass|bypass surgery|cabg|搭桥",
    "gastric bypass": r"gastric bypass|gastric sleeve|bariatric surgery|weight[- ]loss surgery",
    "stent": r"(?:coronary )?(?:stents?|angioplasty)|支架",
    "pacemaker": r"pacemaker|marcapasos|起搏器",
    "hip replacement": r"hip replac\w+|new hip|髋关节置换",
    "knee replacement": r"knee replac\w+|new knee|膝关节置换",
    "kidney transplant": r"kidney transplant|trasplante de rinon|肾移植",
    "liver transplant": "liver transplant|肝移植",
    "thyroidectomy": r"thyroidectomy|thyroid (?:was )?removed|甲状腺切除",
    "nephrectomy": r"nephrectomy"
    r"|kidney (?:was )?removed",
    "hernia repair": r"hernia (?:repair|surgery|operation)|疝气手术",
    "colonoscopy": "colonoscopy|colonoscopia|肠镜",
    "tubal ligation": r"tubal ligation|tubes tied",
    "cataract surgery": r"cataract (?:surgery|operation)"
    r"|cataracts removed",
    "amputation": "amputation",
    "back surgery": r"(?:back|spine|spinal) (?:surgery|fusion)|laminectomy",
    "knee surgery": r"knee (?:surgery|arthroscopy|operation)|acl (?:repair|reconstruction|surgery)",
    "valve replacement": r"valve replac\w+",
    "chemotherapy": "chemo(?:therapy)?|quimioterapia|化疗",
}
_DID = re.compile(r"\b(?:removed|took out|had|have had|i've had|underwent|have|got|after|since|status post|s/p|did"
    r"|undergone|been|my"
    r"|history of|me"
                  r" (?:oper|quit|hic)\w+|tuve|tengo|with)\b|做过|做了|切除|有过")  # fmt: skip
_HAS = re.compile(
    r"\b(?:have|has|had|having|got|i've|i'd|am|i'm|im|is|was|been|suffer\w*|diagnos\w+|history of|hx of|developed"
    r"|living with|live"
    r" with|with|my|as an?|get|had had|problems with|include\w*|conditions? ?:|told (?:me )?i (?:have|had)|tengo|tuve"
    r"|soy|padezco|sufro|diagnostic\w+|mi|con|tiene)\b|[有患是得]|确诊|诊断"
)
_FAMILY_HAS = re.compile(r"\b(?:has|have|had|with|died|passed|got|suffer\w*|diagnos\w+|is|was|were|history|runs|are"
    r"|tiene|tuvo|murio"
                         r"|padece|son|es)\b|有|得|患|死|病")  # fmt: skip
_SPOKEN_OF = re.compile(
    r"\b(?:for|about|prevent\w*|against|risk of|medication for|screen\w+|tested|vaccin\w+|causes?|cause|of getting"
    r"|lead to|like|looks like|worse than|if|checked)(?: (?:my|the|a|an|any|high|low))* $|(?:预防|担心|怕|关于) ?$"
)
_NO_CONDITION = frozenset(
    "pregnancy first-trimester second-trimester third-trimester possible-pregnancy trying-to-conceive "
    "no-pregnancy-possible"
    " breastfeeding postpartum newborn infant older-adult smoker smoker-over-35 no-conditions tonsillectomy "
    "recent-surgery"
    " viral-illness cataract-surgery bariatric-surgery dehydration nitrate-use preterm head-injury".split()
)
_NO_LONGER = re.compile(r"\b(?:no longer (?:have|suffer|got)|ya no (?:tengo|sufro|padezco))\b|不再有|已经没有")
_GONE = re.compile(
    r" (?:is|has|was|went|have|esta) (?:now |completely |finally |been )*(?:gone|resolved|cured|cleared(?: up)?|away"
    r"|healed)\b"
    r"|(?:已经)?(?:治?好了|痊愈)"
)
_ANY_MORE = re.compile(r"[^,]{0,20}\bany ?(?:more|longer)\b")
# What counts although it is over.
_KEPT = re.compile(
    "cancer|stroke|tia$|heart|thromb|ulcer|bleed|epilep|seizure|transplant|aneurysm|angioedema|hit-history|nms"
    "|hyperthermia|serotonin|cirrhosis|ckd|kidney-disease|meningioma|suicid|pancreatitis|tendon|retinal|hepatitis"
    "|tuberculosis|endocarditis|valve|antiphospholipid|sickle|g6pd|porphyria|hiv|aspirin-asthma|alcohol-use"
    "|substance-use|eating-disorder|bipolar|psychosis|ketoacidosis"
)
# What is told of the past: before the condition, or after one that somebody simply `had`.
_USED_TO = re.compile(r"\b(?:used to|formerly|previously|in the past)\b|以前|曾经|小时候")
_VERBS = re.compile(r"\b(?:have|has|had|was|am|i'm|i've|get|got|now|but|tengo|tuve|tenia|era|soy)\b|[有患是得]")
_HAD = re.compile("had|was|tuve|tenia|era")
_PERFECT = re.compile(r"(?:\bhave|\bhas|'ve) (?:\w+ )?had\b[^,]*$")
_WHEN_YOUNG = re.compile(
    r"\b(?:as an? (?:\w+ )?(?:child|kid|baby|infant|toddler|teen\w*|boy|girl|adolescent|youngster)|in (?:my )?childhood"
    r"|in my (?:teens|youth)|in the past|growing up|when i was (?:an? |very |a lot )*"
    r"(?:child|kid|baby|little|small|young\w*|teen\w*|boy|girl)"
    r"|de (?:nin[oa]|pequen[oa]|joven)|cuando era (?:nin[oa]|pequen[oa]|joven))\b"
)
_SINCE_THEN = re.compile(
    r"\b(?:since|diagnos\w+|still|again|came back|come back|comes back|returned|never (?:went|go)|ever since|desde"
    r"|todavia|otra vez)\b|还|又"
)
_SHORT = re.compile(r"[a-z]{1,4}")
_VAGUE = re.compile(r"(?:any|some|it|that|this|the|my|no)\w*\b")
_SHORT_NAMES = frozenset("gout acne afib copd gerd adhd asma gota hiv".split())
_OF_OTHER_THINGS = re.compile(
    r"[ -]?(?:medic\w+|pills?|drugs?|tablets?|tests?|screening|specialist|vaccin\w*|diet|doctor)\b"
)
_FAMILY = re.compile(r"\b(?:family history|runs in (?:my|the|our) family|in (?:my|the|our) family)\b|家族")
_FOUND = re.compile(r"\b(?:since|diagnos\w+|developed|got|desde)\b|确诊")
_TURNED = re.compile(r"\b(?:but|only|just|with|is|are|have|has|had|take)\b")
_NO_HABIT = re.compile(r"\b(?:around|about|second-?hand|next to|smell|advised|told|allerg\w+|marijuana|weed)\b")
_WISHED = re.compile(r"(?:answer|reply|write|talk|respond|contest)|请?用")
_DIAGNOSED = Finder(r"\bdiagnosed (?:me )?with (?:an? )?(?P<name>[a-z][a-z' -]{3,40}?)(?= *(?:$|[.,;!?]|\b(?:in"
    r"|when|last|at|and|two|three"
                        r"|\d|a few|years?|since|by|about|after|during|around|this|back)\b))")  # fmt: skip
_KINDS: tuple[tuple[str, Kind, str], ...] = (
    ("ages", "age", "years"), ("weight_kg", "weight", "kg"), ("height_cm", "height", "cm"),
)  # fmt: skip


@cache
def _conditions() -> Phrases:
    names = {
        name: row["id"]
        for row in read_table("conditions.csv")
        for name in (row["label"], *row["names"].split("|"))
        if name
    }
    return Phrases({name: condition for name, condition in names.items() if condition not in _NO_CONDITION})


@cache
def _table(which: str) -> tuple[Finder, dict[str, str]]:
    """One expression for all tests or procedures, with the name of each group."""
    table, after = (_TESTS, _VALUE) if which == "tests" else (_PROCEDURES, r"(?![a-z])")
    groups = {f"_{place}": name for place, name in enumerate(table)}
    either = "|".join(f"(?P<_{place}>{words})" for place, words in enumerate(table.values()))
    return Finder(f"(?<![a-z])(?:{either}){after}"), groups


class Found(NamedTuple):
    """A match in a message, its clause, and what stands before and after it there."""

    match: re.Match[str]
    clause: Clause
    before: str
    after: str

    @property
    def here(self) -> str:
        """What stands before it, and itself."""
        return self.before + self.match.group()


def states(message: Message, today: date, taken: tuple[tuple[int, int], ...] = ()) -> list[Told]:
    """Everything but allergies and medicines, in its order; `taken` are places that mean something else."""
    readers: tuple[Callable[[Message, date], Iterator[Told]], ...] = (
        _body, _sex, _pregnancy, _nursing, _smoking, _alcohol, _language, _laboratory, _procedures, _illnesses,
    )  # fmt: skip
    found = (one for reader in readers for one in reader(message, today))
    free = outside(taken)
    return sorted((one for one in found if free(one.start, one.stop)), key=lambda one: one.start)


def _places(message: Message, finder: Finder) -> Iterator[Found]:
    """Where the expression matches in what the message states of the patient."""
    for match in finder.finditer(message.plain):
        if place := _place(message, match):
            yield place


def _place(message: Message, match: re.Match[str], stated: bool = True) -> Found | None:
    clause = message.clause_at(match.start())
    if clause is None or (stated and not message.states(clause, match.start())):
        return None
    stop = max(clause.stop, match.end())
    return Found(match, clause, message.plain[clause.start : match.start()], message.plain[match.end() : stop])


def _told(kind: Kind, value: str, clause: Clause, at: tuple[int, int], negated: bool = False, **details: Any) -> Told:
    clause = clause if at[1] <= clause.stop else clause._replace(stop=at[1])
    return Told(kind, value, *at, clause, negated=negated, details=details)


def _who(message: Message, clause: Clause) -> Person:
    return read(message.text[clause.start : clause.stop])


def _body(message: Message, today: date) -> Iterator[Told]:
    """Age, weight, height and the day of birth, where a clause has a number."""
    del today
    age: Told | None = None
    for clause in dict.fromkeys(filter(None, map(message.clause_at, numbers(message.plain)))):
        person = _who(message, clause)
        for name, kind, unit in _KINDS:
            value = person.age if name == "ages" else getattr(person, name)
            if value is not None and (told := _measure(message, clause, person.places[name], kind, value, unit)):
                yield told
                age = told if kind == "age" else age
        if age and (meant := _MEANT.match(clause.plain)):
            yield _aged(meant["n"], clause, _shifted(clause, meant.span("n")))
        place = person.places.get("born")
        if place and message.states(clause, clause.start + place[0]):
            yield _told("birth_date", person.born, clause, _shifted(clause, place))


def _aged(years: str, clause: Clause, at: tuple[int, int]) -> Told:
    """`I'm 54. Sorry, I meant 45.`"""
    told = _told("age", years, clause, at, number=float(years), unit="years")
    told.corrects = True
    return told


def _shifted(clause: Clause, place: tuple[int, int]) -> tuple[int, int]:
    return clause.start + place[0], clause.start + place[1]


def _measure(
    message: Message, clause: Clause, place: tuple[int, int], kind: Kind, value: float, unit: str
) -> Told | None:
    before, after = clause.plain[: place[0]], clause.plain[place[0] : place[1] + 25]
    no_age = kind == "age" and re.match(r"\W*\d+ ?(?:feet|foot|ft|'|pounds|kilos|stone|weeks)", after)
    no_age = no_age or (kind == "age" and _OF_A_CHILD.match(clause.plain, place[0]))
    if (
        no_age
        or _WAS.search(before)
        or _NO_MEASURE.search(before)
        or not message.states(clause, clause.start + place[0])
    ):
        return None
    written = f"{value:g}" if kind == "age" else f"{value:.4g} {unit}"
    return _told(kind, written, clause, _shifted(clause, place), number=round(value, 2), unit=unit)


def _sex(message: Message, today: date) -> Iterator[Told]:
    del today
    if noted := [*_noted(message)]:
        yield from noted
        return
    for place in _places(message, _SEX):
        match = place.match
        word = match["sex"] or match["han"] or match["short"].lstrip("0123456789 yo/")
        metres = match["gap"] and message.text[match.end() - 1] == "m" and match["short"].endswith(" m")
        if not metres and not _NOT.search(place.here):
            yield _told("sex", "female" if word in _FEMALE else "male", place.clause, match.span())


def _noted(message: Message) -> Iterator[Told]:
    """Sex and age as a note begins: `F, 34`; an age that is read where it stands is told there."""
    for clause in message.clauses:
        match = _NOTED.match(clause.plain)
        group = "sex" if match and match["sex"] else "of"
        if match is None or not message.states(clause, clause.start + match.start(group)):
            continue
        at = _shifted(clause, match.span(group))
        word = match[group]
        if len(word) == 1 and not message.text[slice(*at)].isupper():
            continue
        yield _told("sex", "female" if word in _FEMALE else "male", clause, at)
        if match["years"] and "ages" not in _who(message, clause).places:
            years = match["years"]
            yield _told("age", years, clause, _shifted(clause, match.span("years")), number=float(years), unit="years")
        return


def _pregnancy(message: Message, today: date) -> Iterator[Told]:
    """Pregnant or not; who gave birth not long ago is so no longer."""
    for place in _places(message, _NOT_PREGNANT):
        if not re.search(r"\b(?:sure|know|certain)\b", place.clause.plain):
            yield _told("pregnancy", "pregnant", place.clause, place.match.span(), negated=True)
            return
    for match in _PREGNANT.finditer(message.plain):
        found = _place(message, match, stated=False)
        if found is None or _WAS.search(found.before) or _NOT.search(found.before[-15:]):
            continue
        told = message.states(found.clause, match.start()) and not _DOUBT.search(found.before)
        if told and (_OF_ONESELF.search(found.clause.plain) or message.you_is_patient):
            weeks = _weeks(message, found.clause)
            yield _told("pregnancy", "pregnant", found.clause, match.span(), weeks=weeks)
            return
        if _MAY.search(found.before) and message.whose(found.clause, match.start())[0] == "patient":
            yield _perhaps(found, today)
            return
    for place in _places(message, _BIRTH):
        if _NOT.search(place.before[-15:]) or _DOUBT.search(place.before):
            continue
        if ended := _birth(place, today):
            yield ended
            return


def _weeks(message: Message, clause: Clause) -> float | None:
    """How long a pregnancy has gone on, by its clause or by the others of its sentence."""
    weeks = read(clause.plain).weeks or read(message.sentence(clause.sentence)).weeks
    months = None if weeks else _MONTHS_PREGNANT.search(clause.plain)
    if months is None:
        return weeks
    count = number(months["n"] or months["es"] or months["han"])[0]
    return round(count * _WEEKS_A_MONTH, 1) if count <= 9 else None


def _perhaps(found: Found, today: date) -> Told:
    """Who may be pregnant can no longer be taken for not pregnant."""
    told = _told("pregnancy", "pregnant", found.clause, found.match.span(), negated=True)
    told.until = today.isoformat()
    return told


def _birth(place: Found, today: date) -> Told | None:
    """The end of a pregnancy; one of long ago says nothing of today, and of an earlier one nothing is known."""
    named = dates(place.clause.plain, today)
    if not named and _EARLIER.search(place.clause.plain):
        return None
    told = _told("pregnancy", "pregnant", place.clause, place.match.span())
    recent = (today - timedelta(days=_DAYS_AFTER_BIRTH)).isoformat()
    if named and named[0].day < recent[: len(named[0].day)]:
        told.until = named[0].day
    else:
        told.negated, told.since = True, named[0].day if named else None
    return told


def _nursing(message: Message, today: date) -> Iterator[Told]:
    del today
    for place in _places(message, _NURSING):
        if not _DOUBT.search(place.before):
            denied = bool(place.match["over"] or _NOT.search(place.before[-25:]) or _STOPPED.search(place.before))
            yield _told("breastfeeding", "breastfeeding", place.clause, place.match.span(), negated=denied)


def _habit(message: Message, kind: Kind, finder: Finder, today: date) -> Iterator[Told]:
    """Smoking or drinking: yes, no, or formerly; who does not, and did, did so formerly."""
    found = [*_habits(message, kind, finder, today)]
    former = next((one for one in found if one.value == "former"), None)
    for told in found[:1]:
        if told.negated and former:
            told = former
        elif told.negated and (ended := _gave_up(message, told.clause)):
            told.value, told.negated, told.also = "former", False, ((ended.start, ended.stop),)
            told.since = next((when.day for when in dates(ended.plain, today)), None)
        yield told


def _gave_up(message: Message, clause: Clause) -> Clause | None:
    """Where the clause after one says that it was given up: `I don't smoke, I quit in 2020`."""
    after = next((one for one in message.clauses if one.start >= clause.stop), None)
    return after if after and _QUIT.match(after.plain) and message.states(after, after.stop) else None


def _habits(message: Message, kind: Kind, finder: Finder, today: date) -> Iterator[Told]:
    for place in _places(message, finder):
        said = place.match.groupdict()
        if _NO_HABIT.search(place.before):
            continue
        told = _told(kind, "yes", place.clause, place.match.span())
        gone = (
            _stopped(place) or _NO_MORE.search(place.after) or (place.after.startswith("了") and "不" in place.before)
        )
        if said.get("former") or said.get("han_former") or gone:
            told.value = "former"
            named = dates(place.clause.plain, today)
            told.since = named[0].day if named else None
        elif said.get("never") or _NOT.search(place.here):
            told.negated = True
        yield told


def _stopped(place: Found) -> bool:
    """Whether it is this that was given up: `I stopped drinking and smoke`, `I stopped drinking and smoking`."""
    last = [match.end() for match in _STOPPED.finditer(place.before)]
    other = last and _AND.search(place.before[last[-1] :]) and _DOES.match(place.match.group())
    return bool(last) and not other


def _smoking(message: Message, today: date) -> Iterator[Told]:
    return _habit(message, "smoking", _SMOKES, today)


def _alcohol(message: Message, today: date) -> Iterator[Told]:
    return _habit(message, "alcohol", _DRINKS, today)


def _language(message: Message, today: date) -> Iterator[Told]:
    del today
    for match in _LANGUAGE.finditer(message.plain):
        wished = _WISHED.match(match.group())
        if place := _place(message, match, stated=not wished):
            denied = bool(_NOT.search(place.before[-25:]))
            yield _told("language", CODES[match["name"]], place.clause, match.span("name"), negated=denied)


def _laboratory(message: Message, today: date) -> Iterator[Told]:
    """Values of tests with their units and dates: `my eGFR was 38 in March`."""
    finder, groups = _table("tests")
    found = [*_places(message, finder)]
    for place in found:
        match = place.match
        test = groups[next(name for name, words in match.groupdict().items() if words and name in groups)]
        if (test == "blood pressure") != bool(match["low"]) or _OF_URINE.search(place.before):
            continue
        value, low = (number(said)[0] if said else None for said in match.group("number", "low"))
        unit = "mmHg" if low else re.sub(r"\s", "", match["unit"] or "") or None
        told = _told("laboratory", test, place.clause, match.span(), number=value, low=low, unit=unit)
        at = match.start("number") - place.clause.start
        named = _days(place.clause, match.span(), [one.match.span() for one in found], today)
        if not any(one.start <= at < one.stop for one in named):
            told.since = named[0].day if named else None
            yield told


def _procedures(message: Message, today: date) -> Iterator[Told]:
    finder, groups = _table("procedures")
    found = [*finder.finditer(message.plain)]
    for match in found:
        place = _place(message, match, stated=False)
        if place is None or not message.states(place.clause, match.end()):  # "they removed my appendix"
            continue
        name = groups[next(name for name, words in match.groupdict().items() if words and name in groups)]
        if _DID.search(place.here) and not _SPOKEN_OF.search(place.before):
            told = _told("procedure", name, place.clause, match.span(), negated=bool(_NOT.search(place.before)))
            named = _days(place.clause, match.span(), [one.span() for one in found], today)
            told.since = named[0].day if named else None
            yield told


def _days(clause: Clause, at: Place, others: Iterable[Place], today: date) -> tuple[When, ...]:
    """The dates that a clause tells of what stands at a place; others of its kind may have their own."""
    places = [(a - clause.start, b - clause.start) for a, b in others if clause.start <= a < clause.stop]
    return told_of(dates(clause.plain, today), clause.plain, (at[0] - clause.start, at[1] - clause.start), places)


def _illnesses(message: Message, today: date) -> Iterator[Told]:
    """Conditions of the patient and, with who has them, of blood relatives; what is had now was not of the past."""
    found = [*_stated_illnesses(message, today)]
    now = {one.value for one in found if one.kind == "condition" and not one.negated and not one.until}
    yield from (one for one in found if one.kind != "condition" or not one.until or one.value not in now)


def _stated_illnesses(message: Message, today: date) -> Iterator[Told]:
    places = _conditions().places(message.plain)
    spans = [(start, stop) for start, stop, _ in places]
    for start, stop, condition in places:
        clause = message.clause_at(start)
        if clause is None or stop > clause.stop or not _meant(message, clause, start, stop):
            continue
        before = message.plain[clause.start : start]
        negated = _denied(before) or message.status(start, stop) == "negated"
        whose, relative = message.whose(clause, start)
        if whose == "relative" or _FAMILY.search(clause.plain):
            if _FAMILY_HAS.search(clause.plain):
                yield _told("family_history", condition, clause, (start, stop), negated, relative=relative or "family")
            continue
        gone = message.gone(clause)
        past = not negated and _is_past(message, clause, before)
        after = (_ANY_MORE if negated else _GONE).match(message.plain, stop, clause.stop)
        if whose == "patient" and (after or _HAS.search(before)) and not _DOUBT.search(before):
            told = _ill(condition, clause, (start, stop), spans, negated, today)
            if (gone or after or past or _NO_LONGER.search(before)) and not _KEPT.search(condition):
                when = () if past else dates(clause.plain, today)
                told.negated, told.since, told.until = False, None, when[-1].day if when else today.isoformat()
                told.also = (gone,) if gone else ()
            yield told
    for place in _places(message, _DIAGNOSED):
        span = place.match.span("name")
        named = any(place.clause.start <= a < place.clause.stop for a, _, _ in places)
        if not named and not _denied(place.before) and not _VAGUE.match(place.match["name"]):
            yield _ill(place.match["name"].strip(), place.clause, span, (), False, today)


def _is_past(message: Message, clause: Clause, before: str) -> bool:
    """Whether a condition is told of the past alone: `I used to have asthma`, `I had asthma as a child`."""
    near = message.sentence(clause.sentence) + " " + message.sentence(clause.sentence + 1)
    if _SINCE_THEN.search(near):
        return False
    formerly = [match.end() for match in _USED_TO.finditer(before)]
    if formerly and len(_VERBS.findall(before[formerly[-1] :])) <= 1:
        return True
    verb = [match.group() for match in _VERBS.finditer(before)][-1:]
    had = bool(verb) and bool(_HAD.fullmatch(verb[0])) and not _PERFECT.search(before)
    return had and bool(_WHEN_YOUNG.search(clause.plain))


def _meant(message: Message, clause: Clause, start: int, stop: int) -> bool:
    """Whether a condition is stated of somebody: not asked, supposed, or the purpose of something."""
    if clause.supposes or (clause.asks and not message.you_is_patient):
        return False
    if _SHORT.fullmatch(message.plain, start, stop) and not _in_capitals(message.text[start:stop]):
        return False
    before = message.plain[clause.start : start]
    return not _SPOKEN_OF.search(before) and not _OF_OTHER_THINGS.match(message.plain, stop)


def _ill(condition: str, clause: Clause, at: Place, others: Iterable[Place], negated: bool, today: date) -> Told:
    told = _told("condition", condition, clause, at, negated)
    if _FOUND.search(clause.plain) and (named := _days(clause, at, others, today)):
        told.since = named[0].day
    return told


def _denied(before: str) -> bool:
    """Whether a denial before a condition reaches it."""
    denials = [*_NOT.finditer(before)]
    if not denials or re.match(r"\W*no,", before[denials[-1].start() :]):
        return False
    gap = before[denials[-1].end() :]
    return not _TURNED.search(gap) or bool(re.match(r" (?:have|had|has|been|ever)\b", gap))


def _in_capitals(word: str) -> bool:
    """A short name counts in capitals, for it may be another word: `MS`, `PE`; `gout` is none of these."""
    return word.isupper() or word.lower() in _SHORT_NAMES or not word.isascii()
