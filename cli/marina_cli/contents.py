"""The commands by what they are about, in the order in which people need them, each told in a line."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

import click

from marina_cli.commands.audit import audit
from marina_cli.commands.break_glass import break_glass
from marina_cli.commands.cleanup import cleanup, extend
from marina_cli.commands.clusters import cluster_get, cluster_list, cluster_protect, cluster_unprotect
from marina_cli.commands.configure import configure
from marina_cli.commands.contexts import context, use_project
from marina_cli.commands.create import create
from marina_cli.commands.credential import credential
from marina_cli.commands.delete import cluster_delete
from marina_cli.commands.discovered import discovered
from marina_cli.commands.export import export
from marina_cli.commands.federation import federation
from marina_cli.commands.group_mapping import group_mapping
from marina_cli.commands.host import host
from marina_cli.commands.idle import idle
from marina_cli.commands.inbox import inbox
from marina_cli.commands.invitations import invitation, invite
from marina_cli.commands.kubeconfig import kubeconfig
from marina_cli.commands.kubeconfigs import kubeconfigs
from marina_cli.commands.login import login, logout, whoami
from marina_cli.commands.maintenance import maintenance
from marina_cli.commands.member import member
from marina_cli.commands.migrate import migrate
from marina_cli.commands.op import op
from marina_cli.commands.options import completion, options
from marina_cli.commands.organization import organization
from marina_cli.commands.policy import policy
from marina_cli.commands.project import project
from marina_cli.commands.requests import requests, uses
from marina_cli.commands.restore import restore
from marina_cli.commands.role import role
from marina_cli.commands.rollout import rollout
from marina_cli.commands.schedule import schedule
from marina_cli.commands.second_factor import second_factor
from marina_cli.commands.service_account import service_account
from marina_cli.commands.sessions import session_group
from marina_cli.commands.sharing import share, shares, unshare
from marina_cli.commands.sleeping import cluster_sleep, cluster_wake
from marina_cli.commands.static_kubeconfig import static_kubeconfig
from marina_cli.commands.team import team
from marina_cli.commands.token import token
from marina_cli.commands.transfer import ceiling, transfer
from marina_cli.commands.upgrade import upgrade
from marina_cli.commands.user import user
from marina_cli.commands.webhook import webhook


@dataclass(frozen=True)
class Section:
    """A part of `marina --help`. Lines have 55 characters at most, so that a terminal of 80 shows them whole."""

    title: str
    commands: Mapping[click.Command, str]


SECTIONS: Final = (
    Section(
        "To begin",
        {
            login: "Log in to a server",
            logout: "Forget the token, and end it on the server",
            whoami: "Who you are on which server, with your roles",
            context: "Servers you are logged in to",
            use_project: "Choose the project that commands use",
            options: "What can be chosen: versions, sizes, hosts",
            completion: "Let your shell complete what you type",
        },
    ),
    Section(
        "Virtual clusters",
        {
            create: "Create one, or several that are alike",
            cluster_list: "List them",
            cluster_get: "Show one, with its conditions in words",
            kubeconfig: "Print a kubeconfig, or merge it into yours",
            configure: "Change one, or bring it back to what is wanted",
            cluster_delete: "Delete them with everything in them",
            cluster_protect: "Keep one from being deleted",
            cluster_unprotect: "Allow it to be deleted again",
            op: "What is being done and was done; abort and retry",
        },
    ),
    Section(
        "As time goes by",
        {
            cluster_sleep: "Put one to sleep; its state stays",
            cluster_wake: "Wake it",
            upgrade: "Upgrade Kubernetes or the chart",
            migrate: "Move one to another host cluster, and back",
            export: "Take and download exports of what is in one",
            restore: "Make a deleted one again from its newest export",
            idle: "Whether one is used, and by what that is seen",
            extend: "Keep one for longer",
            schedule: "When clusters sleep, wake and are exported",
            policy: "When unused clusters sleep and are deleted",
            cleanup: "What becomes of clusters that nobody uses",
            maintenance: "Which upgrades come by themselves, and when",
            rollout: "Upgrade or move many, wave after wave",
        },
    ),
    Section(
        "Who may use one",
        {
            share: "Give somebody a role for one cluster",
            shares: "With whom one is shared",
            unshare: "Take that away again",
            transfer: "Give it to another owner or project",
            ceiling: "The most that a kubeconfig gives inside",
            uses: "Who uses it through the gateway",
            requests: "Who asked its API for what",
            static_kubeconfig: "Kubeconfigs that hold a token themselves",
            kubeconfigs: "Who has a direct kubeconfig, and taking it away",
            credential: "A short-lived token, as kubectl asks for it",
            break_glass: "Get into one as platform staff, for a reason",
        },
    ),
    Section(
        "Organizations and people",
        {
            organization: "Organizations and their settings",
            project: "Make one, ask to join one, decide who joins",
            member: "Who has which role",
            team: "People who are given roles together",
            role: "Which roles there are, and what each may",
            invite: "Make a link that gives a role",
            invitation: "Links that were made, and accepting one",
            user: "People",
            group_mapping: "Roles for groups of the company's sign-in",
            audit: "Who did what to what",
        },
    ),
    Section(
        "You and your programs",
        {
            inbox: "What you were told",
            session_group: "Where you are signed in with a browser",
            second_factor: "A code that is asked for when you sign in",
            token: "Access tokens for scripts",
            service_account: "Programs that work in a project, such as CI",
            federation: "CI without secrets, by the tokens of its own server",
            webhook: "Addresses that are told of events",
        },
    ),
    Section(
        "Host clusters, for platform teams",
        {
            host: "Connect, watch, cordon, empty and disconnect them",
            discovered: "Virtual clusters found on them, to be adopted",
        },
    ),
)
