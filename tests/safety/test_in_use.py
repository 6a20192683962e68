import threading
from collections.abc import Callable

import pytest

from primum.safety.in_use import InUse


@pytest.fixture
def tables() -> InUse[str]:
    return InUse("imported tables")


def test_it_is_there_until_the_last_one_is_done_with_it(tables: InUse[str]) -> None:
    with tables.using("v1", lambda: "one"):
        with tables.using("v1", lambda: pytest.fail("made twice")):
            assert (tables.value, tables.version) == ("one", "v1")
        assert (tables.value, tables.version) == ("one", "v1")
    assert (tables.value, tables.version) == (None, "")
    with tables.using("v2", lambda: "two"):
        assert tables.value == "two"


def test_another_version_at_the_same_time_is_refused_and_changes_nothing(tables: InUse[str]) -> None:
    with tables.using("v1", lambda: "one"):
        for version in ("v2", ""):
            with (
                pytest.raises(ValueError, match="uses other imported tables already"),
                tables.using(version, lambda: "two"),
            ):
                pass
        assert tables.value == "one"
    assert tables.value is None


def test_to_use_none_is_a_use_too(tables: InUse[str]) -> None:
    with (
        tables.using("", lambda: None),
        pytest.raises(ValueError, match="imported tables already"),
        tables.using("v1", lambda: "one"),
    ):
        pass


@pytest.mark.parametrize("fails_in", ["make", "use"])
def test_a_failure_leaves_nothing_in_use(tables: InUse[str], fails_in: str) -> None:
    def make() -> str:
        if fails_in == "make":
            raise RuntimeError("broken")
        return "one"

    with pytest.raises(RuntimeError, match="broken"), tables.using("v1", make):
        raise RuntimeError("broken")
    assert (tables.value, tables.version) == (None, "")
    with tables.using("v2", lambda: "two"):
        assert tables.value == "two"


def test_many_threads_make_it_once(tables: InUse[str]) -> None:
    made: list[str] = []
    together = threading.Barrier(8)

    def make() -> str:
        made.append("one")
        return "one"

    def use(make: Callable[[], str]) -> None:
        together.wait()
        with tables.using("v1", make):
            together.wait()

    threads = [threading.Thread(target=use, args=(make,)) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(10)
    assert made == ["one"] and tables.value is None
