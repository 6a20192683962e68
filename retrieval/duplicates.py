"""Texts that nearly repeat each other."""

import hashlib

SAME = 0.85


def _shingles(text: str) -> set[str]:
    words = text.casefold().split()
    return {" ".join(words[at : at + 5]) for at in range(max(1, len(words) - 4))}


def signature(text: str) -> list[int]:
    hashed = sorted(hashlib.blake2b(one.encode(), digest_size=8).digest() for one in _shingles(text))
    return [int.from_bytes(one, signed=True) for one in hashed[:4]]


def likeness(a: str, b: str) -> float:
    one, two = _shingles(a), _shingles(b)
    return len(one & two) / len(one | two)
