"""A real S3 server over a folder, which can be stopped and started again."""

import subprocess
from pathlib import Path
from typing import Any

import boto3
import httpx
from botocore.config import Config

from dev.waiting import wait_until
from localkube.lifetime import dies_with_parent
from localkube.ports import free_ports
from tests.canaries import canary

ACCESS_KEY = "marina-tests"
SECRET_KEY = canary("s3-secret-key-of-the-tests-5d1c", "the secret key of the storage for exports")
BUCKET = "exports"


class S3Server:
    """Runs from `start` to `stop`; what it keeps is in the folder."""

    def __init__(self, program: Path, folder: Path) -> None:
        self._program, self._folder = program, folder
        self.port = free_ports(1)[0]
        self.url = f"http://127.0.0.1:{self.port}"
        self._process: subprocess.Popen[bytes] | None = None
        for name in ("data", "metadata"):
            (folder / name).mkdir(parents=True)

    def start(self) -> None:
        options = ["--port", f"127.0.0.1:{self.port}", "--health", "/health", "--quiet"]
        backend = ["posix", "--sidecar", str(self._folder / "metadata"), str(self._folder / "data")]
        self._process = subprocess.Popen(
            [self._program, *options, *backend],
            env={"ROOT_ACCESS_KEY": ACCESS_KEY, "ROOT_SECRET_KEY": SECRET_KEY},
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            preexec_fn=dies_with_parent(),
        )
        wait_until(self._answers, seconds=20, what="the S3 server did not answer")

    def stop(self) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None

    def bucket_make(self) -> None:
        self.client().create_bucket(Bucket=BUCKET)

    def object_names(self) -> list[str]:
        """Of all objects."""
        found = self.client().list_objects_v2(Bucket=BUCKET)
        return [str(each["Key"]) for each in found.get("Contents") or []]

    def client(self) -> Any:
        return boto3.client(
            "s3",
            endpoint_url=self.url,
            region_name="us-east-1",
            aws_access_key_id=ACCESS_KEY,
            aws_secret_access_key=SECRET_KEY,
            config=Config(s3={"addressing_style": "path"}),
        )

    def storage(self, **options: str) -> dict[str, Any]:
        """What STORAGES says of it."""
        given = {
            "bucket_name": BUCKET,
            "endpoint_url": self.url,
            "region_name": "us-east-1",
            "location": "marina",
            "access_key": ACCESS_KEY,
            "secret_key": SECRET_KEY,
        }
        return {"BACKEND": "clusters.exports.bucket.ExportBucket", "OPTIONS": {**given, **options}}

    def _answers(self) -> bool:
        try:
            return httpx.get(f"{self.url}/health", timeout=2, trust_env=False).is_success
        except httpx.TransportError:
            return False
