import gzip
import json
import os
from datetime import date
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from primum.retrieval.loaders import MAX_FILE, MAX_ROW, Source, Unreadable, count, load
from tests.retrieval import documents

PAGE = """---
title: Gout
kind: condition
aliases: [gouty arthritis, podagra]
sources:
  - {title: Gout, publisher: MedlinePlus, url: https://medlineplus.gov/gout.html}
reviewed: 2026-11-21
---
# Gout

Gout is a **painful** [arthritis](https://example.org) that
comes in attacks.

## Treatment
Ibuprofen, if it suits you:
- helps early
- is no cure
"""


def sources(path: Path) -> list[Source]:
    found = list(load(path))
    assert not [item for item in found if isinstance(item, Unreadable)], found
    return [item for item in found if isinstance(item, Source)]


def reason(path: Path) -> str:
    (found,) = load(path)
    assert isinstance(found, Unreadable)
    assert str(path) in found.name
    return found.reason


def write(path: Path, content: str | bytes) -> Path:
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return path


def tiny_pdf(text: str) -> bytes:
    """A PDF of one page, written by hand."""
    stream = f"BT /F1 12 Tf 72 720 Td ({text}) Tj ET".encode()
    objects = [
        b"<</Type/Catalog/Pages 2 0 R>>",
        b"<</Type/Pages/Kids[3 0 R]/Count 1>>",
        b"<</Type/Page/Parent 2 0 R/MediaBox[0 0 612 792]/Contents 4 0 R/Resources<</Font<</F1 5 0 R>>>>>>",
        b"<</Length %d>>stream\n%s\nendstream" % (len(stream), stream),
        b"<</Type/Font/Subtype/Type1/BaseFont/Helvetica>>",
    ]
    data, offsets = b"%PDF-1.4\n", []
    for number, content in enumerate(objects, 1):
        offsets.append(len(data))
        data += b"%d 0 obj%s endobj\n" % (number, content)
    table = b"".join(b"%010d 00000 n \n" % offset for offset in offsets)
    return data + b"xref\n0 6\n0000000000 65535 f \n%strailer<</Size 6/Root 1 0 R>>\nstartxref\n%d\n%%%%EOF" % (
        table,
        len(data),
    )


def test_a_markdown_page_gives_its_front_matter_and_its_text_without_marks(tmp_path: Path) -> None:
    (page,) = sources(write(tmp_path / "gout.md", PAGE))
    assert (page.title, page.kind, page.aliases) == ("Gout", "condition", ["gouty arthritis", "podagra"])
    assert page.sources == [{"title": "Gout", "publisher": "MedlinePlus", "url": "https://medlineplus.gov/gout.html"}]
    assert page.reviewed == date(2026, 11, 21)
    assert page.text == (
        "Gout is a painful arthritis that comes in attacks.\n\n"
        "## Treatment\nIbuprofen, if it suits you:\n- helps early\n- is no cure"
    )


def test_a_markdown_page_without_front_matter_is_named_by_its_first_heading(tmp_path: Path) -> None:
    (page,) = sources(write(tmp_path / "a.md", "# Hay fever\n\nPollen causes hay fever."))
    assert (page.title, page.text) == ("Hay fever", "Pollen causes hay fever.")


def test_front_matter_that_is_not_yaml_is_named(tmp_path: Path) -> None:
    assert "front matter" in reason(write(tmp_path / "a.md", "---\ntitle: [\n---\nText."))


def test_a_text_file_takes_its_first_line_or_its_name_as_title(tmp_path: Path) -> None:
    assert sources(write(tmp_path / "a.txt", "Fever\n\nFever is a high\ntemperature."))[0] == Source(
        uri=f"file:{tmp_path}/a.txt", title="Fever", text="Fever is a high temperature."
    )
    assert sources(write(tmp_path / "cough_syrup.txt", "Syrup soothes."))[0].title == "cough syrup"


def test_an_html_page_keeps_its_main_content_headings_and_canonical_address(tmp_path: Path) -> None:
    html = """<html><head><title>Site</title><link rel="canonical" href="https://example.org/flu">
    <style>p {color: red}</style></head><body><nav>Menu</nav><main><h1>Flu</h1><p>Flu is
    an <b>infection</b>.</p><script>alert(1)</script><h2>Care</h2><ul><li>Rest</li><li>Drink</li></ul></main>
    <footer>Imprint</footer></body></html>"""
    (page,) = sources(write(tmp_path / "flu.html", html))
    assert (page.title, page.url) == ("Flu", "https://example.org/flu")
    assert page.text == "Flu is an infection.\n\n## Care\n\n- Rest\n- Drink"


def test_an_html_page_tells_its_language_licence_and_day_and_its_tables_rows_read_alone(tmp_path: Path) -> None:
    html = """<html lang="es-ES"><head><link rel="license" href="https://creativecommons.org/licenses/by/4.0/">
    <meta property="article:published_time" content="2026-02-03T10:00"></head><body><main><h1>Dosis</h1>
    <table><caption>Tabla 1</caption><tr><th>Drug</th><th>Dose</th></tr>
    <tr><td>A</td><td>10<sup>3</sup> units</td></tr></table><p>After.</p></main></body></html>"""
    (page,) = sources(write(tmp_path / "a.html", html))
    assert (page.language, page.published) == ("es", date(2026, 2, 3))
    assert page.licence == "https://creativecommons.org/licenses/by/4.0/"
    assert page.text == "Tabla 1\nDrug: A; Dose: 10³ units\n\nAfter."


def test_parts_of_a_word_stay_together_and_the_symbol_font_is_read(tmp_path: Path) -> None:
    html = "<p>H<sub>2</sub>O, <b>5</b> <font face='Symbol'>m</font>g, 10<sup>9</sup>/L</p>"
    assert sources(write(tmp_path / "a.html", html))[0].text == "H2O, 5 μg, 10⁹/L"


def test_a_markdown_table_has_rows_that_read_alone(tmp_path: Path) -> None:
    table = "# T\n\nDoses:\n\n| Drug | Dose |\n|:---|---:|\n| A \\| B | 5 mg |\n\nAfter."
    (page,) = sources(write(tmp_path / "a.md", table))
    assert page.text == "Doses:\n\nDrug: A | B; Dose: 5 mg\n\nAfter."


def test_an_address_that_is_not_http_is_dropped(tmp_path: Path) -> None:
    html = '<link rel="canonical" href="javascript:alert(1)"><p>Text.</p>'
    assert sources(write(tmp_path / "a.html", html))[0].url == ""


def test_a_pdf_gives_its_text(tmp_path: Path) -> None:
    (page,) = sources(write(tmp_path / "leaflet.pdf", tiny_pdf("Take one tablet a day.")))
    assert (page.title, page.text) == ("leaflet", "Take one tablet a day.")


@pytest.mark.parametrize("name", ["rows.jsonl", "rows.jsonl.gz"])
def test_rows_become_documents_and_a_bad_one_is_named_by_its_line(tmp_path: Path, name: str) -> None:
    good = {"_id": "a", "title": "Lupus", "text": "Lupus is a disease.", "url": "https://example.org/l", "source": "S"}
    rows = [json.dumps(good), "{not json", '{"_id": "b"}', "", json.dumps({"_id": "c", "text": "More."})]
    data = "\n".join(rows).encode()
    found = list(load(write(tmp_path / name, gzip.compress(data) if name.endswith(".gz") else data)))
    assert [item.uri for item in found if isinstance(item, Source)] == [
        f"file:{tmp_path}/{name}#a",
        f"file:{tmp_path}/{name}#c",
    ]
    assert [item.name for item in found if isinstance(item, Unreadable)] == [
        f"{tmp_path}/{name}:2",
        f"{tmp_path}/{name}:3",
    ]
    assert isinstance(found[0], Source)
    assert found[0].sources == [{"title": "Lupus", "publisher": "S", "url": "https://example.org/l"}]


def test_a_broken_gzip_keeps_the_rows_before_the_break(tmp_path: Path) -> None:
    row = json.dumps({"_id": "a", "text": "One."}) + "\n"
    data = gzip.compress(row.encode()) + gzip.compress(row.encode() * 99)[:-9]
    found = list(load(write(tmp_path / "a.jsonl.gz", data)))
    assert isinstance(found[0], Source)
    assert isinstance(found[-1], Unreadable) and "broken gzip" in found[-1].reason


def test_a_row_too_large_is_named_and_the_next_one_goes_in(tmp_path: Path) -> None:
    rows = json.dumps({"_id": "a", "text": "x" * MAX_ROW}) + "\n" + json.dumps({"_id": "b", "text": "Small."})
    first, second = load(write(tmp_path / "a.jsonl", rows))
    assert isinstance(first, Unreadable) and first.name.endswith(":1")
    assert isinstance(second, Source) and second.uri == f"file:{tmp_path}/a.jsonl#b"


def test_control_characters_and_lone_surrogates_do_not_reach_the_text(tmp_path: Path) -> None:
    row = r'{"_id": "a\u0000", "title": "T\u0007\ud800", "text": "One\u0000 two\u200b.\r\nThree\ud83d."}'
    (page,) = sources(write(tmp_path / "a.jsonl", row))
    assert (page.uri, page.title, page.text) == (f"file:{tmp_path}/a.jsonl#a", "T\ufffd", "One two.\nThree\ufffd.")


@pytest.mark.parametrize(
    ("name", "content", "why"),
    [
        ("a.pdf", b"%PDF-1.4 broken", "broken PDF"),
        ("a.pdf", b"", "PDF"),
        ("a.txt", b"", "no text"),
        ("a.txt", b" \n\t ", "no text"),
        ("a.md", b"---\ntitle: Only\n---\n", "no text"),
        ("a.txt", "naïve".encode("latin-1"), "not UTF-8"),
        ("a.txt", bytes(range(32)) * 9, "binary"),
        ("a.docx", b"PK", "not a zip archive"),
        ("a.jsonl", b"", "empty"),
        ("a.jsonl.gz", b"no gzip", "broken gzip"),
    ],
)
def test_a_file_that_cannot_be_read_is_named_with_the_reason(
    tmp_path: Path, name: str, content: bytes, why: str
) -> None:
    assert why in reason(write(tmp_path / name, content))


def test_a_missing_file_and_one_too_large_are_named(tmp_path: Path) -> None:
    assert reason(tmp_path / "none.md") == "no such file"
    large = tmp_path / "large.txt"
    with large.open("wb") as file:
        file.truncate(MAX_FILE + 1)
    assert reason(large) == "larger than 50 MB"


STARTS = [
    *(b"", b"%PDF-1.4\n", b"---\na: [", b"<html><h1>", b"<html><table><tr><td colspan=9>", b"PK\x03\x04"),
    gzip.compress(b'{"text": "a"}\n' * 9)[:-12],
    *(b"a;b\n1;", b'title,text\nT,"', b'{"results": [{"set_id": "a", "warnings": [', b"[{", b"\xd0\xcf\x11\xe0"),
    *(document.encode()[:-40] for document in (documents.TOPICS, documents.QUESTIONS, documents.LABEL)),
    *(document[: len(document) // 2] for document in (documents.openfda(), documents.word(), documents.slides())),
    documents.guideline()[:3000],
]
SUFFIXES = [*".md .txt .html .pdf .docx .pptx .csv .tsv .xml .json .zip .jsonl .jsonl.gz".split()]


@given(
    data=st.one_of(st.binary(max_size=500), st.text(max_size=500).map(lambda t: t.encode(errors="surrogatepass"))),
    start=st.sampled_from(STARTS),
    suffix=st.sampled_from(SUFFIXES),
)
@settings(max_examples=300)
def test_no_content_stops_loading_and_what_is_loaded_fits_the_database(
    tmp_path_factory: pytest.TempPathFactory, data: bytes, start: bytes, suffix: str
) -> None:
    file = write(tmp_path_factory.getbasetemp() / f"any{suffix}", start + data)
    assert count(file) >= 1
    for item in load(file):
        if isinstance(item, Source):
            stored = item.title + item.text + item.uri + json.dumps([item.aliases, item.sources], ensure_ascii=False)
            assert "\0" not in stored.encode().decode()
            assert all(0 <= start <= len(item.text) for start in item.pages)


WHOLE = {
    ".pdf": documents.guideline(),
    ".docx": documents.word(),
    ".pptx": documents.slides(),
    ".xml": documents.LABEL.encode(),
    ".json": documents.openfda(),
    ".zip": documents.zipped({"a.xml": documents.QUESTIONS, "b.docx": documents.word()}),
}


@given(suffix=st.sampled_from(sorted(WHOLE)), place=st.floats(0, 1), patch=st.binary(min_size=1, max_size=40))
@settings(max_examples=60)
def test_a_damaged_file_stops_nothing(
    tmp_path_factory: pytest.TempPathFactory, suffix: str, place: float, patch: bytes
) -> None:
    whole = WHOLE[suffix]
    at = int(place * len(whole))
    file = write(tmp_path_factory.getbasetemp() / f"damaged{suffix}", whole[:at] + patch + whole[at + len(patch) :])
    assert list(load(file))


def test_a_folder_of_broken_files_of_every_kind_gives_what_is_good(tmp_path: Path) -> None:
    broken = [suffix for suffix in SUFFIXES if suffix != ".html"]  # no HTML is too broken to be read
    for suffix in broken:
        write(tmp_path / f"broken{suffix}", b"\xff\xfe\0broken" * 9)
    write(tmp_path / "good.txt", "Good text.")
    found = list(load(tmp_path))
    assert [item.uri for item in found if isinstance(item, Source)] == [f"file:{tmp_path}/good.txt"]
    names = {item.name.partition(":")[0] for item in found if isinstance(item, Unreadable)}
    assert names >= {f"{tmp_path}/broken{suffix}" for suffix in broken}


def test_a_folder_is_read_in_order_without_hidden_files(tmp_path: Path) -> None:
    for name in ("b.txt", "a/z.txt", "a/.hidden.txt", ".git/c.txt", "c.bin"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        write(tmp_path / name, f"About {name}.")
    found = list(load(tmp_path))
    assert [item.uri for item in found if isinstance(item, Source)] == [
        f"file:{tmp_path}/a/z.txt",
        f"file:{tmp_path}/b.txt",
    ]
    assert [item.name for item in found if isinstance(item, Unreadable)] == [f"{tmp_path}/c.bin"]


def test_each_file_is_read_once_and_no_link_is_followed_out_of_the_folder(tmp_path: Path) -> None:
    folder = tmp_path / "house"
    (folder / "ward").mkdir(parents=True)
    (folder / ".store").mkdir()
    write(folder / "ward" / "b.md", "Text b.")
    write(folder / ".store" / "c.md", "Text c.")
    write(tmp_path / "secret.md", "Secret.")
    for link, target in {
        "a.md": folder / "ward" / "b.md",
        "c.md": folder / ".store" / "c.md",
        "d": folder / "ward",
        "e.md": tmp_path / "secret.md",
        "f": tmp_path,
        "g.md": tmp_path / "gone.md",
    }.items():
        (folder / link).symlink_to(target)
    (tmp_path / "other").symlink_to(folder)
    for path in (folder, tmp_path / "other"):
        found = list(load(path))
        uris = [item.uri for item in found if isinstance(item, Source)]
        assert uris == [f"file:{folder}/.store/c.md", f"file:{folder}/ward/b.md"]
        (bad,) = [item for item in found if isinstance(item, Unreadable)]
        assert bad.name == f"{path}/e.md" and "leads out of the folder" in bad.reason
    assert len(list(load(folder / "e.md"))) == 1  # who names it wants it


def test_files_whose_names_differ_in_what_is_not_seen_have_identities_of_their_own(tmp_path: Path) -> None:
    names = [
        "caf\u00e9.md",
        "cafe\u0301.md",
        "a b.md",
        "a  b.md",
        "a\u00a0b.md",
        "a\tb.md",
        "a%20b.md",
        "a#b.md",
        "a%23b.md",
    ]
    for name in names:
        write(tmp_path / name, "Text.")
    write(Path(os.fsdecode(os.fsencode(tmp_path) + b"/caf\xe9.md")), "Text.")
    uris = {source.uri for source in sources(tmp_path)}
    assert len(uris) == len(names) + 1
    assert f"file:{tmp_path}/caf\u00e9.md" in uris and f"file:{tmp_path}/a b.md" in uris
    assert all(uri.isprintable() and "#" not in uri for uri in uris)


def test_the_content_hash_changes_with_anything_that_is_stored(tmp_path: Path) -> None:
    hashes = {
        sources(write(tmp_path / "a.md", page))[0].content_hash
        for page in (PAGE, PAGE.replace("podagra", "toe"), PAGE.replace("early", "soon"), PAGE)
    }
    assert len(hashes) == 3
