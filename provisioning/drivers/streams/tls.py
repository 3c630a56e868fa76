"""TLS over any ByteStream, from either side.

asyncio's own needs a transport beneath it and takes 256 KiB a connection for itself; this takes what is on its way.
"""

import contextlib
import ssl
from typing import Final

from provisioning.drivers.streams.byte_stream import CHUNK, ByteStream

_RECORDS: Final = 16
"""TLS records that are taken at once, at most."""
_ENDED: Final = (ssl.SSLZeroReturnError, ssl.SSLEOFError)


class TlsStream:
    """A ByteStream; `handshake` comes first. A peer that ends without TLS's own goodbye has ended all the same:

    what is carried (HTTP's framing) tells whether something is missing.
    """

    def __init__(
        self,
        below: ByteStream,
        context: ssl.SSLContext,
        *,
        server_side: bool = False,
        server_hostname: str | None = None,
    ) -> None:
        self._below = below
        self._incoming, self._outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        self._tls = context.wrap_bio(
            self._incoming, self._outgoing, server_side=server_side, server_hostname=server_hostname
        )
        self._ended = False

    async def handshake(self) -> None:
        """Raises ssl.SSLError (an OSError) where it does not come about, ConnectionError where the peer goes away."""
        while True:
            try:
                self._tls.do_handshake()
            except ssl.SSLWantReadError:
                self._flush()
                await self._below.drain()
                if not await self._take():
                    raise ConnectionResetError("The connection ended during the TLS handshake.") from None
            except ssl.SSLError:
                self._flush()  # the alert that tells the peer why
                raise
            else:
                self._flush()
                return

    @property
    def protocol(self) -> str | None:
        """What ALPN agreed on."""
        return self._tls.selected_alpn_protocol()

    async def read(self) -> bytes:
        while not self._ended:
            if data := self._readable():
                return data
            self._flush()  # an answer of TLS itself, such as to a new key
            if not self._ended and not await self._take():
                self._ended = True
        return b""

    def _readable(self) -> bytes:
        """What can be read without waiting. One read gives one record of 16 KiB at most, and often more are there."""
        parts: list[bytes] = []
        try:
            while len(parts) < _RECORDS:
                data = self._tls.read(CHUNK)
                if not data:
                    self._ended = True
                    break
                parts.append(data)
        except ssl.SSLWantReadError:
            pass
        except _ENDED:
            self._ended = True
        return b"".join(parts)

    async def _take(self) -> bool:
        raw = await self._below.read()
        self._incoming.write(raw)
        return bool(raw)

    def write(self, data: bytes | bytearray | memoryview) -> None:
        if len(data):
            self._tls.write(data)
            self._flush()

    def _flush(self) -> None:
        if self._outgoing.pending:
            self._below.write(self._outgoing.read())

    async def drain(self) -> None:
        await self._below.drain()

    def close(self) -> None:
        """Says TLS's goodbye, and does not wait for the answer."""
        if not self._ended:
            self._ended = True
            with contextlib.suppress(ssl.SSLError):  # it waits for the answer, or the handshake was not over
                self._tls.unwrap()
            with contextlib.suppress(OSError):
                self._flush()
        self._below.close()
