"""Pages of health authorities: a search engine says where, and the pages are read from the sites of a list alone."""

import asyncio
from collections.abc import Callable, Collection
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx

from primum.graph.errors import LookUpFailed
from primum.retrieval.loaders import Source
from primum.retrieval.plaintext import clean, line
from primum.retrieval.source import day
from primum.tools.deidentify import Query
from primum.tools.guard import Guard, is_below
from primum.tools.service import AGENT, Service, log

HTML = ("text/html", "application/xhtml+xml")
Find = Callable[[str, int], list[str]]

_ENGINES = "duckduckgo, brave, mojeek, startpage"
_LOOKED_AT = 30  # results, of which those of the listed sites count
_LARGEST = 3 * 2**20  # bytes of a page
_PAGE_SECONDS = 6.0
_SEARCH_SECONDS = 6.0
_AT_ONCE = 2  # searches; of engines that hang no more threads are held up
_LEAST = 200  # characters; a page with less is a notice about cookies, or a door


def found_by_ddgs(query: str, most: int) -> list[str]:
    """Addresses that search engines give for a query. Blocks; raises LookUpFailed.

    ddgs asks the engines with a client of its own, not through the guard: only the query goes out, and what comes back
    are addresses, which are then checked like all others.
    """
    from ddgs import DDGS
    from ddgs.exceptions import DDGSException

    try:
        rows = DDGS(timeout=5).text(query, max_results=most, backend=_ENGINES)
    except DDGSException as error:
        if "No results" in str(error):
            return []
        raise LookUpFailed(f"No search engine answered ({type(error).__name__}).") from None
    return [str(row["href"]) for row in rows if row.get("href")]


class Web(Service):
    """Pages of the sites of PRIMUM_WEB_DOMAINS."""

    name = "web"
    label = "Web search"
    per_second = 0.5  # searches; engines refuse whoever asks more often

    def __init__(
        self,
        guard: Guard,
        sites: Collection[str],
        *,
        find: Find = found_by_ddgs,
        seconds: float = _SEARCH_SECONDS,
        **how: Any,
    ) -> None:
        super().__init__(guard, **how)
        self._sites, self._find, self._seconds = tuple(sites), find, seconds
        self._threads = ThreadPoolExecutor(_AT_ONCE, "web-search")

    async def search(self, query: Query, limit: int) -> list[Source]:
        """The pages that can be read, in the order in which they were found. Raises LookUpFailed."""
        with self.breaker.asking():
            await self.pace.turn()
            self.breaker.check()
            found = await self._found(query.text)
        addresses = [one for one in dict.fromkeys(found) if self._is_listed(one)][:limit]
        read = await asyncio.gather(*map(self.page, addresses), return_exceptions=True)
        failures = [one for one in read if isinstance(one, BaseException)]
        for failure in failures:
            if not isinstance(failure, LookUpFailed):
                raise failure
        if failures and len(failures) == len(read):
            raise LookUpFailed(f"None of the {len(read)} pages found could be read. The first: {failures[0]}")
        if failures:
            log.info("pages not read", service=self.name, failed=len(failures), all=len(read))
        return [one for one in read if isinstance(one, Source)]

    async def _found(self, words: str) -> list[str]:
        """What the engines find, in threads that nothing else waits for."""
        try:
            async with asyncio.timeout(self._seconds):
                return await asyncio.get_running_loop().run_in_executor(self._threads, self._find, words, _LOOKED_AT)
        except TimeoutError:
            raise LookUpFailed(f"No search engine answered within {self._seconds:g} seconds.", transient=True) from None

    async def page(self, address: str) -> Source:
        """One page of the listed sites, its main text alone. Raises LookUpFailed."""
        page = await self.guard.get(
            address, sites=self._sites, accepts=HTML, largest=_LARGEST, seconds=_PAGE_SECONDS, agent=AGENT
        )
        if page.status != 200:
            raise LookUpFailed(f"{httpx.URL(page.url).host} answered with the error {page.status}.")
        return await asyncio.to_thread(_source, page.url, page.body)

    def _is_listed(self, address: str) -> bool:
        try:
            url = httpx.URL(address)
        except httpx.InvalidURL:
            return False
        return self.guard.is_local(url) or (url.scheme == "https" and is_below(url.host, self._sites))


def _source(address: str, body: bytes) -> Source:
    """The page as a document. Blocks: what trafilatura does to a page takes tenths of a second."""
    import trafilatura

    url = str(httpx.URL(address).copy_with(fragment=None))
    try:
        tree = trafilatura.load_html(body)
        text = "" if tree is None else trafilatura.extract(body, url=url, output_format="markdown", deduplicate=False)
        about = None if tree is None else trafilatura.extract_metadata(body, default_url=url)
        text = text or ""
    except Exception as error:  # a broken page raises nearly anything in there
        raise LookUpFailed(f"A page of {httpx.URL(url).host} can't be read ({type(error).__name__}).") from None
    if tree is None or about is None or len(text) < _LEAST:
        raise LookUpFailed(f"A page of {httpx.URL(url).host} has no text of its own.")
    title = line(about.title or "") or url
    return Source(
        uri=f"web:{url}",
        title=title,
        text=clean(_with_headings(text, title)),
        url=url,
        sources=[{"title": title, "publisher": line(about.sitename or "") or httpx.URL(url).host, "url": url}],
        origin=Web.name,
        language=(tree.get("lang") or "en").partition("-")[0].lower()[:3],
        licence=line(about.license or ""),
        published=day(about.date),
    )


def _with_headings(markdown: str, title: str) -> str:
    """Its headings as `## Heading` lines; not the title, which stands elsewhere."""
    rows = []
    for row in markdown.split("\n"):
        heading = row.lstrip("#").strip() if row.startswith("#") else ""
        if not heading:
            rows.append(row.replace("**", ""))
        elif line(heading) != title:
            rows.append(f"\n## {heading}\n")
    return "\n".join(rows)
