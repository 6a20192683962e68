"""docs/deploy.md: its commands are commands, its files are there, its settings, values and variables are known."""

import json
import re
import shlex
from pathlib import Path
from typing import Any

import pytest
import typer.main
import yaml

from primum.graph.settings import Settings
from primum.server.cli import app
from primum.server.engines import find_profile

ROOT = Path(__file__).resolve().parents[2]
PAGE = (ROOT / "docs/deploy.md").read_text(encoding="utf-8")
LINES = [line for block in re.findall(r"```sh\n(.*?)```", PAGE, re.DOTALL) for line in block.splitlines()]
WORDS = [shlex.split(line, comments=True) for line in LINES]
TABLES = [shlex.split(line) for line in re.findall(r"`((?:docker|helm|kubectl) [^`]*)`", PAGE)]
COMPOSE = (ROOT / "deploy/compose.yaml").read_text()
REPLICAS = (ROOT / "deploy/compose.replicas.yaml").read_text()
SERVICES: dict[str, Any] = yaml.safe_load(COMPOSE)["services"]
SCHEMA: dict[str, Any] = json.loads((ROOT / "deploy/helm/primum/values.schema.json").read_text())
ours = [words[words.index("primum") + 1 :] for words in WORDS if "exec" in words]
ours += [shlex.split(line)[1:] for line in re.findall(r"`(primum [^`]*)`", PAGE)]
compose = [words for words in WORDS + TABLES if words[:2] == ["docker", "compose"]]


@pytest.mark.parametrize("words", ours, ids=" ".join)
def test_a_command_of_primum_is_understood(words: list[str]) -> None:
    command: Any = typer.main.get_command(app)
    words = words[: words.index(">")] if ">" in words else words
    while hasattr(command, "commands"):
        name, *words = words
        command = command.commands[name]
    command.make_context(command.name, words)


@pytest.mark.parametrize("words", compose, ids=" ".join)
def test_a_command_of_compose_names_a_profile_and_a_service_that_there_are(words: list[str]) -> None:
    assert words[2:4] == ["--file", "deploy/compose.yaml"]
    profiles = {profile for service in SERVICES.values() for profile in service.get("profiles", [])}
    assert {words[at + 1] for at, word in enumerate(words) if word == "--profile"} <= profiles
    services = [words[at + 2] for at, word in enumerate(words) if word in ("exec", "run")]
    services += words[words.index("--wait") + 1 :] if "--wait" in words else []
    services += [words[at + 1].partition("=")[0] for at, word in enumerate(words) if word == "--scale"]
    assert set(services) <= SERVICES.keys()


backups = re.findall(r"run --rm backup (backup .+)", PAGE) + re.findall(r"args = \[([^]]+)\]", PAGE)


@pytest.mark.parametrize("given", backups)
def test_what_a_container_for_backups_is_told_is_a_command_and_is_about_its_folder(given: str) -> None:
    words = shlex.split(given.replace(",", " "))
    command: Any = typer.main.get_command(app)
    while hasattr(command, "commands"):
        command = command.commands[words.pop(0)]
    assert {word for word in words if word.startswith("--")} <= {name for one in command.params for name in one.opts}
    folder = SERVICES["backup"]["command"][2]
    assert words and all(word.startswith((f"{folder}/", "--")) for word in words)


def known(path: str, schema: dict[str, Any]) -> bool:
    first, _, rest = path.partition(".")
    below = schema.get("properties", {}).get(first)
    return below is not None and (not rest or known(rest, below))


def test_its_values_are_the_charts() -> None:
    given = [words[at + 1].partition("=")[0] for words in WORDS for at, word in enumerate(words) if word == "--set"]
    heads = "|".join(SCHEMA["properties"])
    told = re.findall(rf"`((?:{heads})\.[A-Za-z.]+)(?:=[^`]*)?`", PAGE)
    told = [path for path in told if not path.endswith((".yaml", ".yml", ".json"))]
    assert len(given) >= 2 and len(told) >= 10
    assert [path for path in given + told if not known(path, SCHEMA)] == []


def test_the_secret_of_the_cluster_has_the_keys_that_the_chart_asks_for() -> None:
    (made,) = [words for words in WORDS if words[:1] == ["kubectl"] and "secret" in words]
    keys = {word.partition("=")[2] for word in made if word.startswith("--from-file=")}
    values = (ROOT / "deploy/helm/primum/values.yaml").read_text()
    assert keys == {"primum_database_url", "primum_secret", "primum_model_key"}
    assert all(key in values for key in keys)
    assert f"existingSecret: {made[made.index('generic') + 1]}\n" in values


def test_its_settings_and_variables_are_read() -> None:
    fields = {f"PRIMUM_{name}".upper() for name in Settings.model_fields}
    variables = set(re.findall(r"\$\{([A-Z_]+):-", COMPOSE + REPLICAS))
    for name in re.findall(r"\b[A-Z]+_[A-Z_]+\b", PAGE):
        assert name in fields | variables | {"PYTHON_DIGEST", "CUDA_VISIBLE_DEVICES"}, name
    images = {name for name in variables if name.endswith("_IMAGE")}
    assert images <= set(re.findall(r"`([A-Z_]+)`", PAGE))
    assert "ARG PYTHON_DIGEST" in (ROOT / "deploy/Dockerfile").read_text()


def test_its_files_and_profiles_are_there() -> None:
    made = {"deploy/primum.env", "deploy/secrets", "deploy/secrets/grafana_password", "deploy/secrets/primum_secret"}
    made |= {"deploy/secrets/metrics_key", "deploy/primum-api"}
    named = set(re.findall(r"(?<![\w/.])(?:\.ci|bin|deploy|docs|tests)/[\w./-]*\w", PAGE))
    assert {path for path in named - made if not (ROOT / path).exists()} == set()
    for profile in re.findall(r"(?:VLLM_PROFILE|model\.profile)=([\w-]+)", PAGE):
        assert find_profile(profile).is_file()
    assert all((ROOT / "docs" / link).resolve().exists() for link in re.findall(r"\]\(([\w./-]+)\)", PAGE))
