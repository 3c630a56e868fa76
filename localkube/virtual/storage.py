"""What of a virtual cluster outlives its pod, as it would on the volume of its claim."""

import base64
import shutil
from pathlib import Path

import httpx

from localkube.pki import Authority, signing_key
from localkube.ports import free_ports, is_free


class Volume:
    """Keys in a folder and a prefix in the host's etcd, both named by the claim's uid."""

    def __init__(self, volumes: Path, uid: str) -> None:
        self.uid = uid
        self.folder = volumes / uid
        self.authority = Authority(self.folder, "kubernetes")
        self.signing_key = signing_key(self.folder / "service-accounts.key")
        self.etcd_prefix = _etcd_prefix(uid)

    def port(self) -> int:
        """The same as before when nobody took it, so that addresses handed out stay true."""
        remembered = self.folder / "port"
        port = int(remembered.read_text()) if remembered.exists() else 0
        if not port or not is_free(port):
            port = free_ports(1)[0]
            remembered.write_text(str(port))
        return port


async def forget_volume(volumes: Path, uid: str, etcd_port: int) -> None:
    """Removes every key of it from etcd, through its JSON gateway, and its folder."""
    prefix = _etcd_prefix(uid)
    body = {"key": _b64(f"{prefix}/"), "range_end": _b64(f"{prefix}0")}  # "0" comes after "/"
    async with httpx.AsyncClient(trust_env=False) as http:
        await http.post(f"http://127.0.0.1:{etcd_port}/v3/kv/deleterange", json=body)
    shutil.rmtree(volumes / uid, ignore_errors=True)


def _etcd_prefix(uid: str) -> str:
    return f"/vc-{uid}"


def _b64(text: str) -> str:
    return base64.b64encode(text.encode()).decode()
