"""Plain mathematics: an expression or equations are read by a small grammar and worked out exactly by sympy.

Nothing is evaluated as Python: the text is parsed to a tree, and only numbers, unknowns, the operators and a few
functions are built from it. What could run long is refused by its size before it is worked out, step by step, so that
each step is a short one; and the steps are counted, since a thread can't be ended from outside.
"""

import ast
import re
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Annotated, Any

import sympy
from langchain_core.tools import ToolException, tool
from pydantic import Field

LONGEST = 200  # characters
PARTS = 60  # numbers, unknowns, operators
EXPONENT, DIGITS = 200, 400  # of a power of numbers, and of any number on the way
ROOT, PRECISE = 6, 30  # up to the sixth root exactly, else to so many digits
READABLE = 60  # characters of an exact root
STEPS = 2_000_000  # calls of functions, in about a second; what people ask takes a few thousand
DEGREE = 4  # of an equation in one unknown
EQUATIONS = 3
UNKNOWNS = "abcdkmnpqrtuvwxyz"
_FUNCTIONS: dict[str, Callable[[sympy.Expr], sympy.Expr]] = {
    "sqrt": sympy.sqrt, "abs": sympy.Abs, "exp": sympy.exp, "ln": sympy.log, "sin": sympy.sin, "cos": sympy.cos,
    "tan": sympy.tan, "log": lambda one: sympy.log(one, 10),
}  # fmt: skip
# What is given to these is bounded before they are: of more, exp has more digits than `DIGITS`, and an angle none.
_MOST = {"exp": 900, "sin": 10**6, "cos": 10**6, "tan": 10**6}
_LARGEST, _SMALLEST = sympy.Float(10, 15) ** DIGITS, sympy.Float(10, 15) ** -DIGITS
_CONSTANTS = {"pi": sympy.pi, "e": sympy.E}
_WRITTEN = str.maketrans({"×": "*", "·": "*", "÷": "/", "−": "-", "–": "-", "^": "**", "π": "pi", "√": "sqrt"})
_FIGURE = re.compile(r"\d+(?:\.\d*)?|\.\d+")  # no 1e9, which is short to write and long to hold
_CLOCK = re.compile(r"\d:\d")
_THOUSANDS = re.compile(r"(?<![\d.])\d{1,3}(?:,\d{3})+(?![\d,])")
_DECIMAL = re.compile(r"(?<=\d),(?=\d{1,2}(?!\d)|\d{4})")  # of three digits it is a thousand
_PERCENT_OF = re.compile(r"(\d+(?:\.\d+)?) ?(?:%|per ?cent) of\b")
_PERCENT_MORE = re.compile(r"([+-]) ?(\d+(?:\.\d+)?) ?%")
_PERCENT = re.compile(r"(\d+(?:\.\d+)?) ?%")
_TIMES = re.compile(r"(?<=\d) ?x ?(?=[\d(])|(?<=\)) ?x ?(?=[\d(])|\btimes\b|\bmultiplied by\b")
_WORDS = ((re.compile(r"\bplus\b"), "+"), (re.compile(r"\bminus\b"), "-"), (re.compile(r"\bdivided by\b"), "/"))
_IMPLIED = re.compile(r"(?<=\d)\s*(?=[a-z(])|(?<=\))\s*(?=[\da-z(])")
_ASKED = re.compile(
    r"^\s*(?:(?:please|can you|could you) )*(?:what(?:'s|’s| is| are)|how much is|calculate|compute|evaluate|work out"
    r"|solve|simplify|find)?\s*(?:the (?:value|result|sum|total)(?: of)?\s*)?[: ]*(?P<it>.*?)(?: for [a-z])?\s*=?"
    r"[?.! ]*$",
    re.IGNORECASE | re.DOTALL,
)
_PLAIN = re.compile(
    r"(?:[\d\s.,()+*/^%=;×·÷−–√π-]|\b(?:sqrt|abs|exp|ln|log|sin|cos|tan|pi|e|of|plus|minus|times|divided by|per ?cent"
    r"|multiplied by|and)\b|(?<![a-z])[a-df-z](?![a-z]))+",
    re.IGNORECASE,
)
_SUM = re.compile(
    r"\d.*(?:[+*^×·÷√%=]|\s[-–−/x]\s|\bof\b|plus|minus|times|divided by|multiplied by)|(?:sqrt|√|l[no]g?)\W*\d"
)


class CantWorkOut(ValueError):
    """What was written is no mathematics that can be worked out here; the text says why."""


@dataclass(frozen=True)
class Worked:
    """What was read, the exact result, and the same as a decimal number where it is one."""

    read: str
    exact: str
    decimal: str


def work(text: str) -> Worked:
    """Works out arithmetic, a percentage, an equation in one unknown, or linear equations parted by `;`.

    Raises:
        CantWorkOut: it is none of them, or too large.
    """
    if len(text) > LONGEST:
        raise CantWorkOut(f"The expression has more than {LONGEST} characters; give a shorter one")
    with _counted():
        plain = _plain(text)
        if "=" in plain:
            return _solved(plain)
        value = _build(plain)
        if value.free_symbols:
            raise CantWorkOut("An expression with an unknown needs an equation, such as 2*x + 3 = 11")
        decimal = _decimal(value)
        return Worked(_shown(plain), decimal if value.has(sympy.Float) else str(value), decimal)


class _TooLong(BaseException):
    """Past every `except Exception` on its way out."""


@contextmanager
def _counted() -> Iterator[None]:
    """Ends the work in this thread after `STEPS` calls of functions."""
    left = STEPS

    def step(*_: object) -> None:
        nonlocal left
        left -= 1
        if left < 0:
            raise _TooLong

    before = sys.getprofile()
    sys.setprofile(step)
    try:
        yield
    except _TooLong:
        raise CantWorkOut("That takes too many steps; give a simpler one") from None
    finally:
        sys.setprofile(before)


def sum_in(question: str) -> str:
    """The mathematics that a question consists of, or nothing: `What is 12 × (3 + 4)?`."""
    plain = " ".join(question.split())
    match = _ASKED.match(plain) if len(plain) <= LONGEST else None  # what is longer is no sum, and is not read
    found = match["it"].strip() if match else ""
    return found if _PLAIN.fullmatch(found) and _SUM.search(found) else ""


def _plain(text: str) -> str:
    """The text in Python's signs."""
    if _CLOCK.search(text):
        raise CantWorkOut("A time or a ratio with a colon is no sum; write a division with /")
    plain = text.strip().lower()
    if _THOUSANDS.search(plain) and _DECIMAL.search(plain):
        raise CantWorkOut("A comma before three digits may part thousands or decimals; write 1500 or 1.5")
    plain = _THOUSANDS.sub(lambda match: match.group().replace(",", ""), plain)
    plain = _DECIMAL.sub(".", plain)
    plain = _TIMES.sub("*", plain.translate(_WRITTEN))
    for words, sign in _WORDS:
        plain = words.sub(sign, plain)
    plain = _PERCENT_OF.sub(r"(\1/100)*", plain)
    if more := _PERCENT_MORE.search(plain):  # 80 + 10 %: of the 80
        before = plain[: more.start()]
        plain = f"({before})*(1{more[1]}{more[2]}/100){plain[more.end() :]}"
    plain = _PERCENT.sub(r"(\1/100)", plain)
    return _IMPLIED.sub("*", plain) if not re.search(r"[a-z]{2}", plain) else plain


def _solved(plain: str) -> Worked:
    """Linear equations in as many unknowns, or one polynomial equation in one."""
    sides = [part.split("=") for part in re.split(r";|\band\b|,(?!\d{3})", plain) if part.strip()]
    if len(sides) > EQUATIONS or any(len(pair) != 2 for pair in sides):
        raise CantWorkOut("Give one to three equations, each with one `=`, parted by `;`")
    equations = [sympy.expand(_build(left) - _build(right)) for left, right in sides]
    unknowns = sorted(set().union(*(one.free_symbols for one in equations)), key=str)
    if not unknowns or len(unknowns) != len(equations):
        raise CantWorkOut("Give as many equations as there are unknowns, and one unknown at least")
    if any(not one.is_polynomial(*unknowns) for one in equations):
        raise CantWorkOut("An unknown may be added, multiplied and taken to a power, nothing else")
    found = _linear(equations, unknowns) if len(equations) > 1 else _roots(equations[0], unknowns[0])
    if not found:
        raise CantWorkOut("The equations have no one solution")
    decimals = [_decimal(value) for _, value in found]
    told = [_told(value, decimal) for (_, value), decimal in zip(found, decimals, strict=True)]
    return Worked(_shown(plain), _listed(found, told), _listed(found, decimals))


def _listed(found: list[tuple[str, sympy.Expr]], told: list[str]) -> str:
    return "; ".join(f"{name} = {value}" for (name, _), value in zip(found, told, strict=True))


def _told(value: sympy.Expr, decimal: str) -> str:
    """Exactly, where that can be read: a root of a third power is a line of roots of roots."""
    return decimal if value.has(sympy.CRootOf, sympy.Float) or len(str(value)) > READABLE else str(value)


def _linear(equations: list[sympy.Expr], unknowns: list[sympy.Symbol]) -> list[tuple[str, sympy.Expr]]:
    if any(sympy.Poly(one, *unknowns).total_degree() > 1 for one in equations):
        raise CantWorkOut("Several equations must be linear")
    solutions = list(sympy.linsolve(equations, unknowns))
    values = list(solutions[0]) if solutions else []
    return (
        [(str(n), v) for n, v in zip(unknowns, values, strict=True)] if all(not v.free_symbols for v in values) else []
    )


def _roots(equation: sympy.Expr, unknown: sympy.Symbol) -> list[tuple[str, sympy.Expr]]:
    polynomial = sympy.Poly(equation, unknown)
    if polynomial.degree() > 2 and not (polynomial.domain.is_ZZ or polynomial.domain.is_QQ):
        raise CantWorkOut("From the third power on the numbers of an equation must be fractions")
    if polynomial.degree() > 2:
        roots = polynomial.real_roots()
    else:
        found = sympy.roots(polynomial) if polynomial.degree() > 0 else {}
        roots = sorted((root for root in found if root.is_real is not False), key=sympy.default_sort_key)
    return [(str(unknown), root) for root in dict.fromkeys(roots)]


def _build(plain: str) -> sympy.Expr:
    try:
        tree = ast.parse(plain.strip(), mode="eval").body
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        raise CantWorkOut("This is no expression; write it with numbers, + - * / ^ and brackets") from None
    if sum(isinstance(part, ast.expr) for part in ast.walk(tree)) > PARTS:
        raise CantWorkOut(f"The expression has more than {PARTS} parts; give a shorter one")
    return _sized(_made(tree, plain.strip()))


def _made(tree: ast.expr, plain: str) -> sympy.Expr:
    """The sympy expression of a tree. Raises CantWorkOut."""
    match tree:
        case ast.Constant(value=int() | float()) if not isinstance(tree.value, bool):
            return _number(str(ast.get_source_segment(plain, tree)))
        case ast.Name(id=name) if name in _CONSTANTS:
            return _CONSTANTS[name]
        case ast.Name(id=name) if name in UNKNOWNS:
            return sympy.Symbol(name)
        case ast.UnaryOp(op=ast.UAdd() | ast.USub() as sign, operand=operand):
            value = _made(operand, plain)
            return -value if isinstance(sign, ast.USub) else value
        case ast.BinOp(left=left, op=sign, right=right):
            return _sized(_joined(sign, _made(left, plain), _made(right, plain)))
        case ast.Call(func=ast.Name(id=name), args=[one], keywords=[]) if name in _FUNCTIONS:
            return _sized(_FUNCTIONS[name](_given(name, _made(one, plain))))
    raise CantWorkOut("Only numbers, one-letter unknowns, + - * / ^, brackets, sqrt, abs, exp, ln, log, sin, cos, tan")


def _number(written: str) -> sympy.Expr:
    if not _FIGURE.fullmatch(written):
        raise CantWorkOut("A number is written with digits and one point, such as 1500 or 0.25")
    return sympy.Rational(written)


def _given(name: str, argument: sympy.Expr) -> sympy.Expr:
    """What a function is given, if it is not too large for it."""
    if argument.free_symbols:
        raise CantWorkOut("An unknown may be added, multiplied and taken to a power, nothing else")
    if name in _MOST and _size(argument) > _MOST[name]:
        raise CantWorkOut(f"{name} is worked out of numbers up to {_MOST[name]}")
    return argument


def _size(value: sympy.Expr) -> sympy.Expr:
    """How large a number is, about. What it is made of was bounded before, so that this is short."""
    return abs(sympy.N(value, 5))


def _joined(sign: ast.operator, left: sympy.Expr, right: sympy.Expr) -> sympy.Expr:
    match sign:
        case ast.Add():
            return left + right
        case ast.Sub():
            return left - right
        case ast.Mult():
            return left * right
        case ast.Div() if right != 0:
            return left / right
        case ast.Div():
            raise CantWorkOut("Nothing can be divided by zero")
        case ast.Pow():
            return _power(left, right)
    raise CantWorkOut("Only + - * / and ^ are known")


def _power(base: sympy.Expr, exponent: sympy.Expr) -> sympy.Expr:
    most = DEGREE if base.free_symbols else EXPONENT
    if not exponent.is_Rational or abs(exponent) > most:
        raise CantWorkOut(f"An exponent must be a number up to {most}")
    if base == 0 and exponent < 0:
        raise CantWorkOut("Nothing can be divided by zero")
    if base.free_symbols and base.is_polynomial(*base.free_symbols):
        _of_degree(base, exponent)
    most = DIGITS if base.is_Rational else 5 * DIGITS  # of 3·pi the 3 alone is taken to the power
    if any(abs(exponent) * len(str(number)) > most for number in base.atoms(sympy.Rational)):
        raise CantWorkOut(f"The result would have more than {DIGITS} digits")
    if exponent.q > ROOT or (not exponent.is_Integer and not base.is_Rational):
        return sympy.N(base, PRECISE) ** exponent  # 99^(197/199) exactly would be factors of numbers of 400 digits
    return base**exponent


def _sized(value: sympy.Expr) -> sympy.Expr:
    """The value, if it is a finite one of bearable size."""
    if value.has(sympy.zoo, sympy.nan, sympy.oo):
        raise CantWorkOut("It has no finite value")
    if any(len(str(number)) > DIGITS for number in value.atoms(sympy.Rational)):
        raise CantWorkOut(f"The result would have more than {DIGITS} digits")
    if value.free_symbols:
        return _in_unknowns(value)
    if not value.is_Rational and not _SMALLEST < _size(value) < _LARGEST:
        raise CantWorkOut(f"The result would have more than {DIGITS} digits")
    return value


def _in_unknowns(value: sympy.Expr) -> sympy.Expr:
    """With each step expanded and its degree bounded, no later step can grow without end."""
    if len(value.free_symbols) > EQUATIONS:
        raise CantWorkOut(f"There may be {EQUATIONS} unknowns at most")
    if not value.is_polynomial(*value.free_symbols):
        return value
    expanded = sympy.expand(value)
    _of_degree(expanded, 1)
    return expanded


def _of_degree(polynomial: sympy.Expr, exponent: sympy.Expr) -> None:
    """Raises CantWorkOut if its power would be of a degree that is not solved."""
    if polynomial.free_symbols and sympy.Poly(polynomial).total_degree() * exponent > DEGREE:
        raise CantWorkOut(f"An equation may have a degree of {DEGREE} at most")


def _decimal(value: sympy.Expr) -> str:
    """To ten significant digits; a whole number whole."""
    if value.is_Integer:
        return str(value)
    if value.is_real is False:
        raise CantWorkOut("It has no real value")
    number = sympy.N(value, 15)
    if not number.is_Float and not number.is_Rational:
        raise CantWorkOut("It has no real value")
    if number.is_Float and number._prec == 1:  # sympy's mark of a number without a sure digit
        raise CantWorkOut("It can't be told from zero")
    return f"{float(number):.10g}" if number == 0 or 1e-300 < abs(number) < 1e15 else str(sympy.N(value, 10))


def _shown(plain: str) -> str:
    """As people write it."""
    shown = re.sub(r"\s+", " ", plain.replace("**", "^").replace("*", " × "))
    return re.sub(r" {2,}", " ", shown).strip()


Expression = Annotated[
    str,
    Field(
        min_length=1,
        max_length=LONGEST,
        description="'12 * (3 + 4)', '15 % of 80', '2*x + 3 = 11', 'x + y = 10; x - y = 2', 'sqrt(2)'",
    ),
]


@tool
def work_out(expression: Expression) -> dict[str, Any]:
    """Work out arithmetic, percentages and equations exactly. Use it for every sum; do none in your head."""
    try:
        worked = work(expression)
    except CantWorkOut as error:
        raise ToolException(f"{error}.") from None
    return {"read": worked.read, "exact": worked.exact, "decimal": worked.decimal}
