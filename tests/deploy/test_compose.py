"""deploy/compose.yaml: hardened throughout, closed but for its front, and of commands that there are."""

import re
from pathlib import Path
from typing import Any

import pytest
import typer.main
import yaml

from primum.graph.settings import Settings
from primum.server.cli import app
from primum.server.engines import find_profile
from tests.deploy.conftest import Tools

DEPLOY = Path(__file__).resolve().parents[2] / "deploy"
COMPOSE: dict[str, Any] = yaml.safe_load((DEPLOY / "compose.yaml").read_text())
SERVICES: dict[str, dict[str, Any]] = COMPOSE["services"]
REPLICAS: dict[str, dict[str, Any]] = yaml.safe_load((DEPLOY / "compose.replicas.yaml").read_text())["services"]
OURS = ("migrate", "library", "api", "worker", "page", "backup")
ONCE = ("migrate", "library", "backup")
WHOLE = SERVICES | {"router": REPLICAS["router"]}
each = pytest.mark.parametrize("name", WHOLE)


@each
def test_a_service_can_do_no_more_than_it_must(name: str) -> None:
    service = WHOLE[name]
    assert service["read_only"] is True and service["cap_drop"] == ["ALL"]
    assert service["security_opt"] == ["no-new-privileges:true"]
    assert not {"privileged", "cap_add", "network_mode", "pid", "ipc", "userns_mode", "devices"} & service.keys()
    assert {"cpus", "memory", "pids"} <= service["deploy"]["resources"]["limits"].keys()
    assert not any("docker.sock" in str(volume) for volume in service.get("volumes", []))


@each
def test_only_where_something_is_compiled_may_a_file_of_tmp_be_run(name: str) -> None:
    given = [one for one in WHOLE[name].get("tmpfs", ()) if one.partition(":")[0] == "/tmp"]
    assert len(given) == 1 or name == "router"  # which writes nothing
    assert any("exec" in one.partition(":")[2].split(",") for one in given) == (name in ("model", "model-cpu"))


@each
def test_an_image_is_pinned_by_a_variable_and_its_default_is_no_moving_tag(name: str) -> None:
    found = re.fullmatch(r"\$\{[A-Z_]+_IMAGE:-([\w./-]+):([\w.-]+)\}", WHOLE[name]["image"])
    assert found is not None and re.search(r"\d+\.\d+", found[2]) and "latest" not in found[2]


@each
def test_what_runs_on_is_asked_how_it_is_and_what_ends_is_not(name: str) -> None:
    service = WHOLE[name]
    if name in ONCE:
        assert service["restart"] == "no" and service["healthcheck"] == {"disable": True}
    else:
        assert service["restart"] == "unless-stopped" and service["healthcheck"]["test"][0] == "CMD"


def test_only_the_front_and_grafana_are_published_and_nothing_beyond_this_machine_unless_told() -> None:
    published = {name: service["ports"] for name, service in SERVICES.items() if "ports" in service}
    assert published.keys() == {"front", "grafana"}
    assert all(port.startswith("${BIND:-127.0.0.1}:") for port in published["front"])
    assert [port.rsplit(":", 1)[1] for port in published["front"]] == ["8400", "8501"]
    assert all(port.startswith("127.0.0.1:") for port in published["grafana"])


def test_no_part_but_the_model_server_has_a_way_out() -> None:
    assert COMPOSE["networks"]["inside"] == {"internal": True}
    ways = {name: set(service["networks"]) for name, service in SERVICES.items()}
    assert {name for name, networks in ways.items() if "outside" in networks} == {"model", "model-cpu"}
    assert {name for name, networks in ways.items() if "edge" in networks} == {"front", "grafana"}
    outside = yaml.safe_load((DEPLOY / "compose.outside.yaml").read_text())["services"]
    assert outside.keys() == {"api", "worker", "migrate", "library", "backup"}
    assert all(set(service["networks"]) == {"inside", "outside"} for service in outside.values())


def test_everybody_shows_a_key_and_the_api_leaves_the_work_to_the_worker() -> None:
    for name in OURS:
        environment = SERVICES[name]["environment"]
        assert environment["PRIMUM_AUTH"] == "required" and environment["PRIMUM_WORK"] == "false"
        named = {key.removeprefix("PRIMUM_").lower() for key in environment if key.startswith("PRIMUM_")}
        assert named <= Settings.model_fields.keys()
    assert SERVICES["page"]["secrets"] == []
    assert SERVICES["api"]["deploy"]["replicas"] >= 2


def test_several_model_servers_share_a_name_that_the_router_asks_for_and_no_gpu() -> None:
    changed = {"api", "worker", "router", "model", "model-second"}
    assert REPLICAS.keys() == changed and REPLICAS["model-second"]["networks"]["inside"] == {"aliases": ["model"]}
    assert REPLICAS["model-second"]["extends"] == {"file": "compose.yaml", "service": "model"}
    assert SERVICES["model-cpu"]["networks"]["inside"] == {"aliases": ["model"]}
    given = [REPLICAS[name]["environment"]["CUDA_VISIBLE_DEVICES"] for name in ("model", "model-second")]
    assert given == ["${FIRST_GPUS:-0}", "${SECOND_GPUS:-1}"]
    told = re.search(r"FIRST_GPUS=(\S+) SECOND_GPUS=([\d,]+)", (DEPLOY / "compose.replicas.yaml").read_text())
    assert told is not None
    pairs = [one.split(",") for one in told.groups()]
    size = yaml.safe_load(find_profile("gpus-4-replicas").read_text())["tensor-parallel-size"]
    assert [len(pair) for pair in pairs] == [size, size] and len({*pairs[0], *pairs[1]}) == 4
    for name in ("api", "worker"):
        assert REPLICAS[name] == {"environment": {"PRIMUM_MODEL_URL": "http://router:8000/v1"}}
    assert REPLICAS["router"]["networks"] == ["inside"] and "ports" not in REPLICAS["router"]
    assert (DEPLOY / "haproxy" / Path(REPLICAS["router"]["command"][-1]).name).is_file()


def test_no_secret_stands_in_the_file_and_each_that_is_used_is_made() -> None:
    made = set(re.findall(r"^(?:make|for name in)(.*?)(?:;|$)", (DEPLOY / "make-secrets").read_text(), re.MULTILINE))
    words = {word for line in made for word in line.split()}
    used = {secret for service in SERVICES.values() for secret in service.get("secrets", [])}
    assert used == COMPOSE["secrets"].keys() <= words
    for service in SERVICES.values():
        for key, value in (service.get("environment") or {}).items():
            assert key.endswith(("_FILE", "__FILE")) or not re.search(r"PASSWORD|SECRET|_KEY$", key), (key, value)


def test_all_wait_for_the_tables() -> None:
    assert SERVICES["migrate"]["depends_on"] == {"database": {"condition": "service_healthy"}}
    for name in ("api", "worker", "library"):
        assert SERVICES[name]["depends_on"] == {"migrate": {"condition": "service_completed_successfully"}}


@pytest.mark.parametrize("name", OURS)
def test_its_commands_are_commands(name: str) -> None:
    command: Any = typer.main.get_command(app)
    words = list(SERVICES[name]["command"])
    while hasattr(command, "commands"):
        command = command.commands[words.pop(0)]
    options = {option for parameter in command.params for option in parameter.opts}
    assert {word for word in words if word.startswith("--")} <= options


def test_a_backup_goes_where_its_user_may_write_and_is_made_when_it_is_asked_for() -> None:
    backup = SERVICES["backup"]
    assert backup["profiles"] == ["backup"] and backup["environment"] == SERVICES["worker"]["environment"]
    folder = backup["command"][2]
    assert f"${{BACKUPS:-backups}}:{folder}" in backup["volumes"] and "backups" in COMPOSE["volumes"]
    # A new volume has the owner of the image's folder.
    made = re.search(
        r"install --directory --owner 10001 --group 10001 --mode 0700 (.+)", (DEPLOY / "Dockerfile").read_text()
    )
    assert made is not None and folder in made[1].split()


def test_its_model_servers_take_a_profile_of_ours_and_its_library_is_there() -> None:
    for name, given in (("model", "${VLLM_PROFILE:-gpu-24gb}"), ("model-cpu", "laptop-cpu")):
        config = SERVICES[name]["command"]
        assert config[:2] == ["--config", f"/profiles/{given}.yaml"]
        assert "./vllm:/profiles:ro" in SERVICES[name]["volumes"]
        # What the model needs is in the profile, which vLLM's own parser reads.
        assert {word for word in config if word.startswith("--")} == {
            "--config",
            "--served-model-name",
            "--host",
            "--port",
        }
    assert find_profile("gpu-24gb").parent.samefile(find_profile("laptop-cpu").parent)
    starter = SERVICES["library"]["command"][1]
    assert starter.startswith("/opt/primum/lib/python3.11/") and "python:3.11" in (DEPLOY / "Dockerfile").read_text()
    assert (DEPLOY.parent / "src" / starter.partition("site-packages/")[2]).is_dir()


@each
def test_each_file_that_is_mounted_is_there(name: str) -> None:
    for volume in WHOLE[name].get("volumes", []):
        source = re.sub(r"\$\{\w+:-([^}]*)\}", r"\1", volume).split(":")[0]
        assert (DEPLOY / source).exists() if source.startswith("./") else source in COMPOSE["volumes"]
        assert not source.startswith("./") or volume.endswith(":ro")


@pytest.mark.parametrize("path", ["compose.yaml", "compose.outside.yaml", "compose.replicas.yaml"])
def test_the_specification_knows_all_of_it(path: str, tools: Tools) -> None:
    assert tools("compose", path) == []
