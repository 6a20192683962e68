"""Folders that are watched: what was added, changed or removed in them, told once it has settled."""

from asyncio import Event
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from watchfiles import Change, awatch

from primum.graph.errors import BadInput
from primum.retrieval.loaders import is_known

SETTLED = 2.0  # seconds for which changes are gathered before they are told


@dataclass(frozen=True)
class Changes:
    """Files to read again, and paths that are gone: of files, or of folders with all that was in them."""

    changed: frozenset[Path]
    removed: frozenset[Path]


async def changes(
    folders: Sequence[Path], stop: Event | None = None, settled: float = SETTLED, poll: bool = False
) -> AsyncIterator[Changes]:
    """What happens in these folders to files that can be read, from now on until `stop` is set.

    Args:
        poll: look again and again instead of being told, as network shares need it.

    Raises:
        BadInput: a folder is missing.
    """
    for folder in folders:
        if not folder.is_dir():
            raise BadInput(f"The folder {folder} can't be watched: there is no such folder. Make it, or take it out.")
    watcher = awatch(
        *folders,
        watch_filter=lambda _, path: _is_shown(Path(path), folders),
        debounce=int(settled * 1000),
        step=min(200, int(settled * 1000)),
        stop_event=stop,
        force_polling=poll or None,
        yield_on_timeout=False,
    )
    async for batch in watcher:
        told = _told(batch)
        if told.changed or told.removed:
            yield told


def _told(batch: set[tuple[Change, str]]) -> Changes:
    """What is there now counts, not the order of events: an editor removes a file and writes it again."""
    paths = {Path(path) for _, path in batch}
    changed = {file for path in paths for file in _files(path) if is_known(file)}
    removed = {path for path in paths if not path.exists() and (is_known(path) or not path.suffix)}
    return Changes(frozenset(changed), frozenset(removed))


def _files(path: Path) -> list[Path]:
    """The file, or the files of a folder that was moved here as a whole."""
    if path.is_dir():
        return [file for file in path.rglob("*") if file.is_file() and not _is_hidden(file.relative_to(path))]
    return [path] if path.is_file() else []


def _is_shown(path: Path, folders: Sequence[Path]) -> bool:
    inside = next((path.relative_to(folder) for folder in folders if path.is_relative_to(folder)), path)
    return not _is_hidden(inside)


def _is_hidden(path: Path) -> bool:
    return any(part.startswith((".", "~$")) for part in path.parts)
