"""A connection's two directions of bytes, and the lowest of them: TCP."""

import asyncio
import socket
from contextlib import suppress
from typing import Protocol

CHUNK = 64 * 1024
"""Bytes that are taken from a connection at once, at most; and beyond which a writer waits for the other side."""


CLOSE_SECONDS = 10.0


class ByteStream(Protocol):
    """Bytes in both directions. Errors are OSError and its kinds (TimeoutError, ConnectionError), of any layer."""

    async def read(self) -> bytes:
        """At least one byte as soon as there is one; b"" when the other side has ended its direction."""
        ...

    def write(self, data: bytes | bytearray | memoryview) -> None:
        """Takes it all, at once. Who writes much waits in `drain` between."""
        ...

    async def drain(self) -> None:
        """Until the other side has taken so much of it that memory stays bounded."""
        ...

    def close(self) -> None:
        """Ends both directions, at once; a second time it does nothing."""
        ...


class TcpStream:
    """A ByteStream over asyncio's own."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer
        writer.transport.set_write_buffer_limits(high=CHUNK)

    @property
    def peer(self) -> str:
        """The other side's address, without port; empty where it is gone already."""
        name = self._writer.get_extra_info("peername")
        return str(name[0]) if isinstance(name, tuple) else ""

    async def read(self) -> bytes:
        return await self._reader.read(CHUNK)

    def write(self, data: bytes | bytearray | memoryview) -> None:
        self._writer.write(data)

    async def drain(self) -> None:
        await self._writer.drain()

    def end(self) -> None:
        """Ends our direction when all that was written is on its way; the other one may go on."""
        with suppress(OSError):
            self._writer.write_eof()

    def keep_alive(self) -> None:
        """A peer that went away without a word is noticed within some two minutes."""
        raw = self._writer.get_extra_info("socket")
        with suppress(OSError):
            raw.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
            raw.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE, 60)
            raw.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPINTVL, 15)
            raw.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPCNT, 4)

    def close(self) -> None:
        """What was written and is not on its way yet is still sent, for CLOSE_SECONDS."""
        transport = self._writer.transport
        if transport.is_closing():
            return
        left = transport.get_write_buffer_size()
        self._writer.close()
        if left:
            asyncio.get_running_loop().call_later(CLOSE_SECONDS, transport.abort)

    def abort(self) -> None:
        """Ends it without sending what waits: for a peer that does not take it."""
        self._writer.transport.abort()
