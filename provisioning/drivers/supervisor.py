"""Runs one program that must not outlive the process that wanted it. A script: it imports nothing of ours.

PR_SET_PDEATHSIG alone would not do: it follows the thread that forked, and a worker's threads come and go. So this
process stands in between. It has one thread, and ends the program when its starter is gone, has closed its end of
the line, or was silent for too long (frozen, it may have lost its lease).

Arguments: <starter's pid> <descriptor of the line> <seconds of silence> <program> <argument>...
On the line: any byte is a sign of life, `t` asks for a SIGTERM, `k` for a SIGKILL.
It exits as the program did, with 128 + n for signal n.
"""

import contextlib
import ctypes
import os
import select
import signal
import sys

PR_SET_PDEATHSIG = 1


def start(command: list[str], unwanted: int) -> int:
    """Forks and executes. If this process should be killed, the kernel ends the program with it."""
    supervisor = os.getpid()
    pid = os.fork()
    if pid:
        return pid
    try:
        os.close(unwanted)
        os.setpgid(0, 0)
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
        if os.getppid() != supervisor:  # it died before the line above
            os._exit(137)
        os.execvp(command[0], command)  # noqa: S606
    except OSError as error:
        os.write(2, f"{command[0]}: {error.strerror}\n".encode())
    os._exit(127)


def signal_group(pid: int, number: int) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.killpg(pid, number)


def watch(program: int, starter: int, line: int, silence: float) -> None:
    """Returns when the program has ended or was told to."""
    ended = os.pidfd_open(program)
    poll = select.poll()
    for descriptor in (ended, starter, line):
        poll.register(descriptor, select.POLLIN | select.POLLHUP)
    while True:
        ready = [descriptor for descriptor, _ in poll.poll(silence * 1000)]
        if ended in ready:
            return
        said = os.read(line, 4096) if line in ready else b""
        if starter in ready or not said or b"k" in said:  # gone, closed or silent, or asked for
            signal_group(program, signal.SIGKILL)
            return
        if b"t" in said:
            signal_group(program, signal.SIGTERM)


def main() -> int:
    starter_pid, line, silence, *command = sys.argv[1:]
    starter = os.pidfd_open(int(starter_pid))
    if os.getppid() != int(starter_pid):  # it died before the line above, and its number may be another's now
        return 137
    program = start(command, int(line))
    watch(program, starter, int(line), float(silence))
    _, status = os.waitpid(program, 0)
    code = os.waitstatus_to_exitcode(status)
    return code if code >= 0 else 128 - code


if __name__ == "__main__":
    sys.exit(main())
