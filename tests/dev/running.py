"""Looking at the processes of this machine: which still belong to a folder, and what they listen on."""

from pathlib import Path


def processes_of(folder: Path) -> dict[int, str]:
    """Processes (no zombies) whose command line, environment or working folder names `folder`, by id."""
    found = {}
    for entry in Path("/proc").glob("[0-9]*"):
        try:
            command = (entry / "cmdline").read_bytes()
            # a program may write over the first two to show its state
            said = command + (entry / "environ").read_bytes() + bytes((entry / "cwd").readlink())
        except OSError:
            continue
        if command and str(folder).encode() in said:
            found[int(entry.name)] = command.replace(b"\0", b" ").decode(errors="replace")
    return found


def listening_addresses(pids: list[int]) -> set[str]:
    """The IPv4 and IPv6 addresses (as in /proc, hexadecimal) on which these processes listen."""
    sockets = {inode for pid in pids for inode in _sockets(pid)}
    lines = [
        line.split() for file in ("tcp", "tcp6") for line in Path(f"/proc/net/{file}").read_text().splitlines()[1:]
    ]
    return {columns[1].split(":")[0] for columns in lines if columns[3] == "0A" and columns[9] in sockets}


def _sockets(pid: int) -> list[str]:
    try:
        targets = [str(file.readlink()) for file in Path(f"/proc/{pid}/fd").iterdir()]
    except OSError:
        return []
    return [target[len("socket:[") : -1] for target in targets if target.startswith("socket:[")]
