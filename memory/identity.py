"""Whose data a call is about. The database shows no row of anybody else's."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Identity:
    """A patient of a tenant: a clinic, a health service, one household."""

    tenant: str
    patient: str
