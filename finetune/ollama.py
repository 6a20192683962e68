"""A folder for `ollama create`: the GGUF file and a Modelfile with the model's own template and stop words.

Ollama's templates are Go's, a model's are Jinja: the pieces are read off what the model's own template writes, and the
result is compared with it.
"""

import json
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from primum.finetune.export import Quantization, export_gguf
from primum.graph.errors import BadInput

FILE = "model.gguf"
S, U, A, V = "\x01system\x01", "\x01user\x01", "\x01assistant\x01", "\x01again\x01"  # what no template writes


@dataclass(frozen=True)
class Pieces:
    """What stands around what each role says, and before an answer; `default` is the model's own system text."""

    roles: dict[str, tuple[str, str]]
    opening: str
    default: str | None
    start: str = ""  # of the whole prompt

    def write(self, messages: list[tuple[str, str]]) -> str:
        """The prompt for an answer to these messages."""
        if self.default is not None and messages[0][0] != "system":
            messages = [("system", self.default), *messages]
        turns = (self.roles[role][0] + said + self.roles[role][1] for role, said in messages)
        return self.start + "".join(turns) + self.opening

    def template(self) -> str:
        """The same as a template of Ollama's. No dash in it: Go would take away the model's own line breaks."""
        turns = "".join(
            f'{{{{ {"if" if role == "system" else "else if"} eq .Role "{role}" }}}}{before}{{{{ .Content }}}}{after}'
            for role, (before, after) in self.roles.items()
        )
        return f"{self.start}{{{{ range .Messages }}}}{turns}{{{{ end }}}}{{{{ end }}}}{self.opening}"


def export_ollama(model: Path, folder: Path, quantization: Quantization = "q8_0") -> dict[str, Any]:
    """Writes the folder; `ollama create NAME -f FOLDER/Modelfile` does the rest. Raises as `export_gguf` does."""
    told = modelfile(model)
    written = export_gguf(model, folder / FILE, quantization)
    (folder / "Modelfile").write_text(told, encoding="utf-8")
    return {**written, "modelfile": str(folder / "Modelfile")}


def modelfile(model: Path) -> str:
    """The Modelfile of a model. Raises BadInput if it has no chat template, or one that Ollama can't write."""
    from transformers import AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(model)
    if not tokenizer.chat_template:
        raise BadInput(f"{model} has no chat template: save the tokenizer of an instruct model beside it.")
    pieces = read_pieces(tokenizer)
    lines = [f"FROM ./{FILE}", f"TEMPLATE {_quoted(pieces.template())}"]
    if pieces.default is not None:
        lines.append(f"SYSTEM {_quoted(pieces.default)}")
    lines += [f"PARAMETER stop {json.dumps(word, ensure_ascii=False)}" for word in _stops(tokenizer, model, pieces)]
    return "\n".join(lines) + "\n"


def read_pieces(tokenizer: Any) -> Pieces:
    """The pieces of a chat template. Raises BadInput if it is more than pieces around what is said."""
    first = tokenizer.bos_token
    found = _pieces(tokenizer, "") or (_pieces(tokenizer, first) if first else None)
    if found is None:
        raise _beyond("it treats some messages otherwise than others")
    added = first and tokenizer("a").input_ids[:1] == [tokenizer.bos_token_id]
    return replace(found, start="") if added else found  # a server that adds the first token would write it twice


def _pieces(tokenizer: Any, start: str) -> Pieces | None:
    """The pieces if a prompt begins with `start`; None if they do not make up what the template writes."""

    def render(messages: list[tuple[str, str]], *, answer: bool = False) -> str:
        said = [{"role": role, "content": text} for role, text in messages]
        try:
            text = tokenizer.apply_chat_template(said, tokenize=False, add_generation_prompt=answer)
        except Exception as error:  # Jinja's, or one that the template raises
            raise _beyond(type(error).__name__) from None
        return str(text).removeprefix(start)

    talk = [("system", S), ("user", U), ("assistant", A), ("user", V)]
    whole, asked = render(talk), render(talk[:2])
    if "{{" in whole:
        raise _beyond("it holds {{")
    after_user = asked.partition(U)[2]
    turn = whole.partition(A)[2].partition(V)[0]
    after_answer = _common(turn, after_user)
    before_user = turn.removeprefix(after_answer)
    before_system, _, rest = whole.partition(S)
    after_system = rest.partition(U)[0].removesuffix(before_user)
    told = render([("user", U)]).partition(U)[0].removesuffix(before_user)
    pieces = Pieces(
        {
            "system": (before_system, after_system),
            "user": (before_user, after_user),
            "assistant": (rest.partition(U)[2].partition(A)[0].removeprefix(after_user), after_answer),
        },
        render(talk[:2], answer=True).removeprefix(asked),
        told.removeprefix(before_system).removesuffix(after_system) if told else None,
        start,
    )
    right = all(pieces.write(one) == start + render(one, answer=True) for one in (talk, talk[1:2], talk[1:]))
    return pieces if right else None


def _common(text: str, after_user: str) -> str:
    """What ends an answer: mostly what ends a question too."""
    return after_user if text.startswith(after_user) else ""


def _stops(tokenizer: Any, model: Path, pieces: Pieces) -> list[str]:
    """What ends an answer: the tokens that generation ends at, and what the template puts after one."""
    path = model / "generation_config.json"
    ends = json.loads(path.read_text("utf-8")).get("eos_token_id") if path.is_file() else None
    ids = ends if isinstance(ends, list) else [ends] if ends is not None else []
    words = [tokenizer.eos_token, *(tokenizer.convert_ids_to_tokens(number) for number in ids)]
    return sorted({word for word in (*words, pieces.roles["assistant"][1].strip()) if word})


def _beyond(why: str) -> BadInput:
    return BadInput(
        f"The model's chat template is more than text around what is said ({why}). Use --gguf, which carries it whole, "
        "and write TEMPLATE of a Modelfile by hand."
    )


def _quoted(text: str) -> str:
    if '"""' in text:
        raise _beyond('it holds """')
    return f'"""{text}"""'
