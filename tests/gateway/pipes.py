"""A connection that is only memory: two ends, each a ByteStream."""

import asyncio
from collections import deque


class End:
    """One end. `limit`: bytes on their way to the other one beyond which `drain` waits."""

    def __init__(self, limit: int = 64 * 1024) -> None:
        self._limit = limit
        self._arrived: deque[bytes] = deque()
        self._something = asyncio.Event()
        self._room = asyncio.Event()
        self._over = False
        self.other: End = self
        self.closed = False

    @property
    def waiting(self) -> int:
        """Bytes that arrived here and were not read."""
        return sum(map(len, self._arrived))

    async def read(self) -> bytes:
        while not self._arrived:
            if self._over or self.closed:
                return b""
            self._something.clear()
            await self._something.wait()
        part = self._arrived.popleft()
        self.other._room.set()
        return part

    def write(self, data: bytes | bytearray | memoryview) -> None:
        if self.closed or self.other.closed:
            raise ConnectionResetError("The other end is closed.")
        if data:  # nothing arrives of nothing
            self.other._arrived.append(bytes(data))
            self.other._something.set()

    async def drain(self) -> None:
        while self.other.waiting > self._limit and not self.other.closed:
            self._room.clear()
            await self._room.wait()

    def close(self) -> None:
        self.closed = self.other._over = True
        for event in (self._something, self.other._something, self._room, self.other._room):
            event.set()


def pipe(limit: int = 64 * 1024) -> tuple[End, End]:
    """Both ends."""
    one, two = End(limit), End(limit)
    one.other, two.other = two, one
    return one, two
