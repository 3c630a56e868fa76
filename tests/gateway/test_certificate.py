"""A certificate that is renewed on disk is what the next connection meets, without a restart."""

import os
import ssl
from pathlib import Path

from gateway.certificate import Certificate
from localkube.pki import Authority


def served(certificate: Certificate, authority: Authority) -> str:
    """The serial number that a client sees; both ends in memory."""
    trust = ssl.create_default_context(cafile=authority.certificate_file)
    one, other = ssl.MemoryBIO(), ssl.MemoryBIO()
    client = trust.wrap_bio(one, other, server_hostname="localhost")
    server = certificate.context.wrap_bio(other, one, server_side=True)
    for _ in range(4):
        for side in (client, server):
            try:
                side.do_handshake()
            except ssl.SSLWantReadError:
                continue
    shown = client.getpeercert()
    assert shown
    return str(shown["serialNumber"])


def issued(authority: Authority, moment: float) -> tuple[Path, Path]:
    files = authority.issue_files("gateway", "localhost", hosts=["localhost"])
    for file in files:
        os.utime(file, (moment, moment))
    return files


def test_a_renewed_certificate_is_taken_and_half_a_one_is_not(tmp_path: Path) -> None:
    authority = Authority(tmp_path, "test")
    certificate = Certificate(*issued(authority, 1000))
    first = served(certificate, authority)
    certificate.renew()
    assert served(certificate, authority) == first

    key = (tmp_path / "gateway.key").read_bytes()
    files = issued(authority, 2000)
    renewed_key = files[1].read_bytes()
    files[1].write_bytes(key)  # the key comes a moment later
    certificate.renew()
    assert served(certificate, authority) == first
    files[1].write_bytes(renewed_key)
    certificate.renew()
    assert served(certificate, authority) != first
