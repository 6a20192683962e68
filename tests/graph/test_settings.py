"""What is wrong with the settings is said with the variable's name, in plain words."""

import pytest

from primum.graph.errors import BadInput
from primum.graph.settings import read_settings


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
