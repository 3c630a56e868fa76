"""One request to an API server, its answer as JSON, its failure as a StepError."""

import json
from collections.abc import Callable, Mapping
from time import monotonic
from typing import Any, Final
from urllib.parse import urlencode

from urllib3 import BaseHTTPResponse

from provisioning.drivers.errors import NotFound, converting, response_error
from provisioning.drivers.kinds import Json
from provisioning.drivers.transport import ApiConnection
from provisioning.engine.errors import TemporaryError
from provisioning.failpoints import failpoint

JSON = "application/json"
METADATA = f"{JSON};as=PartialObjectMetadataList;g=meta.k8s.io;v=v1,{JSON}"
"""Asks for a list without what its objects hold; a server that does not know how sends them whole."""
AGGREGATED = f"{JSON};g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList,{JSON}"
"""Asks /api and /apis for every group's resources at once; a server before 1.30 answers with the groups' names."""
MERGE_PATCH = "application/merge-patch+json"
APPLY_PATCH = "application/apply-patch+yaml"  # JSON is YAML

WHOLE_SECONDS: Final = 30.0
"""What an answer that somebody else gives may take as a whole."""


def no_effect_check() -> None:
    """The default `before_effect`: for callers that hold no lease."""


class ApiCalls:
    """Sends requests; knows which of them change something.

    `before_effect` runs before each that does, and may raise to forbid it; a failpoint stands after each.
    """

    def __init__(self, api: ApiConnection, before_effect: Callable[[], None]) -> None:
        self._api = api
        self._before_effect = before_effect

    def __repr__(self) -> str:
        return f"<{type(self).__name__} of {self._api.route.target}>"

    @property
    def target(self) -> str:
        """What messages call the other side."""
        return self._api.route.target

    def _read(self, path: str, query: Mapping[str, str | int] | None = None, *, accept: str = JSON) -> Json:
        return _json(self._send("GET", path, query, accept=accept), self.target)

    def _read_or_none(self, path: str) -> Json | None:
        try:
            return self._read(path)
        except NotFound:
            return None

    def _ask(self, path: str, question: Json) -> Json:
        """A POST that changes nothing: the reviews of Kubernetes are made that way."""
        return _json(self._send("POST", path, body=question), self.target)

    def _effect(
        self,
        name: str,
        method: str,
        path: str,
        body: Any,
        *,
        query: Mapping[str, str | int] | None = None,
        content_type: str = JSON,
    ) -> Json:
        """A request that changes something. `name` is the failpoint after it."""
        self._before_effect()
        answer = self._send(method, path, query, body=body, content_type=content_type)
        failpoint(name)
        return _json(answer, self.target)

    def _send(
        self,
        method: str,
        path: str,
        query: Mapping[str, str | int] | None = None,
        *,
        body: Any = None,
        content_type: str = JSON,
        accept: str = JSON,
        act_as: tuple[str, str] | None = None,
        most: int | None = None,
    ) -> bytes:
        """The answer's body. One that is longer than `most` bytes, or takes longer than whole reads may, is refused."""
        url = self._api.route.server + path + (f"?{urlencode(query)}" if query else "")
        timeouts = self._api.route.timeouts
        headers = {**self._api.default_headers, "Content-Type": content_type, "Accept": accept}
        if act_as is not None:
            headers |= {"Impersonate-User": act_as[0], "Impersonate-Group": act_as[1]}
        library: Any = self._api.rest_client  # untyped
        with converting(self.target):
            response = library.request(
                method, url, headers=headers, body=body, _request_timeout=(timeouts.connect, timeouts.read)
            )
            content: bytes = response.read() if most is None else self._read_most(response.response, most)
        if not 200 <= response.status < 300:
            raise response_error(response.status, response.headers, content, target=self.target)
        return content

    def _read_most(self, response: BaseHTTPResponse, most: int) -> bytes:
        """For what is no API server's own answer: somebody else's may be of any length, and have no end."""
        until, content = monotonic() + WHOLE_SECONDS, bytearray()
        try:
            for part in response.stream(65536):
                content += part
                if len(content) > most or monotonic() > until:
                    message = f"What {self.target} hands on is longer than {most} bytes or takes too long."
                    raise TemporaryError(message, code="server-error")
        except BaseException:
            response.close()
            raise
        return bytes(content)


def _json(content: bytes, target: str) -> Json:
    try:
        answer = json.loads(content)
    except ValueError:
        answer = None
    if not isinstance(answer, dict):
        message = f"{target[:1].upper()}{target[1:]} answered with something that is no JSON object."
        raise TemporaryError(message, code="server-error")
    return answer
