"""WAIT: the structures that hold what was read ahead until its moment, behind one protocol."""

from __future__ import annotations

from shike.timer.base import TimerQueue, TimerStats, Token
from shike.timer.calendar import CalendarQueue
from shike.timer.family import TIMER_NAMES, timer_queue

__all__ = ["TIMER_NAMES", "CalendarQueue", "TimerQueue", "TimerStats", "Token", "timer_queue"]
