"""The command lines of the programs, in one place to read what a local control plane is made of."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from localkube.hostfolder import HostFolder, Ports
from localkube.tools import Tools

Command = Sequence[str | Path]

NODE_LEASE_SECONDS = 40
POD_CIDR = "10.20.0.0/16"
SERVICE_CIDR = "10.96.0.0/16"

# What vcluster switches off in a virtual cluster's controller-manager: nodes and volumes are the host's affair.
_NOT_IN_A_VIRTUAL_CLUSTER = (
    "nodeipam",
    "nodelifecycle",
    "persistentvolume-binder",
    "attachdetach",
    "persistentvolume-expander",
    "cloud-node-lifecycle",
    "ttl",
)


@dataclass(frozen=True)
class ApiServer:
    """What one API server is given: who it is, where it stores, whom it believes."""

    binary: Path
    port: int
    etcd_port: int
    etcd_prefix: str
    certificate: Path
    key: Path
    client_authority: Path
    signing_key: Path


def etcd(tools: Tools, folder: HostFolder, ports: Ports) -> Command:
    client, peer = f"http://127.0.0.1:{ports.etcd}", f"http://127.0.0.1:{ports.etcd_peer}"
    return [
        tools.etcd,
        f"--data-dir={folder.etcd}",
        f"--listen-client-urls={client}",
        f"--advertise-client-urls={client}",
        f"--listen-peer-urls={peer}",
        f"--initial-advertise-peer-urls={peer}",
        f"--initial-cluster=default={peer}",
        "--unsafe-no-fsync",  # a crash of the machine may lose the host, a crash of processes does not
        "--auto-compaction-retention=5m",
        "--quota-backend-bytes=4294967296",
        "--log-level=warn",
    ]


def apiserver(server: ApiServer) -> Command:
    return [
        server.binary,
        f"--etcd-servers=http://127.0.0.1:{server.etcd_port}",
        f"--etcd-prefix={server.etcd_prefix}",
        f"--secure-port={server.port}",
        "--bind-address=127.0.0.1",
        f"--tls-cert-file={server.certificate}",
        f"--tls-private-key-file={server.key}",
        f"--client-ca-file={server.client_authority}",
        f"--service-account-key-file={server.signing_key}",
        f"--service-account-signing-key-file={server.signing_key}",
        "--service-account-issuer=https://kubernetes.default.svc",
        f"--service-cluster-ip-range={SERVICE_CIDR}",
        "--authorization-mode=RBAC",
        "--allow-privileged=true",
        "--endpoint-reconciler-type=none",  # 127.0.0.1 may not stand in the Endpoints of Service kubernetes
        "--profiling=false",
    ]


def host_apiserver_extras(folder: HostFolder, token_file: Path, audit_policy: Path | None) -> Command:
    extras: list[str] = [f"--token-auth-file={token_file}", "--kubelet-preferred-address-types=InternalIP"]
    if audit_policy:
        extras += [f"--audit-policy-file={audit_policy}", f"--audit-log-path={folder.audit_log}"]
        extras += ["--audit-log-maxsize=200", "--audit-log-maxbackup=1"]
    return extras


def virtual_apiserver_extras(kubelet_client: tuple[Path, Path], kubelet_authority: Path) -> Command:
    """How it finds its nodes' kubelet and proves to be itself there."""
    certificate, key = kubelet_client
    return [
        "--kubelet-preferred-address-types=InternalIP",
        f"--kubelet-client-certificate={certificate}",
        f"--kubelet-client-key={key}",
        f"--kubelet-certificate-authority={kubelet_authority}",
    ]


def controller_manager(tools: Tools, kubeconfig: Path, signing_key: Path, authority: Path) -> Command:
    return [
        tools.kube_controller_manager,
        f"--kubeconfig={kubeconfig}",
        f"--service-account-private-key-file={signing_key}",
        f"--root-ca-file={authority}",
        "--use-service-account-credentials",
        "--kube-api-qps=1000",  # with the usual 20 it takes 4 s to fetch its controllers' tokens
        "--kube-api-burst=1000",
        "--secure-port=0",
        "--leader-elect=false",
        "--profiling=false",
    ]


def virtual_controller_manager(tools: Tools, kubeconfig: Path, signing_key: Path, authority: Path) -> Command:
    controllers = ",".join(["*", *(f"-{name}" for name in _NOT_IN_A_VIRTUAL_CLUSTER)])
    return [*controller_manager(tools, kubeconfig, signing_key, authority), f"--controllers={controllers}"]


def scheduler(tools: Tools, kubeconfig: Path) -> Command:
    return [tools.kube_scheduler, f"--kubeconfig={kubeconfig}", "--secure-port=0", "--leader-elect=false"]


def kwok(tools: Tools, kubeconfig: Path, ports: Ports, configs: Sequence[Path]) -> Command:
    return [
        tools.kwok,
        f"--kubeconfig={kubeconfig}",
        "--manage-all-nodes=true",
        f"--node-lease-duration-seconds={NODE_LEASE_SECONDS}",
        "--node-ip=127.0.0.1",
        f"--node-port={ports.kubelet}",
        f"--server-address=127.0.0.1:{ports.kwok}",
        f"--cidr={POD_CIDR}",
        "--enable-crds=PortForward,Logs,Exec,Attach",
        *(f"--config={config}" for config in configs),
    ]
