"""Files and folders on object stores and other remote systems, by their fsspec address: s3://bucket/folder."""

import re
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from tempfile import TemporaryDirectory
from typing import Any

from primum.retrieval.loaders import MAX_FILE, is_known, load_as
from primum.retrieval.rows import is_jsonl
from primum.retrieval.source import Source, Unreadable, escaped

MAX_REMOTE = 2 * 2**30  # bytes of a .jsonl or an archive; other files have the limit that local ones have
_ADDRESS = re.compile(r"([a-z][a-z0-9+.-]+)://.*", re.DOTALL)
_DRIVERS = {
    "s3": "s3fs", "s3a": "s3fs", "gs": "gcsfs", "gcs": "gcsfs", "abfs": "adlfs", "az": "adlfs",
    "abfss": "adlfs", "sftp": "paramiko", "ssh": "paramiko", "smb": "smbprotocol", "hdfs": "pyarrow", "oss": "ossfs",
}  # fmt: skip
_BLOCK = 2**20


def is_remote(argument: object) -> bool:
    """Whether this is an address such as s3://bucket/folder."""
    return isinstance(argument, str) and bool(_ADDRESS.fullmatch(argument))


def load_remote(address: str) -> Iterator[Source | Unreadable]:
    """All documents of a remote file or folder, one file at a time on this machine's disk."""
    try:
        system, places = _listed(address)
    except _UnreachableError as error:
        yield Unreadable(address, str(error))
        return
    for place, size in places:
        yield from _load_file(system, place, size)


def remote_files(address: str) -> list[str]:
    """The addresses of all files of a remote folder; the address itself if it can't be listed."""
    try:
        system, places = _listed(address)
    except _UnreachableError:
        return [address]
    return [str(system.unstrip_protocol(place)) for place, _ in places]


class _UnreachableError(Exception):
    """Why a remote folder can't be listed."""


def _listed(address: str) -> tuple[Any, list[tuple[str, int]]]:
    """The file system, and path and size of each file in order, hidden ones left out."""
    import fsspec

    protocol = address.partition("://")[0]
    try:
        system, root = fsspec.core.url_to_fs(address)
        found = system.find(root, detail=True)
    except ImportError:
        driver = _DRIVERS.get(protocol)
        mend = f"pip install {driver}" if driver else "see fsspec's list of drivers"
        raise _UnreachableError(f"{protocol}:// needs a driver: {mend}") from None
    except ValueError:
        raise _UnreachableError(f"{protocol}:// is no kind of address that fsspec knows") from None
    except Exception as error:  # each driver has errors of its own; their texts may hold keys
        raise _UnreachableError(f"can't be reached ({type(error).__name__}): check the address and the keys") from None
    inside = {path: int(info.get("size") or 0) for path, info in found.items() if info.get("type") != "directory"}
    if not inside:
        raise _UnreachableError("no such file or folder, or an empty one")
    shown = (path for path in inside if not any(part.startswith(".") for part in _below(path, root)))
    return system, [(path, inside[path]) for path in sorted(shown)]


def _below(path: str, root: str) -> tuple[str, ...]:
    return PurePosixPath(path.removeprefix(root)).parts


def _load_file(system: Any, place: str, size: int) -> Iterator[Source | Unreadable]:
    uri = system.unstrip_protocol(place)
    name = PurePosixPath(place).name
    most = MAX_REMOTE if is_jsonl(name) or name.lower().endswith(".zip") else MAX_FILE
    if size > most:
        yield Unreadable(uri, f"larger than {most // 2**20} MB")
        return
    with TemporaryDirectory(prefix="primum-") as folder:
        file = Path(folder) / name
        if is_known(file):
            try:
                _copy(system, place, file, most)
            except Exception as error:  # each driver has errors of its own; their texts may hold keys
                yield Unreadable(uri, f"can't be read ({type(error).__name__})")
                return
        else:
            file.touch()  # it is only named, so that the reason is the same as for a local file
        yield from load_as(file, escaped(uri), uri)


def _copy(system: Any, place: str, file: Path, most: int) -> None:
    with system.open(place, "rb") as source, file.open("wb") as target:
        while (block := source.read(_BLOCK)) and target.tell() <= most:
            target.write(block)
