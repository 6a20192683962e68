"""The packaged model as a folder."""

import json
from pathlib import Path

from primum.finetune.packaged import packaged_folder


def test_its_configuration_does_not_change_with_the_library_that_writes_it(tmp_path: Path) -> None:
    """An adapter knows its base by a hash of weights and configuration."""
    folder = packaged_folder(tmp_path)
    config = json.loads((folder / "config.json").read_text())
    assert config["model_type"] == "llama" and "transformers_version" not in config
    assert packaged_folder(tmp_path) == folder
