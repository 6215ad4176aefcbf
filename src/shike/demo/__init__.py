"""The app that `make up` shows: a small shop.

It has live schedules, delayed work, retries, overlap, a limit, graphs and dead letters.
"""

from shike.demo.shop import app

__all__ = ["app"]
