"""The bounds of alarms, each with its reason."""

from __future__ import annotations

from typing import Final

# Looking.
LOOK_SECONDS: Final = 15.0  # between two looks: a dozen reads, and people need longer to open the message
TURN_SECONDS: Final = 1.0  # between two questions of a node whether it is its turn: it asks its own memory
SUBJECTS_MAX: Final = 50  # of one rule: if more are wrong, one thing is
ALARMS_MAX: Final = 500  # rows in the store that are read with each look
DEAD_READ: Final = 200  # dead letters, the newest by id; how many there are in all is counted apart
LIVE_READ: Final = 1_000  # live runs, the newest by id, among which those that failed are named; some 5 ms
QUEUES_READ: Final = 1_000
HALL_READ: Final = 100  # runs of a hall or a queue: the first ones wait longest
HALLS_READ: Final = 100  # of each kind, in one look
MOMENTS_BACK_SECONDS: Final = 900.0  # of the timetable, by whoever begins to watch
MOMENTS_READ: Final = 100  # of one schedule in one look, the newest
MOMENTS_STEPS_SECONDS: Final = (900.0, 6 * 3600.0, 86_400.0)  # how far back they are looked for, step by step
FINDS_MAX: Final = 500  # runs looked up in one look, of all schedules together
OPEN_MOMENTS_MAX: Final = 1_000  # that were not over when they were looked at, and are looked at again

# Telling.
REPEAT_SECONDS: Final = 4 * 3600.0  # a reminder, while nobody has taken it over
QUIET_SECONDS: Final = 300.0  # between two notices of one alarm that comes and goes
RECOVER_SECONDS: Final = 60.0  # so long the condition has to be gone
KEPT_SECONDS: Final = 7 * 86_400.0  # what is over stays in the list for a week
UNKNOWN_SECONDS: Final = 3_600.0  # an alarm whose rule nobody declares any more, while programs are exchanged
WORSE: Final = 2.0  # times as much as was told last: worth a word before the reminder
SEND_SECONDS: Final = 10.0  # one message, there and back
SEND_TRIES: Final = 8  # with pauses that double from SEND_PAUSE_SECONDS: an outage of two hours
SEND_PAUSE_SECONDS: Final = 60.0  # longer than a message takes: nobody else tells it meanwhile
GROUP_SHOWN: Final = 20  # alarms spelled out in one message; the rest is a number
WORDS_CHARS_MAX: Final = 500
CHANNELS_MAX: Final = 32  # of one app
RULES_MAX: Final = 200
UNTOLD_KEPT: Final = 8
ANSWER_BYTES_MAX: Final = 16 * 1024  # of a hook: they say ok, or what was wrong
