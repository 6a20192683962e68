"""What an answer says where the memory itself was asked: what it holds, and where each fact comes from, or forgot."""

from collections.abc import Mapping, Sequence
from typing import Any

from primum.graph.context import Audience
from primum.graph.state import State
from primum.memory.requests import Request, request_in
from primum.nodes.follow_up import language_of
from primum.safety.injection import suspicious
from primum.safety.language import Language
from primum.tools.outcome import Outcome

_SAYS: dict[Language, dict[str, str]] = {
    "en": {
        "list": "This is what I have noted:",
        "none": "Nothing of that is noted. What I am told here is noted with the words that prove it.",
        "rules": "told on {said}: “{proof}”", "form": "entered by hand on {said}", "import": "from a record, {said}",
        "forgot": "I no longer go by this: {facts}. It is noted as ended, with your words as proof.",
        "unknown": "I have nothing like that noted, so there is nothing to forget.",
        "which": "Which of these shall I forget? Name it, such as “forget that I take …”.",
        "erase": "I erase nothing as a whole from the conversation, since that needs a confirmation: open “What I know "
        "about you” on the page and choose “Erase everything about me”; whoever runs Primum can use `primum erase`. "
        "A single fact I can end here: “forget that I take …”.",
    },
    "es": {
        "list": "Esto es lo que tengo anotado:",
        "none": "No tengo nada anotado de eso. Lo que se me cuenta aquí se anota con las palabras que lo prueban.",
        "rules": "dicho el {said}: “{proof}”", "form": "introducido a mano el {said}",
        "import": "de un informe, {said}",
        "forgot": "Ya no me guío por esto: {facts}. Figura como terminado, con sus palabras como prueba.",
        "unknown": "No tengo nada así anotado, de modo que no hay nada que olvidar.",
        "which": "¿Cuál de estos datos debo olvidar? Nómbrelo, por ejemplo: “olvida que tomo …”.",
        "erase": "Desde la conversación no borro todo, porque requiere una confirmación: abra en la página “What I "
        "know about you” y elija “Erase everything about me”; quien administra Primum puede usar `primum erase`. "
        "Un solo dato sí puedo darlo por terminado aquí: “olvida que tomo …”.",
    },
    "zh": {
        "list": "我记录了以下内容：",
        "none": "没有相关记录。您在这里告诉我的内容，会连同证明它的原话一起记录。",
        "rules": "{said} 说过：“{proof}”", "form": "{said} 手动填写", "import": "来自病历，{said}",
        "forgot": "我不再依据这一条：{facts}。它在记录中已标为结束，并以您的原话为证。",
        "unknown": "没有这样的记录，所以没有什么可忘记的。",
        "which": "要忘记其中哪一条？请说出来，例如“忘记我吃……”。",
        "erase": "全部删除需要确认，所以不在对话中进行：请在页面上打开“我所知道的关于您的情况”，"
        "选择“清除关于我的一切”；管理 Primum 的人可以使用 `primum erase`。单独一条可以在这里结束：“忘记我吃……”。",
    },
}  # fmt: skip


def asked_of_memory(state: State, audience: Audience) -> Request | None:
    """What the question asks of the chart of whom it is about."""
    request = request_in(state["question"], audience == "clinician")
    if request and request.wish == "forget" and not (request.surely or state["forgotten"]):
        return None  # "remove my stitches"
    return request


def answered(request: Request, state: State) -> Outcome:
    """The outcome in the language of the question."""
    says = _SAYS[language_of(state["question"], state["history"])]
    # What speaks to a model is left out, as everywhere.
    facts = [one for one in state["facts"] if not suspicious(f"{one['text']}\n{one['proof']}")]
    of_kind = [one for one in facts if not request.kinds or one["kind"] in request.kinds]
    if request.wish == "erase":
        told = [says["erase"]]
    elif request.wish == "list":
        told = _listed("list", of_kind, says) if of_kind else [says["none"]]
    elif state["forgotten"]:
        told = [says["forgot"].format(facts=", ".join(state["forgotten"]))]
    else:
        told = _listed("which", of_kind, says) if of_kind and request.kinds else [says["unknown"]]
    return Outcome(tool="recall_facts", arguments={"kinds": [*request.kinds]}, sentences=told, state="done")


def _listed(opening: str, facts: Sequence[Mapping[str, Any]], says: Mapping[str, str]) -> list[str]:
    return [says[opening], *(f"{one['text']} ({says[_origin(one)].format(**one)})" for one in facts)]


def _origin(fact: Mapping[str, Any]) -> str:
    return fact["source"] if fact["source"] in ("form", "import") else "rules"
