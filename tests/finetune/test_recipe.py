"""A recipe is read in the training classes' own words; what they have not is told with what is near."""

from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest
import yaml
from accelerate import DeepSpeedPlugin
from accelerate.commands.config.config_args import load_config_from_file
from accelerate.commands.launch import _validate_launch_command, launch_command_parser
from accelerate.utils.launch import prepare_deepspeed_cmd_env
from peft import LoraConfig
from transformers import AutoTokenizer, integrations
from trl import SFTConfig

from primum.finetune import policy
from primum.finetune.packaged import PACKAGE
from primum.finetune.prepare import Plan, prepare
from primum.finetune.prepared import open_data
from primum.finetune.recipe import CONFIGS, Recipe, arguments, read
from primum.finetune.rewards import REWARDS
from primum.finetune.sft import tokenized
from primum.graph.errors import BadInput

OWN = sorted(path.stem for path in CONFIGS.glob("*.yaml"))
REPOSITORY = Path(__file__).parents[2]
ACCELERATE = sorted((CONFIGS / "accelerate").glob("*.yaml"))


@pytest.fixture
def write(tmp_path: Path) -> Any:
    def write(**keys: Any) -> str:
        path = tmp_path / "recipe.yaml"
        path.write_text(yaml.safe_dump({"method": "sft", "model": "packaged", "adapter": {}} | keys))
        return str(path)

    return write


@pytest.mark.parametrize("name", OWN)
def test_every_recipe_of_ours_is_one_that_the_classes_take(name: str, tmp_path: Path) -> None:
    recipe = read(name)
    made = arguments(recipe, tmp_path)
    for key, value in recipe.training.items():
        got = getattr(made, key)
        assert getattr(got, "value", got) == getattr(value, "value", value), key
    if recipe.adapter is not None:
        LoraConfig(**recipe.adapter)
    assert set(recipe.rewards or {}) <= set(REWARDS)
    assert recipe.chat_template is None or recipe.chat_template.is_file()


def test_each_recipe_for_a_gpu_has_one_for_a_cpu_that_goes_the_same_way() -> None:
    def way(recipe: Recipe) -> tuple[Any, ...]:
        keys = ("adapter", "concise", "chat_template", "early_stopping", "rewards")
        has = tuple(key for key in keys if getattr(recipe, key) is not None)
        return (recipe.method, recipe.quantization, recipe.training.get("packing", False), has)

    smoke = {way(read(name)) for name in OWN if name.startswith("smoke-")}
    assert {name for name in OWN if way(read(name)) not in smoke} == set()


def test_no_recipe_but_those_of_t5_trains_all_weights() -> None:
    """Also where no run is given to start from."""
    assert {name for name in OWN if read(name).adapter is None} == {"flan-t5", "smoke-t5"}


@pytest.mark.parametrize("path", ACCELERATE, ids=lambda path: path.stem)
def test_accelerate_takes_each_file(path: Path) -> None:
    config = load_config_from_file(str(path))
    assert config.num_processes >= config.num_machines


@pytest.mark.parametrize("name", ["deepspeed-zero3", "nodes"])
def test_deepspeed_starts_as_the_guide_says(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Read as `accelerate launch` reads it, from the repository's folder: what it hands on to each process."""
    monkeypatch.chdir(REPOSITORY)
    given = ["--config_file", f"finetune/configs/accelerate/{name}.yaml", "--main_process_port", "0"]
    wanted, *_ = _validate_launch_command(launch_command_parser().parse_args([*given, "-m", "primum"]))
    wanted.deepspeed_fields_from_accelerate_config = ""
    _, environment = prepare_deepspeed_cmd_env(wanted)
    for key, value in environment.items():
        monkeypatch.setenv(key, value)
    assert wanted.use_deepspeed and environment["ACCELERATE_MIXED_PRECISION"] == "bf16"
    plugin = DeepSpeedPlugin()
    assert plugin.zero3_init_flag and plugin.deepspeed_config["zero_optimization"]["stage"] == 3
    assert plugin.deepspeed_config["zero_optimization"]["stage3_gather_16bit_weights_on_model_save"] is True
    for of_the_recipe in ("train_micro_batch_size_per_gpu", "gradient_accumulation_steps", "gradient_clipping"):
        assert plugin.deepspeed_config[of_the_recipe] == "auto"


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The tokenizer of the packaged model."""
    found = find_spec(PACKAGE)
    assert found and found.origin
    file, folder = next(Path(found.origin).parent.glob("*.gguf")), tmp_path_factory.mktemp("small")
    AutoTokenizer.from_pretrained(file.parent, gguf_file=file.name).save_pretrained(folder)
    return folder


@pytest.fixture(scope="module")
def rows(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Some rows of the starter library, as the guide has them made."""
    folder = tmp_path_factory.mktemp("rows") / "data"
    prepare(["library"], folder, Plan(seed=7, split=(0.8, 0.1, 0.1), limit=30))
    return folder


@pytest.mark.parametrize("name", [name for name in OWN if name.startswith("smoke-") and read(name).method == "sft"])
def test_the_recipes_for_a_cpu_keep_most_rows_of_the_starter_library(name: str, small: Path, rows: Path) -> None:
    recipe = read(name).model_copy(update={"model": str(small)})
    data = open_data(rows, "sft")
    _, fits = tokenized(data, "train", policy.chat_of(recipe), recipe, recipe.training["max_length"])
    assert fits["rows"] > 2 * fits["dropped_too_long"]


def test_values_are_of_their_fields_type(write: Any) -> None:
    recipe = read(write(training={"learning_rate": "1e-4", "max_steps": "7"}), ["training.warmup_steps=3"])
    assert recipe.training == {"learning_rate": 1e-4, "max_steps": 7, "warmup_steps": 3}


def test_no_is_a_word_where_the_field_wants_one(write: Any) -> None:
    """`training.eval_strategy=no` is what an error of ours advises."""
    given = {"training": {"save_strategy": False, "packing": False}}
    assert read(write(**given), ["training.eval_strategy=no"]).training == {
        "save_strategy": "no", "packing": False, "eval_strategy": "no",
    }  # fmt: skip


def test_what_is_not_told_is_as_trl_has_it(write: Any, tmp_path: Path) -> None:
    made, theirs = arguments(read(write()), tmp_path), SFTConfig(str(tmp_path), use_cpu=True)
    assert (made.learning_rate, made.max_length) == (theirs.learning_rate, theirs.max_length)


@pytest.mark.parametrize(
    ("keys", "said"),
    [
        ({"training": {"learning_rat": 1}}, r"no key `training\.learning_rat`\. Do you mean `training\.learning_rate`"),
        ({"training": {"learning_rate": "fast"}}, r"training\.learning_rate: Input should be a valid number"),
        ({"training": {"output_dir": "x"}}, "--out"),
        ({"trainin": {}}, "no key `trainin`. Do you mean `training`"),
        ({"method": "ppo"}, "method: Input should be 'sft'"),
        ({"quantization": "nf4", "adapter": None}, "4-bit weights can't be trained"),
        ({"concise": 5, "training": {"packing": True}}, "leave one of the two out"),
        ({"method": "grpo"}, "name each reward with its weight"),
        ({"start_from": "run"}, "leave `adapter` out"),
    ],
)
def test_what_does_not_fit_is_told(write: Any, keys: dict[str, Any], said: str) -> None:
    with pytest.raises(BadInput, match=said):
        read(write(**keys))


def test_what_the_class_refuses_is_told(write: Any, tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="training: "):
        arguments(read(write(training={"save_strategy": "sometimes"})), tmp_path)


@pytest.mark.parametrize(
    ("wanted", "said"),
    [("wandb", "pip install wandb"), (["none", "wandb"], "pip install wandb"), ("wanda", "no wanda")],
)
def test_a_reporter_that_is_not_there_is_told(
    write: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, wanted: Any, said: str
) -> None:
    monkeypatch.setattr(integrations, "get_available_reporting_integrations", lambda: ["tensorboard"])
    assert arguments(read(write(training={"report_to": "tensorboard"})), tmp_path).report_to == ["tensorboard"]
    with pytest.raises(BadInput, match=rf"training\.report_to: .*{said}"):
        arguments(read(write(training={"report_to": wanted})), tmp_path)


@pytest.mark.parametrize("change", ["training.max_steps", "=3", "model.size=3"])
def test_a_change_that_is_none_is_told(write: Any, change: str) -> None:
    with pytest.raises(BadInput, match="--set"):
        read(write(), [change])


def test_a_recipe_that_is_not_there_is_told_with_those_that_are() -> None:
    with pytest.raises(BadInput, match="smoke-sft"):
        read("smoke-stf")


def test_a_file_that_is_no_recipe_is_told(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text("a: [")
    (tmp_path / "b.yaml").write_text("just a text")
    with pytest.raises(BadInput, match="YAML"):
        read(str(tmp_path / "a.yaml"))
    with pytest.raises(BadInput, match="no recipe"):
        read(str(tmp_path / "b.yaml"))
