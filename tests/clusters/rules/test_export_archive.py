"""The files that somebody gets of an export: another cluster takes them, in the order in which kubectl reads them."""

import io
import tarfile
from datetime import UTC, datetime
from typing import Any

import yaml

from clusters.exports.archive import FILE_BYTES, FILE_OBJECTS, archive, as_applied

WHEN = datetime(2026, 11, 26, 10, 0, tzinfo=UTC)


def item(kind: str, name: str = "x", version: str = "v1", **more: Any) -> dict[str, Any]:
    meta = {"name": name, "namespace": "shop", **more.pop("meta", {})}
    return {"apiVersion": version, "kind": kind, "metadata": meta, **more}


def unpacked(objects: list[dict[str, Any]]) -> dict[str, str]:
    manifest = {"counts": {"v1/ConfigMap": len(objects)}}
    packed = b"".join(archive(iter(objects), manifest, folder="shop-1", name="acme/payments/shop", when=WHEN))
    with tarfile.open(fileobj=io.BytesIO(packed), mode="r:gz") as tar:
        assert {each.mode for each in tar} == {0o600}
        return {each.name: tar.extractfile(each).read().decode() for each in tar}  # type: ignore[union-attr]


def test_files_stand_in_the_order_in_which_they_depend_on_each_other():
    kinds = [
        item("ValidatingWebhookConfiguration", version="admissionregistration.k8s.io/v1"),
        item("Train", version="example.com/v1"),
        item("Deployment", version="apps/v1"),
        item("Secret"),
        item("ServiceAccount"),
        item("Namespace"),
        item("CustomResourceDefinition", version="apiextensions.k8s.io/v1"),
    ]
    names = sorted(name.partition("/")[2] for name in unpacked(kinds))
    assert [name.split("-")[1] for name in names if name.endswith(".yaml")] == [
        "CustomResourceDefinition.apiextensions.k8s.io",
        "Namespace",
        "ServiceAccount",
        "Secret",
        "Train.example.com",
        "Deployment.apps",
        "ValidatingWebhookConfiguration.admissionregistration.k8s.io",
    ]


def test_many_of_a_kind_are_parted_and_none_is_lost():
    many = [item("ConfigMap", f"map-{number}") for number in range(2 * FILE_OBJECTS + 1)]
    files = {name: text for name, text in unpacked(many).items() if name.endswith(".yaml")}
    assert sorted(files) == [f"shop-1/50-ConfigMap-00{number}.yaml" for number in (1, 2, 3)]
    found = [each["metadata"]["name"] for name in sorted(files) for each in yaml.safe_load(files[name])["items"]]
    assert found == [each["metadata"]["name"] for each in many]


def test_texts_that_yaml_reads_otherwise_stay_texts():
    data = {"a": "yes", "b": "0123", "c": "2026-11-26", "d": "null", "e": "two\nlines\n", "f": "ünï", "g": "1e3"}
    (text,) = (text for name, text in unpacked([item("ConfigMap", data=data)]).items() if "ConfigMap" in name)
    assert yaml.safe_load(text)["items"][0]["data"] == data


def test_what_belonged_to_the_other_cluster_is_left_out():
    server = {"uid": "1", "resourceVersion": "2", "generation": 3, "creationTimestamp": "x"}
    owner = {"ownerReferences": [{"uid": "4", "kind": "X", "name": "x"}]}
    service = item("Service", meta={**server, **owner}, spec={"clusterIP": "10.0.0.1", "ports": []}, status={"a": 1})
    assert as_applied(service) == item("Service", spec={"ports": []})
    headless = item("Service", spec={"clusterIP": "None"})
    assert as_applied(headless) == headless
    bound = {"annotations": {"pv.kubernetes.io/bind-completed": "yes", "mine": "stays"}}
    claim = item("PersistentVolumeClaim", meta=bound, spec={"volumeName": "pv-1", "accessModes": []})
    assert as_applied(claim) == item(
        "PersistentVolumeClaim", meta={"annotations": {"mine": "stays"}}, spec={"accessModes": []}
    )
    own = item("Service", version="example.com/v1", spec={"clusterIP": "10.0.0.1"})
    assert as_applied(own) == own, "somebody's own kind means something else by it"


def test_large_objects_are_parted_as_well_for_a_file_is_made_in_memory():
    many = [item("ConfigMap", f"map-{number}", data={"a": "x" * 1_000_000}) for number in range(20)]
    files = {name: text for name, text in unpacked(many).items() if name.endswith(".yaml")}
    assert len(files) > 1
    assert max(map(len, files.values())) < FILE_BYTES + 2_000_000
    found = [each["metadata"]["name"] for name in sorted(files) for each in yaml.safe_load(files[name])["items"]]
    assert found == [each["metadata"]["name"] for each in many]


def test_a_kind_of_any_name_leads_out_of_no_folder():
    names = set(unpacked([item("../../../.ssh/keys", version="e/v1"), item("A B", version="../x/v1")]))
    assert all(name.count("/") == 1 and ".." not in name.split("/") for name in names)


def test_a_job_is_taken_by_another_cluster_which_gives_it_a_selector_of_its_own():
    uids = {"controller-uid": "u-1", "batch.kubernetes.io/controller-uid": "u-1"}
    template = {"metadata": {"labels": {**uids, "job-name": "once", "app": "web"}}, "spec": {"containers": []}}
    job = item(
        "Job",
        version="batch/v1",
        meta={"labels": uids},
        spec={"selector": {"matchLabels": {"batch.kubernetes.io/controller-uid": "u-1"}}, "template": template},
    )
    applied = as_applied(job)
    assert "selector" not in applied["spec"]
    assert applied["spec"]["template"]["metadata"]["labels"] == {"job-name": "once", "app": "web"}
    assert not applied["metadata"].get("labels")
    assert job["spec"]["template"] == template, "what was exported stays as it was"
    own = {"manualSelector": True, "selector": {"matchLabels": {"x": "y"}}, "template": {"spec": {}}}
    assert as_applied(item("Job", version="batch/v1", spec=own))["spec"] == own


def test_ports_of_nodes_are_given_anew():
    spec = {"ports": [{"port": 80, "nodePort": 30080}], "healthCheckNodePort": 31000, "type": "LoadBalancer"}
    assert as_applied(item("Service", spec=spec))["spec"] == {"ports": [{"port": 80}], "type": "LoadBalancer"}
