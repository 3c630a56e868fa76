"""The pod syncer: copies pods to the host and tells the virtual cluster what became of them."""
from localkube.api import KubeApi
from localkube.virtual.release import Release
import asyncio
class Syncer:
    def __init__(self, release: Release, virtual: KubeApi, host: KubeApi) -> None: ...
    async def run(self) -> None:
        await asyncio.Event().wait()
