"""respond: reads everything, writes the answer. What is not proven is taken out here."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import date
from typing import Any, NamedTuple

from langgraph.runtime import Runtime

from primum.graph.context import Context
from primum.graph.errors import RetrievalFailed
from primum.graph.state import Problem, State
from primum.nodes import case
from primum.nodes.asking import asking_back
from primum.nodes.evidence import asked_in, dangling, judge, left_aside, read_passages, unsafe
from primum.nodes.follow_up import language_of
from primum.nodes.leading import asked_about, led
from primum.nodes.opening import max_words
from primum.nodes.outcomes import worked_out
from primum.nodes.prompts import hashes
from primum.nodes.replies import GREETING, PARTING, THANKED
from primum.retrieval.excerpts import Excerpt, excerpts, in_one_line, relevant
from primum.retrieval.search import Passage
from primum.retrieval.sufficiency import NOTHING as NOTHING_FOUND
from primum.safety import support, validator
from primum.safety.injection import suspicious
from primum.safety.language import Language
from primum.safety.sentences import Sentence, count_words, join_answer, split_answer, split_plain
from primum.safety.support import Verdict

OUTSIDE = (
    "I answer questions about health, medicines and first aid from a library of checked sources. "
    "This question seems to be about something else, so I leave it unanswered."
)
NOTHING = (
    "My library has nothing that answers this, so I give no answer rather than an unproven one. "
    "A doctor or pharmacist can help; if it is urgent, call your local emergency number."
)
NOTHING_MORE = "My library has nothing to add to this. What it means for you, a doctor or pharmacist can say."
UNSEARCHED = (
    "The library can't be searched at the moment, so I give no answer rather than an unproven one. "
    "Please try again; if it is urgent, call your local emergency number."
)
UNFIT = (
    "What my library says on this does not fit what is known of you, so I leave it out. "
    "Please ask a doctor or pharmacist."
)
# What Primum says in an answer's place, in the languages that it reads; warnings: `leading`.
SAID: dict[Language, dict[str, str]] = {
    "zh": {
        OUTSIDE: "我根据经过核实的资料回答有关健康、药物和急救的问题。这个问题似乎与此无关，所以我不作回答。",
        THANKED: "不客气。关于您的健康，有不清楚的地方随时可以再问我。",
        PARTING: "再见，请保重。",
        GREETING: "您好。您可以问我症状、疾病、药物或急救方面的问题，我会根据经过核实的资料回答。",
        NOTHING: "我的资料库中没有能回答这个问题的内容，所以我不给出未经证实的答案。"
        "请咨询医生或药剂师；如情况紧急，请拨打当地急救电话。",
        NOTHING_MORE: "我的资料库中没有更多可补充的内容。这对您意味着什么，请咨询医生或药剂师。",
        UNSEARCHED: "目前无法检索资料库，所以我不给出未经证实的答案。请再试一次；如情况紧急，请拨打当地急救电话。",
        UNFIT: "资料库中的相关内容与您已知的情况不符，所以我没有列出。请咨询医生或药剂师。",
    },
    "es": {
        OUTSIDE: "Respondo preguntas sobre salud, medicamentos y primeros auxilios con una biblioteca de fuentes "
        "verificadas. Esta pregunta parece tratar de otra cosa, así que la dejo sin responder.",
        THANKED: "De nada. Pregunte de nuevo cuando algo sobre su salud no esté claro.",
        PARTING: "Adiós, cuídese.",
        GREETING: "Hola. Pregúnteme por un síntoma, una enfermedad, un medicamento o primeros auxilios: respondo con "
        "fuentes verificadas.",
        NOTHING: "Mi biblioteca no tiene nada que responda a esto, así que no doy una respuesta sin pruebas. Un médico "
        "o farmacéutico puede ayudarle; si es urgente, llame al número de emergencias local.",
        NOTHING_MORE: "Mi biblioteca no tiene nada que añadir. Lo que significa para usted se lo puede decir un médico "
        "o farmacéutico.",
        UNSEARCHED: "En este momento no se puede buscar en la biblioteca, así que no doy una respuesta sin pruebas. "
        "Inténtelo de nuevo; si es urgente, llame al número de emergencias local.",
        UNFIT: "Lo que dice mi biblioteca sobre esto no se ajusta a lo que se sabe de usted, así que no lo muestro. "
        "Consulte a un médico o farmacéutico.",
    },
}
QUOTED_IN_ENGLISH: dict[Language, str] = {
    "zh": "以下内容为英文资料的原文摘录。",
    "es": "Las citas que siguen están en inglés, tal como figuran en las fuentes.",
}
WITHHELD = "reasoning: held back, since it advises what the rules forbid for this patient"
SMALL_TALK = 3  # sentences
# Below this share of proven sentences a draft is a torso: the passages' own sentences read better.
WHOLE = 0.5


async def respond(state: State, runtime: Runtime[Context]) -> State:
    context = runtime.context
    route = state.get("route", "evidence")
    if emergency(state) and context.audience == "patient":
        answer = _answer(state, context, state["card"], "emergency", confidence=1.0)
    elif state.get("refusal"):
        answer = _answer(state, context, state["refusal"], "declined")
    elif route == "tool" and state["outcomes"]:
        answer = worked_out(_answer(state, context, "", "unverified"), state)
    elif route in ("outside", "tool"):
        answer = _answer(state, context, OUTSIDE, "declined")
    elif state["reply"]:
        answer = _answer(state, context, state["reply"], "answered", confidence=1.0)
    elif route == "chat":
        harmless = [v.sentence for v in judge(state.get("draft", ""), {}, state) if not v.clinical]
        kept = list({sentence.text: sentence for sentence in harmless}.values())[:SMALL_TALK]
        answer = _answer(state, context, join_answer(kept) or GREETING, "answered", confidence=1.0)
    elif route == "case":
        answer = await _from_case(state, context)
    else:
        answer = worked_out(asking_back(await _from_evidence(state, context), state), state)
    if answer["status"] != "emergency" and not state.get("refusal"):
        answer = led(answer, state)
    answer["trace"]["corpus_version"] = await context.library.version()
    if context.run.tokens.get("calls"):
        adapters = await context.loaded()
        answer["trace"] |= {"adapter": adapters.get("writer"), "adapters": dict(adapters)}
    # The thread is read anew with each turn: no checkpoint needs to hold it once more.
    return State(answer=_in_askers_language(answer, state), before=[], history=[])


async def _from_evidence(state: State, context: Context) -> dict[str, Any]:
    context.run.passages.clear()
    passages = await read_passages(state, context)
    verdicts = judge(state.get("draft", ""), passages, state)
    context.run.shown = ""
    if written := _written(verdicts, state.get("findings", []), passages, state, context):
        context.run.shown = join_answer(replace(v.sentence, markers=tuple(v.quotes)) for v in written.kept)
        return written.answer
    clinical = [v for v in verdicts if v.clinical]
    removed = {"sentences": len(clinical), "supported": 0, "removed": len(clinical)}
    asked = asked_in(state)
    fitting = relevant(asked, list(passages.values())) if state["sufficiency"] >= NOTHING_FOUND else []
    if not fitting:
        text = UNSEARCHED if any(d.startswith("retrieve: ") for d in state.get("degraded", [])) else NOTHING
        proven = len(asked_about(state))
        if text == NOTHING and (proven or any(one["state"] == "done" for one in state["outcomes"])):
            counts = {**removed, "sentences": len(clinical) + proven, "supported": proven}
            return _answer(state, context, NOTHING_MORE, "answered", counts=counts, confidence=0.5)
        return _answer(state, context, text, "unverified", counts=removed)

    def allowed(quote: str) -> bool:
        sentences = tuple(quote[a:b] for a, b in split_plain(quote))
        return not any(unsafe(sentences, state)) and not suspicious(quote)

    try:
        found = await excerpts(asked, fitting, context.library, max_words(state, context), allowed)
    except RetrievalFailed as error:  # the embedder went away after the search: nothing comes after this step
        lost = State({**state, "degraded": [*state.get("degraded", []), f"respond: {error}"]})
        return _answer(lost, context, UNSEARCHED, "unverified", counts=removed)
    if not found:
        return _answer(state, context, UNFIT, "unverified", counts=removed)
    shown = {**removed, "sentences": len(clinical) + len(found), "supported": len(found)}
    # Word-for-word quotes can't be wrong about their source, only beside the question: likeness alone counts.
    confidence = _likeness([e.passage for e in found]) * 0.8
    text, citations = _excerpted(found, context.today)
    context.run.shown = _quoted(found, passages)
    language = language_of(state["question"], state["history"])
    if language in QUOTED_IN_ENGLISH and all(e.passage.language == "en" for e in found):
        text = f"{QUOTED_IN_ENGLISH[language]}\n\n{text}"
    return _answer(state, context, text, "evidence_only", citations, shown, confidence)


async def _from_case(state: State, context: Context) -> dict[str, Any]:
    """A case: what the audit leaves of the model's work-up, else the library's own sentences; never nothing."""
    context.run.passages.clear()
    passages = await read_passages(state, context)
    clinical = [v for v in judge(state["draft"], passages, state) if v.clinical]
    audited = case.by_model(state, passages)
    worked, citing = audited or case.by_library(state, passages), case.Citing()
    told = case.case_of(worked, state, passages, citing)
    citations = [
        _citation(marker, passages[number], " … ".join(citing.quotes[number]), context.today)
        for number, marker in citing.order.items()
    ]
    shown = {one.text for one in worked.told}
    removed = sum(v.sentence.text not in shown for v in clinical)
    counts = {"sentences": len(shown) + removed, "supported": len(shown), "removed": removed}
    status = "answered" if audited else "evidence_only" if citations else "unverified"
    confidence = _likeness([passages[number] for number in citing.order]) * (0.9 if audited else 0.7)
    text = case.text_of(told)
    if any(one.startswith("gather: ") for one in state.get("degraded", [])):
        text = text.replace(case.NONE_FOUND, UNSEARCHED)
    return _answer(state, context, text, status, citations, counts, confidence) | {"case": told}


def answer_so_far(
    verdicts: Sequence[Verdict],
    findings: Sequence[Problem],
    passages: Mapping[int, Passage],
    state: State,
    context: Context,
) -> dict[str, Any] | None:
    """The answer that a draft would make if it ended here; nothing if the audit leaves too little of it."""
    written = _written(verdicts, findings, passages, state, context)
    return written and _in_askers_language(led(worked_out(written.answer, state), state), state)


class _Written(NamedTuple):
    """An answer in the model's words, and the sentences of its draft that it keeps."""

    answer: dict[str, Any]
    kept: list[Verdict]


def _written(
    verdicts: Sequence[Verdict],
    findings: Sequence[Problem],
    passages: Mapping[int, Passage],
    state: State,
    context: Context,
) -> _Written | None:
    """What the audit leaves of a draft, unless it is a torso, answers something else, or must not be said."""
    objected = {finding["sentence"] for finding in findings if not finding["verified"]}
    clinical = [v for v in verdicts if v.clinical]
    proven = [v for v in clinical if v.stands and v.sentence.text not in objected]
    lost = dangling(proven, passages)
    proven = [v for v in proven if v not in lost]
    if not proven or len(proven) < WHOLE * len(clinical) or left_aside(proven, passages):
        return None
    kept = _within([v for v in verdicts if not v.clinical or v in proven], max_words(state, context))
    answer = _from_draft(state, context, kept, len(proven), len(clinical), passages)
    if any(unsafe(tuple(s.text for s in split_answer(answer["text"])), state)):
        return None
    return _Written(answer, kept)


def _in_askers_language(answer: dict[str, Any], state: State) -> dict[str, Any]:
    """The answer, with what Primum says of itself in the language of the question."""
    said = SAID.get(language_of(state["question"], state["history"]), {})
    text = answer["text"]
    for english in (one for one in said if one in text):
        text = text.replace(english, said[english])
    return answer | {"text": text}


def emergency(state: State) -> bool:
    return bool(state.get("report", {}).get("disposition") == "emergency")


def _from_draft(
    state: State,
    context: Context,
    kept: Sequence[Verdict],
    proven: int,
    clinical: int,
    passages: Mapping[int, Passage],
) -> dict[str, Any]:
    """The proven sentences, the harmless ones around them, and markers numbered from 1 as they appear."""
    order: dict[int, int] = {}
    quotes: dict[int, list[str]] = {}
    sentences: list[Sentence] = []
    for verdict in kept:
        for marker, quote in verdict.quotes.items():
            order.setdefault(marker, len(order) + 1)
            if quote not in quotes.setdefault(marker, []):
                quotes[marker].append(quote)
        marks = tuple(order[marker] for marker in verdict.quotes)
        sentences.append(Sentence(verdict.sentence.text, marks, verdict.sentence.prefix, verdict.sentence.block))
    citations = [
        _citation(order[marker], passages[marker], " … ".join(quotes[marker]), context.today) for marker in order
    ]
    shown = sum(v.clinical for v in kept)
    counts = {"sentences": clinical, "supported": shown, "removed": clinical - shown}
    cited = [passages[marker] for marker in order]
    certainty = math.exp(state["logprob"]) if state.get("logprob") is not None else 0.5  # type: ignore[arg-type]
    confidence = proven / clinical * (0.5 * _likeness(cited) + 0.5 * certainty)
    return _answer(state, context, join_answer(sentences), "answered", citations, counts, confidence)


def _within(verdicts: list[Verdict], words: int) -> list[Verdict]:
    """Whole sentences up to the limit; the first proven one stays even if it alone is longer."""
    kept: list[Verdict] = []
    total = 0
    for verdict in verdicts:
        total += count_words(verdict.sentence.text)
        if total > words and any(v.clinical for v in kept):
            break
        kept.append(verdict)
    return kept


def _excerpted(found: Sequence[Excerpt], today: date) -> tuple[str, list[dict[str, Any]]]:
    """Quotes as paragraphs, one for each `paragraph` number; a passage gets one marker for all its quotes."""
    order: dict[int, int] = {}
    quotes: dict[int, list[str]] = {}
    sentences: list[Sentence] = []
    passages: dict[int, Passage] = {}
    for excerpt in found:
        chunk = excerpt.passage.chunk_id
        passages[chunk] = excerpt.passage
        marker = order.setdefault(chunk, len(order) + 1)
        quotes.setdefault(chunk, []).append(excerpt.text)
        told = in_one_line(excerpt.text)
        told += "" if told[-1] in ".!?:;。！？" else "."  # a table's row has no stop
        sentences.append(Sentence(told, (marker,), "", excerpt.paragraph))
    citations = [_citation(order[chunk], passages[chunk], " … ".join(quotes[chunk]), today) for chunk in order]
    return join_answer(sentences), citations


def _quoted(found: Sequence[Excerpt], passages: Mapping[int, Passage]) -> str:
    """The quotes with the prompt's markers; nothing if one is of a passage that the prompt does not show."""
    numbers = {passage.chunk_id: number for number, passage in passages.items()}
    if any(
        excerpt.passage.chunk_id not in numbers or excerpt.text not in passages[numbers[excerpt.passage.chunk_id]].text
        for excerpt in found
    ):
        return ""
    sentences = [Sentence(in_one_line(one.text), (numbers[one.passage.chunk_id],), "", one.paragraph) for one in found]
    return join_answer(sentences)


def _citation(marker: int, passage: Passage, quote: str, today: date) -> dict[str, Any]:
    return {
        "marker": marker,
        "chunk_id": passage.chunk_id,
        "document_id": passage.document_id,
        "title": passage.title,
        "heading": passage.heading,
        "url": passage.address,
        "quote": quote,
        "sources": [dict(source) for source in passage.sources],
        "reviewed": passage.reviewed,
        "published": passage.published,
        "stale": passage.stale(today),
        "page": passage.page,
        "evidence": passage.evidence,
        "licence": passage.licence,
        "language": passage.language,
    }


def _likeness(passages: Sequence[Passage]) -> float:
    """Mean cosine of question and cited passages, from 0.2 (chance) to 0.8 (the same words) stretched to 0..1."""
    if not passages:
        return 0.0
    mean = sum(passage.similarity for passage in passages) / len(passages)
    return min(1.0, max(0.0, (mean - 0.2) / 0.6))


def _reasoning(state: State, context: Context) -> tuple[str | None, list[str]]:
    """The model's reasoning for a clinician who asked for it, and why it is held back where it is.

    No audit proves it. What it says against the rules for this patient must not be read even there.
    """
    thought = state.get("reasoning")
    if not thought or context.audience != "clinician" or not state.get("reasons"):
        return None, []
    sentences = tuple(thought[a:b] for a, b in split_plain(thought))
    return (None, [WITHHELD]) if any(unsafe(sentences, state)) or suspicious(thought) else (thought, [])


def _answer(
    state: State,
    context: Context,
    text: str,
    status: str,
    citations: Sequence[dict[str, Any]] = (),
    counts: Mapping[str, int] | None = None,
    confidence: float = 0.0,
) -> dict[str, Any]:
    reasoning, withheld = _reasoning(state, context)
    return {
        "text": text,
        "status": status,
        "disposition": state.get("report", {}).get("disposition", "none"),
        "citations": list(citations),
        "support": dict(counts or {}),
        "safety": state.get("report", {}),
        "facts": state["facts"],
        "confidence": round(confidence, 3),
        "case": None,
        "reasoning": reasoning,
        "trace": {
            "run_id": context.run.id,
            "model": context.model_name,
            "prompt_hashes": hashes(),
            "rules_version": f"{support.RULES_VERSION} {validator.rules_version()}",
            "route": state.get("route", "evidence"),
            "revisions": state.get("revisions", 0),
            "problems": [*state.get("degraded", []), *withheld],
            "tokens": dict(context.run.tokens),
            "timings_ms": dict(context.run.timings_ms),
        },
    }
