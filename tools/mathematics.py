"""Plain mathematics: an expression or equations are read by a small grammar and worked out exactly by sympy.

Nothing is evaluated as Python: the text is parsed to a tree, and only numbers, unknowns, the operators and a few
functions are built from it. What could run long is refused by its size before it is worked out.
"""

import ast
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated, Any

import sympy
from langchain_core.tools import ToolException, tool
from pydantic import Field

LONGEST = 200  # characters
PARTS = 60  # numbers, unknowns, operators
EXPONENT, DIGITS = 200, 400  # of a power of numbers, and of any number on the way
DEGREE = 4  # of an equation in one unknown
EQUATIONS = 3
UNKNOWNS = "abcdkmnpqrtuvwxyz"
_FUNCTIONS: dict[str, Callable[[sympy.Expr], sympy.Expr]] = {
    "sqrt": sympy.sqrt, "abs": sympy.Abs, "exp": sympy.exp, "ln": sympy.log, "sin": sympy.sin, "cos": sympy.cos,
    "tan": sympy.tan, "log": lambda one: sympy.log(one, 10),
}  # fmt: skip
_CONSTANTS = {"pi": sympy.pi, "e": sympy.E}
_WRITTEN = str.maketrans(
    {"×": "*", "·": "*", "÷": "/", "−": "-", "–": "-", "^": "**", "π": "pi", "√": "sqrt", ":": "/"}
)
_THOUSANDS = re.compile(r"(?<![\d.])\d{1,3}(?:,\d{3})+(?![\d,])")
_PERCENT_OF = re.compile(r"(\d+(?:\.\d+)?) ?(?:%|per ?cent) of\b")
_PERCENT_MORE = re.compile(r"([+-]) ?(\d+(?:\.\d+)?) ?%")
_PERCENT = re.compile(r"(\d+(?:\.\d+)?) ?%")
_TIMES = re.compile(r"(?<=\d) ?x ?(?=[\d(])|(?<=\)) ?x ?(?=[\d(])|\btimes\b|\bmultiplied by\b")
_WORDS = ((re.compile(r"\bplus\b"), "+"), (re.compile(r"\bminus\b"), "-"), (re.compile(r"\bdivided by\b"), "/"))
_IMPLIED = re.compile(r"(?<=\d)\s*(?=[a-z(])|(?<=\))\s*(?=[\da-z(])")
_ASKED = re.compile(
    r"^\s*(?:(?:please|can you|could you) )*(?:what(?:'s|’s| is| are)|how much is|calculate|compute|evaluate|work out"
    r"|solve|simplify|find)?\s*(?:the (?:value|result) of\s*)?[: ]*(?P<it>.*?)(?: for [a-z])?\s*=?[?.! ]*$",
    re.IGNORECASE | re.DOTALL,
)
_PLAIN = re.compile(
    r"(?:[\d\s.,()+*/^%=;×·÷−–√π-]|\b(?:sqrt|abs|exp|ln|log|sin|cos|tan|pi|e|of|plus|minus|times|divided by|per ?cent"
    r"|multiplied by|and)\b|(?<![a-z])[a-z](?![a-z]))+",
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
    plain = _plain(text)
    if "=" in plain:
        return _solved(plain)
    value = _build(plain)
    if value.free_symbols:
        raise CantWorkOut("An expression with an unknown needs an equation, such as 2*x + 3 = 11")
    return Worked(_shown(plain), str(value), _decimal(value))


def sum_in(question: str) -> str:
    """The mathematics that a question consists of, or nothing: `What is 12 × (3 + 4)?`."""
    match = _ASKED.match(question)
    found = match["it"].strip() if match else ""
    return found if _PLAIN.fullmatch(found) and _SUM.search(found) and len(found) <= LONGEST else ""


def _plain(text: str) -> str:
    """The text in Python's signs."""
    plain = _THOUSANDS.sub(lambda match: match.group().replace(",", ""), text.strip().lower())
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
    exact = "; ".join(f"{name} = {value}" for name, value in found)
    decimal = "; ".join(f"{name} = {_decimal(value)}" for name, value in found)
    return Worked(_shown(plain), exact, decimal)


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
    roots = sympy.roots(polynomial) if polynomial.degree() > 0 else {}
    return [(str(unknown), root) for root in sorted(roots, key=sympy.default_sort_key) if root.is_real is not False]


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
            return sympy.Rational(str(ast.get_source_segment(plain, tree)))
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
            return _sized(_FUNCTIONS[name](_made(one, plain)))
    raise CantWorkOut("Only numbers, one-letter unknowns, + - * / ^, brackets, sqrt, abs, exp, ln, log, sin, cos, tan")


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
    if base.is_Rational and abs(exponent) * len(str(base)) > DIGITS:
        raise CantWorkOut(f"The result would have more than {DIGITS} digits")
    return base**exponent


def _sized(value: sympy.Expr) -> sympy.Expr:
    """The value, if it is a finite one of bearable size."""
    if value.has(sympy.zoo, sympy.nan, sympy.oo):
        raise CantWorkOut("It has no finite value")
    if any(len(str(number)) > DIGITS for number in value.atoms(sympy.Rational)):
        raise CantWorkOut(f"The result would have more than {DIGITS} digits")
    return _in_unknowns(value) if value.free_symbols else value


def _in_unknowns(value: sympy.Expr) -> sympy.Expr:
    """With each step expanded and its degree bounded, no later step can grow without end."""
    if len(value.free_symbols) > EQUATIONS:
        raise CantWorkOut(f"There may be {EQUATIONS} unknowns at most")
    if not value.is_polynomial(*value.free_symbols):
        return value
    expanded = sympy.expand(value)
    if expanded.free_symbols and sympy.Poly(expanded).total_degree() > DEGREE:
        raise CantWorkOut(f"An equation may have a degree of {DEGREE} at most")
    return expanded


def _decimal(value: sympy.Expr) -> str:
    """To ten significant digits; a whole number whole."""
    if value.is_Integer:
        return str(value)
    if value.is_real is False:
        raise CantWorkOut("It has no real value")
    number = sympy.N(value, 15)
    return f"{float(number):.10g}" if abs(number) < 1e15 else str(sympy.N(value, 10))


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
