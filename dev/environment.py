"""The environment that Marina's processes get: what a program needs of the machine, and settings named one by one."""

import json
import os
import secrets
from collections.abc import Mapping
from pathlib import Path

from cryptography.fernet import Fernet

from dev.settings_names import settings_read

# What a program needs to find other programs, and to reach a chart repository or a cluster from here.
_OF_THE_MACHINE = (
    "PATH",
    "HOME",
    "LANG",
    "TMPDIR",
    "HTTP_PROXY",
    "HTTPS_PROXY",
    "NO_PROXY",
    "http_proxy",
    "https_proxy",
    "no_proxy",
    "SSL_CERT_FILE",
    "SSL_CERT_DIR",
    "REQUESTS_CA_BUNDLE",
)


def of_the_machine(source: Mapping[str, str] = os.environ) -> dict[str, str]:
    """The part of `source` that every child may have."""
    return {name: source[name] for name in _OF_THE_MACHINE if name in source}


def marina_settings(source: Mapping[str, str] = os.environ) -> dict[str, str]:
    """The settings of Marina that `source` holds: `make demo CHART_FOLDER=...` reaches the processes by this."""
    return {setting.name: source[setting.name] for setting in settings_read() if source.get(setting.name)}


def generated_secrets(file: Path) -> dict[str, str]:
    """DJANGO_SECRET_KEY and MARINA_ENCRYPTION_KEYS, made once and kept in `file`, which only its owner can read.

    What is encrypted in a database can be read only with the keys it was written with: they belong together.
    """
    if not file.exists():
        made = {
            "DJANGO_SECRET_KEY": secrets.token_urlsafe(50),
            "MARINA_ENCRYPTION_KEYS": Fernet.generate_key().decode(),
        }
        _write_private(file, json.dumps(made))
    read: dict[str, str] = json.loads(file.read_text())
    return read


def _write_private(file: Path, text: str) -> None:
    """By one rename, so that an interrupted write leaves nothing."""
    file.parent.mkdir(parents=True, exist_ok=True)
    partial = file.with_name(file.name + ".partial")
    partial.unlink(missing_ok=True)
    with os.fdopen(os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as output:
        output.write(text)
    partial.rename(file)
