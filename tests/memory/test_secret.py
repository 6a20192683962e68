"""The secret: made once, kept to its owner, and what it seals."""

import stat
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from langgraph.checkpoint.serde.jsonplus import JsonPlusSerializer

from primum.graph.errors import BadInput, MemoryUnavailable
from primum.memory.checkpoints import SealingSerializer
from primum.memory.identity import Identity
from primum.memory.secret import Secret, find_secret
from primum.memory.session import Database

ONE, OTHER = Secret("1" * 40), Secret("2" * 40)


def test_without_a_setting_it_is_made_once_and_readable_by_its_owner_alone(tmp_path: Path) -> None:
    home = tmp_path / "home"
    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(lambda _: find_secret((), home).check, range(8)))
    assert len(set(found)) == 1
    assert stat.S_IMODE((home / "secret").stat().st_mode) == 0o600
    assert [path.name for path in home.iterdir()] == ["secret"]


def test_a_short_one_is_refused_by_its_length_alone(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="has 5 characters; give at least 32"):
        find_secret(["hello"], tmp_path)
    assert find_secret(["x" * 32], tmp_path).check == Secret("x" * 32).check
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("value", ["text", {"a": [1, 2.5, None, True]}, [], "患者", None])
def test_what_is_sealed_is_read_back_by_the_same_secret(value: object) -> None:
    serde = SealingSerializer(ONE.cipher)
    kind, sealed = serde.dumps_typed(value)
    assert kind.endswith("+aesgcm") and b"text" not in sealed
    assert serde.loads_typed((kind, sealed)) == value
    assert serde.dumps_typed(value)[1] != sealed  # never the same twice


@pytest.mark.parametrize(
    "spoil", [lambda data: data[:-1] + bytes([data[-1] ^ 1]), lambda data: data[:20], lambda _: b""]
)
def test_what_was_changed_is_not_read(spoil: object) -> None:
    serde = SealingSerializer(ONE.cipher)
    kind, sealed = serde.dumps_typed("text")
    with pytest.raises(MemoryUnavailable, match="changed"):
        serde.loads_typed((kind, spoil(sealed)))  # type: ignore[operator]


def test_neither_plaintext_nor_another_secrets_nor_another_ciphers_is_read() -> None:
    serde = SealingSerializer(ONE.cipher)
    with pytest.raises(MemoryUnavailable, match="not encrypted"):
        serde.loads_typed(JsonPlusSerializer().dumps_typed("text"))
    with pytest.raises(MemoryUnavailable, match="another PRIMUM_SECRET"):
        serde.loads_typed(SealingSerializer(OTHER.cipher).dumps_typed("text"))
    with pytest.raises(MemoryUnavailable, match="sealed with aes"):
        serde.loads_typed(("msgpack+aes", b"x" * 40))


def test_pseudonyms_differ_by_tenant_patient_and_secret() -> None:
    made = [
        ONE.pseudonym(Identity("ab", "c")),
        ONE.pseudonym(Identity("a", "bc")),
        ONE.pseudonym(Identity("a", "c")),
        OTHER.pseudonym(Identity("a", "c")),
    ]
    assert len(set(made)) == 4 and ONE.pseudonym(Identity("a", "c")) == made[2]


async def test_a_database_is_opened_with_the_secret_that_it_was_made_with(database_url: str) -> None:
    database = Database(database_url)
    await database.check(ONE)
    await database.check(ONE)
    with pytest.raises(BadInput, match="another PRIMUM_SECRET"):
        await database.check(OTHER)
    await database.close()
