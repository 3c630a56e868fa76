"""Bytes between two connections, as gates carry them."""

import asyncio

Connection = tuple[asyncio.StreamReader, asyncio.StreamWriter]

_CHUNK = 64 * 1024


async def carry(one: Connection, other: Connection) -> None:
    """Until either side ends, and then both are closed. What was read before is still delivered."""
    directions = [asyncio.create_task(_pump(one[0], other[1])), asyncio.create_task(_pump(other[0], one[1]))]
    try:
        await asyncio.wait(directions, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in directions:
            task.cancel()
        await asyncio.gather(*directions, return_exceptions=True)
        for _, writer in (one, other):
            writer.close()


async def _pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while chunk := await reader.read(_CHUNK):
        writer.write(chunk)
        await writer.drain()
