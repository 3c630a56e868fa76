"""Which keys of a kubeconfig Marina takes, and what it says to those that it refuses."""

TOP_KEYS = ("apiVersion", "kind", "clusters", "contexts", "current-context", "users", "preferences", "extensions")
CONTEXT_KEYS = ("cluster", "user", "namespace", "extensions")
CLUSTER_KEYS = (
    "server",
    "certificate-authority-data",
    "proxy-url",
    "tls-server-name",
    "insecure-skip-tls-verify",
    "disable-compression",
    "extensions",
)
USER_KEYS = ("token", "client-certificate-data", "client-key-data", "extensions")

INLINE = "the content itself, in `{key}-data`: `kubectl config view --minify --flatten --raw` prints it so"
CREDENTIAL = "`token`, or `client-certificate-data` with `client-key-data`"
OTHER_ROAD = "{credential}; or run `{command}` where this kubeconfig works: it makes a service account for Marina"

PROGRAM_KEYS = {
    "exec": "`exec` runs a program to get the credential. Marina runs no program that a kubeconfig names.",
    "auth-provider": "`auth-provider` needs a plugin to get the credential. Marina loads no plugin.",
}
FILE_KEYS = {
    "certificate-authority": "It names a file on another machine. Marina reads no file that a kubeconfig names.",
    "client-certificate": "It names a file on another machine. Marina reads no file that a kubeconfig names.",
    "client-key": "It names a file on another machine. Marina reads no file that a kubeconfig names.",
    "tokenFile": "It names a file on another machine. Marina reads no file that a kubeconfig names.",
}
OTHER_REFUSALS = {
    "username": "Kubernetes has had no basic authentication since 1.19.",
    "password": "Kubernetes has had no basic authentication since 1.19.",
    "as": "Marina does not act in the name of somebody else.",
    "as-uid": "Marina does not act in the name of somebody else.",
    "as-groups": "Marina does not act in the name of somebody else.",
    "as-user-extra": "Marina does not act in the name of somebody else.",
}
