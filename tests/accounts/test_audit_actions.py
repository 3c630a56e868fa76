"""Every action that is written to the audit log is told to webhooks, or is left out here on purpose."""

import re
from pathlib import Path

from accounts.services.audit_events import _TYPES
from accounts.webhook_event_types import EVENT_TYPES

ROOT = Path(__file__).parents[2]

NOT_TOLD = {
    # told by what comes of them: clusters that sleep, wake and are warned of
    "lifecycle-policy.create",
    "lifecycle-policy.delete",
    "lifecycle-policy.update",
    "upgrade-policy.create",
    "upgrade-policy.delete",
    "upgrade-policy.update",
    "sleep-schedule.create",
    "sleep-schedule.delete",
    "sleep-schedule.update",
    "cleanup.stop",
    "cleanup.resume",
    # told by the operation that sees it through
    "virtualcluster.adopt",
    "virtualcluster.configure",
    "virtualcluster.delete",
    "virtualcluster.export",
    "virtualcluster.sleep",
    "virtualcluster.migrate",
    "virtualcluster.migrate-preflight",
    "virtualcluster.recover",
    "virtualcluster.wake",
    "virtualcluster.restore",
    "virtualcluster.upgrade",
    "host.connect",
    "host.credential",
    "operation.abort",
    "operation.retry",
    # of one person, and of no organization
    "sign-in",
    "sign-out",
    "device-login.allow",
    "device-login.deny",
    "user.activate",
    "user.create",
    "user.deactivate",
    "user.identity.connect",
    "user.identity.disconnect",
    "user.password",
    "user.recovery-code.use",
    "user.recovery-codes.renew",
    "user.second-factor.remove",
    "user.second-factor.set-up",
    "user.session.revoke",
    "user.update",
    # of tokens, of each use and of the platform: for auditors
    "break-glass.use",
    "gatewaytoken.create",
    "gatewaytoken.revoke",
    "gatewaytoken.rotate",
    "gatewaytoken.shorten",
    "token.create",
    "token.federate",
    "token.revoke",
    "token.shorten",
    "virtualcluster.export.read",
    "virtualcluster.export.remove",
    "virtualcluster.kubeconfig.admin",
    "virtualcluster.kubeconfig.view",
    "discoveredcluster.ignore",
    "discoveredcluster.unignore",
    "region-offer.create",
    "region-offer.delete",
    # told as notifications, or as the roles that follow
    "join-request.create",
    "join-request.accepted",
    "join-request.declined",
    "join-request.withdrawn",
    "group-mapping.create",
    "group-mapping.delete",
    "group-mapping.update",
    "group-mapping.kept",
    "group-mapping.not-given",
    "team.create",
    "team.delete",
    "team.update",
    "organization.create",
    "organization.delete",
    "organization.update",
    "project.create",
    "project.delete",
    "project.update",
    # of an invitation's link, which events do not tell
    "invitation.mail",
    "invitation.resend",
    # of webhooks themselves
    "webhook.create",
    "webhook.delete",
    "webhook.disable",
    "webhook.redeliver",
    "webhook.secret",
    "webhook.update",
}

_SERVICES = ("accounts/services", "accounts/oidc", "clusters/services", "provisioning")
_WRITTEN = re.compile(
    r"(?:audit\w*|_told|role_remove)\((?:[^()]|\([^()]*\))*?"  # the call, and what stands before the name
    r'(f?)"([a-z]+(?:-[a-z]+)*(?:\.[a-z{][^"]*)?)"'
)
_NAME = re.compile(r"(?:[a-z-]+\.)[a-z.-]+|sign-in|sign-out")


def written() -> set[str]:
    """Names of actions in calls that write rows. Of those that are put together, what they can become."""
    found: set[str] = set()
    for folder in _SERVICES:
        for path in (ROOT / folder).rglob("*.py"):
            for put_together, name in _WRITTEN.findall(path.read_text()):
                if put_together:
                    prefix = name.partition("{")[0]
                    found |= {each for each in NOT_TOLD | set(_TYPES) if each.startswith(prefix)}
                elif _NAME.fullmatch(name):
                    found.add(name)
    return found


def test_every_audited_action_is_an_event_or_left_out_on_purpose():
    assert written() - set(_TYPES) - NOT_TOLD == set()


def test_no_event_waits_for_an_action_that_nothing_writes():
    assert set(_TYPES) - written() == set()
    assert not set(_TYPES) & NOT_TOLD
    assert set(_TYPES.values()) <= set(EVENT_TYPES)
