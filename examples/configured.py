"""Schedules that are declared here and tuned elsewhere.

Shows values from configuration in a schedule's text (`${NAME:-default}`, filled from `values`, then from the
environment), `-` which switches one off, several schedules on one function, groups, and a list of what there is.

    python examples/configured.py                                    # what is declared
    PULSE=2s shike up examples/configured.py  # the same program, livelier
"""

from __future__ import annotations

import csv
from pathlib import Path

import shike
from shike.declare import trigger_of

app = shike.Shike("sqlite:///configured.db", values={"REPORT_HOUR": "7"})


@app.task(keep_result=False)
def write(line: str) -> None:
    """One line into a file, with the moment it was planned for."""
    with Path("configured.csv").open("a", encoding="utf-8", newline="") as lines:
        csv.writer(lines).writerow([shike.current().moment, line])


# Every so often, whatever the runs do; the first one after half a minute.
app.schedule(write.bind("pulse"), every="${PULSE:-1m}", initial_delay="30s", name="pulse", group="health")

# On weekdays at seven, by a zone's clock; six fields would start with the seconds.
app.schedule(
    write.bind("report"), cron="0 ${REPORT_HOUR:-9} * * mon-fri", tz="Asia/Shanghai", name="report", group="office"
)

# The same function again, on the last day of the month.
app.schedule(write.bind("month is over"), cron="${MONTHLY:-0 18 L * *}", name="monthly", group="office")

# Off, until somebody sets ARCHIVE.
app.schedule(write.bind("archive"), cron="${ARCHIVE:--}", name="archive", group="office")


def declared() -> list[tuple[str, str]]:
    """What is declared: names, and moments in plain words."""
    return [(schedule.name, trigger_of(schedule).describe()) for schedule in app.schedules]


if __name__ == "__main__":
    for name, words in declared():
        print(f"{name:<16} {words}")
