"""Which tools a question evidently calls for, by rules; and a tool's outcome in sentences that code writes."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

import structlog
from langchain_core.tools import BaseTool
from pydantic import BaseModel, ValidationError

from primum.safety import doses, validator
from primum.safety.calculation import asked_in
from primum.safety.findings import Finding
from primum.safety.formulas import MissingInput
from primum.safety.injection import suspicious
from primum.safety.profile import Profile
from primum.safety.units import NUMBER, level, number, numbers
from primum.tools.calculators import calculate, compute
from primum.tools.mathematics import sum_in, work, work_out
from primum.tools.outcome import Outcome
from primum.tools.safety import check_dose, check_interactions, told_wrong
from primum.tools.sums import is_sum_in_words, told_in_words

log = structlog.get_logger(__name__)

CALLABLE: tuple[BaseTool, ...] = (work_out, calculate, check_interactions, check_dose)  # by a model, in a turn
_TOGETHER = re.compile(
    r"\b(?:interact\w*|together|combin\w+|mix\w*|at the same time|with|while (?:on|taking)|alongside)\b", re.IGNORECASE
)
_APART = re.compile(
    r"\b(?:compar\w+|versus|vs|instead of|rather than|difference|switch\w*|better than)\b", re.IGNORECASE
)
_LEAVE = re.compile(
    r"\b(?:can|may|could|should|is it (?:safe|ok|okay|fine|all right)|safe|puedo|puede|debo|debe)\b|可以|能",
    re.IGNORECASE,
)
READ = "This is how I understood your question; please check that it is the sum that you meant."
WRITE_IT = "I can work out a sum if you write it, such as 3 * 2.50 + 4 * 3."
PAIRS = 4  # of what is asked about and what is taken; of more, a word on each would bury the answer
_NUMBER, _ARTICLES = re.compile(NUMBER), frozenset({"a", "an", "un", "una", "uno"})


class Call(NamedTuple):
    """A tool with its arguments; `unread`: what of the question they may leave out; `note`: told below the outcome."""

    tool: str
    arguments: Mapping[str, Any]
    unread: tuple[str, ...] = ()
    note: str = ""


@dataclass(frozen=True)
class Evident:
    """The calls, and what must be asked back before any; `alone`: their outcomes are all that the question wants.

    `in_words`: it is a sum, in words that a model may read and rules can't.
    """

    calls: tuple[Call, ...] = ()
    which: str = ""
    alone: bool = False
    in_words: bool = False


def evident(question: str, profile: Profile) -> Evident:
    """What a question calls for: a sum, a formula, the interactions of the medicines that it names together."""
    if expression := sum_in(question):
        return Evident((Call("work_out", {"expression": expression}),), alone=True)
    if asked := asked_in(question, profile):
        calls = tuple(
            Call("calculate", {"formula": one.formula, **one.values}, one.unread) for one in asked.calculations
        )
        return Evident(calls, asked.which, asked.alone)
    named = {one.name: one.written for one in validator.in_play(question)}
    expression, what = told_in_words(question) if not named else ("", "")
    if expression:
        return Evident(
            (Call("work_out", {"expression": expression}, note=f"The result is {what}. {READ}"),), alone=True
        )
    if not named and is_sum_in_words(question):
        return Evident(alone=True, in_words=True)
    if _APART.search(question):
        return Evident()
    if len(named) > 1 and _TOGETHER.search(question):
        return Evident((_interactions(list(named.values())),))
    taken = {one: set(validator.named_in(one)) for one in profile.medicines}
    new = [written for name, written in named.items() if not any(name in names for names in taken.values())]
    if len(new) * len(taken) <= PAIRS and _LEAVE.search(question):
        return Evident(tuple(_interactions([one, other]) for one in new for other in taken))
    return Evident()


def _interactions(medicines: list[str]) -> Call:
    return Call("check_interactions", {"medicines": medicines})


def figures(question: str) -> list[float]:
    """The numbers that a question tells, in figures and words; the article "a" is none."""
    plain = level(question)
    found = [_NUMBER.match(plain, start) for start in numbers(plain)]
    return [number(one.group())[0] for one in found if one and one.group() not in _ARTICLES]


def outcome(tool: str, arguments: Mapping[str, Any], unread: tuple[str, ...] = (), note: str = "") -> Outcome:
    """Calls one of `CALLABLE` and tells what came out. What can't be done is told too; nothing is raised."""
    given = dict(arguments)
    try:
        sentences = _sentences(tool, _valid(tool, given), unread)
    except MissingInput as error:
        return _made(tool, given, [f"{error}. Please tell me, and I will work it out; I guess nothing."], "asks")
    except ValidationError as error:
        return _made(tool, given, [told_wrong(error) + "."], "failed")
    except ValueError as error:
        return _made(tool, given, [f"{error}. Please check the value and its unit."], "failed")
    except Exception as error:  # a fault of ours; what it says may hold a patient's words
        log.error("a tool broke", tool=tool, error=type(error).__name__)
        return _made(tool, given, [f"This could not be worked out: {tool} broke. I guess nothing."], "failed")
    if suspicious("\n".join(sentences)):
        return _made(tool, given, ["What it gave speaks to a model and not to a reader; it was left out."], "failed")
    return _made(tool, given, [*sentences, note] if note else sentences, "done")


def _made(tool: str, arguments: dict[str, Any], sentences: list[str], state: Any) -> Outcome:
    return Outcome(tool=tool, arguments=arguments, sentences=sentences, state=state)


def _valid(tool: str, arguments: dict[str, Any]) -> BaseModel:
    """The arguments as the tool's schema reads them. Raises ValidationError, ValueError."""
    schema = next((one.args_schema for one in CALLABLE if one.name == tool), None)
    if not (isinstance(schema, type) and issubclass(schema, BaseModel)):
        raise ValueError(f"There is no tool {tool!r}")
    return schema.model_validate(arguments)


def _sentences(tool: str, given: Any, unread: tuple[str, ...]) -> list[str]:
    match tool:
        case "work_out":
            worked = work(given.expression)
            exact = f" (exactly {worked.exact})" if worked.exact != worked.decimal else ""
            joined = ": " if "=" in worked.read else " = "
            return [f"**{worked.read}{joined}{worked.decimal}**{exact}."]
        case "calculate":
            values = given.model_dump(exclude={"formula"}, exclude_none=True)
            return list(replace(compute(given.formula, values), unread=unread).sentences)
        case "check_interactions":
            return [_told(one) for one in validator.between(given.medicines, tell_unknown=True)]
    return [_told(one) for one in doses.check(given.text, given.profile or Profile(), tell_unknown=True)]


def _told(finding: Finding) -> str:
    return f"{finding.text} *({finding.source.split('; ')[0]})*"
