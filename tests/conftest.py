"""What holds for every test."""

from __future__ import annotations

from hypothesis import settings

settings.register_profile("shike", deadline=None)  # these machines are shared and noisy: no test is timed
settings.load_profile("shike")
