"""What can be given to `primum ingest`: named public sources, addresses such as s3://bucket/folder, and paths.

An origin is a row of `ORIGINS`: a name, and a function from what follows the colon to documents. Another module adds
its own with `ORIGINS["pubmed"] = read_pubmed`.
"""

import json
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from urllib.parse import urljoin

import httpx

from primum.retrieval.download import DownloadError, Unreachable, client, fetch, fetched
from primum.retrieval.loaders import count, files, load, load_as
from primum.retrieval.remote import is_remote, load_remote, remote_files
from primum.retrieval.source import Source, Unreadable, source_of
from primum.retrieval.xml_file import xml_pages

MAX_LABELS = 25  # of one drug, the newest; makers of the same medicine say the same
MAX_PAGES = 10  # of a list of labels, 100 each
MAX_PAGE = 20 * 2**20  # bytes of one answer of a service
_TOPICS = re.compile(r"""["']([^"'<>\s]*mplus_topics_compressed_(\d{4}-\d\d-\d\d)\.zip)["']""")
_SET_ID = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.I)
_ARGUMENT = re.compile(r"([a-z][a-z0-9_]+)(?::(.*))?", re.DOTALL)

Documents = Iterator[Source | Unreadable]


@dataclass(frozen=True)
class Addresses:
    """Where the public services are."""

    medlineplus: str = "https://medlineplus.gov/xml.html"
    medquad: str = "https://github.com/abachaa/MedQuAD/archive/refs/heads/master.zip"
    dailymed: str = "https://dailymed.nlm.nih.gov/dailymed/services/v2/"


PUBLIC = Addresses()
Origin = Callable[[str, httpx.Client, Addresses], Documents]


def read(argument: str | Path, addresses: Addresses = PUBLIC) -> Documents:
    """All documents of a path, a remote address or a named origin; what can't be read is named, never raised."""
    name, _, wanted = str(argument).partition(":")
    if isinstance(argument, Path) or not is_origin(argument):
        yield from load_remote(str(argument)) if is_remote(argument) else load(Path(argument))
        return
    try:
        with client() as http:
            yield from ORIGINS[name](wanted.strip().strip("\"'"), http, addresses)
    except DownloadError as error:
        yield Unreadable(str(argument), str(error))


def parts(argument: str | Path) -> list[str]:
    """What of it can be read apart, in any order and on any machine: the files of a folder."""
    if not isinstance(argument, Path) and is_origin(argument):
        return [argument]
    if is_remote(argument):
        return remote_files(str(argument))
    return [str(file) for file in files(Path(argument).absolute())]


def is_origin(argument: str | Path) -> bool:
    """Whether an argument names a public source; `./medquad` is a path in any case."""
    found = _ARGUMENT.fullmatch(argument) if isinstance(argument, str) else None
    return bool(found and found[1] in ORIGINS and not is_remote(str(argument)))


def expected(argument: str | Path) -> int:
    """How many documents `read` will come to, roughly; 0 if that is only known once it has been asked for."""
    return 0 if is_origin(argument) or is_remote(argument) else count(Path(argument))


def _medlineplus(wanted: str, http: httpx.Client, addresses: Addresses) -> Documents:
    """The newest file of health topics, in English and Spanish."""
    if wanted:
        yield Unreadable(f"medlineplus:{wanted}", "medlineplus takes nothing after it: all topics are read")
        return
    page = fetch(http, addresses.medlineplus, MAX_PAGE).decode(errors="replace")
    files = sorted(_TOPICS.findall(page), key=lambda found: found[1])
    if not files:
        raise DownloadError(f"{addresses.medlineplus} names no file of topics any more; download it and give its path")
    yield from _archive(http, urljoin(addresses.medlineplus, files[-1][0]), "medlineplus")


def _medquad(wanted: str, http: httpx.Client, addresses: Addresses) -> Documents:
    """All of MedQuAD; the files whose answers were taken out are passed over."""
    if wanted:
        yield Unreadable(f"medquad:{wanted}", "medquad takes nothing after it: all of it is read")
        return
    for item in _archive(http, addresses.medquad, "medquad"):
        if isinstance(item, Source) or not item.empty:
            yield item


def _archive(http: httpx.Client, address: str, name: str) -> Documents:
    """The origin's documents in an archive; what else lies in it, such as a read-me, is passed over."""
    with fetched(http, address, f"{name}.zip") as file:
        for item in load_as(file, f"{name}:", name):
            if item.origin == name if isinstance(item, Source) else ".xml" in item.name or item.name == name:
                yield item


def _dailymed(wanted: str, http: httpx.Client, addresses: Addresses) -> Documents:
    """The newest labels of a drug, or the one label with this set id."""
    if not wanted:
        yield Unreadable("dailymed", "give a drug's name or a label's set id, as in dailymed:atorvastatin")
        return
    labels, total = ([wanted.lower()], 1) if _SET_ID.fullmatch(wanted) else _labels(wanted, http, addresses)
    if not labels:
        yield Unreadable(f"dailymed:{wanted}", "DailyMed has no label of this name")
    if total > len(labels):
        yield Unreadable(f"dailymed:{wanted}", f"only the {len(labels)} newest of {total} labels are read")
    for set_id in labels:
        yield from _label(set_id, http, addresses)


def _labels(drug: str, http: httpx.Client, addresses: Addresses) -> tuple[list[str], int]:
    """The set ids of the newest labels, and how many there are."""
    address = urljoin(addresses.dailymed, "spls.json")
    listed: list[tuple[datetime, str]] = []
    for number in range(1, MAX_PAGES + 1):
        answer = fetch(http, address, MAX_PAGE, {"drug_name": drug, "pagesize": 100, "page": number})
        try:
            found = json.loads(answer)
            listed += [(_published(label["published_date"]), label["setid"]) for label in found["data"]]
            last = number >= int(found["metadata"]["total_pages"])
        except (ValueError, KeyError, TypeError, AttributeError):
            raise DownloadError(f"{address} answered in a form that is not known") from None
        if last:
            break
    labels = [set_id for _, set_id in sorted(listed, reverse=True) if _SET_ID.fullmatch(set_id)]
    return labels[:MAX_LABELS], len(labels)


def _published(text: str) -> datetime:
    try:
        return datetime.strptime(text, "%b %d, %Y")
    except ValueError:
        return datetime.min


def _label(set_id: str, http: httpx.Client, addresses: Addresses) -> Documents:
    name = f"dailymed:{set_id}"
    try:
        for page in xml_pages(fetch(http, urljoin(addresses.dailymed, f"spls/{set_id}.xml"), MAX_PAGE), set_id):
            yield page if isinstance(page, Unreadable) else source_of(page, page.identity or name)
    except Unreachable:
        raise  # nor can the next label be
    except (ValueError, DownloadError) as error:
        yield Unreadable(name, str(error))
    except RecursionError:
        yield Unreadable(name, "nested too deeply")


ORIGINS: dict[str, Origin] = {"medlineplus": _medlineplus, "medquad": _medquad, "dailymed": _dailymed}
