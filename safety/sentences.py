"""An answer taken apart into blocks and sentences with their markers, and put together again."""

import re
from collections.abc import Iterable
from dataclasses import dataclass, replace

from sentencex import segment

from primum.safety.remembered import remembered

_MARKER = re.compile(r"\s*[\[【]\^?(\d{1,3}(?:\s*[,;–-]\s*\d{1,3})*)[\]】]")
_MARKERS_AFTER_STOP = re.compile(r"([.!?。！？]['\"”’)*_]*)((?:\s*[\[【]\^?\d[\d\s,;–-]*[\]】])+)")
_PREFIX = re.compile(r"^\s*(?:#{1,6}\s+|[-*+•]\s+|\d{1,2}[.)]\s+|>\s+)?")
_EMPHASIS_END = re.compile(r"(\*{1,2}|_{1,2})(?=\s|$)")
_ENDED = re.compile(r"(?:[.!?]['\"”’)*_]*(?=\s|\Z|[\[【])|[。！？]['\"”’)*_]*|\n)(?:\s*[\[【]\^?\d[\d\s,;–-]*[\]】])*")
_THINK = re.compile(r"<think>.*?(?:</think>|\Z)", re.DOTALL | re.IGNORECASE)


@dataclass(frozen=True)
class Sentence:
    """One sentence without its markers; `prefix` is the list or heading sign if it opens a block."""

    text: str
    markers: tuple[int, ...] = ()
    prefix: str = ""
    block: int = 0

    @property
    def heading(self) -> bool:
        return self.prefix.lstrip().startswith("#")

    def marked(self) -> str:
        """The text with its markers before the closing stop, as it is shown."""
        if not self.markers:
            return self.text
        marks = " " + "".join(f"[{number}]" for number in self.markers)
        end = re.search(r"[.!?。！？:]?[\"”’)*_]*$", self.text)
        cut = end.start() if end else len(self.text)
        return self.text[:cut].rstrip() + marks + self.text[cut:]


def strip_thinking(text: str) -> tuple[str, str]:
    """The text without `<think>` parts, an unclosed one included, and what stood in them."""
    if "</think>" in text and "<think>" not in text.split("</think>", 1)[0]:
        text = "<think>" + text  # some templates open the thought in the prompt
    thoughts = "\n".join(re.sub(r"(?i)</?think>", "", part).strip() for part in _THINK.findall(text))
    return _THINK.sub("", text).strip(), thoughts


def whole_sentences(text: str) -> str:
    """The text up to the end of its last whole sentence or line; nothing if there is none."""
    ends = [match.end() for match in _ENDED.finditer(text)]
    return text[: ends[-1]].rstrip() if ends else ""


def split_plain(text: str) -> list[tuple[int, int]]:
    """Start and stop of each sentence of plain text; the spans cover everything but the space between."""
    spans: list[tuple[int, int]] = []
    position = 0
    for line in text.splitlines(keepends=True):
        start = position
        for piece in _joined(segment("en", line)):
            stop = start + len(piece)
            bare = piece.strip()
            if bare:
                left = start + len(piece) - len(piece.lstrip())
                spans.append((left, left + len(bare)))
            start = stop
        position += len(line)
    return spans


def _joined(pieces: Iterable[str]) -> list[str]:
    """Pieces, those that open in lower case or with a digit after an abbreviation joined to the one before."""
    joined: list[str] = []
    for piece in pieces:
        closing = _EMPHASIS_END.match(piece)
        if closing and joined and joined[-1].count(closing[1]) % 2:
            joined[-1] = joined[-1].rstrip() + closing[1] + " "
            piece = piece[closing.end() :]
        if joined and (piece.lstrip()[:1].islower() or re.search(r"\b(?:approx|no|vs|e\.g|i\.e)\.\s*$", joined[-1])):
            joined[-1] += piece
        else:
            joined.append(piece)
    return joined


@remembered(maxsize=256)
def split_answer(text: str) -> tuple[Sentence, ...]:
    """The sentences of a Markdown answer, each with the numbers of its markers."""
    text, _ = strip_thinking(text)
    sentences: list[Sentence] = []
    for block, line in enumerate(text.splitlines()):
        match = _PREFIX.match(line)
        prefix = match.group() if match else ""
        body = _MARKERS_AFTER_STOP.sub(lambda m: m[2] + m[1], line[len(prefix) :]).strip()
        for part in _joined(segment("en", body)):
            markers = tuple(dict.fromkeys(n for m in _MARKER.finditer(part) for n in _numbers(m[1])))
            bare = re.sub(r"\s+([.,;:!?])", r"\1", _MARKER.sub("", part)).strip()
            if re.search(r"\w", bare):
                sentences.append(Sentence(bare, markers, prefix, block))
            elif markers and sentences:
                sentences[-1] = replace(sentences[-1], markers=(*sentences[-1].markers, *markers))
            prefix = "" if re.search(r"\w", bare) else prefix
    return tuple(sentences)


def _numbers(inside: str) -> list[int]:
    numbers: list[int] = []
    for part in re.split(r"[,;]", inside):
        ends = [int(n) for n in re.findall(r"\d+", part)]
        numbers.extend(range(ends[0], min(ends[-1], ends[0] + 20) + 1) if len(ends) > 1 else ends)
    return numbers


def join_answer(sentences: Iterable[Sentence]) -> str:
    """Sentences as Markdown again: those of one block on one line, a heading only if something follows it."""
    lines: list[tuple[str, bool, str]] = []
    block: int | None = None
    for sentence in sentences:
        if sentence.block == block and lines:
            prefix, heading, body = lines[-1]
            lines[-1] = (prefix, heading, f"{body} {sentence.marked()}")
        else:
            lines.append((sentence.prefix, sentence.heading, sentence.marked()))
            block = sentence.block
    kept = [
        line
        for number, line in enumerate(lines)
        if not line[1] or (number + 1 < len(lines) and not lines[number + 1][1])
    ]
    text = ""
    for number, (prefix, _, body) in enumerate(kept):
        in_list = bool(prefix.strip()) and number > 0 and bool(kept[number - 1][0].strip())
        text += ("" if not number else "\n" if in_list else "\n\n") + prefix + body
    return text


def count_words(text: str) -> int:
    """Words as a reader counts them; a Chinese character counts as half a word."""
    bare = _MARKER.sub("", text)
    han = len(re.findall(r"[\u3400-\u9fff]", bare))
    return len(re.findall(r"[^\W\u3400-\u9fff]+(?:['’.-][^\W\u3400-\u9fff]+)*", bare)) + han // 2
