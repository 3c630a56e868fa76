"""Exports in a bucket of an S3-compatible storage."""

from typing import Any

from botocore.config import Config
from storages.backends.s3 import S3Storage


class ExportBucket(S3Storage):  # type: ignore[misc]
    """An object is there once its upload is complete; one that breaks off is ended by the library.

    A storage that does not answer is given up after some seconds: the step that writes is tried again.
    """

    def __init__(self, **options: Any) -> None:
        given = {name: value for name, value in options.items() if value}
        client = Config(
            connect_timeout=5,
            read_timeout=30,
            retries={"max_attempts": 2},
            signature_version="s3v4",
            # a server of one's own has no name for each bucket
            s3={"addressing_style": "path" if given.get("endpoint_url") else "auto"},
            # older servers know none of the checksums that the library adds since 2025
            request_checksum_calculation="when_required",
            response_checksum_validation="when_required",
        )
        super().__init__(
            **given, client_config=client, file_overwrite=True, default_acl=None, max_memory_size=16 * 1024 * 1024
        )
