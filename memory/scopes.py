"""Roles, and what each may be allowed."""

from typing import Literal, get_args

Role = Literal["patient", "clinician", "admin"]
Scope = Literal["ask", "chart", "library", "sign", "operate"]
SCOPES: tuple[Scope, ...] = get_args(Scope)
# What a role may be allowed, and what it is allowed unless a key says otherwise.
MAY: dict[Role, tuple[Scope, ...]] = {
    "patient": ("ask", "chart"),
    "clinician": ("ask", "chart", "library", "sign"),
    "admin": SCOPES,
}
DEFAULT: dict[Role, tuple[Scope, ...]] = {**MAY, "admin": ("library", "operate")}
