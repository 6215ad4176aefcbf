"""For tests of programs that use Shike: the real engine, in virtual time, on a store in memory.

    def test_an_unpaid_order_is_cancelled_after_half_an_hour():
        with shike.testing.harness(app) as h:
            orders.place(7)                      # submits cancel_unpaid.in_("30m")
            h.advance("29m")
            assert orders.state(7) == "open"
            h.advance("1m")
            assert orders.state(7) == "cancelled"

Nothing sleeps: a week takes as long as the work in it. Sync handlers run one after the other, and a `time.sleep` in
one is real: it holds virtual time up for so long, each time it runs. `asyncio.sleep` passes at once.
"""

from __future__ import annotations

from shike.testing.harness import Harness, harness
from shike.testing.loop import VirtualLoop

__all__ = ["Harness", "VirtualLoop", "harness"]
