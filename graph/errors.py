"""Primum's errors.

::

    PrimumError
    ├── BadInput             what was given can't be used (exit 2, HTTP 4xx)
    │   ├── UnknownThread    no such thread (HTTP 404)
    │   ├── UnknownPatient   nothing of such a patient (HTTP 404)
    │   ├── UnknownDocument  no such document, or another tenant's (HTTP 404)
    │   └── UnknownModel     no model of ours has that name (HTTP 404)
    ├── Unauthenticated      no key or token, or one that does not hold (HTTP 401)
    ├── NotAllowed           whoever asks may not do this (HTTP 403)
    ├── TooManyRequests      more than the limit in a minute (HTTP 429)
    ├── AlreadyDecided       somebody has signed this answer already (HTTP 409)
    ├── ThreadBusy           the thread's last question is still being answered (HTTP 409)
    ├── TurnFailed           a question came to nothing when it was first sent
    ├── ModelUnavailable     the model server can't be reached, hangs, breaks off or repeats itself
    ├── InvalidModelOutput   the model answered, twice, but not in the form that was asked for
    ├── RetrievalFailed      the library can't be searched (no embedder, or one that does not fit the index)
    ├── LookUpFailed         a service of literature, or a page, gives no answer that can be used
    │   └── AddressRefused   an address that is never asked: not https, not public or not on the list
    ├── MemoryUnavailable    the database can't be reached (HTTP 503)
    ├── LocalServerFailed    an embedded part (Postgres, model server) did not start
    └── TrainingFailed       a training run can't go on (NaN loss, out of memory, disk full)

No message holds a patient's words.
"""


class PrimumError(Exception):
    """Base of all errors that Primum raises on purpose; its text is fit to be shown."""


class BadInput(PrimumError):
    """What was given can't be used; the text names the limit and how to mend it."""


class UnknownThread(BadInput):
    """No such thread for this patient."""


class UnknownPatient(BadInput):
    """Nothing of such a patient is here."""


class UnknownDocument(BadInput):
    """No such document is in the library, as far as the tenant sees it."""


class UnknownModel(BadInput):
    """No model of ours has that name."""


class Unauthenticated(PrimumError):
    """No API key or token was given, or one that does not hold."""


class NotAllowed(PrimumError):
    """Whoever asks may not do this; the text says what it takes."""


class TooManyRequests(PrimumError):
    """More requests than the limit allows; `seconds` until the next is answered."""

    def __init__(self, reason: str, seconds: int) -> None:
        super().__init__(reason)
        self.seconds = seconds


class AlreadyDecided(PrimumError):
    """Somebody has signed this answer already."""


class ThreadBusy(PrimumError):
    """The thread's last question is still being answered."""


class TurnFailed(PrimumError):
    """A question that was sent again came to nothing the first time."""


class ModelUnavailable(PrimumError):
    """The model server can't be reached, hangs, breaks off or repeats itself without end.

    `transient`: trying once more may help.
    """

    def __init__(self, reason: str, *, transient: bool = False) -> None:
        super().__init__(reason)
        self.transient = transient


class InvalidModelOutput(PrimumError):
    """The model's answer does not have the form that was asked for, also after one repair try."""


class RetrievalFailed(PrimumError):
    """The library can't be searched."""


class LookUpFailed(PrimumError):
    """A service of literature, or a page of the web, gives no answer that can be used.

    `transient`: trying once more may help.
    """

    def __init__(self, reason: str, *, transient: bool = False) -> None:
        super().__init__(reason)
        self.transient = transient


class AddressRefused(LookUpFailed):
    """An address that is never asked: not https, not public, or not on the list."""


class MemoryUnavailable(PrimumError):
    """The database can't be reached."""


class LocalServerFailed(PrimumError):
    """An embedded part (Postgres, the model server) did not start."""


class TrainingFailed(PrimumError):
    """A training run can't go on; the text says what to change."""
