"""`python -m gateway.alive`: exit code 0 while the gateway on this machine answers. For containers' health checks."""

import os
import ssl
import sys
import urllib.request


def main() -> int:
    """Asks by loopback; the certificate is of another name, so it is not looked at."""
    port = os.environ.get("GATEWAY_BIND", "127.0.0.1:8443").rpartition(":")[2]
    scheme = "https" if os.environ.get("GATEWAY_TLS_CERT") else "http"
    anybody = ssl.create_default_context()
    anybody.check_hostname, anybody.verify_mode = False, ssl.CERT_NONE
    address = f"{scheme}://127.0.0.1:{port}/livez"
    try:
        with urllib.request.urlopen(address, timeout=3, context=anybody) as answer:  # noqa: S310 (our own loopback)
            return 0 if answer.status == 200 else 1
    except OSError as error:
        print(error, file=sys.stderr)
        return 1


if __name__ == "__main__":
    sys.exit(main())
