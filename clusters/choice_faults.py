"""Whether what somebody chose, before an upgrade or a move, is among what can be chosen."""

from collections.abc import Mapping

from accounts.errors import FieldError


def choice_faults(chosen: Mapping[str, str], known: Mapping[str, Mapping[str, str]]) -> list[FieldError]:
    """One for each choice that there is not, and for each option that cannot be chosen, with those that can."""
    return [
        FieldError(
            field=f"choices.{name}",
            message=f"{option} cannot be chosen for {name}." if name in known else "There is no such choice.",
            accepted=f"one of {', '.join(known.get(name, known))}",
        )
        for name, option in chosen.items()
        if option not in known.get(name, ())
    ]
