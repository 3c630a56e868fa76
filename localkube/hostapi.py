"""The host's own API server: its credentials and its command line."""

import secrets

from localkube import commands, kubeconfig
from localkube.api import ApiError, KubeApi
from localkube.hostfolder import HostFolder, HostState
from localkube.pki import Authority, signing_key, write_private
from localkube.tools import HOST_VERSION, Tools

_AUDIT_POLICY = "apiVersion: audit.k8s.io/v1\nkind: Policy\nomitStages: [RequestReceived]\nrules: [{level: Metadata}]\n"


def admin_token(folder: HostFolder) -> str:
    """Made once: kubeconfigs in use name it."""
    path = folder.pki / "admin-token"
    if not path.exists():
        write_private(path, secrets.token_hex(32).encode())
    return path.read_text()


def write_kubeconfig(folder: HostFolder, state: HostState, authority: Authority) -> None:
    text = kubeconfig.with_token(
        name=folder.name, server=state.server, authority=authority.certificate, token=admin_token(folder)
    )
    write_private(folder.kubeconfig, text.encode())


def apiserver_command(
    folder: HostFolder, state: HostState, authority: Authority, tools: Tools, *, audit: bool
) -> commands.Command:
    certificate, key = authority.issue_files("apiserver", "kube-apiserver", hosts=["127.0.0.1", "localhost"])
    folder.config.mkdir(exist_ok=True)
    tokens, policy = folder.config / "tokens.csv", folder.config / "audit-policy.yaml"
    write_private(tokens, f'{admin_token(folder)},admin,admin,"system:masters"\n'.encode())
    policy.write_text(_AUDIT_POLICY)
    server = commands.ApiServer(
        binary=tools.kube_apiservers[HOST_VERSION],
        port=state.ports.api,
        etcd_port=state.ports.etcd,
        etcd_prefix="/host",
        certificate=certificate,
        key=key,
        client_authority=authority.certificate_file,
        signing_key=signing_key(folder.pki / "service-accounts.key"),
    )
    return [*commands.apiserver(server), *commands.host_apiserver_extras(folder, tokens, policy if audit else None)]


async def controllers_work(api: KubeApi) -> bool:
    """Before this ServiceAccount is there, no pod can be created."""
    try:
        await api.get("/api/v1/namespaces/default/serviceaccounts/default")
    except ApiError:
        return False
    return True
