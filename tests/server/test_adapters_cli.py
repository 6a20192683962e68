"""`primum adapters` and the shipping part of `primum finetune`, as a user meets them."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from primum.graph.fingerprint import fingerprint
from tests.adapters import write_adapter
from tests.commands import Done, primum
from tests.fakes import FakeVLLM


@pytest.fixture
def run(database_url: str, vllm: FakeVLLM) -> Callable[..., Done]:
    def command(*arguments: str, code: int = 0) -> Done:
        secret = {"PRIMUM_SECRET": "s" * 40, "PRIMUM_MODEL_URL": vllm.url}
        done = primum(*arguments, PRIMUM_DATABASE_URL=database_url, **secret)
        assert done.returncode == code, done.stderr
        return done

    return command


def test_from_loading_to_rolling_back(run: Callable[..., Done], tmp_path: Path, vllm: FakeVLLM) -> None:
    folder = write_adapter(tmp_path / "med")
    label = f"med@{fingerprint(folder)[:12]}"
    assert run("adapters", "load", f"med={folder}").stdout == f"Loaded: {label}\n"
    assert "has already been loaded" in run("adapters", "load", f"med={folder}", code=2).stderr
    assert "writer: " + label in run("adapters", "use", "med", "--share", "0.5").stdout
    assert "is in use" in run("adapters", "unload", "med", code=2).stderr
    listed = json.loads(run("adapters", "list", "--json").stdout)
    assert listed["releases"] == [{"role": "writer", "model": "med", "adapter": fingerprint(folder), "share": 0.5}]
    assert label in run("adapters", "list").stdout
    assert "rolled back" in run("adapters", "rollback").stdout
    assert "Nothing to roll back" in run("adapters", "rollback", code=2).stderr
    (release,) = json.loads(run("adapters", "history", "--json").stdout)
    assert release["actor"].startswith("command line (") and release["ended_by"] == release["actor"]
    assert run("adapters", "unload", "med").stdout == "Unloaded: med\n"
    assert [model["id"] for model in vllm.models] == ["primum"]


def test_what_is_wrong_is_named_with_what_to_do(run: Callable[..., Done], tmp_path: Path, vllm: FakeVLLM) -> None:
    bad = write_adapter(tmp_path / "bad", use_dora=True)
    assert "It has use_dora" in run("adapters", "load", f"bad={bad}", code=2).stderr
    assert "`primum adapters load`" in run("adapters", "use", "nobody", code=2).stderr
    assert "NAME=FOLDER" in run("adapters", "load", "bad", code=2).stderr
    vllm.hot = False
    good = write_adapter(tmp_path / "good")
    assert "--hot-load" in run("adapters", "load", f"good={good}", code=2).stderr
    vllm.stop()
    assert "can't be reached" in run("adapters", "load", f"good={good}", code=1).stderr
    assert "does not answer" in run("adapters", "use", "primum", code=2).stderr
    done = primum("adapters", "load", f"good={good}")
    assert done.returncode == 2 and "PRIMUM_MODEL_URL" in done.stderr


def test_the_linter_prints_json_and_exits_by_what_it_found(tmp_path: Path) -> None:
    done = primum("finetune", "lint", str(write_adapter(tmp_path / "good")))
    assert done.returncode == 0 and json.loads(done.stdout)["faults"] == []
    done = primum("finetune", "lint", str(write_adapter(tmp_path / "bad", bias="all")))
    assert done.returncode == 1 and json.loads(done.stdout)["faults"][0]["rule"] == "bias"
    assert "Train with `bias: none`" in done.stderr


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["merge", ".", "--out", "merged"], "has no adapter"),
        (["export", "."], "Where to?"),
        (["export", ".", "--gguf", "model.gguf"], "no whole model"),
        (["export", ".", "--hub", "a/b"], "PRIMUM_HUB_TOKEN"),
    ],
)
def test_wrong_use_is_said_so(arguments: list[str], says: str) -> None:
    done = primum("finetune", *arguments)
    assert done.returncode == 2 and says in done.stderr and done.stdout == ""


def test_no_server_that_others_reach_takes_adapters_without_a_key(tmp_path: Path) -> None:
    arguments = ["serve", "model", "--engine", "vllm", "--model", "a/b", "--hot-load", "--dry-run"]
    done = primum(*arguments, "--host", "0.0.0.0")
    assert done.returncode == 2 and "PRIMUM_MODEL_KEY" in done.stderr
    done = primum(*arguments)
    assert "VLLM_ALLOW_RUNTIME_LORA_UPDATING=True" in done.stdout and "--max-lora-rank 64 --max-loras 2" in done.stdout
    bad = write_adapter(tmp_path / "bad", use_dora=True)
    done = primum(*arguments, "--adapter", f"med={bad}")
    assert done.returncode == 2 and "use_dora" in done.stderr
    done = primum("serve", "model", "--engine", "llamacpp", "--adapter", f"med={bad}")
    assert done.returncode == 2 and "finetune merge" in done.stderr
