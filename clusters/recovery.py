"""What the operations `recover` and `quarantine` keep in their params."""

from typing import Final

LOST_HOST: Final = "lost_host"
"""The name of the host that was lost."""
EMPTY: Final = "empty"
"""Whether it may come back empty where nothing tells what was in it."""
KEPT: Final = "kept"
"""The placement that it comes back to, with all that is in it; gone where it is made again from an export."""
GONE: Final = "gone"
"""That nothing of it was found on its host."""
