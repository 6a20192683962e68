"""MedQuAD: questions and answers of the US health institutes, one XML file a subject."""

import re
from typing import Any

from primum.retrieval.plaintext import clean, line
from primum.retrieval.source import Empty, PlainPage

ORIGIN = "medquad"
LICENCE = "CC BY 4.0"
_ITEM = re.compile(r"(?: {2,}|\n *)- +")  # its lists have lost their line breaks, but not their white space
_SPACED_MARK = re.compile(r"\s+([?:])")


def questions_page(root: Any) -> PlainPage:
    """One document: each answered question is a heading. Raises Empty if no answer is given."""
    title = line(root.findtext("Focus") or "")
    sections: list[str] = []
    for pair in root.iterfind("QAPairs/QAPair"):
        answer = _answer(pair.findtext("Answer") or "")
        question = _SPACED_MARK.sub(r"\1", line(pair.findtext("Question") or "")).replace("??", "?")
        if answer and question:
            sections.append(f"## {question}\n{answer}")
    if not sections:
        raise Empty("no answers in it: MedQuAD leaves out those that it has no right to")
    publisher = line(root.get("source") or "")
    meta = {
        "kind": "questions",
        "url": root.get("url"),
        "aliases": [line(synonym.text or "") for synonym in root.iterfind("FocusAnnotations/Synonyms/Synonym")],
        "sources": [{"title": title, "publisher": f"{publisher} (MedQuAD)", "url": root.get("url")}],
        "language": "en",
        "audience": "patient",
        "licence": LICENCE,
    }
    identity = f"{ORIGIN}:{publisher}/{line(root.get('id') or title)}"
    return PlainPage(title or publisher, clean("\n\n".join(sections)), meta, identity=identity, origin=ORIGIN)


def _answer(text: str) -> str:
    text = _ITEM.sub("\n- ", text.strip())
    return clean(re.sub(r"(?<=\S) {3,}(?=\S)", "\n", text))
