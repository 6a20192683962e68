"""Work in stages: while one item is used, the next is made."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import TypeVar

T = TypeVar("T")


async def ahead(items: AsyncGenerator[T]) -> AsyncGenerator[T]:
    """The same items, each made while the one before it is used: one ahead, never more. Close it with `aclosing`."""
    async with aclosing(items):
        coming = asyncio.ensure_future(anext(items, None))
        try:
            while (item := await coming) is not None:
                coming = asyncio.ensure_future(anext(items, None))
                yield item
        finally:
            coming.cancel()
            await asyncio.gather(coming, return_exceptions=True)
