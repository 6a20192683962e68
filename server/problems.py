"""Errors as HTTP answers: ours, and in OpenAI's shape where its clients ask."""

from collections.abc import Mapping, Sequence
from typing import Any

from pydantic import BaseModel, ConfigDict
from starlette.responses import JSONResponse

from primum.graph.errors import (
    AlreadyDecided,
    BadInput,
    LookUpFailed,
    MemoryUnavailable,
    ModelUnavailable,
    NotAllowed,
    PrimumError,
    ThreadBusy,
    TooManyRequests,
    Unauthenticated,
    UnknownDocument,
    UnknownModel,
    UnknownPatient,
    UnknownThread,
)

OPENAI = "/v1/"
_CODES: dict[type[PrimumError], int] = {
    UnknownThread: 404,
    UnknownPatient: 404,
    UnknownModel: 404,
    UnknownDocument: 404,
    BadInput: 400,
    Unauthenticated: 401,
    NotAllowed: 403,
    TooManyRequests: 429,
    ThreadBusy: 409,
    AlreadyDecided: 409,
    MemoryUnavailable: 503,
    ModelUnavailable: 503,
    LookUpFailed: 503,
}
# OpenAI's names for kinds of errors, by which its clients decide what to raise and whether to try again.
_KINDS = {401: "authentication_error", 403: "permission_error", 429: "rate_limit_error"}


class Problem(BaseModel):
    """Every error of this API."""

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"error": "BadInput", "message": "The question is empty."}]}
    )

    error: str
    message: str


class OpenAIError(BaseModel):
    message: str
    type: str
    param: str | None
    code: str


class OpenAIProblem(BaseModel):
    """Every error under /v1, as OpenAI's clients know it."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "error": {
                        "message": "`n` must be 1.",
                        "type": "invalid_request_error",
                        "param": "n",
                        "code": "BadInput",
                    }
                }
            ]
        }
    )

    error: OpenAIError


Responses = dict[int | str, dict[str, Any]]
_TOLD = {
    400: "What was asked can't be used",
    401: "No API key or token, or one that does not hold",
    403: "The key or token does not allow this",
    404: "There is no such thing, or it is another's",
    408: "The body took too long to come",
    409: "Something is under way, or was decided already",
    413: "The body is too large",
    422: "The body or a parameter has not the right form",
    429: "More requests than the limit allows",
    500: "Primum broke on this question",
    503: "A part that this needs can't be reached",
}
_HEADERS = {401: "WWW-Authenticate", 429: "Retry-After"}


def _errors(model: type[BaseModel], *codes: int) -> Responses:
    found: Responses = {code: {"model": model, "description": _TOLD[code]} for code in codes}
    for code, header in _HEADERS.items():
        if code in found:
            found[code]["headers"] = {header: {"schema": {"type": "string"}}}
    return found


ERRORS = _errors(Problem, *_TOLD)
OPENAI_ERRORS = _errors(OpenAIProblem, *(code for code in _TOLD if code != 422))  # whose clients know 400 for it
OPEN_ERRORS = _errors(Problem, 400, 408, 413, 500)  # where nobody is asked who they are


def problem(path: str, error: PrimumError) -> JSONResponse:
    """One of our errors as the answer to a request for this path."""
    code = next((code for kind, code in _CODES.items() if isinstance(error, kind)), 500)
    headers = {}
    if isinstance(error, Unauthenticated):
        headers["www-authenticate"] = "Bearer"
    if isinstance(error, TooManyRequests):
        headers["retry-after"] = str(error.seconds)
    return told(path, code, type(error).__name__, str(error), headers)


def told(
    path: str, code: int, name: str, message: str, headers: dict[str, str] | None = None, param: str | None = None
) -> JSONResponse:
    """An error as the answer to a request for this path; `param` is the field that is at fault, where it is known."""
    body: dict[str, object] = {"error": name, "message": message}
    if path.startswith(OPENAI):
        kind = _KINDS.get(code, "invalid_request_error" if code < 500 else "server_error")
        body = {"error": {"message": message, "type": kind, "param": param, "code": name}}
    return JSONResponse(body, code, headers)


def faults(errors: Sequence[Any], body: object) -> tuple[str, str | None]:
    """What is wrong with a request's form, in words for who made it; and the first field that is at fault."""
    found: dict[str, list[str]] = {}
    for error in errors:
        name, said = _field(error, body), _said(error)
        if said not in found.setdefault(name, []):
            found[name].append(said)
    told = [f"{name and f'`{name}`'} {' or '.join(said)}".strip() for name, said in found.items()]
    return "; ".join(told) + ".", next(filter(None, found), None)


def _field(error: Mapping[str, Any], body: object) -> str:
    """The field at fault as one writes it, without pydantic's own names for the ways to read it; empty for the body."""
    where, *path = error["loc"]
    if where != "body":
        return ".".join(map(str, path))
    if error["type"] == "json_invalid":
        return ""
    name, here = "", body
    for part in path:
        if isinstance(part, int):
            name += f"[{part}]"
            here = here[part] if isinstance(here, list) and part < len(here) else None
        elif isinstance(here, Mapping) and part in here:
            name += f".{part}" if name else part
            here = here[part]
    if error["type"] == "missing" and path:
        name += f".{path[-1]}" if name else path[-1]
    return name


def _said(error: Mapping[str, Any]) -> str:
    """What is wrong with it, to follow its name."""
    match error["type"]:
        case "missing":
            return "is missing" if len(error["loc"]) > 1 else "The body is missing"
        case "extra_forbidden":
            return "is not supported; leave it out"
        case "none_required":
            return "is not supported; leave it out or null"
        case "json_invalid":
            fault = error["ctx"]["error"].removesuffix(" at").removesuffix(" starting")
            return f"The body is not JSON at character {error['loc'][-1]}: {fault}"
        case "too_long" if error["ctx"]["max_length"] == 0:
            return "is not supported; leave it out or empty"
        case "model_attributes_type" | "model_type" | "dict_type":
            return "must be an object" if len(error["loc"]) > 1 else "The body must be an object"
        case "value_error":
            return str(error["ctx"]["error"])
    said = str(error["msg"])
    for pydantic, ours in _WORDS:
        said = said.replace(pydantic, ours)
    return said


_WORDS = (
    ("Input should be ", "must be "),
    ("Input should have ", "must have "),
    ("String should ", "must "),
    ("List should ", "must "),
    ("Value should ", "must "),
    (" after validation", ""),
    ("must be False", "must be false"),
    ("must be True", "must be true"),
    ("a valid string", "a string"),
    ("a valid list", "a list"),
    ("a valid integer", "an integer"),
)
