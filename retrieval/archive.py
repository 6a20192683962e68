"""Zip archives, also those that are Office files: refused when they would unpack to too much."""

import io
import zipfile
import zlib
from collections.abc import Iterator
from pathlib import Path, PurePosixPath

MAX_MEMBER = 100 * 2**20  # bytes, unpacked
MAX_UNPACKED = 1000 * 2**20  # bytes of all members; Python never unpacks more than the table of contents promises
MAX_MEMBERS = 100_000


def opened(file: Path | io.BytesIO) -> zipfile.ZipFile:
    """The archive, its promises checked. Raises ValueError if it is broken or a bomb."""
    try:
        archive = zipfile.ZipFile(file)
    except (zipfile.BadZipFile, ValueError, NotImplementedError, OverflowError):
        raise ValueError("not a zip archive, or a broken one") from None
    members = archive.infolist()
    unpacked = sum(member.file_size for member in members)
    if len(members) > MAX_MEMBERS or unpacked > MAX_UNPACKED:
        archive.close()
        raise ValueError(f"unpacks to more than {MAX_UNPACKED // 2**20} MB or {MAX_MEMBERS} files")
    return archive


def refuse_unsafe_office(data: bytes) -> None:
    """Raises ValueError for an Office file that is a bomb or declares XML entities, which Office never does."""
    with opened(io.BytesIO(data)) as archive:
        for member in archive.infolist():
            if member.filename.endswith((".xml", ".rels")) and b"<!DOCTYPE" in _head(archive, member):
                raise ValueError("declares XML entities, which may hide a bomb")


def _head(archive: zipfile.ZipFile, member: zipfile.ZipInfo) -> bytes:
    try:
        with archive.open(member) as stream:
            return stream.read(4096)
    except (zipfile.BadZipFile, zlib.error, NotImplementedError, EOFError, OSError, ValueError, RuntimeError):
        raise ValueError("broken inside its archive") from None


def members(archive: zipfile.ZipFile) -> Iterator[zipfile.ZipInfo]:
    """The archive's files in the order of their names, hidden ones left out."""
    for member in sorted(archive.infolist(), key=lambda member: member.filename):
        parts = PurePosixPath(member.filename).parts
        if not member.is_dir() and not any(part.startswith((".", "__MACOSX")) for part in parts):
            yield member


def unpacked(archive: zipfile.ZipFile, member: zipfile.ZipInfo) -> bytes:
    """One file of the archive. Raises ValueError if it is locked, broken or too large."""
    if member.file_size > MAX_MEMBER:
        raise ValueError(f"unpacks to more than {MAX_MEMBER // 2**20} MB")
    try:
        return archive.read(member)
    except RuntimeError:
        raise ValueError("locked with a password") from None
    except (zipfile.BadZipFile, zlib.error, NotImplementedError, EOFError, OSError, ValueError):
        raise ValueError("broken inside its archive") from None
