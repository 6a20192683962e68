"""Folders that are watched: what was added, changed or removed in them, told once it has settled."""

from asyncio import Event
from collections.abc import AsyncGenerator, Sequence
from dataclasses import dataclass
from pathlib import Path

from watchfiles import Change, awatch

from primum.graph.errors import BadInput
from primum.retrieval.loaders import files, is_hidden, is_known, leads_out

SETTLED = 2.0  # seconds for which changes are gathered before they are told


@dataclass(frozen=True)
class Changes:
    """Files to read again, and paths that are gone: of files, or of folders with all that was in them."""

    changed: frozenset[Path]
    removed: frozenset[Path]


async def changes(
    folders: Sequence[Path], stop: Event | None = None, settled: float = SETTLED, poll: bool = False
) -> AsyncGenerator[Changes]:
    """What happens in these folders to files that can be read, until `stop` is set.

    The first is told as soon as they are watched, also if nothing has happened yet.

    Args:
        folders: as `Path.resolve` gives them; links are not followed out of them.
        poll: look again and again instead of being told, as network shares need it.

    Raises:
        BadInput: a folder is missing, or is taken away.
    """
    _need(folders)
    wait = int(settled * 1000)
    watcher = awatch(
        *folders,
        watch_filter=lambda _, path: _is_shown(Path(path), folders),
        debounce=wait,
        step=min(200, wait),
        stop_event=stop,
        rust_timeout=wait,
        force_polling=poll or None,
        yield_on_timeout=True,
    )
    begun = False
    async for batch in watcher:
        _need(folders)
        told = _told(batch, folders)
        if told.changed or told.removed or not begun:
            begun = True
            yield told


def _need(folders: Sequence[Path]) -> None:
    for folder in folders:
        if not folder.is_dir():
            raise BadInput(f"The folder {folder} can't be watched: there is no such folder. Make it, or take it out.")


def _told(batch: set[tuple[Change, str]], folders: Sequence[Path]) -> Changes:
    """What is there now counts, not the order of events: an editor removes a file and writes it again."""
    paths = {Path(path) for _, path in batch}
    inside = {path: folder for path in paths if (folder := _folder_of(path, folders)) and not leads_out(path, folder)}
    changed = {file for path in inside for file in _files(path) if not leads_out(file, inside[path]) and is_known(file)}
    return Changes(frozenset(changed), frozenset(path for path in paths if not path.exists()))


def _is_shown(path: Path, folders: Sequence[Path]) -> bool:
    folder = _folder_of(path, folders)
    return folder is not None and not is_hidden(path.relative_to(folder))


def _folder_of(path: Path, folders: Sequence[Path]) -> Path | None:
    return next((folder for folder in folders if path.is_relative_to(folder)), None)


def _files(path: Path) -> list[Path]:
    """The file, or the files of a folder that was moved here as a whole."""
    return files(path) if path.is_dir() or path.is_file() else []
