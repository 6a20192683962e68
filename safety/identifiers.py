"""Numbers that are somebody's, and ways to reach somebody: by form, check digits or the words before them."""

import ipaddress
import re
from collections.abc import Iterator
from functools import cache

from primum.safety.personal_words import any_of
from primum.safety.spans import Span

_EMAIL = re.compile(r"[\w.+%-]{1,64}@(?:[\w-]{1,63}\.){1,4}[^\W\d_]{2,24}")
_URL = re.compile(
    r"(?:https?://|ftp://|www\.)[^\s<>\"'，。；）]{2,500}"
    r"|\b(?:[a-z0-9-]{2,63}\.){1,3}(?:com|org|net|edu|gov|info|biz|health|clinic|io|uk|cn|es)\b(?:/[^\s<>\"']{0,300})?",
    re.IGNORECASE,
)
_HANDLE = re.compile(r"(?<![\w@.])@[A-Za-z_]\w{2,30}")
_MAC = re.compile(r"\b[0-9a-f]{2}(?:[:-][0-9a-f]{2}){5}\b", re.IGNORECASE)
_IPV4 = re.compile(r"(?<![\d.])\d{1,3}(?:\.\d{1,3}){3}(?![\d.]*\d)")
_IPV6 = re.compile(r"(?<![\w:])[0-9a-f]{0,4}(?::[0-9a-f]{0,4}){3,7}(?![\w:])", re.IGNORECASE)

_UNIT = r"(?!\s?(?:mg|mcg|µg|ug|g|kg|ml|l|iu|units?|mmol|cfu|cells?|copies|mm|cm|m|x|dollars?|euros?|years?)\b|\s?[%/])"
_RUN = re.compile(rf"(?<![\w.,/+-])\d(?:[ -]?\d){{7,21}}(?![\w])(?![.,]\d){_UNIT}")
_IBAN = re.compile(r"(?<!\w)[A-Z]{2}\d{2}(?: ?[A-Z0-9]{4}){2,7}(?: ?[A-Z0-9]{1,4})?(?!\w)", re.IGNORECASE)
_SSN = re.compile(r"(?<![\w-])\d{3}-\d{2}-\d{4}(?![\w-])")
_NINO = re.compile(r"(?<!\w)[A-CEGHJ-PR-TW-Z]{2} ?\d\d ?\d\d ?\d\d ?[A-D](?!\w)")
_CHINESE = re.compile(r"(?<![\dA-Za-z])\d{17}[\dXx](?![\dA-Za-z])")
_SPANISH = re.compile(r"(?<!\w)(?:\d{8}|[XYZ]\d{7})[- ]?[A-Z](?!\w)")
_PLATE = re.compile(
    r"[京津沪渝冀豫云辽黑湘皖鲁新苏浙赣鄂桂甘晋蒙陕吉闽贵粤青藏川宁琼][A-Z][·• ]?[A-Z0-9]{5,6}"
    r"|(?<!\w)(?:\d{4}|[A-Z]{2}\d{2}) [BCDFGHJ-NPRSTV-Z]{3}(?!\w)"
)
_UUID = re.compile(r"\b[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}\b", re.IGNORECASE)
_VIN = re.compile(r"(?<!\w)(?=[A-Z0-9]*\d{3})(?=[A-Z0-9]*[A-Z])[A-HJ-NPR-Z0-9]{17}(?!\w)")
_LONG = 9  # digits of a number that counts nothing
_ROUND = re.compile(r"0{4}$")
_CODE = r"(?=[\w./-]*\d(?:[\w. /-]{0,3}\d){1,30})[A-Z0-9](?:[A-Z0-9/.-]| (?=\d)){1,30}[A-Z0-9]|\d{4,}"

_GROUPS = re.compile(
    rf"(?<![\w.,/:$€£#+-])(?:\+\d{{1,3}}[ .-]?)?(?:\(\+?\d{{1,4}}\)[ .-]?)?\d{{2,5}}(?:[ .-]\d{{2,5}}){{1,5}}"
    rf"(?:\s?(?:x|ext\.?)\s?\d{{1,5}})?(?![\w/]|[.,:-]\d){_UNIT}",
    re.IGNORECASE,
)
_ABROAD = re.compile(
    r"(?<![\w+])\+\d{1,3}[ .-]?(?:\(\d{1,4}\)[ .-]?)?\d{1,5}(?:[ .-]?\d{1,5}){1,6}(?:\s?(?:x|ext\.?)\s?\d{1,5})?(?!\w)"
)
_MOBILE = re.compile(r"(?<![\w.])(?:1[3-9]\d{9}|0\d{9,10}|0\d{4} \d{6}|[2-9]\d{9}|[67]\d{8})(?![\w]|\.\d)" + _UNIT)
_REACHED = r"\+?\(?\d(?:[ .()/-]{0,2}\d){4,15}(?:\s?(?:x|ext\.?)\s?\d{1,5})?(?!\w)"
_NAMED_AFTER = re.compile(
    rf"(?<![\w.])(?P<number>{_REACHED})(?=[\s(-]{{0,3}}(?:office|fax|mobile|home|work|cell)\b)", re.I
)
_YEARS = re.compile(r"(?:19|20)\d\d[ .-](?:19|20)\d\d")
_THOUSANDS = re.compile(r"\d{1,3}(?:[ .]000)+|\d{1,3}(?:[ .]\d{3})*[ .]\d00")


def contacts(text: str) -> Iterator[Span]:
    """E-mail and web addresses, handles, and addresses of machines."""
    for pattern in (_EMAIL, _MAC):
        yield from (Span("CONTACT", *found.span()) for found in pattern.finditer(text))
    for found in _URL.finditer(text):
        yield Span("CONTACT", found.start(), found.start() + len(found.group().rstrip(".,;:!?)]}\\")))
    for pattern in (_IPV4, _IPV6):
        yield from (Span("CONTACT", *found.span()) for found in pattern.finditer(text) if _is_address(found.group()))
    yield from (Span("CONTACT", *found.span()) for found in _HANDLE.finditer(text))


def _is_address(written: str) -> bool:
    try:
        ipaddress.ip_address(written)
    except ValueError:
        return False
    return written.count(":") + written.count(".") >= 3


def numbers(text: str) -> Iterator[Span]:
    """Numbers of people, records, accounts, cards, vehicles and devices."""
    for pattern in (_SSN, _NINO, _PLATE, _UUID, _VIN):
        yield from (Span("NUMBER", *found.span()) for found in pattern.finditer(text))
    for pattern, holds in ((_IBAN, is_iban), (_SPANISH, is_dni), (_CHINESE, is_resident_number)):
        yield from (Span("NUMBER", *found.span()) for found in pattern.finditer(text) if holds(found.group()))
    for pattern in (_cued(), _cued_zh()):
        yield from (Span("NUMBER", *found.span("code")) for found in pattern.finditer(text))
    yield from (Span("NUMBER", *found.span()) for found in _RUN.finditer(text) if _is_own(found.group()))


def _is_own(written: str) -> bool:
    """Whether digits in a row are a card's, a person's, or so many that they count nothing."""
    digits = re.sub(r"\D", "", written)
    if len(digits) == 10 and (is_nhs(digits) and re.fullmatch(r"\d{3} \d{3} \d{4}", written)):
        return True
    if 12 <= len(digits) <= 19 and passes_luhn(digits):
        return True
    bare = written == digits and len(digits) >= _LONG and not _ROUND.search(digits)
    return bare and not _MOBILE.fullmatch(written)


def phones(text: str) -> Iterator[Span]:
    """Telephone and fax numbers."""
    for pattern in (_reached(), _reached_zh(), _NAMED_AFTER):
        yield from (Span("CONTACT", *found.span("number")) for found in pattern.finditer(text))
    yield from (Span("CONTACT", *found.span()) for found in _ABROAD.finditer(text))
    yield from (Span("CONTACT", *found.span()) for found in _MOBILE.finditer(text))
    for found in _GROUPS.finditer(text):
        digits = re.sub(r"\D", "", found.group())
        counted = _YEARS.fullmatch(found.group()) or _THOUSANDS.fullmatch(found.group())
        if 7 <= len(digits) <= 15 and not counted:
            yield Span("CONTACT", *found.span())


@cache
def _cued() -> re.Pattern[str]:
    said = r"(?:\s*(?:numbers?|no\.?|num|nr\.?|id|#|n\.?º|nº|número)\s*(?:is|was|es)?\s*[:=]?\s*|\s*[:=#]\s*)"
    plain = r"(?:\s*(?:numbers?|no\.?|id|#|is|was|es|:|=|n\.?º|nº|número)){0,4}\s*"
    unsure = any_of("numbered_if_said")
    either = rf"(?:\b{unsure}{said}|\b(?!{unsure}\W)(?:{any_of('numbered')}){plain})"
    return re.compile(rf"{either}[\"'(]?(?<!\w)(?P<code>{_CODE})(?!\w)(?!\s?(?:mg|ml|%))", re.IGNORECASE)


@cache
def _cued_zh() -> re.Pattern[str]:
    return re.compile(
        rf"{any_of('numbered_zh')}[是为:：\s]{{0,4}}(?P<code>[A-Za-z\u4e00-\u9fff]?[A-Za-z0-9·-]{{4,30}})"
    )


@cache
def _reached() -> re.Pattern[str]:
    said = r"(?:\s*(?:numbers?|no\.?|is|at|on|es|al|me|:|=|\.|：|#|-)){0,4}\s*"
    return re.compile(rf"\b{any_of('contacts_at')}{said}(?P<number>{_REACHED})", re.IGNORECASE)


@cache
def _reached_zh() -> re.Pattern[str]:
    return re.compile(
        rf"{any_of('contacts_at_zh')}[号码是为:：\s]{{0,4}}(?P<number>[A-Za-z0-9+][\w+ -]{{4,24}}[A-Za-z0-9])", re.ASCII
    )


def passes_luhn(digits: str) -> bool:
    """The check of payment cards and devices: ISO/IEC 7812-1."""
    doubled = [int(digit) * (1 + place % 2) for place, digit in enumerate(reversed(digits))]
    return sum(value - 9 if value > 9 else value for value in doubled) % 10 == 0 and len(set(digits)) > 1


def is_iban(written: str) -> bool:
    """Whether the check digits of an account number hold: ISO 13616, mod 97."""
    bare = written.replace(" ", "").upper()
    digits = "".join(str(int(sign, 36)) for sign in bare[4:] + bare[:4])
    return 15 <= len(bare) <= 34 and int(digits) % 97 == 1


def is_nhs(digits: str) -> bool:
    """Whether the check digit of an NHS number holds: mod 11."""
    check = 11 - sum(int(digit) * weight for digit, weight in zip(digits, range(10, 1, -1), strict=False)) % 11
    return len(digits) == 10 and check % 11 == int(digits[9]) and check != 10


def is_resident_number(written: str) -> bool:
    """Whether the check sign of a Chinese identity number holds: GB 11643, mod 11-2."""
    total = sum(int(digit) * pow(2, 17 - place, 11) for place, digit in enumerate(written[:17]))
    return len(written) == 18 and "10X98765432"[total % 11] == written[17].upper()


def is_dni(written: str) -> bool:
    """Whether the letter of a Spanish DNI or NIE holds: mod 23."""
    bare = re.sub(r"[- ]", "", written)
    digits = bare[:-1].translate(str.maketrans("XYZ", "012"))
    return "TRWAGMYFPDXBNJZSQVHLCKE"[int(digits) % 23] == bare[-1]
