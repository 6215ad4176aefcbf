"""A scenario from its beginning to its end."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.fault.real.grounds import Ground
from tests.fault.real.site import Site


@contextmanager
def scene(
    ground: Ground,
    folder: Path,
    *,
    ticks: bool = True,
    virtual_buckets: int = 1,
    disk: Path | None = None,
    port: int = 0,
) -> Iterator[Site]:
    """A site whose processes are gone afterwards, however the scenario ended. `disk`: where a file's store lies.
    `port`: the way of the scenario itself leads through a proxy there."""
    site = Site(ground, folder, ticks=ticks, disk=disk, port=port)
    try:
        site.app.use(virtual_buckets=virtual_buckets)
        site.until(lambda: site.app.client.sync(site.app.store_schedules()) or True, "the store does not open")
        yield site
    finally:
        site.close()
