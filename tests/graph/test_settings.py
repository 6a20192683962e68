"""What is wrong with the settings is said with the variable's name, in plain words."""

from pathlib import Path

import pytest

from primum.graph.errors import BadInput
from primum.graph.settings import Settings, read_settings


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("PRIMUM_TENNANT", "x", "PRIMUM_TENNANT is not a setting; did you mean PRIMUM_TENANT?"),
        ("PRIMUM_QQ88QQ88", "x", "PRIMUM_QQ88QQ88 is not a setting"),
        ("PRIMUM_MODEL_URL", "gpu1", "PRIMUM_MODEL_URL: String should match pattern '^https?://'"),
        ("PRIMUM_API_PORT", "0", "PRIMUM_API_PORT: Input should be greater than or equal to 1"),
    ],
)
def test_a_wrong_setting_is_named_in_plain_words(
    monkeypatch: pytest.MonkeyPatch, name: str, value: str, said: str
) -> None:
    monkeypatch.setenv(name, value)
    with pytest.raises(BadInput) as refused:
        read_settings()
    assert str(refused.value) == said


def test_a_line_of_the_dotenv_that_is_no_setting_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / ".env").write_text("PRIMUM_TENANT=north\nOTHER=1\n")
    assert read_settings().tenant == "north"
    (tmp_path / ".env").write_text("primum_tennant=north\n")
    with pytest.raises(
        BadInput, match=r"^A line of .env: PRIMUM_TENNANT is not a setting; did you mean PRIMUM_TENANT\?$"
    ):
        read_settings()


def test_a_file_of_secrets_that_is_no_setting_is_named(tmp_path: Path) -> None:
    for name, text in {"primum_secret": "s" * 40, "primum_secret_before": "", "grafana_password": "x"}.items():
        (tmp_path / name).write_text(text)
    assert Settings(_secrets_dir=tmp_path).secrets == ("s" * 40,)
    (tmp_path / "primum_secret_before").write_text("o," * 20 + "\n" + "p" * 40 + "\n")
    assert Settings(_secrets_dir=tmp_path).secrets == ("s" * 40, "o," * 20, "p" * 40)
    (tmp_path / "primum_secert").write_text("s" * 40)
    with pytest.raises(BadInput) as refused:
        Settings(_secrets_dir=tmp_path)
    said = f"A file in {tmp_path}: PRIMUM_SECERT is not a setting; did you mean PRIMUM_SECRET?"
    assert str(refused.value) == said
