"""The people of the demo: made by `manage.py demo_data`, with passwords that are shown once and stored nowhere."""

import json
from dataclasses import dataclass, field

from dev.stack import Stack


@dataclass(frozen=True)
class Person:
    """Somebody who can log in."""

    handle: str
    role: str
    """What they are, in words."""
    password: str = field(repr=False)


@dataclass(frozen=True)
class DemoPeople:
    """Who there is, and the project they share as ORGANIZATION/NAME."""

    project: str
    staff: Person
    admin: Person
    developer: Person

    @property
    def everybody(self) -> tuple[Person, ...]:
        """For lists."""
        return self.staff, self.admin, self.developer


def demo_people_make(stack: Stack) -> DemoPeople:
    """Makes what is missing of them, and gives each a new password."""
    made = json.loads(stack.manage("demo_data"))
    people = {name: Person(**made[name]) for name in ("staff", "admin", "developer")}
    return DemoPeople(project=made["project"], **people)
