"""Doses of a text: how much of which drug, how often, by which route, and whether it is advised, limited or denied."""

import csv
import re
from bisect import bisect_right
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from functools import cache, lru_cache
from importlib.resources import files
from itertools import pairwise
from math import log
from typing import Literal

from primum.safety.lexicon import mentions

Kind = Literal["advice", "limit", "denied", "warning", "unreadable"]

_WORDS = {
    word: float(value)
    for value, words in {
        0.25: "quarter cuarto", 0.5: "half medio media demi demie halbe",
        1: "one a an single un una uno une ein eine", 2: "two dos deux zwei dois due couple",
        3: "three tres trois drei três tre", 4: "four cuatro quatre vier quatro quattro",
        5: "five cinco cinq fünf cinque", 6: "six seis sechs sei", 7: "seven siete sept sieben",
        8: "eight ocho huit acht oito otto", 9: "nine nueve neuf neun", 10: "ten diez dix zehn",
        11: "eleven once_", 12: "twelve doce douze zwölf doze dodici", 13: "thirteen", 14: "fourteen",
        15: "fifteen quince", 16: "sixteen", 17: "seventeen", 18: "eighteen", 19: "nineteen", 20: "twenty veinte",
        24: "twenty-four veinticuatro", 30: "thirty treinta", 40: "forty", 48: "forty-eight", 50: "fifty",
        60: "sixty", 80: "eighty",
    }.items()
    for word in words.split()
}  # fmt: skip
_HAN = {**{sign: value for value, sign in enumerate("零一二三四五六七八九")}, "两": 2, "半": 0.5}
_HAN_TENS = {"十": 10, "百": 100, "千": 1000, "万": 10000}
_FRACTIONS = {"½": 0.5, "¼": 0.25, "¾": 0.75}
_WIDE = str.maketrans(
    {chr(code): chr(code - 0xFEE0) for code in range(0xFF01, 0xFF5F)} | {"　": " ", "μ": "µ", "⁄": "/"}
)
_THOUSANDS_IN_WORDS = {"hundred": 100.0, "thousand": 1000.0, "mil": 1000.0, "quinientos": 500.0}

_WORD_NUMBER = "|".join(sorted((word for word in _WORDS if "_" not in word), key=len, reverse=True))
NUMBER = (
    r"(?:(?:(?<![\w.,])|(?<=\d[xX×*]))(?:\d{1,3}(?:[,\u00a0\u202f\u2009']\d{3})+(?:\.\d+)?|\d{1,3} "
    r"000|\d+\s\d/\d|\d/\d(?![\d/])"
    r"|\d+(?:[.,·]\d+)?[½¼¾]?|[.,·]\d+|[½¼¾])"
    r"|(?<=[\u4e00-\u9fff])\d+(?:\.\d+)?"
    rf"|(?<![\w'’])(?:(?:{_WORD_NUMBER})[ -])?(?:hundred|thousand|quinientos|mil)\b"
    r"|(?<![\w'’])(?:(?:one|two|three|1|2|3) and a half|half an?|half of an?|a half|a quarter "
    rf"of an?|(?:{_WORD_NUMBER}))(?![\w'’])"
    r"|[零一二三四五六七八九十百千两半]+)"
)
_TO = r"\s*(?:-|–|—|~|至|到|\bto\b|\bor\b|\ba\b|\bo\b|\bbis\b|\bà\b)\s*"

_UNITS: dict[str, tuple[str, float]] = {
    **dict.fromkeys("mg mgs milligram milligrams milligramme milligrammes miligramo miligramos milligramm mgr "
    "毫克".split(), ("mg", 1.0)),
    **dict.fromkeys("g gm gms gram grams gramme grammes gramo gramos gramm gr 克".split(), ("mg", 1000.0)),
    **dict.fromkeys("mcg mcgs µg ug microgram micrograms microgramme microgrammes microgramo microgramos mikrogramm "
    "微克".split(), ("mg", 0.001)),
    **dict.fromkeys("ng nanogram nanograms".split(), ("mg", 0.000001)),
    **dict.fromkeys("unit units iu i.u. u ui ie unidad unidades einheiten unités 单位 国际单位".split(), ("unit", 1.0)),
    **dict.fromkeys("mmol millimoles mmols".split(), ("mmol", 1.0)),
    **dict.fromkeys(["meq", "milliequivalents"], ("meq", 1.0)),
    **dict.fromkeys(
        "ml mls millilitre millilitres milliliter milliliters mililitro mililitros cc 毫升".split(),
        ("ml", 1.0),
    ),
    **dict.fromkeys(
        "tsp teaspoon teaspoons teaspoonful teaspoonfuls cucharadita cucharaditas 茶匙".split(),
        ("ml", 5.0),
    ),
    **dict.fromkeys(
        "tbsp tablespoon tablespoons tablespoonful tablespoonfuls cucharada cucharadas 汤匙".split(),
        ("ml", 15.0),
    ),
    **dict.fromkeys(
        "tablet tablets tab tabs capsule capsules cap caps caplet caplets pill pills comprimido comprimidos "
        "tableta tabletas "
        "pastilla pastillas cápsula cápsulas capsula capsulas comprimé comprimés gélule gélules tablette "
        "tabletten kapsel kapseln compressa compresse "
        "gelcap gelcaps liquicap liquicaps softgel softgels liquigel liqui-gels gummy gummies lozenge "
        "lozenges 片 粒 颗 丸 枚".split(),
        ("tablet", 1.0),
    ),
    **dict.fromkeys("sachet sachets packet packets sobre sobres 袋 包".split(), ("sachet", 1.0)),
    **dict.fromkeys("suppository suppositories supositorio supositorios 栓".split(), ("suppository", 1.0)),
    **dict.fromkeys("patch patches parche parches 贴".split(), ("patch", 1.0)),
    **dict.fromkeys("puff puffs inhalation inhalations actuation actuations inhalación inhalaciones bouffées "
    "喷 吸 揿".split(), ("puff", 1.0)),
    **dict.fromkeys("spray sprays".split(), ("spray", 1.0)),
    **dict.fromkeys("drop drops gota gotas gouttes tropfen 滴".split(), ("drop", 1.0)),
}  # fmt: skip
COUNTED = frozenset({"tablet", "sachet", "suppository", "patch", "puff", "spray", "drop"})
_UNIT = "|".join(sorted(map(re.escape, _UNITS), key=len, reverse=True))
_EDGE = r"(?![A-Za-zÀ-ÿ²])(?:(?<=[\u4e00-\u9fff])|(?!\d))"
_AMOUNT = re.compile(
    rf"(?:(?P<times>{NUMBER})\s*(?:[x×*]\s*|\s(?=\d+(?:[.,]\d+)?\s*-?(?:mg|g|mcg|µg|ml|micrograms?|milligrams?)\b)"
    r"|of (?:the |your )?(?=\d)))?"
    rf"(?P<number>{NUMBER})(?:[\s-]*(?P<low>{_UNIT})?{_TO}(?P<upper>{NUMBER}))?"
    rf"[\s-]*(?:(?P<more>(?:more|extra|additional|oral|small|large|whole|full|x|×)\s+)?(?P<unit>{_UNIT}){_EDGE})",
    re.IGNORECASE,
)
_PER = re.compile(
    r"\s*(?:/|\bper\b|\bpor\b|\bpro\b|\beach\b|\ba(?=\s+(?:tablet|puff|dose))|每)\s*(?P<n>\d+(?:\.\d+)?\s*)?"
    r"(?P<per>kg|kilo(?:gram)?s?|m2|m²|ml|mL|milliliters?|millilitres?|dl|l|litre|liter|hours?|hr?|min(?:ute)?|dose|"
    r"days?|d|día|dia|jour|tag|weeks?|wk|semana|tablets?|tab|capsules?|puffs?|sachets?|公斤|千克|天|日|次|片|周)"
    r"(?![A-Za-z0-9])",
    re.IGNORECASE,
)
_PER_NAMES = (
    ("kg", r"kg|kilo|公斤|千克"), ("m2", r"m2|m²"), ("lab", r"dl$|l$|lit"), ("ml", r"ml|millil"), ("hour", r"h|min"),
    ("dose", r"dose|次"), ("day", r"d|jour|tag|天|日"), ("week", r"w|semana|周"), ("each", r"tab|caps|puff|sach|片"),
)  # fmt: skip

_DAY = (
    r"(?:a|per|each|every|/|the|in an?y?|al|por|par|pro|am|ao|in one|within a|un)\s*(?:single\s+)?"
    r"(?:day|día|dia|jour|tag|d)\b"
)
_IN_24 = (
    r"(?:(?:in|per|within|over|every|during|each|any|/|a|en|por|par|in any|cada|dentro de|pro)\s*)*(?:an?y?\s+)?"
    r"(?:24|twenty-four)[\s-]*(?:h|hrs?|hours?|horas|heures|stunden|小时)(?:\s*period)?\b"
)
_DAILY = (
    rf"(?:{_DAY}|{_IN_24}|daily\b|diari[oa]s?\b|diariamente\b|täglich\b|al giorno\b|quotidien\w*|per diem|24小时内?"
    r"|每天|每日|一天|一日|日)"
)
_HOURS = r"(?:hourly|hours?|hrs?|h|horas?|heures?|stunden|ore|小时|个小时)"
_WEEK = r"(?:week|wk|semana|semaine|woche|settimana)"
_ONCE = {"once": 1, "twice": 2, "thrice": 3}
_LATIN = {
    "bd": 2, "bid": 2, "b.d": 2, "b.i.d": 2, "tds": 3, "tid": 3, "t.d.s": 3, "t.i.d": 3, "qds": 4, "qid": 4,
    "q.d.s": 4, "q.i.d": 4, "od": 1, "o.d": 1, "qd": 1, "q.d": 1, "mane": 1, "nocte": 1, "qhs": 1, "hs": 1, "h.s": 1,
    "qam": 1, "qpm": 1, "om": 1, "o.m": 1, "o.n": 1, "qod": 0.5, "q.o.d": 0.5, "eod": 0.5, "qwk": 1 / 7,
}  # fmt: skip
_PERIODS = {"day": 1, "día": 1, "dia": 1, "jour": 1, "tag": 1, "week": 7, "month": 30, "year": 365, "fortnight": 14}

_FREQUENCIES: tuple[tuple[str, str], ...] = (
    ("hours", rf"(?:\bevery|\beach|\bcada|\btoutes les|\balle|\bogni|\bq\.?|\bde \d+ em|每隔?|间隔)\s*"
     rf"(?P<n>{NUMBER})(?:{_TO}(?P<n2>{NUMBER}))?[\s-]*{_HOURS}(?![A-Za-z])"),
    ("hours", r"\bq\.?\s?(?P<n>\d+)(?:\s?[-–]\s?(?P<n2>\d+))?\s?(?:h|hrs?|hours?|°)(?![A-Za-z])"),
    ("hours", rf"(?P<n>{NUMBER})(?:{_TO}(?P<n2>{NUMBER}))?[\s-]*hourly\b"),
    ("minutes", rf"\bevery\s*(?P<n>{NUMBER})\s*min(?:ute)?s?\b"),
    ("hour", r"\b(?:every|each|cada|per) (?:single )?(?:hour|hora)\b|\bhourly\b|每小时"),
    ("days", rf"(?:\bevery|\bcada|\balle|\btous les|\bq|每隔?)\s*(?P<n>{NUMBER})\s*(?P<p>days?|weeks?|months?"
    r"|d|wk|días|semanas|meses|天|周|个月|日)(?:一次)?"),
    ("other", r"\b(?:every other|alternate|every second) days?\b|\ben días alternos\b|隔日"),
    ("otherweek", r"\b(?:every other|alternate|every second) week\b|\bfortnightly\b"),
    ("times", rf"(?:\b(?P<n2>{NUMBER}){_TO})?(?P<n>{NUMBER}|once|twice|thrice|una)\s*(?:[x×]|times?|veces"
    rf"|vez|fois|mal|vezes|volte|doses?|intakes|tomas)\s*(?P<p>{_DAILY}|/\s*(?:day|d|week|wk)\b"
    rf"|(?:a|per|each|every|/|in the|in a|weekly|por|a la|par|pro|la)\s*(?:{_WEEK}|month|year)|weekly\b"
    r"|monthly\b)"),
    ("times", rf"(?P<n>once|twice|thrice)[\s-]*(?:or (?:twice|three times)\s*)?(?P<p>{_DAILY}|(?:a|per|each"
    r"|every|/)?\s*(?:week(?:ly)?|month(?:ly)?|year(?:ly)?|fortnight)\b|at bedtime|at night|nightly"
    r"|every night|every morning|in the morning)"),
    ("times", r"(?P<n>zwei|drei|vier|sechs|zwei|ein|fünf)mal\s*(?P<p>täglich|am tag|pro tag|wöchentlich)"),
    ("times", rf"[x×]\s*(?P<n>\d+)\s*(?P<p>{_DAILY}|/\s*(?:day|d)\b)"),
    ("times", rf"(?P<p>每天|每日|一天|一日|日|每周|一周|每星期|每月)(?:服用?|口服|吃|最多|用)?\s*"
     rf"(?P<n>{NUMBER})(?:{_TO}(?P<n2>{NUMBER}))?\s*(?:次"
    r"|回)"),
    ("week", rf"\b(?:a|per|each|every|once|one time|por|cada|a la|par|pro|in one|per calendar)\s*{_WEEK}(?:ly)?\b"
    r"|/\s*(?:week|wk)\b|\bweekly\b|\bsemanal(?:es)?\b|\bwöchentlich\b|每周(?!\w?[一二三四五六日天])|\b(?:on"
    r"|every|each) (?:mon|tues|wednes|thurs|fri|satur|sun)days?\b|每星期"),
    ("month", r"\b(?:monthly|(?:a|per|each|every|once a) month|al mes)\b|每月"),
    ("halfyear", r"\bevery (?:6|six) months\b|\btwice a year\b"),
    ("year", r"\b(?:yearly|annually|once a year|a year|per year)\b"),
    ("eachmeal", r"\b(?:with|before|after|at) (?:each|every) (?:main )?meal\b|\bcon cada comida\b|\bthree times "
    r"with (?:food|meals)\b|三餐"),
    ("cap", rf"\b(?:up to|max(?:imum)?(?: of)?|at most|no more than|not more than)\s*(?P<n>{NUMBER})\s*(?:doses"
    r"|times)\b(?: in (?:all|total))?"),
    ("split", rf"\b(?:in|into|as|divided (?:in|into|over|between)|split (?:in|into|over)|分)\s*"
     rf"(?P<n>{NUMBER})(?:{_TO}(?P<n2>{NUMBER}))?\s*(?:equally "
    r"|separate |equal )*(?:divided |split )?(?:doses|intakes|portions|tomas|次)"),
    ("day1", r"\b(?:every|each) (?:single )?day\b|\bonce[\s-]daily\b|\bonce[\s-]a[\s-]day\b|\bcada día\b"
    r"|\bone time (?:a|per) day\b"),
    ("day", rf"(?<![A-Za-z]){_DAILY}"),
    ("both", r"早晚(?:各)?(?:一次)?|\bmornings? and (?:evenings?|nights?)\b|\bmañana y noche\b|\bmatin et soir\b"
    r"|\bmorgens und abends\b|\bam and pm\b"),
    ("three", r"\bmorning, (?:noon|midday|afternoon|lunchtime),? and (?:night|evening|bedtime)\b"
     r"|早中晚(?:各)?(?:一次)?"),
    ("time", r"\b(?:in the|every|each|at|before|with|at the|la|por la|de la|cada) ?(?:mornings?|evenings?"
    r"|nights?|nighttime|bedtime|bed|noon|midday|lunch(?:time)?|breakfast|dinner|supper|afternoon"
    r"|mañana|noche|tarde|mediodía)\b|\bnightly\b|\bat bedtime\b|\bbefore (?:going to )?(?:bed"
    r"|sleep)\b|\bal acostarse\b|\bantes de dormir\b|\ble soir\b|\ble matin\b|\babends\b|\bmorgens\b"
    r"|睡前|每晚|每早|晚上|早上"),
    ("latin", r"(?<![A-Za-z.])(?P<l>b\.?i\.?d|t\.?i\.?d|q\.?i\.?d|t\.?d\.?s|q\.?d\.?s|b\.?d|o\.?d|q\.?d|qhs"
    r"|q?hs|h\.s|nocte|mane|qam|qpm|qod|q\.o\.d|eod|om|o\.n)\.?(?![A-Za-z])"),
    ("once", r"\bstat\b|\b(?:as )?a (?:single|one-off|one-time) dose\b|\bsingle dose\b|\bat once\b|\bat "
    r"a time\b|\ball at once\b|\bin one go\b|\bper dose\b|\beach time\b|\bper intake\b|\bone-time\b"
    r"|\ben una sola toma\b|顿服|单次|一次性"),
    ("prn", r"\b(?:prn|p\.r\.n\.?|as needed|as required|when needed|if needed|when required|si (?:es necesario"
    r"|precisa))|必要时"),
)  # fmt: skip
_FREQUENCY = tuple((kind, re.compile(pattern, re.IGNORECASE)) for kind, pattern in _FREQUENCIES)
_DURATION = re.compile(
    r"(?:\b(?:for|x|×|during|durante|por|pendant|over|after|within|within the|first|last|next|past"
    r"|in)\s*(?:up to |about |at least |the (?:first|last|next|past) )?|连用|连服|服用|共)"
    rf"(?P<n>{NUMBER})(?:{_TO}{NUMBER})?[\s-]*(?P<p>days?|weeks?|months?|years?|nights?|días|semanas"
    r"|meses|jours|tage|天|周|个月)"
    rf"|{NUMBER}[\s-]*(?P<p2>day|week|month)[\s-](?:course|supply|treatment|history|period)|\bon "
    rf"days? (?:one|two|\d+)(?:{_TO}\d+)?\b|[x×]\s*\d+/(?:7|52|12)",
    re.IGNORECASE,
)
_ROUTES: tuple[tuple[str, str], ...] = (
    ("inhaled", r"\binhal\w+|\bpuffs?\b|\bnebuli[sz]\w*|\bneb\b|\bevohaler|\bturb[uo]haler|吸入|雾化"),
    ("nasal", r"\bnasal\w*|\bnostrils?\b|\bintranasal\w*|鼻"),
    ("eye", r"\beye\b|\beyedrops\b|\bophthalmic|\beye ?drops?\b|滴眼"),
    ("ear", r"\botic\b|\bear drops?\b"),
    ("transdermal", r"\bpatch(?:es)?\b|\btransdermal|\bparches?\b|贴"),
    ("topical", r"\bcream\b|\bgel\b|\bointment|\btopical\w*|\bappl(?:y|ied) (?:to|on)\b|\blotion\b|\bshampoo\b"
    r"|\bcrema\b|软膏|外用"),
    ("iv", r"\bi\.?v\.?\b|\bintravenous\w*|\binfus\w+|\bdrip\b|静脉|静滴"),
    ("im", r"\bi\.?m\.?(?= |,|\.|$)(?<!i'm)|\bintramuscular\w*|肌注|肌内"),
    ("sc", r"\bs\.?c\.?\b|\bsub-?cut\w*|\bsubq\b|\bsq\b|\binject\w*|\bpen\b|\bunder the skin\b|皮下|注射"),
    ("rectal", r"\brectal\w*|\bsuppositor\w+|\benema\b|\bpr\b|栓|supositorio"),
    ("vaginal", r"\bvaginal\w*|\bpessar\w+|阴道"),
    ("sublingual", r"\bsublingual\w*|\bunder the tongue\b|舌下"),
    ("oral", r"\boral(?:ly)?\b|\bby mouth\b|\bp\.?o\.?\b|\btablets?\b|\bcapsules?\b|\bpills?\b|\bsyrup\b"
    r"|\bsuspension\b|\bswallow\w*|\bvía oral\b|口服|片|胶囊"),
)  # fmt: skip
_ROUTE = tuple((route, re.compile(pattern, re.IGNORECASE)) for route, pattern in _ROUTES)
_LIMIT_BEFORE = re.compile(
    r"(?:\b(?:max(?:imum|imal|imo)?|limit|ceiling|cap(?:ped)?|at most|no more than|not? (?:to "
    r")?(?:be )?(?:taken? |given? |use )?(?:any )?more than|not (?:to )?(?:exceed|go (?:over|above)"
    r"|surpass)|(?:do|does|should|must|may|can)(?: not|n['’]t)(?: \w+){0,3} (?:exceed|go (?:over"
    r"|above)|more than|over|above)|"
    r"(?:don['’]t|never|cannot|shouldn['’]t|mustn['’]t)(?: \w+){0,3} (?:exceed|go (?:over|above)"
    r"|more than|over|above)|without exceeding|never exceed|not exceeding|no (?:más|mas) de|sin "
    r"exceder|no (?:exceda|supere|exceder|superar)(?: los)?|máximo|ne pas dépasser|höchstens|maximal"
    r"|nicht mehr als|pas plus de|non più di)\b|不(?:要|能|得|可|应)?(?:超过|多于)|最多|最大|不超|上限)"
    r"[^.;!?。；！？\n\d]{0,45}$",
    re.IGNORECASE,
)
_LIMIT_AFTER = re.compile(
    r"^\W*(?:(?:is|as|being|was|the|a|an|your|in total|total|daily|per day|a day|absolute|upper"
    r"|/ ?day|/ ?24 ?h\w*|in 24 hours|each day|recommended|usual)\W+){0,6}"
    r"(?:max(?:imum)?|upper limit|daily limit|limit|最大)\b(?!\W*(?:of|is|dose|daily|per|single|\d))",
    re.IGNORECASE,
)
_MORE = re.compile(
    r"(?:\b(?:more than|over|above|exceed(?:s|ing)?|greater than|higher than|in excess of|beyond"
    r"|upwards of|at least|más de|plus de|mehr als|overdos\w+ (?:of|on|with))|>|≥|超过|大于)\s*(?:about "
    r"|a total of |the |around )?$",
    re.IGNORECASE,
)
_ALLOWED = re.compile(
    r"\b(?:you|he|she|they|adults?|patients?|i|we|it) (?:can|may|could|should|must|need to|will|have to)\b"
    r"|\b(?:safe|fine|okay|ok|alright|all right|no problem|harmless|recommended?|advise[ds]?|go "
    r"ahead) (?:to )?|^\s*take\b|\btook\b|\btaken\b|\bhave been taking\b|\bi take\b|可以",
    re.IGNORECASE,
)
_HARM_AFTER = re.compile(
    r"^[^.;!?\n]{0,45}\b(?:is|are|would be|can be|could be|may be|was|can|could|may|might|will)\b"
    r"[^.;!?\n]{0,25}\b(?:toxic"
    r"|too (?:much|high)|dangerous|lethal|fatal|deadly|an overdose|unsafe|poison\w*|harm\w*|damag\w*"
    r"|kill|never (?:be )?(?:safe|used)|not (?:safe|recommended|advised|appropriate|allowed|be "
    r"(?:taken|used|given|exceeded))|contraindicated|excessive|above the (?:maximum|limit))",
    re.IGNORECASE,
)
_NO_HARM = re.compile(r"\b(?:n['’]t|not|never|isn['’]t|no)\b", re.IGNORECASE)
_DENIED = re.compile(
    r"(?:\b(?:do not|don['’]t|does not|never|should not|shouldn['’]t|must not|mustn['’]t|may not"
    r"|cannot|can['’]t|can not|not to|avoid|refrain from|stop|instead of|rather than|no (?:debe"
    r"|debes|deben|tome|tomes|tomar|use|dé|de)|nunca|nicht|ne (?:prenez|donnez))\b|n['’]t be\b"
    r"|不要|不能|切勿|不可以?|不应该?|别|禁止|严禁|请勿|勿)"
    r"(?P<between>[^.;:!?。；！？\n]{0,60})$",
    re.IGNORECASE,
)
_TURNS = re.compile(
    r"\b(?:but|instead|rather|however|unless|hesitate|worry|forget|fewer|less than|miss|skip|until"
    r"|because|so|then|just|sólo|sino|pero|aber|need|only if|if)\b|,\s*(?:you |please |and )?(?:can "
    r"|may |could |should )?(?:take|give|use|start|try|have|it|the|i|we|tome|toma|prenez)\b|而是"
    r"|但|,\s*(?:请|可|应)|，\s*(?:请|可|应)",
    re.IGNORECASE,
)
_SENTENCE_END = re.compile(r"(?<=[.!?])\s+(?=[\"'“(¿¡]?[A-Z0-9ÁÉÍÓÚ*•-])|[。！？；;\n]+")
_LAB = re.compile(
    r"\b(?:level|levels|trough|peak|concentration|blood sugar|glucose|cholesterol|ldl|hdl|triglycerides?"
    r"|creatinine|potassium|sodium|haemoglobin|hemoglobin|ferritin|bilirubin|tsh|inr|a1c|hba1c"
    r"|urea|vitamin d level|crp)\b(?:\s+(?:is|was|of|at|are|were|level|levels|above|below|over"
    r"|under|about|came back|result|went|to|now|around|=|:))*\s*$",
    re.IGNORECASE,
)
_NOT_DRUG = re.compile(
    r"^\s*(?:of|de)\s+(?:(?:dietary|added|total|pure|saturated|table|wine|red|daily)\s+)?(?:fib(?:re"
    r"|er)|protein\w*|sugars?|carb\w*|salt|sodium|fat|alcohol|wine|beer|water|fluids?|blood|milk"
    r"|juice|caffeine|weight|food|oats|nuts|sal|agua|azúcar|fibra|red cells|plasma|tea|coffee|honey"
    r"|broth)\b|^\s*(?:carb\w*|protein|fib(?:re|er)|sugar|salt)\b",
    re.IGNORECASE,
)
_FILL = re.compile(
    r"^(?:[\s,()\-–的]|\bof\b|\bde\b|\bdi\b|\bvon\b|\bd['’]|\bthe\b|\byour\b|\bthis\b|\bmy\b|\ban?\b"
    r"|\boral\b|\biv\b|\bim\b|\bsc\b|\bintravenous\b|\bsubcutaneous\b|\binhaled\b|\bgeneric\b|\bregular\b"
    r"|\bplain\b"
    r"|\bextra[- ]strength\b|\bchildren['’]?s\b|\binfants?['’]?\b|\bextended[- ]release\b|\bimmediate[- "
    r"]release\b|\bslow[- ]release\b|\bmodified[- ]release\b|\bliquid\b|\bsyrup\b|\bsuspension\b"
    r"|\bsolution\b|\bdoses?\b|\bworth\b|\bsoluble\b|\beffervescent\b|\bstrength\b|\bpure\b|\beach\b"
    rf"|\b(?:{_UNIT})\b|{_UNIT})*$",
    re.IGNORECASE,
)
_EXTRA = re.compile(
    r"\b(?:another|an extra|additional|plus|on top|also|as well as|in addition|再|otra|además)\b", re.IGNORECASE
)
_ODD_UNIT = re.compile(
    rf"(?P<number>{NUMBER})\s*(?P<unit>squirts?|handfuls?|scoops?|spoonfuls?|spoons?|glass(?:es)?"
    r"|shots?|bottles?|vials?|ampoules?|ampules?|capfuls?|droppers?(?:ful)?s?|cups?|pinch(?:es)?"
    rf"|strips?|blisters?|boxes|packs?|fl\.? ?oz|ounces?|oz|grains?|clicks?|pumps?|(?<=\d)[a-z]{{2,3}}"
    r"|(?<=\d )m[a-z])(?![A-Za-z/])",
    re.IGNORECASE,
)
_NO_UNIT_NAMES = frozenset(
    "st nd rd th am pm h hr hrs min mins yo yr yrs kg lb lbs cm mm in ft wk wks day mo mos bpm "
    "kcal cal mah khz mhz pc pts years kj bd od tds qds bid tid qid".split()
)


@dataclass(frozen=True)
class Dose:
    """One dose as the text gives it. Masses are in mg; a range counts with its upper end.

    `amount` is one intake in `unit`; `daily` a total of the day that the text states; `per_day` intakes a day (a
    seventh for one a week); `parts` each substance, what one `unit` of the dose holds of it, and the unit of that.
    """

    drug: str
    written: str
    start: int
    stop: int
    kind: Kind = "advice"
    amount: float | None = None
    unit: str = "mg"
    count: float | None = None
    per_day: float | None = None
    interval_hours: float | None = None
    daily: float | None = None
    per_kg: bool = False
    route: str | None = None
    days: float | None = None
    other: float | None = None
    note: str = ""
    extra: bool = False
    parts: tuple[tuple[str, float, str], ...] = ()

    @property
    def total(self) -> float | None:
        """Amount a day, if the text says it or how often."""
        if self.daily is not None:
            return self.daily
        return self.amount * self.per_day if self.amount is not None and self.per_day is not None else None


@dataclass(frozen=True)
class Ingredient:
    substance: str
    amount: float | None
    unit: str
    per: str
    per_amount: float


_NOTHING = (Ingredient("", None, "", "", 1.0),)


@dataclass(frozen=True)
class Name:
    """A drug or product named at `start:stop`; `drug` is the substance or the product's own name."""

    start: int
    stop: int
    written: str
    drug: str


@dataclass
class _Token:
    kind: str
    start: int
    stop: int
    value: float | None = None
    unit: str = ""
    times: float | None = None
    per: set[str] = field(default_factory=set)
    per_ml: float | None = None
    other: float | None = None
    text: str = ""
    hours: float | None = None
    owner: Name | None = None
    edge: str = ""


def number(text: str) -> tuple[float, float | None]:
    """The value of a written number, and the other reading where a point may part thousands."""
    word = text.strip().lower()
    if word in _WORDS:
        return _WORDS[word], None
    if "and a half" in word:
        head = word.split()[0]
        return (_WORDS.get(head) or float(head)) + 0.5, None
    if "quarter" in word:
        return 0.25, None
    if word.startswith(("half", "a half")):
        return 0.5, None
    for name, factor in _THOUSANDS_IN_WORDS.items():
        if word.endswith(name):
            head = word[: -len(name)].strip(" -")
            return _WORDS.get(head, 1.0) * factor, None
    if any(sign in _HAN or sign in _HAN_TENS for sign in word):
        return _han(word), None
    if "/" in word:
        *whole, part = word.split()
        above, below = part.split("/")
        return (float(whole[0]) if whole else 0.0) + float(above) / max(float(below), 1.0), None
    extra = sum(_FRACTIONS.get(sign, 0.0) for sign in word)
    word = re.sub(r"[½¼¾]", "", word)
    if not word:
        return extra, None
    if re.fullmatch(r"[1-9]\d{0,2}(?:[\u00a0\u202f\u2009' ]\d{3})+|[1-9]\d{0,2}(?:,\d{3})+(?:\.\d+)?", word):
        return float(re.sub(r"[^\d.]", "", word)), None
    if re.fullmatch(r"[1-9]\d{0,2}\.\d{3}", word):
        return float(word), float(word.replace(".", ""))
    return float(word.replace(",", ".").replace("·", ".")) + extra, None


def _han(word: str) -> float:
    total, current = 0.0, 0.0
    for sign in word:
        if sign in _HAN_TENS:
            total += (current or 1.0) * _HAN_TENS[sign]
            current = 0.0
        else:
            current = float(_HAN[sign])
    return total + current


@cache
def products() -> dict[str, tuple[Ingredient, ...]]:
    """What each product holds, from `data/products.csv`; an alias holds its one substance, without an amount."""
    found: dict[str, list[Ingredient]] = {}
    with (files("primum.safety") / "data" / "products.csv").open(encoding="utf-8") as file:
        for row in csv.DictReader(file):
            amount = float(row["amount"]) if row["amount"] else None
            per_amount, _, per = row["per"].rpartition(" ")
            item = Ingredient(row["substance"], amount, row["unit"] or "mg", per, float(per_amount or 1))
            for name in row["product"].split("|"):
                found.setdefault(name.strip().lower(), []).append(item)
    return {name: tuple(items) for name, items in found.items()}


@cache
def substances() -> frozenset[str]:
    """The substances that the table of doses knows."""
    with (files("primum.safety") / "data" / "doses.csv").open(encoding="utf-8") as file:
        return frozenset(row["substance"] for row in csv.DictReader(file))


@cache
def _name_pattern() -> re.Pattern[str]:
    known = {*substances(), *(name for name in products() if not name.endswith(" tablet"))}
    names = sorted(known, key=len, reverse=True)
    latin = [re.escape(name).replace(r"\ ", r"[\s-]+") for name in names if name.isascii() or name[0] < "\u3000"]
    han = [re.escape(name) for name in names if name[0] >= "\u3000"]
    return re.compile(rf"(?<![\w])(?:{'|'.join(latin)})s?(?![\w])|{'|'.join(han) or '(?!)'}", re.IGNORECASE)


@lru_cache(maxsize=4096)
def names(text: str) -> tuple[Name, ...]:
    """Drugs and products of a text, by the table's own names first and then by the lexicon's."""
    found = []
    for match in _name_pattern().finditer(text):
        written = re.sub(r"[\s-]+", " ", match.group().lower())
        found.append(Name(match.start(), match.end(), match.group(), _own(written)))
    for mention in mentions(text):
        name = _own(mention.name)
        tail = name not in substances() and any(0 <= mention.start - other.stop <= 1 for other in found)
        if not tail and all(mention.stop <= other.start or mention.start >= other.stop for other in found):
            found.append(Name(mention.start, mention.stop, mention.written, name))
    return tuple(sorted(found, key=lambda name: name.start))


@cache
def _spaced() -> dict[str, str]:
    return {re.sub(r"[\s-]+", " ", name): name for name in (*products(), *substances())}


def _own(written: str) -> str:
    """The substance of the table for a name, or the product's name if it holds amounts of its own."""
    key = re.sub(r"[\s-]+", " ", written.lower())
    known = _spaced().get(key) or _spaced().get(key.removesuffix("s")) or written.lower()
    held = products().get(known, ())
    return held[0].substance if len(held) == 1 and held[0].amount is None else known


def normal(text: str) -> str:
    """The text with wide signs as narrow ones; no character is added or taken away."""
    return text.translate(_WIDE)


def sentences(text: str) -> list[tuple[int, int]]:
    """Start and stop of each sentence."""
    cuts = [match.end() for match in _SENTENCE_END.finditer(text)]
    bounds = [0, *cuts, len(text)]
    return [(a, b) for a, b in pairwise(bounds) if text[a:b].strip()]


def _tokens(text: str) -> list[_Token]:
    """Amounts, frequencies and durations in order, none overlapping another; the earlier kinds win."""
    taken: list[tuple[int, int]] = []
    found: list[_Token] = []

    def free(start: int, stop: int) -> bool:
        return all(stop <= a or start >= b for a, b in taken)

    def keep(token: _Token) -> None:
        taken.append((token.start, token.stop))
        found.append(token)

    names_here = names(text)
    taken += [(name.start, name.stop) for name in names_here if any(sign.isdigit() for sign in name.written)]
    for match in _RATIO.finditer(text):
        near = next((n for n in names_here if n.stop <= match.start() <= n.stop + 25), None)
        if near and free(*match.span()):
            keep(_ratio(match, near))
    for kind, pattern in _FREQUENCY:
        for match in pattern.finditer(text):
            if free(*match.span()):
                keep(_frequency(kind, match))
    for match in _DURATION.finditer(text):
        if free(*match.span()):
            days = number(match["n"])[0] * _period(match["p"] or "day") if match["n"] else None
            keep(_Token("duration", match.start(), match.end(), days, text=match.group()))
    for match in _AMOUNT.finditer(text):
        if free(*match.span()):
            keep(_amount(text, match, free))
    for match in _ODD_UNIT.finditer(text):
        unit = match["unit"].lower()
        drink = _NOT_DRUG.match(text[match.end() : match.end() + 40])
        if unit not in _NO_UNIT_NAMES and not drink and free(*match.span()):
            keep(_Token("odd", match.start(), match.end(), text=match.group()))
    found += _bare_counts(text, names_here, free)
    return sorted(found, key=lambda token: token.start)


_RATIO = re.compile(
    r"(?<![\w./])\d+(?:\.\d+)?\s?(?:mg)?\s?/\s?\d+(?:\.\d+)?(?:\s?/\s?\d+(?:\.\d+)?)?(?:\s?mg\b)?(?![\d/]"
    r"|\s?(?:ml|mmhg|tab))",
    re.I,
)


def _ratio(match: re.Match[str], name: Name) -> _Token:
    """`30/500`: the strengths of a product's ingredients; one sum where the table counts them together."""
    token = _Token("ratio", match.start(), match.end(), text=match.group())
    if len(products().get(name.drug, ())) < 2:
        token.kind, token.unit = "amount", "mg"
        token.value = sum(float(n) for n in re.findall(r"\d+(?:\.\d+)?", token.text))
    return token


def _period(word: str) -> float:
    word = word.lower()
    if word.startswith(("w", "s", "周", "每周", "一周", "每星期")) and not word.startswith("st"):
        return 7.0
    if word.startswith(("month", "mes", "个月", "每月")):
        return 30.0
    return 365.0 if word.startswith("y") else 1.0


def _frequency(kind: str, match: re.Match[str]) -> _Token:
    """A frequency as intakes a day, with the shortest time between two where the text gives it."""
    groups = match.groupdict()
    many = _count_word(groups.get("n"))
    more = _count_word(groups.get("n2"))
    token = _Token("freq", match.start(), match.end(), text=match.group())
    fixed = {
        "hour": 24.0, "other": 0.5, "otherweek": 1 / 14, "week": 1 / 7, "month": 1 / 30, "halfyear": 1 / 182,
        "year": 1 / 365, "eachmeal": 3.0, "day1": 1.0, "both": 2.0, "three": 3.0,
    }  # fmt: skip
    if kind in fixed:
        token.value = fixed[kind]
        token.hours = 1.0 if kind == "hour" else None
        token.text = kind
    elif kind in ("hours", "minutes"):
        step = min(many or 24.0, more or many or 24.0) / (60 if kind == "minutes" else 1)
        token.value, token.hours, token.text = 24 / max(step, 0.1), step, "hours"
    elif kind == "days":
        token.value = 1 / max((many or 1) * _period(groups["p"] or "day"), 1)
    elif kind == "times":
        period = groups["p"] or ""
        stripped = re.sub(r"^(?:a la|per|each|every|in the|in an?|a|por|la|par|pro|/)\s*", "", period.lower())
        token.value = max(many or 1, more or 0) / _period(stripped)
    elif kind == "latin":
        token.value = _LATIN.get((groups["l"] or "").lower().rstrip("."), 1.0)
    else:
        token.kind = {"cap": "cap", "day": "day", "split": "split", "time": "time", "once": "once", "prn": "prn"}[kind]
        token.value = max(many or 1, more or 0) if kind in ("split", "cap") else 1.0
    return token


def _count_word(word: str | None) -> float | None:
    if not word:
        return None
    special = {**_ONCE, "una": 1, "zwei": 2, "drei": 3, "vier": 4, "sechs": 6, "ein": 1, "fünf": 5}
    return float(special.get(word.lower(), 0)) or number(word)[0]


def _amount(text: str, match: re.Match[str], free: Callable[[int, int], bool]) -> _Token:
    value, other = number(match["number"])
    kind, factor = _UNITS[match["unit"].lower()]
    token = _Token("count" if kind in COUNTED else "amount", match.start(), match.end(), value * factor, kind)
    token.edge = match["unit"]
    token.other = other * factor if other else None
    if match["upper"]:
        upper, upper_other = number(match["upper"])
        low = _UNITS[match["low"].lower()][1] if match["low"] else factor
        token.value = max(value * low, upper * factor)
        token.other = upper_other * factor if upper_other else token.other
    if match["times"] and kind not in COUNTED:
        token.times = number(match["times"])[0]
    position = match.end()
    while per := _PER.match(text, position):
        name = next(name for name, pattern in _PER_NAMES if re.match(pattern, per["per"], re.IGNORECASE))
        if not free(*per.span()):
            break
        if name == "ml" and kind != "ml":
            token.per_ml = float(per["n"] or 1)
        elif name == "hour" and per["n"] and float(per["n"]) == 24:
            name = "day"
        token.per.add(name)
        position = per.end()
        token.stop = position
    if token.per_ml and not token.per & {"lab"}:
        token.kind = "strength"
    measured = _LAB.search(text[max(0, token.start - 60) : token.start])
    place = max(0, token.start - 60) + measured.start() if measured else 0
    if "lab" in token.per or (measured and all(not n.start <= place < n.stop for n in names(text))):
        token.kind = "lab"
    if kind in ("mg", "unit", "ml") and _NOT_DRUG.match(text[token.stop : token.stop + 60]):
        token.kind = "lab"
    return token


_BARE = re.compile(
    r"(?:\b(?:take|takes|taking|took|taken|swallow(?:ed)?|give|gave|giving|have|had|having|toma"
    r"|tome|tomar|tomo|nimm)\s+"
    rf"|每次(?:服用?|吃)?\s*)(?:up to |about |only )?(?P<n>{NUMBER})(?:{_TO}(?P<n2>{NUMBER}))?"
    r"(?=\s*(?:$|[.,;)]|of\b|at\b|every\b|each\b|per\b|once\b|twice\b|three\b|four\b|times\b|daily\b"
    r"|a day\b|with\b|and\b"
    rf"|now\b|tonight\b|again\b|cada\b|together\b|more\b|in the\b|before\b|b\.?i?d|t\.?i?d|q))",
    re.IGNORECASE,
)


def _bare_counts(text: str, found: Iterable[Name], free: Callable[[int, int], bool]) -> list[_Token]:
    """`take 2 every 6 hours` and `two paracetamol`: numbers of tablets that no unit follows; `ibuprofen 800 bd`."""
    tokens = []
    for match in _BARE.finditer(text):
        first = match.start("n")
        if free(first, match.end()):
            value = max(number(match["n"])[0], number(match["n2"])[0] if match["n2"] else 0.0)
            if value <= 60:
                tokens.append(_Token("bare", first, match.end(), value, "tablet"))
    for name in found:
        before = re.search(
            rf"(?P<n>{NUMBER})\s+(?:extra[- ]strength |regular |generic |of (?:the |my )?)?$",
            text[: name.start],
            re.IGNORECASE,
        )
        if before and free(before.start("n"), before.end("n")) and not _vague(before["n"]):
            value = number(before["n"])[0]
            if 0.5 <= value <= 100:
                tokens.append(_Token("bare", before.start("n"), before.end("n"), value, "tablet"))
        after = re.match(rf"\s*(?P<n>{NUMBER})(?=\s*(?P<next>\S*))", text[name.stop :])
        start = name.stop + (after.start("n") if after else 0)
        if (
            after
            and after["n"][0].isdigit()
            and free(start, name.stop + after.end("n"))
            and _dose_follows(after["next"])
        ):
            tokens.append(_Token("unitless", start, name.stop + after.end("n"), number(after["n"])[0], ""))
    return [one for i, one in enumerate(tokens) if all(one.start != other.start for other in tokens[:i])]


def _vague(word: str) -> bool:
    return word.lower() in {"a", "an", "un", "una", "uno", "une", "ein", "eine", "one", "single"}


def _dose_follows(word: str) -> bool:
    return bool(
        re.match(
            r"(?:$|b\.?i?\.?d|t\.?i?d|q[di]|od\b|once|twice|three|four|five|six|every|daily|nightly|at$"
            r"|nocte|tds|per$|a$|[.,;)]?$)",
            word,
            re.IGNORECASE,
        )
    )


def _adjacent_after(text: str, token: _Token, name: Name, tokens: list[_Token]) -> bool:
    """Whether only filling words and other parts of the dose stand between an amount and the name behind it."""
    gap = list(text[token.stop : name.start])
    for other in tokens:
        for place in range(max(other.start, token.stop), min(other.stop, name.start)):
            gap[place - token.stop] = " "
    rest = "".join(gap)
    return len(rest) < 60 and not re.search(r"\band\b|[.;!?]", rest) and bool(_FILL.match(rest))


def _owners(text: str, tokens: list[_Token]) -> None:
    """Gives each token the drug it belongs to."""
    found = names(text)
    starts = [name.start for name in found]
    previous: Name | None = None
    for a, b in sentences(text):
        here = [name for name in found if a <= name.start < b]
        inside = [token for token in tokens if a <= token.start < b]
        amounts = [t for t in inside if t.kind in ("amount", "count", "strength", "bare", "unitless", "odd")]
        leads = bool(
            amounts and here and amounts[0].start < here[0].start and _adjacent_after(text, amounts[0], here[0], inside)
        )
        for token in amounts:
            behind = bisect_right(starts, token.start)
            after = next((name for name in found[behind:] if name.start < b), None)
            before = next((name for name in reversed(found[:behind]) if name.start >= a), None)
            close = before is not None and not re.search(r"\w", text[before.stop : token.start])
            taken = close and leads
            if after and (not close or taken) and _adjacent_after(text, token, after, inside):
                token.owner = after
            else:
                token.owner = before or previous or after or (found[0] if len({n.drug for n in found}) == 1 else None)
                if before is None and after and not previous:
                    token.owner = after
                if before is None and after and previous and after.drug != previous.drug and not leads:
                    token.owner = after
        for token in inside:
            if token not in amounts:
                earlier = [t for t in amounts if t.start < token.start and t.owner]
                later = [t for t in amounts if t.start > token.start and t.owner]
                front = [n for n in here if n.start < token.start and products().get(n.drug, _NOTHING)[0].amount]
                found_owner = earlier[-1].owner if earlier else front[-1] if front else None
                token.owner = found_owner or (later[0].owner if later else here[-1] if here else previous)
        previous = here[-1] if here else previous


def _clause_before(text: str, start: int) -> str:
    """What stands before a place in its sentence."""
    begin = max((b for b, e in sentences(text) if b <= start), default=0)
    return text[max(begin, start - 120) : start]


def _kind(text: str, token: _Token) -> Kind:
    """Whether an amount is advised, a limit, denied, or a warning about too much."""
    before = _clause_before(text, token.start)
    end = next((e for b, e in sentences(text) if b <= token.start < e), len(text))
    after = text[token.stop : end]
    question = after.rstrip().endswith(("?", "？")) or text[end - 1 : end] in "?？"
    if _LIMIT_BEFORE.search(before) or _LIMIT_AFTER.match(after):
        return "limit"
    denial = _DENIED.search(before)
    if denial and not _TURNS.search(denial["between"]) and not re.search(r"\bwithout\b", before):
        why_not = question and re.match(r"(?:can['’]?t|can not|cannot|shouldn)", denial.group(), re.IGNORECASE)
        return "advice" if why_not else "denied"
    if question:
        return "advice"
    if _MORE.search(before):
        supposed = re.search(r"\bif\b", before, re.IGNORECASE)
        return "advice" if _ALLOWED.search(before) and not supposed else "warning"
    harm = _HARM_AFTER.match(after)
    if harm and not _NO_HARM.search(
        re.sub(r"not (?:safe|recommended|advised|appropriate|allowed|be)|never", "", harm.group())
    ):
        return "warning"
    if re.search(r"\b(?:overdose|toxicity|poisoning|toxic dose|lethal dose|fatal dose)\b", before, re.IGNORECASE):
        return "warning" if not re.search(r"\b(?:i|he|she|took|taken|swallowed)\b", before, re.IGNORECASE) else "advice"
    return "advice"


@lru_cache(maxsize=2048)
def read_doses(text: str) -> tuple[Dose, ...]:
    """Every dose of the text, in its order. A range counts with its upper end; nothing is guessed silently."""
    text = normal(text)
    if not names(text):
        return ()
    tokens = _tokens(text)
    _owners(text, tokens)
    doses: list[Dose] = []
    for drug in dict.fromkeys(token.owner.drug for token in tokens if token.owner):
        doses += _Builder(text, drug).read([t for t in tokens if t.owner and t.owner.drug == drug])
    doses.sort(key=lambda dose: dose.start)
    return tuple(_shared_frequency(text, doses))


def _shared_frequency(text: str, doses: list[Dose]) -> list[Dose]:
    """`400 mg of this and 1 g of that four times a day`: the frequency goes for both."""
    for i in reversed(range(len(doses) - 1)):
        one, other = doses[i], doses[i + 1]
        gap = text[one.stop : other.start]
        if (
            one.drug != other.drug and one.kind == other.kind == "advice" and one.total is None and one.amount
            and other.per_day and len(gap) < 40 and re.search(r"\b(?:and|plus|with|y)\b|\+|和", gap)
            and not re.search(r"[.;!?]", gap)
        ):  # fmt: skip
            doses[i] = replace(one, per_day=other.per_day, interval_hours=other.interval_hours)
    return doses


class _Builder:
    """Puts the tokens of one drug together to doses."""

    def __init__(self, text: str, drug: str) -> None:
        self.text = text
        self.drug = drug
        self.done: list[Dose] = []
        self.now: Dose | None = None
        self.strength: float | None = None
        self.strength_unit = "mg"
        self.per_ml: tuple[float, str] | None = None
        self.ratio: tuple[float, ...] = ()
        self.waiting: _Token | None = None
        self.day_before: _Token | None = None
        self.timed = False

    def read(self, tokens: list[_Token]) -> list[Dose]:
        for token, following in zip(tokens, [*tokens[1:], None], strict=True):
            if token.kind in ("amount", "count", "bare"):
                self._take(token, following)
            elif token.kind == "unitless":
                unit = default_unit(self.drug)
                scale = {"mcg": 0.001, "g": 1000.0}.get(unit, 1.0)
                said = f"{self.text[token.start : token.stop]} without a unit"
                self._start(token, (token.value or 0.0) * scale, "mg" if unit in ("mcg", "g") else unit, note=said)
            elif token.kind == "strength":
                self._set_strength(token)
            elif token.kind == "ratio":
                self.ratio = tuple(float(n) for n in re.findall(r"\d+(?:\.\d+)?", token.text))
            elif token.kind == "odd":
                self._unreadable(token)
            elif token.kind in ("freq", "day", "split", "time", "duration", "cap"):
                self._when(token)
        self._close()
        often = self.waiting
        if not self.done and often and often.owner and any(item.amount for item in products().get(self.drug, ())):
            self.waiting = None
            one = _Token("count", often.start, often.stop, 1.0, products()[self.drug][0].per, owner=often.owner)
            if one.unit in COUNTED:
                self._start(one, 1.0, one.unit, count=1.0, per_day=often.value, interval_hours=often.hours)
                self._close()
        return [self._finish(dose) for dose in self.done]

    def _close(self) -> None:
        if self.now is not None:
            self.done.append(self.now)
        self.now, self.timed = None, False

    def _start(self, token: _Token, amount: float | None, unit: str, **given: object) -> Dose:
        self._close()
        before = self.text[max(0, token.start - 30) : token.start]
        self.now = Dose(
            self.drug, token.owner.written if token.owner else self.drug, token.start, token.stop,
            _kind(self.text, token), amount, unit, route=_route(self.text, token), other=token.other,
            per_kg="kg" in token.per, extra=bool(_EXTRA.search(before)),
        )  # fmt: skip
        self.now = replace(self.now, **given)  # type: ignore[arg-type]
        if "day" in token.per and amount is not None:
            self.now = replace(self.now, daily=amount, amount=None)
        elif "week" in token.per:
            self.now = replace(self.now, per_day=1 / 7)
        if self.waiting and token.start - self.waiting.stop < 25:
            self.now = replace(self.now, per_day=self.waiting.value, interval_hours=self.waiting.hours)
        elif (
            self.day_before
            and token.start - self.day_before.stop < 12
            and self.now.daily is None
            and amount is not None
        ):
            self.now = replace(self.now, daily=self.now.amount, amount=None)
        self.waiting = self.day_before = None
        return self.now

    def _take(self, token: _Token, following: _Token | None) -> None:
        assert token.value is not None
        if _kind(self.text, token) == "limit":
            self._limit(token, following)
        elif token.kind in ("count", "bare") and token.unit in ("tablet", "sachet", "suppository"):
            self._count(token)
        elif token.unit == "ml":
            self._volume(token)
        elif token.kind == "count":
            now = self.now
            if (
                now
                and now.unit == "mg"
                and now.amount
                and not now.count
                and not now.per_day
                and token.start - now.stop < 30
            ):
                self.now = replace(now, amount=now.amount * (token.value or 1.0), count=token.value, stop=token.stop)
            else:
                self._start(token, token.value, token.unit)
        else:
            self._mass(token)

    def _mass(self, token: _Token) -> None:
        value = token.value or 0.0
        now = self.now
        tablets = re.match(
            rf"[\s-]*(?:strength\s+)?(?:of\s+)?(?:[\w-]+ )?(?:{_TABLET})(?![A-Za-z])",
            self.text[token.stop :],
            re.IGNORECASE,
        )
        near = now is not None and token.start - now.stop < 40 and now.per_day is None and now.kind != "limit"
        joined = not re.search(r"[.;!?]|\bor\b|\band\b", self.text[now.stop : token.start]) if now else False
        if "each" in token.per:
            tablets = tablets or re.match("", "")
        if now and near and joined and now.count and now.unit == "tablet":
            inside = self.text[now.stop : token.start].strip()
            total = inside.endswith("(") and self._is_total(now.count, value, token)
            self.now = replace(
                now, amount=value if total else value * now.count, unit=token.unit, stop=token.stop, other=token.other
            )
            if now.daily is not None:
                self.now = replace(self.now, daily=self.now.amount, amount=None)
            self.strength, self.strength_unit = (value / now.count if total else value), token.unit
        elif (
            now
            and near
            and joined
            and now.unit == "ml"
            and now.amount
            and self.text[now.stop : token.start].strip() == "("
        ):
            self.now = replace(now, amount=value, unit=token.unit, stop=token.stop)
        elif token.times:
            self.strength, self.strength_unit = value, token.unit
            other = token.other * token.times if token.other else None
            self._start(token, value * token.times, token.unit, count=token.times, other=other)
        else:
            self._start(token, value, token.unit)
            if tablets:
                self.strength, self.strength_unit = value, token.unit
            self._times_after(token)

    def _times_after(self, token: _Token) -> None:
        """`400 mg x 2`, `400 mg x 3 daily`."""
        match = re.match(
            r"\s*[x×*]\s*(\d{1,2})(?!\s*(?:/\d|-?\s*(?:days?|weeks?|months?|d\b|wk)))(?P<rest>.{0,14})",
            self.text[token.stop :],
        )
        now = self.now
        if not match or now is None or now.amount is None:
            return
        many = float(match[1])
        amount = now.amount * many
        if re.match(r"\s*(?:/|per|a|daily|times)?\s*(?:day|daily|d\b)", match["rest"]) or not match["rest"].strip(
            " .,;"
        ):
            self.now = replace(now, per_day=many)
        else:
            self.now = replace(now, amount=amount, count=many)

    def _is_total(self, count: float, value: float, token: _Token) -> bool:
        each = re.match(r"\s*(?:each|apiece|per|/|a tablet|tablets?)", self.text[token.stop :])
        usual = _usual_strength(self.drug)
        return (
            not each
            and "each" not in token.per
            and count > 1
            and usual is not None
            and abs(value - usual * count) < 0.5
        )

    def _count(self, token: _Token) -> None:
        value = token.value or 0.0
        now = self.now
        if (
            now
            and now.per_day is None
            and now.amount is not None
            and now.count is None
            and now.unit not in COUNTED | {"ml"}
        ):
            gap = self.text[now.stop : token.start]
            if re.fullmatch(r"\s*(?:\(|=|as|i\.e\.,?|,?\s*which is|,?\s*or|\(i\.e\.)\s*", gap):
                return
            if now.kind != "limit" and len(gap) < 60:
                amount = now.amount * value
                self.strength, self.strength_unit = now.amount, now.unit
                other = now.other * value if now.other else None
                self.now = replace(now, amount=amount, count=value, stop=token.stop, other=other)
                return
        strength = self.strength or self._usual(token)
        if strength is not None and not self._parts_by("tablet"):
            self._start(token, value * strength, self.strength_unit, count=value)
        else:
            self._start(token, value, "tablet", count=value)
        if self.now and strength is not None and self.strength is None:
            self.now = replace(self.now, note=f"a tablet counted as {strength:g} mg")

    def _usual(self, token: _Token) -> float | None:
        gap = self.text[token.stop : token.stop + 45]
        if re.match(rf"[^.;!?]{{0,35}}?\d\s?-?(?:{_MASS_UNIT})", gap) and not re.match(
            r"[^.;!?]{0,35}\b(?:and|or)\b", gap
        ):
            return None  # its strength follows
        return _usual_strength(self.drug)

    def _volume(self, token: _Token) -> None:
        if self.per_ml:
            self._start(token, (token.value or 0.0) * self.per_ml[0], self.per_ml[1])
        else:
            if (
                self.now
                and self.now.amount
                and self.now.unit != "ml"
                and re.fullmatch(
                    r"\s*(?:\(|=|in|/|\bor\b|with|diluted in|\(=)\s*", self.text[self.now.stop : token.start]
                )
            ):
                return
            self._start(token, token.value, "ml")

    def _set_strength(self, token: _Token) -> None:
        assert token.value is not None and token.per_ml
        self.per_ml = (token.value / token.per_ml, token.unit)
        if self.now and self.now.unit == "ml":
            amount = self.now.amount * self.per_ml[0] if self.now.amount is not None else None
            daily = self.now.daily * self.per_ml[0] if self.now.daily is not None else None
            self.now = replace(self.now, amount=amount, daily=daily, unit=token.unit)

    def _limit(self, token: _Token, following: _Token | None) -> None:
        value, unit = (token.value or 0.0) * (token.times or 1.0), token.unit
        if re.match(r"\s*doses\b", self.text[token.stop :]):
            return
        if token.kind in ("count", "bare") and unit == "tablet" and not self._parts_by("tablet"):
            strength = self.strength or self._usual(token)
            if strength is None:
                return
            value, unit = value * strength, self.strength_unit
        elif unit == "ml" and self.per_ml:
            value, unit = value * self.per_ml[0], self.per_ml[1]
        around = self.text[max(0, token.start - 40) : token.start] + " | " + self.text[token.stop : token.stop + 30]
        single = "dose" in token.per or re.search(
            r"\b(?:at (?:once|a time|one time)|single|per dose|each dose|a dose|one dose|per intake|each "
            r"time|individual)\b|每次|单次|一次",
            around,
            re.I,
        )
        weekly = "week" in token.per or re.search(r"\bweek(?:ly)?\b|每周", around, re.IGNORECASE)
        held, self.now, timed = self.now, None, self.timed
        waiting, self.waiting = self.waiting, None
        limit = self._start(token, value, unit)
        frequent = (
            following is not None and following.kind == "freq" and following.start - token.stop < 8 and not weekly
        )
        if frequent and following is not None:
            limit = replace(limit, kind="limit", per_day=following.value)
        elif not single:
            limit = replace(
                limit, daily=value / 7 if weekly else value, amount=None, kind="limit", note="week" if weekly else ""
            )
        self.done.append(
            replace(
                limit, kind="limit", amount=value if single else limit.amount, daily=None if single else limit.daily
            )
        )
        self.now, self.timed, self.waiting = held, timed, waiting

    def _unreadable(self, token: _Token) -> None:
        written = token.owner.written if token.owner else self.drug
        kind = _kind(self.text, token)
        if kind == "advice":
            self.done.append(Dose(self.drug, written, token.start, token.stop, "unreadable", note=token.text))

    def _when(self, token: _Token) -> None:
        now = self.now
        if token.kind == "duration":
            if now:
                self.now = replace(now, days=token.value)
        elif now is None:
            if token.kind == "freq":
                self.waiting = token
            elif token.kind == "day":
                self.day_before = token
        elif token.kind == "freq":
            self._often(now, token)
        elif token.kind == "day":
            self._daily(now, token)
        elif token.kind == "split" and token.value:
            daily = now.daily if now.daily is not None else now.amount
            if daily is not None and now.per_day in (None, 1.0):
                self.now = replace(now, daily=daily, amount=daily / token.value, per_day=token.value)
        elif token.kind == "time":
            self._at_time(now, token)
        elif token.kind == "cap" and token.value:
            self.now = replace(now, per_day=min(now.per_day or token.value, token.value))

    def _often(self, now: Dose, token: _Token) -> None:
        cap = _LIMIT_BEFORE.search(_clause_before(self.text, token.start)) or re.search(
            r"up to\s*$", self.text[: token.start]
        )
        if now.daily is not None and now.amount is None:
            if token.value and token.text != "week":
                self.now = replace(now, amount=now.daily / max(token.value, 1), per_day=None)
            return
        if now.per_day is None or self.timed:
            self.now = replace(now, per_day=token.value, interval_hours=token.hours)
            self.timed = False
        elif cap and token.value:
            self.now = replace(now, per_day=min(now.per_day, token.value))
        elif token.hours and now.interval_hours is None and token.start - now.stop < 60:
            self.now = replace(now, interval_hours=token.hours)
        elif now.per_day == 1.0 and token.value and token.value < 1 and token.start - now.stop < 30:
            self.now = replace(now, per_day=token.value)
        else:
            self.waiting = token

    def _daily(self, now: Dose, token: _Token) -> None:
        gap = self.text[now.stop : token.start]
        if now.per_day is None and now.daily is None and now.amount is not None and len(gap) < 60:
            if re.search(r"\bonce\b|\bone dose\b", gap):
                self.now = replace(now, per_day=1.0)
            else:
                self.now = replace(now, daily=now.amount, amount=None)
        else:
            self.day_before = token

    def _at_time(self, now: Dose, token: _Token) -> None:
        if now.per_day is None and now.daily is None:
            last = next((d for d in reversed(self.done) if d.kind == "advice"), None)
            between = self.text[last.stop : now.start] if last else ""
            added = (
                last is not None
                and last.per_day == 1.0
                and not re.search(r"[.;]|\bor\b|\bthen\b", between)
                and len(between) < 60
            )
            self.now = replace(now, per_day=1.0, extra=now.extra or added)
            self.timed = True
        elif self.timed and now.per_day is not None and token.start - now.stop < 60:
            self.now = replace(now, per_day=now.per_day + 1)

    def _parts_by(self, unit: str) -> bool:
        return any(item.amount is not None and _same_form(item.per, unit) for item in products().get(self.drug, ()))

    def _finish(self, dose: Dose) -> Dose:
        held = products().get(self.drug, ())
        if not held or (held[0].amount is None and len(held) == 1):
            return replace(dose, parts=((self.drug, 1.0, dose.unit),))
        amounts = [item.amount or 0.0 for item in held]
        if self.ratio and len(self.ratio) == len(held):
            amounts = list(self.ratio)
        if dose.unit == "tablet" or _same_form(held[0].per, dose.unit):
            parts = [(i.substance, a / i.per_amount, i.unit) for i, a in zip(held, amounts, strict=True)]
        elif dose.unit == "mg" and len(held) == 1:
            parts = [(held[0].substance, 1.0, "mg")]
        elif dose.unit == "mg":
            value = (dose.amount or dose.daily or 1.0) / (dose.count or 1.0)
            near = min((a for a in amounts if a), key=lambda a: abs(log(max(value, 1e-6) / a)), default=1.0)
            parts = [(i.substance, a / near, i.unit) for i, a in zip(held, amounts, strict=True)]
        else:
            return replace(
                dose, kind="unreadable" if dose.kind == "advice" else dose.kind, note=self.text[dose.start : dose.stop]
            )
        return replace(dose, parts=tuple(parts))


_TABLET = "|".join(
    sorted(
        (re.escape(u) for u, (k, _) in _UNITS.items() if k in ("tablet", "sachet", "suppository")),
        key=len,
        reverse=True,
    )
)
_MASS_UNIT = "mg|g|mcg|µg|micrograms?|milligrams?"


def _same_form(per: str, unit: str) -> bool:
    return (
        per == unit or (per == "tablet" and unit in ("sachet", "suppository")) or (per == "sachet" and unit == "tablet")
    )


def _usual_strength(drug: str) -> float | None:
    """What a tablet holds where one strength is so usual that it may be taken for granted: `two paracetamol`."""
    held = products().get(f"{drug} tablet", ()) or products().get(drug, ())
    return held[0].amount if len(held) == 1 and held[0].per == "tablet" else None


@cache
def _default_units() -> dict[str, str]:
    with (files("primum.safety") / "data" / "doses.csv").open(encoding="utf-8") as file:
        found: dict[str, str] = {}
        for row in csv.DictReader(file):
            found.setdefault(row["substance"], row["unit"])
        return found


def default_unit(drug: str) -> str:
    """The unit in which a drug is usually written."""
    return _default_units().get(drug, "mg")


def _route(text: str, token: _Token) -> str | None:
    """The route that the sentence names nearest to the amount."""
    form = {"patch": "transdermal", "suppository": "rectal"}.get(token.unit)
    if form:
        return form
    a, b = next(((a, b) for a, b in sentences(text) if a <= token.start < b), (0, len(text)))
    near = [
        (abs(match.start() + a - token.stop), route)
        for route, pattern in _ROUTE
        for match in pattern.finditer(text[a:b])
    ]
    if token.unit == "puff":
        near = [(0, route) for _, route in near if route in ("nasal", "sublingual")] or [(0, "inhaled")]
    return min(near)[1] if near else None
