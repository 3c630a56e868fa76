"""A fake host in a process of its own: writes its administrator's connection as one line, ends with its input.

For tests that look at their own process, such as whether a client leaves a connection open.
"""

import sys
from pathlib import Path

from tests.fakes.host import Certificates, FakeHost

with FakeHost(Certificates(Path(sys.argv[1]))) as host:
    print(host.connection.to_json(), flush=True)
    sys.stdin.read()
