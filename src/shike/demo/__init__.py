"""The app that `make up` shows: a small shop with live schedules, delayed work, retries, overlap and a dead letter."""

from shike.demo.shop import app

__all__ = ["app"]
