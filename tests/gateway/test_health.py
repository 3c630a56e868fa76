"""What a gateway says of itself to probes."""

import asyncio

from gateway.database import DatabaseAway
from gateway.health import Readiness


class Books:
    """A database that answers, or not."""

    away = False

    async def look(self) -> None:
        if self.away:
            raise DatabaseAway("It says nothing.")


def test_a_gateway_is_ready_while_its_database_answers() -> None:
    books = Books()
    ready = Readiness(books.look)
    assert ready() == "starting"
    asyncio.run(ready.look())
    assert ready() == ""
    books.away = True
    asyncio.run(ready.look())
    assert ready() == "the database does not answer"
    books.away = False
    asyncio.run(ready.look())
    assert ready() == ""


def test_a_gateway_that_stops_never_says_again_that_it_is_ready() -> None:
    ready = Readiness(Books().look)
    asyncio.run(ready.look())
    ready.stop()
    assert ready() == "stopping"
    asyncio.run(ready.look())
    assert ready() == "stopping"
