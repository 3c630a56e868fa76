"""`python -m localkube`: start, stop and list local hosts, and build their tools."""

import argparse
import os
import sys
from collections.abc import Sequence
from pathlib import Path

from localkube.errors import LocalKubeError
from localkube.hosts import LocalKube, tools_from_text
from localkube.tools import ensure_tools, tools_folder


def default_folder() -> Path:
    state = os.environ.get("XDG_STATE_HOME") or Path.home() / ".local" / "state"
    return Path(state) / "marina" / "localkube"


def main(arguments: Sequence[str] | None = None) -> int:
    options = _parser().parse_args(arguments)
    try:
        return int(options.run(options) or 0)
    except LocalKubeError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="localkube", description=__doc__)
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    folder = argparse.ArgumentParser(add_help=False)
    folder.add_argument("--folder", type=Path, default=default_folder(), help="where hosts keep their data")

    start = commands.add_parser("start", parents=[folder], help="start hosts, which then run on their own")
    start.add_argument("names", nargs="+", metavar="NAME")
    start.add_argument("--audit", action="store_true", help="the API server writes audit.log")
    start.set_defaults(run=_start)
    stop = commands.add_parser("stop", parents=[folder], help="stop hosts; their data stays")
    stop.add_argument("names", nargs="*", metavar="NAME")
    stop.add_argument("--all", action="store_true")
    stop.set_defaults(run=_stop)
    listing = commands.add_parser("list", parents=[folder], help="list the hosts that run")
    listing.set_defaults(run=_list)
    config = commands.add_parser("kubeconfig", parents=[folder], help="print the admin's kubeconfig of a host")
    config.add_argument("name", metavar="NAME")
    config.set_defaults(run=_kubeconfig)
    commands.add_parser("tools", help="find or build the tools, print their folder").set_defaults(run=_tools)
    _add_supervise(commands.add_parser("supervise", parents=[folder], help="be one host (used by start)"))
    return parser


def _add_supervise(supervise: argparse.ArgumentParser) -> None:
    supervise.add_argument("name", metavar="NAME")
    supervise.add_argument("--tools", required=True)
    supervise.add_argument("--parent", type=int)
    supervise.add_argument("--audit", action="store_true")
    supervise.set_defaults(run=_supervise)


def _report(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


def _kube(options: argparse.Namespace) -> LocalKube:
    return LocalKube(folder=options.folder)


def _start(options: argparse.Namespace) -> None:
    kube = LocalKube(folder=options.folder, tools=ensure_tools(_report))
    for host in kube.start_all(options.names, bound=False, audit=options.audit):
        print(f"{host.name}\t{host.server}\t{host.kubeconfig}")


def _stop(options: argparse.Namespace) -> None:
    if bool(options.names) == options.all:
        raise LocalKubeError("Say which hosts to stop: their names, or --all.")
    kube = _kube(options)
    if options.all:
        kube.stop_all()
    for name in options.names:
        kube.stop(name)


def _list(options: argparse.Namespace) -> None:
    for host in _kube(options).list():
        print(f"{host.name}\t{host.server}\t{host.kubeconfig}")


def _kubeconfig(options: argparse.Namespace) -> None:
    running = {host.name: host for host in _kube(options).list()}
    if options.name not in running:
        raise LocalKubeError(f"No host named {options.name!r} runs; these do: {', '.join(running) or 'none'}.")
    print(running[options.name].kubeconfig.read_text(), end="")


def _tools(options: argparse.Namespace) -> None:
    ensure_tools(_report)
    print(tools_folder() / "bin")


def _supervise(options: argparse.Namespace) -> int:
    from localkube.hostfolder import HostFolder  # only this command needs the heavy half of the package
    from localkube.supervisor import Plan, supervise

    folder = HostFolder(options.folder / options.name)
    return supervise(Plan(folder, tools_from_text(options.tools), options.audit, options.parent))


if __name__ == "__main__":
    sys.exit(main())
