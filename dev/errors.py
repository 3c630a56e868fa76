"""The one error of this package: a sentence for whoever typed the command."""


class DevError(Exception):
    """Something the user can act on; its text is a whole sentence and names the thing it is about."""
