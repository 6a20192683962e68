"""Errors as HTTP answers: ours, and in OpenAI's shape where its clients ask."""

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
