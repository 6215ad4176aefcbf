"""What the shelves on SQL servers share: two tables, for questions that nobody has thought of yet.

select pages.ledger, min(lefts.left_over) from reserve_pages pages join reserve_lefts lefts using (ledger)
where pool = 'second' and segment between 3 and 7 group by ledger having min(lefts.left_over) < 5
"""

from __future__ import annotations

from typing import Final

from shike.reserve.relational_link import RelationalLink
from shike.reserve.shelf.base import Left, Page

VERSIONS: Final = "select ledger, version from {ns}_pages"
EMPTY: Final = "delete from {ns}_lefts where ledger = {0}"
LEFT: Final = (
    "select min(left_over), count(*), (select version from {ns}_pages where ledger = {0}) from {ns}_lefts"
    " where ledger = {1} and pool = {2} and segment >= {3} and segment < {4}"
)
AS_OF: Final = "select at from {ns}_looked"
CLEAR: Final = ("delete from {ns}_pages", "delete from {ns}_lefts", "delete from {ns}_looked")


class RelationalShelf(RelationalLink):
    """Keeps the promises of `Shelf` in the tables of one server, beside whatever else is there. A question is one
    statement, and sees a page whole; two that put one ledger's page wait for each other at its row."""

    looked_sql: str

    async def versions(self) -> dict[str, int]:
        return dict(await self._do(lambda: self._query(self._sql(VERSIONS))))

    async def put(self, page: Page) -> bool:
        return await self._insist(lambda: self._transaction(lambda: self._put(page)))

    async def left(self, ledger: str, pool: str, start: int, end: int) -> Left | None:
        rows = await self._do(lambda: self._query(self._sql(LEFT), ledger, ledger, pool, start, end))
        least, count, version = rows[0]
        return Left(least, version) if count and count == end - start else None

    async def looked(self, at: int) -> None:
        await self._insist(lambda: self._query(self._sql(self.looked_sql), at))

    async def as_of(self) -> int:
        rows = await self._do(lambda: self._query(self._sql(AS_OF)))
        return int(rows[0][0]) if rows else 0

    async def clear(self) -> None:
        await self._insist(lambda: self._transaction(self._clear))

    async def _put(self, page: Page) -> bool:
        if not await self._turn(page):
            return False
        await self._query(self._sql(EMPTY), page.ledger)
        await self._write(page)
        return True

    async def _clear(self) -> None:
        for text in CLEAR:
            await self._query(self._sql(text))

    async def _turn(self, page: Page) -> bool:
        """Lock the page's row, and give it the new version, if that is newer; whether it is."""
        raise NotImplementedError

    async def _write(self, page: Page) -> None:
        """A row for each segment."""
        raise NotImplementedError
