"""Objects whose kinds a cluster does not serve yet, or cannot give at the moment: they wait, and stop nothing else."""

from collections.abc import Iterator

import pytest

from provisioning.drivers.kinds import CONFIG_MAP, Json, Kind
from provisioning.drivers.kube import KubeClient
from provisioning.drivers.transport import connection_open
from provisioning.engine.errors import StepError, TemporaryError
from provisioning.exports.comparing import compared, found_again
from provisioning.exports.making import Maker, NotYet, Outcome, Way
from provisioning.exports.progress import Progress
from provisioning.exports.restoring import restore_plan
from tests.fakes.host import Certificates, FakeHost
from tests.provisioning.exports.samples import obj

OWN = "flowers.example.com"
ROSE = obj(f"{OWN}/v1", "Rose", "red", "default", spec={"petals": 5})
SERVER = obj(
    "apiregistration.k8s.io/v1",
    "APIService",
    f"v1.{OWN}",
    spec={"group": OWN, "version": "v1", "service": {"name": "flowers", "namespace": "default"}},
)
SETTINGS = obj("v1", "ConfigMap", "settings", "default", data={"a": "1"})
WAY = Way(mark="0123456789ab", overwrite=False)


class Halting(KubeClient):
    """A client of a fake server that does not give some things."""

    def halt(self, error: StepError | None, *, lists: str = "") -> None:
        self.error, self.lists = error, lists

    def resources(self, api_version: str) -> list[Json]:
        if self.error and api_version.startswith(OWN):
            raise self.error
        return super().resources(api_version)

    def list(self, kind: Kind, *args: object, **options: object) -> list[Json]:
        if kind.kind == self.lists:
            raise TemporaryError("conversion webhook failed: no endpoints available", code="server-error")
        return super().list(kind, *args, **options)  # type: ignore[arg-type]


@pytest.fixture
def kube(certificates: Certificates) -> Iterator[Halting]:
    with FakeHost(certificates) as fake, connection_open(fake.connection, target="virtual cluster shop") as api:
        client = Halting(api)
        client.halt(None)
        yield client


def test_what_an_api_server_inside_serves_waits_until_that_is_there(kube):
    plan = restore_plan([ROSE, SERVER])
    rose = next(each for each in plan.wanted if each.key.kind == "Rose")
    with pytest.raises(NotYet) as caught:
        Maker(kube, plan, WAY).make(rose)
    assert (caught.value.alone, caught.value.otherwise.outcome) == (True, Outcome.REFUSED)
    alone = restore_plan([ROSE])
    assert Maker(kube, alone, WAY).make(alone.wanted[0]).outcome == Outcome.REFUSED


def test_an_api_server_inside_that_does_not_answer_keeps_nothing_else_from_being_restored(kube):
    kube.halt(TemporaryError("the server is currently unable to handle the request", code="server-error"))
    plan = restore_plan([ROSE])
    with pytest.raises(NotYet) as caught:
        Maker(kube, plan, WAY).make(plan.wanted[0])
    assert caught.value.alone
    kube.halt(TemporaryError("It cannot be reached.", code="unreachable"))
    with pytest.raises(TemporaryError, match="reached"):
        Maker(kube, plan, WAY).make(plan.wanted[0])


def test_a_kind_that_cannot_be_read_again_is_told_and_the_others_are_compared(kube):
    secret = obj("v1", "Secret", "door", "default", data={"a": "YQ=="}, type="Opaque")
    plan, progress = restore_plan([SETTINGS, secret]), Progress()
    for number, each in enumerate(plan.wanted):
        progress.note(number, Maker(kube, plan, WAY).make(each))
    kube.halt(None, lists="Secret")
    found = found_again(kube, plan)
    result = compared(plan, progress, found, unread=found.unread)
    assert result.counts["equal"] == 1
    (entry,) = result.listed
    assert (entry["object"], entry["what"]) == ("Secret default/door", "missing")
    assert "conversion webhook failed" in entry["why"]
    kube.halt(None)
    found = found_again(kube, plan)
    assert compared(plan, progress, found, unread=found.unread).counts["equal"] == 2


def test_only_what_was_exported_is_kept_of_what_is_there(kube):
    kube.create({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "other", "namespace": "default"}})
    plan = restore_plan([SETTINGS])
    Maker(kube, plan, WAY).make(plan.wanted[0])
    assert [key.name for key in found_again(kube, plan)] == ["settings"]
    assert len(kube.list(CONFIG_MAP, "default")) > 1
