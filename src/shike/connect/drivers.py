"""Which driver a broker needs, and the extra that brings it. They are loaded on use, but missed at once."""

from __future__ import annotations

from importlib.util import find_spec

from shike.errors import BadBrokerURL


def need(broker: str, driver: str, extra: str) -> None:
    """Raises `BadBrokerURL` where the driver is not installed."""
    if find_spec(driver) is None:
        raise BadBrokerURL(f"{broker} needs its driver {driver}: pip install 'shike[{extra}]'")
