"""A Modelfile writes what the model's own chat template writes."""

import re
from pathlib import Path
from typing import Any

import pytest
from transformers import AutoTokenizer

from primum.finetune.ollama import export_ollama, modelfile, read_pieces
from primum.graph.errors import BadInput
from tests.adapters import write_model

TALK = [("user", "Hello"), ("assistant", "Good day"), ("user", "What is gout?")]
LLAMA_3 = (
    "{{ bos_token }}{% for m in messages %}<|start_header_id|>{{ m['role'] }}<|end_header_id|>\n\n"
    "{{ m['content'] | trim }}<|eot_id|>{% endfor %}"
    "{% if add_generation_prompt %}<|start_header_id|>assistant<|end_header_id|>\n\n{% endif %}"
)


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_model(tmp_path_factory.mktemp("ollama") / "model")


def by_ollama(text: str, messages: list[tuple[str, str]]) -> str:
    """What Ollama makes of a Modelfile and messages: Go's templates, as far as ours go."""
    template = re.search(r'TEMPLATE """(.*?)"""', text, re.DOTALL)
    system = re.search(r'SYSTEM """(.*?)"""', text, re.DOTALL)
    assert template and "{{-" not in template[1] and "-}}" not in template[1]
    turn = re.fullmatch(r"\{\{ range \.Messages \}\}(.*)\{\{ end \}\}\{\{ end \}\}(.*)", template[1], re.DOTALL)
    assert turn
    roles = re.findall(r'\{\{ (?:else )?if eq \.Role "(\w+)" \}\}(.*?)(?=\{\{ else|\Z)', turn[1], re.DOTALL)
    said = dict(roles)
    if system and messages[0][0] != "system":
        messages = [("system", system[1]), *messages]
    return "".join(said[role].replace("{{ .Content }}", content) for role, content in messages) + turn[2]


def by_template(tokenizer: Any, messages: list[tuple[str, str]]) -> str:
    talk = [{"role": role, "content": content} for role, content in messages]
    return str(tokenizer.apply_chat_template(talk, tokenize=False, add_generation_prompt=True))


@pytest.mark.parametrize("messages", [TALK, [("system", "Speak plainly."), *TALK]])
def test_a_conversation_is_written_as_by_the_models_own_template(model: Path, messages: list[tuple[str, str]]) -> None:
    text = modelfile(model)
    assert by_ollama(text, messages) == by_template(AutoTokenizer.from_pretrained(model), messages)
    assert 'SYSTEM """Be brief."""' in text and 'PARAMETER stop "<|im_end|>"' in text and "FROM ./model.gguf" in text


def test_a_template_without_a_system_text_of_its_own_gets_none(model: Path) -> None:
    tokenizer = AutoTokenizer.from_pretrained(model)
    tokenizer.chat_template = LLAMA_3
    pieces = read_pieces(tokenizer)
    assert pieces.default is None
    assert pieces.write(TALK) == by_template(tokenizer, TALK)


@pytest.mark.parametrize(
    "template",
    [
        "{% for m in messages %}{{ loop.index }}{{ m['content'] }}{% endfor %}",
        "{{ raise_exception('no system text') }}",
        "{% for m in messages %}{{ m['role'] }}: {{ m['content'] | upper }}{% endfor %}",
    ],
)
def test_a_template_that_is_more_than_pieces_is_refused(model: Path, template: str) -> None:
    tokenizer = AutoTokenizer.from_pretrained(model)
    tokenizer.chat_template = template
    with pytest.raises(BadInput, match="by hand"):
        read_pieces(tokenizer)


def test_the_folder_holds_the_file_that_its_modelfile_names(model: Path, tmp_path: Path) -> None:
    told = export_ollama(model, tmp_path / "med")
    assert (tmp_path / "med" / "model.gguf").stat().st_size == told["bytes"]
    assert Path(told["modelfile"]).read_text() == modelfile(model)
