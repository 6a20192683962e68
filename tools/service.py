"""A service that is asked for literature: politely, again where that helps, and with answers that are checked."""

import json
import random
from abc import ABC, abstractmethod
from collections.abc import Collection, Iterator, Mapping
from typing import Annotated, Any, ClassVar, TypeVar

import structlog
from lxml import etree
from pydantic import BaseModel, BeforeValidator, ValidationError

from primum.graph.errors import LookUpFailed
from primum.retrieval.loaders import Source
from primum.retrieval.markup import html_page
from primum.retrieval.plaintext import clean
from primum.tools.deidentify import Query
from primum.tools.guard import Guard, Page
from primum.tools.pace import Breaker, Clock, Pace, wanted_pause

AGENT = "primum (self-hosted medical agent)"
JSON = ("application/json", "text/json")
XML = ("text/xml", "application/xml")
_TRIES = 3
_FIRST_PAUSE = 0.5  # seconds, doubled at each further try, half of it by chance
_LONGEST_PAUSE = 5.0  # seconds; a service that wants more is left alone for so long
_LONGEST_REST = 3600.0  # seconds, whatever it says
_SECONDS = 6.0  # for one request
_AGAIN = frozenset({429, 500, 502, 503, 504})

Shape = TypeVar("Shape", bound=BaseModel)
Told = Annotated[str, BeforeValidator(lambda told: "" if told is None else told)]  # null where nothing is known
# A list of one is sometimes told as the one itself, and an empty one as null.
Several = Annotated[
    list[Any], BeforeValidator(lambda told: told if isinstance(told, list) else [] if told is None else [told])
]
log = structlog.get_logger()


class Service(ABC):
    """One service. `search` is all that others need; the rest is for the services themselves."""

    name: ClassVar[str]  # as in PRIMUM_LITERATURE and in `Source.origin`
    label: ClassVar[str]  # as people know it
    address: ClassVar[str] = ""
    per_second: ClassVar[float]

    def __init__(
        self, guard: Guard, *, address: str = "", per_second: float | None = None, clock: Clock | None = None
    ) -> None:
        self.guard = guard
        self.base = address or self.address
        self.pace = Pace(per_second or self.per_second, clock)
        self.breaker = Breaker(self.label, self.pace.clock)

    @abstractmethod
    async def search(self, query: Query, limit: int) -> list[Source]:
        """The documents that the service finds, its best first.

        Raises:
            LookUpFailed: it gave no answer that can be used.
        """

    def words(self, query: Query) -> tuple[str, ...]:
        """What of a query the service is asked with: of two queries with the same words one is enough."""
        return query.terms

    async def json(self, path: str, params: Mapping[str, str], also: Collection[int] = ()) -> Any:
        """A JSON answer with status 200, or one of those in `also`. Raises LookUpFailed."""
        page = await self._ask(self.base + path, params, JSON, also)
        try:
            return json.loads(page.body)
        except (ValueError, RecursionError):
            raise LookUpFailed(f"{self.label} answered with broken JSON.") from None

    async def xml(self, path: str, params: Mapping[str, str]) -> etree._Element:
        """The root of an XML answer. Raises LookUpFailed, also if it declares entities: a bomb may be in them."""
        page = await self._ask(self.base + path, params, XML)
        parser = etree.XMLParser(resolve_entities=False, no_network=True, remove_comments=True, remove_pis=True)
        try:
            root = etree.fromstring(page.body, parser)
        except (etree.XMLSyntaxError, ValueError):
            raise LookUpFailed(f"{self.label} answered with broken XML.") from None
        own = root.getroottree().docinfo.internalDTD
        if own is not None and own.entities():
            raise LookUpFailed(f"{self.label} answered with XML that declares entities.")
        return root

    def unfit(self) -> LookUpFailed:
        """The error of an answer in another form than it should have."""
        return LookUpFailed(f"{self.label} answered in another form than it should.")

    def shaped(self, shape: type[Shape], given: Any) -> Shape:
        """An answer in the shape that it should have. Raises LookUpFailed."""
        try:
            return shape.model_validate(given)
        except ValidationError:
            raise self.unfit() from None

    def each(self, shape: type[Shape], given: list[Any]) -> Iterator[Shape]:
        """The records of an answer; those in another form are left out. Raises LookUpFailed if all of them are."""
        broken = 0
        for one in given:
            try:
                yield shape.model_validate(one)
            except ValidationError:
                broken += 1
        if broken:
            log.warning("records in an unknown form", service=self.name, broken=broken, all=len(given))
        if broken and broken == len(given):
            raise LookUpFailed(f"{self.label} answered with records in another form than they should have.")

    async def _ask(
        self, url: str, params: Mapping[str, str], accepts: tuple[str, ...], also: Collection[int] = ()
    ) -> Page:
        with self.breaker.asking():
            return await self._asked(url, params, accepts, also)

    async def _asked(
        self, url: str, params: Mapping[str, str], accepts: tuple[str, ...], also: Collection[int]
    ) -> Page:
        failure, pause = LookUpFailed(f"{self.label} was not asked."), _FIRST_PAUSE
        for left in reversed(range(_TRIES)):
            await self.pace.turn()
            self.breaker.check()  # it may have failed others while this one waited for its turn
            wait = pause * (0.5 + random.random() / 2)  # noqa: S311
            try:
                page = await self.guard.get(
                    url, sites=(_host(url),), params=params, accepts=accepts, seconds=_SECONDS, agent=AGENT
                )
            except LookUpFailed as error:
                if not error.transient:
                    raise
                failure = error
            else:
                if page.status == 200 or page.status in also:
                    return page
                failure = LookUpFailed(self._refusal(page.status))
                if page.status not in _AGAIN:
                    raise failure
                wait = self._pause(page, wait)
            if not left or wait > _LONGEST_PAUSE:
                break
            await self.pace.clock.sleep(wait)
            pause *= 2
        raise failure

    def _pause(self, page: Page, otherwise: float) -> float:
        wanted = wanted_pause(page.headers)
        if wanted is None:
            return otherwise
        if wanted > _LONGEST_PAUSE:
            self.breaker.rest(min(wanted, _LONGEST_REST))
        else:
            self.pace.hold(wanted)
        return wanted

    def _refusal(self, status: int) -> str:
        reason = {
            400: "it does not understand the request, or the key",
            401: "it does not know the key",
            403: "it refuses the request, or the key",
            429: "it is asked too often",
        }.get(status, "it has trouble" if status >= 500 else "it refuses the request")
        return f"{self.label} answered with the error {status}: {reason}."


def _host(url: str) -> str:
    return url.split("/")[2].partition(":")[0]


def plain(markup: str) -> str:
    """The text of a piece of HTML, its headings as `## Heading` lines."""
    text = html_page(f'<meta charset="utf-8"><body>{clean(markup)}</body>'.encode(), "").text
    return "\n".join(f"## {row.lstrip('#').strip()}" if row.startswith("##") else row for row in text.split("\n"))
