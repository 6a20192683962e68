"""XML files: parsed without network and entities, and read as what their root says that they are."""

from collections.abc import Iterator
from typing import Any

from primum.retrieval.labels import SPL, label_page
from primum.retrieval.medlineplus import topic_pages
from primum.retrieval.medquad import questions_page
from primum.retrieval.source import PlainPage, Unreadable


def xml_pages(data: bytes, name: str) -> Iterator[PlainPage | Unreadable]:
    """The documents of an XML file of a known kind. Raises ValueError if it is none, broken, or declares entities."""
    root = parsed(data)
    if root.tag == f"{SPL}document":
        yield label_page(root, name)
    elif root.tag == "health-topics":
        yield from topic_pages(root)
    elif root.tag == "Document" and root.find("QAPairs") is not None:
        yield questions_page(root)
    else:
        tag = str(root.tag).rpartition("}")[2][:60]
        raise ValueError(
            f"an unknown kind of XML (<{tag}>); known are drug labels (SPL), MedlinePlus health topics and MedQuAD"
        )


def parsed(data: bytes) -> Any:
    """The root of an XML document. Raises ValueError if it is broken or declares entities."""
    from lxml import etree

    parser = etree.XMLParser(resolve_entities=False, no_network=True, load_dtd=False, huge_tree=False)
    try:
        root = etree.fromstring(data, parser)
    except (etree.XMLSyntaxError, ValueError) as error:
        raise ValueError(f"broken XML ({str(error).partition(',')[0][:100]})") from None
    declared = root.getroottree().docinfo.internalDTD
    if declared is not None and any(True for _ in declared.iterentities()):
        raise ValueError("XML that declares entities, which may hide a bomb")
    return root
