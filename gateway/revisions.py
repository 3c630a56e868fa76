"""resourceVersions of where a cluster was before mean nothing where it is now: who comes with one lists anew.

A watch that goes on from such a version would silently miss what it should tell. So what this API cannot have given out
is answered as it answers itself what it has forgotten: 410, reason Expired.
"""

import base64
import binascii
import json
from collections import OrderedDict
from dataclasses import dataclass
from datetime import datetime
from hashlib import sha256
from typing import Final, Protocol, TypeVar
from urllib.parse import parse_qs, quote
from uuid import UUID

from gateway.answers import Refused
from gateway.heads import Head
from gateway.resources import Doing
from gateway.targets import Origin, Target

_ASKED_FOR: Final = ("resourceVersion", "continue")
_MOST_REMEMBERED: Final = 20_000
_DIGITS: Final = 19
K = TypeVar("K")


class Asked(Protocol):
    """The API server (gateway/upstream.py), as far as it is asked here."""

    async def revision(self, path: str) -> int | None: ...


@dataclass(frozen=True)
class Wanted:
    """The version that a request names. `exact`: it goes on from there; else anything newer does as well."""

    revision: int
    exact: bool


@dataclass(frozen=True)
class Asking:
    """A request for objects by somebody; `who` tells clients apart that have the same User-Agent."""

    head: Head
    what: Doing
    target: Target
    who: str

    @property
    def collection(self) -> str:
        """The path of all objects of this kind and namespace."""
        what = self.what
        parts = ["apis", what.group, what.version] if what.group else ["api", what.version]
        if what.namespace and what.resource != "namespaces":
            parts += ["namespaces", what.namespace]
        return "/" + "/".join(quote(part, safe="") for part in (*parts, what.resource))

    def client(self, origin: Origin) -> bytes:
        """Who asks for what, since the cluster is here: what each watch of the same client repeats."""
        named = parse_qs(self.head.query.decode("latin-1"))
        selected = [str(named.get(name)) for name in ("labelSelector", "fieldSelector")]
        agent = self.head.header(b"user-agent").decode("latin-1")
        here = (str(self.target.placement), origin.since.isoformat(), self.collection)
        return sha256("\0".join((*here, self.who, agent, *selected)).encode()).digest()


class Revisions:
    """One a process. `retain`: seconds after a move for which clients may still come with what they had before."""

    def __init__(self, retain: float) -> None:
        self._retain = retain
        self._newest: OrderedDict[tuple[UUID, str], int] = OrderedDict()
        self._told: OrderedDict[bytes, int] = OrderedDict()

    async def check(self, asking: Asking, api: Asked, *, now: datetime) -> None:
        """Refused (410) for a version that is not this API's. Other errors are those of `api`."""
        origin = asking.target.origin
        if origin is None or (now - origin.since).total_seconds() > self._retain:
            return
        wanted = wanted_revision(asking.what, asking.head.query.decode("latin-1"))
        if asking.what.verb == "list" and not (wanted and wanted.exact) and not 0 < origin.foreign < origin.first:
            client = asking.client(origin)
            _remember(self._told, client, self._told.get(client, 0))  # what it watches from now on is of here
        if wanted is not None and await self._foreign(wanted, asking, origin, api):
            raise _expired(wanted, asking)

    async def _foreign(self, wanted: Wanted, asking: Asking, origin: Origin, api: Asked) -> bool:
        old = wanted.revision < origin.first
        if old and not wanted.exact:
            return False  # everything here is newer
        if not old and wanted.revision > origin.foreign > 0:
            return False
        newest = await self._newest_of(asking, api, enough=origin.first if old else wanted.revision)
        if newest is None:
            return False  # the API server says itself what is wrong with the request
        if wanted.revision > newest:
            return True
        if old:  # an API server of the tenant's own, behind the virtual one, counts by itself
            return newest >= origin.first
        return wanted.exact and self._first_time(asking.client(origin), wanted.revision)

    async def _newest_of(self, asking: Asking, api: Asked, *, enough: int) -> int | None:
        """What was given out of the collection so far: as asked now, or as once seen where that is enough to know."""
        key = (asking.target.placement, asking.collection)
        newest = self._newest.get(key, -1)
        if newest >= enough:
            return newest
        told = await api.revision(asking.collection)
        if told is not None:
            _remember(self._newest, key, max(told, self._newest.get(key, -1)))
        return told

    def _first_time(self, client: bytes, revision: int) -> bool:
        """Both APIs may have given it out. Who has not listed here yet is told to, and knows from then on."""
        told = self._told.get(client)
        if told is None:
            _remember(self._told, client, revision)
        return told is None or told == revision


def wanted_revision(what: Doing, query: str) -> Wanted | None:
    """The version that a request for objects names; None where it names none."""
    if what.verb not in ("get", "list", "watch") or not what.resource or what.subresource:
        return None
    if not any(word in query for word in _ASKED_FOR):
        return None
    named = {name: values[0] for name, values in parse_qs(query).items()}
    if "continue" in named:
        revision = _continued(named["continue"])
        return None if revision is None else Wanted(revision, exact=True)
    text = named.get("resourceVersion", "")
    if not (text.isascii() and text.isdigit() and len(text) <= _DIGITS and int(text)):
        return None
    if what.verb == "watch":
        exact = named.get("sendInitialEvents", "").lower() not in ("1", "t", "true")
    else:
        exact = named.get("resourceVersionMatch") == "Exact"
    return Wanted(int(text), exact)


def _continued(token: str) -> int | None:
    """The version that a list goes on at; None where that is the newest, or where it cannot be read."""
    try:
        said = json.loads(base64.urlsafe_b64decode(token + "=" * (-len(token) % 4)))
        revision = int(said["rv"])
    except (binascii.Error, ValueError, TypeError, KeyError):
        return None
    return revision if revision > 0 else None


def _remember(kept: OrderedDict[K, int], key: K, revision: int) -> None:
    kept[key] = revision
    kept.move_to_end(key)
    if len(kept) > _MOST_REMEMBERED:
        kept.popitem(last=False)


def _expired(wanted: Wanted, asking: Asking) -> Refused:
    name, shown = asking.target.name, wanted.revision
    sentence = f"{name} was moved to another host, where its versions up to then, such as {shown}, are not known."
    # an API server answers a watch in the watch itself; who wants that in another form than JSON is told before it
    accept = asking.head.header(b"accept").split(b",")[0].split(b";")[0].strip()
    as_event = asking.what.verb == "watch" and not asking.head.upgrade and accept in (b"", b"*/*", b"application/json")
    return Refused(410, f"{sentence} List anew.", why="expired", reason="Expired", as_event=as_event)
