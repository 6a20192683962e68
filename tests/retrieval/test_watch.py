import asyncio
import shutil
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from primum.graph.errors import BadInput
from primum.retrieval.watch import Changes, changes

SETTLED = 0.1


class Watcher:
    """A folder and what was told of it so far."""

    def __init__(self, folder: Path, poll: bool = False) -> None:
        self.folder = folder
        self.stop = asyncio.Event()
        self.told = changes([folder], self.stop, SETTLED, poll)

    async def next(self) -> Changes:
        async with asyncio.timeout(20):
            return await anext(self.told)

    async def ready(self) -> None:
        """Waits until changes are seen."""
        assert await self.next() == Changes(frozenset(), frozenset())


@pytest.fixture
async def watcher(tmp_path: Path) -> AsyncIterator[Watcher]:
    watcher = Watcher(tmp_path)
    await watcher.ready()
    yield watcher
    watcher.stop.set()
    async for _ in watcher.told:
        pass


async def told_of(watcher: Watcher, wanted: set[Path], removed: set[Path]) -> tuple[set[Path], set[Path]]:
    """What is told until all that is wanted was."""
    changed: set[Path] = set()
    gone: set[Path] = set()
    while not (wanted <= changed and removed <= gone):
        batch = await watcher.next()
        changed |= batch.changed
        gone |= batch.removed
    return changed, gone


async def test_files_that_are_added_changed_and_removed_are_told(watcher: Watcher) -> None:
    file = watcher.folder / "a.md"
    file.write_text("One.")
    assert await told_of(watcher, {file}, set()) == ({file}, set())
    file.write_text("Two, which is longer.")
    assert await told_of(watcher, {file}, set()) == ({file}, set())
    file.unlink()
    assert await told_of(watcher, set(), {file}) == (set(), {file})


async def test_hidden_files_and_kinds_that_cannot_be_read_are_not_told(watcher: Watcher) -> None:
    for name in (".a.md", "~$a.docx", "a.bin", "b.md"):
        (watcher.folder / name).write_text("Text.")
    assert await told_of(watcher, {watcher.folder / "b.md"}, set()) == ({watcher.folder / "b.md"}, set())


async def test_a_folder_that_is_moved_in_and_out_is_told_with_its_files(
    watcher: Watcher, tmp_path_factory: pytest.TempPathFactory
) -> None:
    outside = tmp_path_factory.mktemp("outside")
    (outside / "ward").mkdir()
    (outside / "ward" / "a.md").write_text("Text.")
    inside = watcher.folder / "ward"
    shutil.move(outside / "ward", inside)
    assert await told_of(watcher, {inside / "a.md"}, set()) == ({inside / "a.md"}, set())
    shutil.move(inside, outside / "ward")
    _, removed = await told_of(watcher, set(), {inside})
    assert removed <= {inside, inside / "a.md"}


async def test_a_share_that_tells_nothing_is_looked_at_again_and_again(tmp_path: Path) -> None:
    watcher = Watcher(tmp_path, poll=True)
    await watcher.ready()
    (tmp_path / "a.md").write_text("One.")
    assert await told_of(watcher, {tmp_path / "a.md"}, set()) == ({tmp_path / "a.md"}, set())
    watcher.stop.set()


@pytest.mark.parametrize("name", ["ward.2026", "ward.md", "two  spaces", "cafe\u0301"])
async def test_a_folder_of_any_name_is_told_when_it_goes(watcher: Watcher, name: str) -> None:
    folder = watcher.folder / name
    folder.mkdir()
    (folder / "a.md").write_text("Text.")
    assert await told_of(watcher, {folder / "a.md"}, set()) == ({folder / "a.md"}, set())
    shutil.rmtree(folder)
    _, removed = await told_of(watcher, set(), {folder})
    assert removed <= {folder, folder / "a.md"}


async def test_a_link_is_followed_within_the_folder_only(
    watcher: Watcher, tmp_path_factory: pytest.TempPathFactory
) -> None:
    outside = tmp_path_factory.mktemp("outside")
    (outside / "secret.md").write_text("Secret.")
    (watcher.folder / "secret.md").symlink_to(outside / "secret.md")
    (watcher.folder / "ward").symlink_to(outside)
    (watcher.folder / "a.md").write_text("Text.")
    (watcher.folder / "b.md").symlink_to(watcher.folder / "a.md")
    wanted = {watcher.folder / "a.md", watcher.folder / "b.md"}
    assert await told_of(watcher, wanted, set()) == (wanted, set())


async def test_what_happens_after_watching_began_is_told_whenever_it_is_asked_for(watcher: Watcher) -> None:
    (watcher.folder / "early.md").write_text("Text.")
    assert (await watcher.next()).changed == {watcher.folder / "early.md"}


async def test_a_folder_that_is_taken_away_is_named_and_not_told_as_removed(tmp_path: Path) -> None:
    (tmp_path / "ward").mkdir()
    watcher = Watcher(tmp_path / "ward")
    await watcher.ready()
    shutil.rmtree(tmp_path / "ward")
    with pytest.raises(BadInput, match="no such folder"):
        await watcher.next()


async def test_a_missing_folder_is_named(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="no such folder"):
        await anext(changes([tmp_path / "none"]))
