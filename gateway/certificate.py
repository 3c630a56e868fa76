"""The gateway's own certificate, which is renewed while it runs."""

import ssl
from pathlib import Path
from typing import Self

import structlog
from django.conf import settings

log = structlog.get_logger(__name__)


class Certificate:
    """PEM files and the TLS context made of them. New connections get what `renew` has read last."""

    def __init__(self, certificate: Path, key: Path) -> None:
        self._files = (certificate, key)
        self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.context.minimum_version = ssl.TLSVersion.TLSv1_2
        self.context.set_alpn_protocols(["http/1.1"])
        self._changed = self._times()
        self.context.load_cert_chain(*self._files)

    @classmethod
    def of_settings(cls) -> Self | None:
        """None where a proxy before the gateway ends TLS."""
        if not settings.GATEWAY_TLS_CERT:
            return None
        certificate = Path(settings.GATEWAY_TLS_CERT)
        return cls(certificate, Path(settings.GATEWAY_TLS_KEY or certificate))

    def renew(self) -> None:
        """Reads the files again where they changed. While they do not fit each other the old ones go on."""
        if (now := self._times()) == self._changed:
            return
        try:
            # a key that does not fit would leave a context without any certificate: tried on another one first
            ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_cert_chain(*self._files)
            self.context.load_cert_chain(*self._files)
        except (OSError, ssl.SSLError) as error:
            log.warning("the gateway's new certificate cannot be used yet", file=str(self._files[0]), error=str(error))
            return
        self._changed = now
        log.info("the gateway's certificate was renewed", file=str(self._files[0]))

    def _times(self) -> tuple[float, ...]:
        try:
            return tuple(file.stat().st_mtime for file in self._files)
        except OSError:  # in the middle of being replaced
            return ()
