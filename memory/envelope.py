"""A sealed stream: compressed, then AES-256-GCM in pieces, so that a backup never lies on a disk in the clear.

The pieces are numbered, the last one is marked, and all are bound to the header: one that was changed, moved, left out
or put in does not open. The key is of one file alone, so that a number is a nonce that never comes twice.
"""

import zlib
from typing import BinaryIO

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from primum.graph.errors import BadInput

PIECE = 1 << 20  # bytes before they are sealed
_TAG = 16  # bytes that GCM adds
_GO_ON, _LAST = b"\0", b"\1"
_DAMAGED = "The backup is damaged: {}. Nothing was changed. Use another one."


class SealedWriter:
    """Takes bytes; `close` seals the last piece. What was not closed does not open."""

    def __init__(self, file: BinaryIO, key: bytes, header: bytes) -> None:
        self._file = file
        self._aes = AESGCM(key)
        self._header = header
        self._number = 0
        self._waiting = bytearray()
        self._packer = zlib.compressobj()

    def write(self, data: bytes) -> None:
        self._waiting += self._packer.compress(data)
        while len(self._waiting) > PIECE:
            self._seal(bytes(self._waiting[:PIECE]), _GO_ON)
            del self._waiting[:PIECE]

    def close(self) -> None:
        self._waiting += self._packer.flush()
        while len(self._waiting) > PIECE:
            self._seal(bytes(self._waiting[:PIECE]), _GO_ON)
            del self._waiting[:PIECE]
        self._seal(bytes(self._waiting), _LAST)

    def _seal(self, piece: bytes, mark: bytes) -> None:
        sealed = self._aes.encrypt(_nonce(self._number, mark), piece, self._header)
        self._file.write(mark + len(sealed).to_bytes(4) + sealed)
        self._number += 1


class SealedReader:
    """Gives back what was written, from the start to the end. Each call raises BadInput if it is damaged."""

    def __init__(self, file: BinaryIO, key: bytes, header: bytes) -> None:
        self._file = file
        self._aes = AESGCM(key)
        self._header = header
        self._number = 0
        self._ended = False
        self._ready = bytearray()
        self._unpacker = zlib.decompressobj()

    def read(self, size: int) -> bytes:
        """So many bytes, never fewer."""
        while len(self._ready) < size:
            if self._ended:
                raise BadInput(_DAMAGED.format("less is in it than it says"))
            self._open()
        taken = bytes(self._ready[:size])
        del self._ready[:size]
        return taken

    def end(self) -> None:
        """That nothing comes after what was read."""
        while not self._ended:
            self._open()
        if self._ready or self._file.read(1):
            raise BadInput(_DAMAGED.format("more is in it than it says"))

    def _open(self) -> None:
        mark = self._file.read(1)
        size = int.from_bytes(self._file.read(4))
        sealed = self._file.read(size) if size <= PIECE + _TAG else b""
        try:
            piece = self._aes.decrypt(_nonce(self._number, mark), sealed, self._header)
            self._ready += self._unpacker.decompress(piece)
        except (InvalidTag, ValueError, zlib.error):
            why = (
                "it ends too early" if mark == b"" or len(sealed) < size else f"piece {self._number + 1} does not open"
            )
            raise BadInput(_DAMAGED.format(why)) from None
        self._ended = mark == _LAST
        self._number += 1


def _nonce(number: int, mark: bytes) -> bytes:
    return number.to_bytes(11) + mark
