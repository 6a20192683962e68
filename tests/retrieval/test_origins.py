import contextlib
import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import urlsplit

import httpx
import pytest

from primum.retrieval import download, origins
from primum.retrieval.loaders import Source, Unreadable
from primum.retrieval.origins import Addresses, expected, is_origin, read
from tests.retrieval import documents


class Site:
    """A web site on this machine: its pages by path, and what was asked for."""

    def __init__(self) -> None:
        self.pages: dict[str, bytes | str | Iterator[bytes]] = {}
        self.refused: dict[str, str] = {}
        self.moved: dict[str, str] = {}
        self.asked: list[str] = []
        site = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                site.asked.append(self.path)
                content = site.pages.get(self.path, site.pages.get(urlsplit(self.path).path))
                if self.path in site.refused:
                    self.send_response(503, site.refused[self.path])
                elif self.path in site.moved:
                    self.send_response(302)
                    self.send_header("location", site.moved[self.path])
                else:
                    self.send_response(404 if content is None else 200)
                self.end_headers()
                content = content.encode() if isinstance(content, str) else content
                with contextlib.suppress(OSError):  # who asked has gone
                    for part in [content] if isinstance(content, bytes) else content or []:
                        self.wfile.write(part)

            def log_message(self, *args: object) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.address = f"http://127.0.0.1:{self.server.server_port}/"

    @property
    def addresses(self) -> Addresses:
        return Addresses(f"{self.address}xml.html", f"{self.address}medquad.zip", f"{self.address}v2/")


@pytest.fixture
def site() -> Iterator[Site]:
    site = Site()
    threading.Thread(target=site.server.serve_forever, args=(0.01,), daemon=True).start()
    yield site
    site.server.shutdown()
    site.server.server_close()


def test_medlineplus_is_read_from_its_newest_file(site: Site) -> None:
    site.pages["/xml.html"] = "".join(
        f'<a href="/xml/mplus_topics_compressed_{day}.zip">' for day in ("2026-11-19", "2026-11-21", "2026-11-20")
    )
    site.pages["/xml/mplus_topics_compressed_2026-11-21.zip"] = documents.zipped({"topics.xml": documents.TOPICS})
    found = list(read("medlineplus", site.addresses))
    assert [item.uri for item in found if isinstance(item, Source)] == ["medlineplus:11", "medlineplus:12"]
    assert {item.origin for item in found if isinstance(item, Source)} == {"medlineplus"}
    assert [item.reason for item in found if isinstance(item, Unreadable)] == ["a topic without a summary"]


def test_medquad_is_read_without_its_read_me_and_its_empty_files(site: Site) -> None:
    site.pages["/medquad.zip"] = documents.zipped(
        {
            "MedQuAD-master/readme.txt": "About it.",
            "MedQuAD-master/5_NINDS_QA/0000007.xml": documents.QUESTIONS,
            "MedQuAD-master/10_ADAM/1.xml": documents.QUESTIONS.partition("<QAPair ")[0] + "</QAPairs></Document>",
            "MedQuAD-master/10_ADAM/2.xml": "<broken",
        }
    )
    found = list(read("medquad", site.addresses))
    assert [item.uri for item in found if isinstance(item, Source)] == ["medquad:NINDS/0000007"]
    assert [item.name.rpartition("/")[2] for item in found if isinstance(item, Unreadable)] == ["2.xml"]


def label_list(labels: list[tuple[str, str]], pages: int = 1) -> str:
    data = [{"setid": set_id, "published_date": day, "title": "T", "spl_version": 1} for set_id, day in labels]
    return json.dumps({"data": data, "metadata": {"total_pages": str(pages), "current_page": "1"}})


def test_a_drugs_newest_labels_are_read_and_a_missing_one_stops_nothing(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    ids = [f"{number}{documents.SET_ID[1:]}" for number in range(4)]
    days = ["Jan 01, 2020", "Nov 03, 2026", "Oct 31, 2026", "Feb 01, 2025"]
    site.pages["/v2/spls.json?drug_name=placebin&pagesize=100&page=1"] = label_list(
        list(zip(ids[:2], days[:2], strict=True)), 2
    )
    site.pages["/v2/spls.json?drug_name=placebin&pagesize=100&page=2"] = label_list(
        list(zip(ids[2:], days[2:], strict=True)), 2
    )
    site.pages[f"/v2/spls/{ids[1]}.xml"] = documents.LABEL.replace(documents.SET_ID, ids[1])
    monkeypatch.setattr(origins, "MAX_LABELS", 2)
    found = list(read("dailymed:placebin", site.addresses))
    assert found[0] == Unreadable("dailymed:placebin", "only the 2 newest of 4 labels are read")
    assert isinstance(found[1], Source) and found[1].uri == f"dailymed:{ids[1]}"
    assert isinstance(found[2], Unreadable) and found[2].name == f"dailymed:{ids[2]}" and "404" in found[2].reason


def test_one_label_is_read_by_its_set_id(site: Site) -> None:
    site.pages[f"/v2/spls/{documents.SET_ID}.xml"] = documents.LABEL
    (label,) = read(f"dailymed:{documents.SET_ID}", site.addresses)
    assert isinstance(label, Source) and label.evidence == "label"


@pytest.mark.parametrize(
    ("argument", "page", "why"),
    [
        ("dailymed:nothing", label_list([]), "no label of this name"),
        ("dailymed:odd", "{}", "in a form that is not known"),
        ("dailymed", "", "give a drug's name"),
        ("medlineplus:gout", "", "takes nothing after it"),
        ("medlineplus", "", "answered 404"),
        ("medquad", "", "answered 404"),
    ],
)
def test_what_an_origin_cannot_give_is_named(site: Site, argument: str, page: str, why: str) -> None:
    if page:
        site.pages["/v2/spls.json"] = page
    (found,) = read(argument, site.addresses)
    assert isinstance(found, Unreadable) and found.name == argument and why in found.reason


@pytest.mark.parametrize("argument", ["medlineplus", "medquad", "dailymed:aspirin", f"dailymed:{documents.SET_ID}"])
def test_offline_there_is_one_clear_error(site: Site, argument: str) -> None:
    site.server.shutdown()
    site.server.server_close()
    (found,) = read(argument, site.addresses)
    assert isinstance(found, Unreadable)
    assert found.reason.startswith("127.0.0.1") and "check the network" in found.reason


def test_a_download_stops_where_it_is_too_large(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(download, "MAX_DOWNLOAD", 2**20)
    site.pages["/medquad.zip"] = bytes(2**21)
    (found,) = read("medquad", site.addresses)
    assert isinstance(found, Unreadable) and "larger than 1 MB" in found.reason


@pytest.mark.parametrize("link", ["http://10.0.0.1/xml/mplus_topics_compressed_2026-11-21.zip", "https://127.0.0.2/a"])
def test_a_page_that_leads_into_the_house_is_not_followed(link: str, site: Site) -> None:
    with download.client() as http, pytest.raises(download.DownloadError, match="only https, at public addresses"):
        site.pages["/here"] = "well"
        assert download.fetch(http, f"{site.address}here") == b"well"
        download.fetch(http, link)


def test_a_redirect_into_the_house_is_not_followed(site: Site) -> None:
    site.moved["/here"] = "http://127.0.0.2:1/secret"
    with download.client() as http, pytest.raises(download.DownloadError, match=r"leads to 127\.0\.0\.2"):
        download.fetch(http, f"{site.address}here")


@pytest.fixture
def drip(monkeypatch: pytest.MonkeyPatch) -> Iterator[Iterator[bytes]]:
    """An answer that comes byte after byte and takes far longer than a download may."""
    monkeypatch.setattr(download, "MAX_SECONDS", 0.2)
    enough = threading.Event()
    yield (b"P" for _ in range(1000) if not enough.wait(0.01))
    enough.set()


def test_a_download_that_drips_on_and_on_ends(site: Site, drip: Iterator[bytes]) -> None:
    site.pages["/medquad.zip"] = drip
    (found,) = read("medquad", site.addresses)
    assert isinstance(found, Unreadable)
    assert found.reason.startswith("127.0.0.1") and "takes longer" in found.reason and "give its path" in found.reason


def test_one_label_that_is_refused_stops_no_other_whatever_the_service_says(site: Site) -> None:
    ids = [f"{number}{documents.SET_ID[1:]}" for number in (2, 1)]
    site.pages["/v2/spls.json"] = label_list([(set_id, "Nov 03, 2026") for set_id in ids])
    site.refused[f"/v2/spls/{ids[0]}.xml"] = "can't be reached"
    site.pages[f"/v2/spls/{ids[1]}.xml"] = documents.LABEL.replace(documents.SET_ID, ids[1])
    refused, label = read("dailymed:placebin", site.addresses)
    assert isinstance(refused, Unreadable) and refused.name == f"dailymed:{ids[0]}" and "503" in refused.reason
    assert isinstance(label, Source) and label.uri == f"dailymed:{ids[1]}"


def test_when_a_service_hangs_it_is_not_asked_for_the_other_labels(site: Site, drip: Iterator[bytes]) -> None:
    ids = [f"{number}{documents.SET_ID[1:]}" for number in (2, 1)]
    site.pages["/v2/spls.json"] = label_list([(set_id, "Nov 03, 2026") for set_id in ids])
    site.pages[f"/v2/spls/{ids[0]}.xml"] = drip
    (found,) = read("dailymed:placebin", site.addresses)
    assert isinstance(found, Unreadable) and found.name == "dailymed:placebin" and "takes longer" in found.reason
    assert len(site.asked) == 2


def test_a_label_nested_too_deeply_is_named(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    nested = "<component><section>" * 5000 + "</section></component>" * 5000
    site.pages[f"/v2/spls/{documents.SET_ID}.xml"] = documents.LABEL.replace(
        "</structuredBody>", f"{nested}</structuredBody>"
    )
    (found,) = read(f"dailymed:{documents.SET_ID}", site.addresses)
    assert isinstance(found, Unreadable) and found.name == f"dailymed:{documents.SET_ID}"


def test_a_path_is_read_as_a_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "medquad").mkdir()
    (tmp_path / "medquad" / "a.txt").write_text("Own text.")
    monkeypatch.chdir(tmp_path)
    for argument in ("./medquad", Path("medquad"), str(tmp_path / "medquad")):
        (found,) = read(argument)
        assert isinstance(found, Source) and found.uri == f"file:{tmp_path}/medquad/a.txt"
        assert expected(argument) == 1
    assert is_origin("medquad") and is_origin("dailymed:x") and not is_origin("other:x")
    assert expected("medquad") == 0


def test_another_module_can_add_its_origin(monkeypatch: pytest.MonkeyPatch) -> None:
    def abstracts(wanted: str, http: httpx.Client, addresses: Addresses) -> Iterator[Source | Unreadable]:
        yield Source(uri="pubmed:1", title=wanted, text="An abstract.", origin="pubmed")

    monkeypatch.setitem(origins.ORIGINS, "pubmed", abstracts)
    (found,) = read('pubmed:"gout AND colchicine"')
    assert isinstance(found, Source) and found.title == "gout AND colchicine"
