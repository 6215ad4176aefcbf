"""All commands by name, each loaded when it is asked for; and how their ends become exit codes."""

from __future__ import annotations

import logging
import os
import sys
from collections.abc import Sequence
from typing import Final

from cyclopts import App, CycloptsError

from shike import __version__
from shike.errors import BadInput, Conflict, NotFound, ShikeError, StoreError

FINE: Final = 0
FOUND: Final = 1  # the command worked, and something needs a look: a hole, a failed run, a warning
BAD_INPUT: Final = 2
STORE_TROUBLE: Final = 3
INTERRUPTED: Final = 130

COMMANDS: Final = {  # in the order in which the help shows them
    "up": ("shike.cli.up:up", "Schedule and work, in this one process."),
    "scheduler": ("shike.cli.up:scheduler", "Only plan, wake and rescue; workers run elsewhere."),
    "worker": ("shike.cli.up:worker", "Only work; schedulers run elsewhere."),
    "server": (
        "shike.cli.http:server",
        "Only answer HTTP: console and REST API; schedulers and workers run elsewhere.",
    ),
    "open": ("shike.cli.open:open_", "Print a link that signs in to the console, once."),
    "keys": ("shike.cli.keys:app", "Make, list, rotate and revoke access keys of the REST API."),
    "submit": ("shike.cli.submit:submit", "Store one run of a task."),
    "runs": ("shike.cli.runs:app", "List, show, cancel, retry, move, reroute and follow runs."),
    "explain": ("shike.cli.explain:explain", "Tell why a run went to its worker, or why it waits."),
    "approvals": ("shike.cli.approvals:app", "List what waits for a person's approval; approve or refuse it."),
    "schedules": ("shike.cli.schedules:app", "List, pause, resume, backfill, simulate and delete schedules."),
    "dead": ("shike.cli.dead:app", "List, group, replay and drop dead letters."),
    "alarms": ("shike.cli.alarms:app", "List and take over alarms, show their rules, try their channels."),
    "queues": ("shike.cli.queues:app", "List, pause and resume queues, and choose their order."),
    "pause": ("shike.cli.pauses:pause", "Hold back a queue, a task, the tasks of a tag, or a business key."),
    "resume": ("shike.cli.pauses:resume", "Let what was paused begin again."),
    "pauses": ("shike.cli.pauses:pauses", "Show what is paused, why, and until when."),
    "limits": ("shike.cli.limits:app", "List, show and change what limits the runs of tasks."),
    "pools": ("shike.cli.pools:pools", "Show the slots of worker pools: who uses them, who has reserved them."),
    "strikes": ("shike.cli.strikes:app", "Keep runs from beginning that a predicate picks; let them begin again."),
    "workers": ("shike.cli.workers:workers", "Show workers and how loaded they are; with --map as a live picture."),
    "replay-routing": ("shike.cli.replay:replay_routing", "Decide a recorded hour again by another route, offline."),
    "nodes": ("shike.cli.nodes:nodes", "Show nodes, their buckets and how late they are; and why buckets changed."),
    "cron": ("shike.cli.cron:cron", "Explain a cron expression and list its next moments."),
    "crontab": ("shike.cli.crontab:crontab", "Run an existing crontab, with history and overlap protection."),
    "audit": ("shike.cli.audit:audit", "Prove what became of every planned moment."),
    "outbox": ("shike.cli.outbox:app", "Hand over runs from an application's own database."),
    "move": ("shike.cli.move:move", "Take a live store to another one, of the same kind or another."),
    "export": ("shike.cli.archive:export", "Write all that a store holds to a file, while it lives."),
    "import": ("shike.cli.archive:import_", "Fill an empty store from an exported file."),
    "rail": ("shike.cli.rail:app", "Read a railway's timetable, search it, and sell its seats."),
    "bench": ("shike.cli.bench:app", "Compare ways of keeping timers, of waking up, and of choosing workers."),
    "config": ("shike.cli.config:app", "Show the settings and where each comes from."),
    "alive": ("shike.cli.alive:alive", "Tell whether something of this host is alive: for health checks."),
    "doctor": ("shike.cli.doctor:doctor", "Look for trouble: the store, the clock, processes, settings."),
}


def make_app() -> App:
    """The whole command line."""
    app = App(
        name="shike",
        help="The right work, at the right moment, on the right worker.",
        help_format="plaintext",
        help_epilogue="Exit codes: 0 well · 1 something found · 2 bad usage or input · 3 store trouble.",
        version=__version__,
        result_action="return_value",
        exit_on_error=False,
        print_error=False,
        suppress_keyboard_interrupt=False,
    )
    for name, (where, words) in COMMANDS.items():
        app.command(where, name=name, help=words)
    return app


def run(tokens: Sequence[str]) -> int:
    """Run one command. Errors become one sentence on stderr; with --debug the traceback follows."""
    logging.getLogger("asyncio").addFilter(_is_news)
    try:
        code = make_app()(list(tokens))
        sys.stdout.flush()
    except CycloptsError as error:
        return _tell(f"{_sentence(error)} (`shike --help` shows what there is)", BAD_INPUT)
    except ShikeError as error:
        return _tell(str(error), _code_of(error), debug="--debug" in tokens)
    except KeyboardInterrupt:
        return INTERRUPTED
    except BrokenPipeError:  # whoever read us has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return FINE
    return code if isinstance(code, int) else FINE


def _is_news(record: logging.LogRecord) -> bool:
    """Not the lost connections that a driver forgot in futures of its own: the command tells in a sentence what became
    of it."""
    error = record.exc_info[1] if record.exc_info else None
    is_a_drivers = isinstance(error, ConnectionError) or type(error).__module__.startswith("asyncpg")
    return not (is_a_drivers and record.getMessage().startswith("Future exception was never retrieved"))


def _code_of(error: ShikeError) -> int:
    if isinstance(error, BadInput | NotFound | Conflict):
        return BAD_INPUT
    return STORE_TROUBLE if isinstance(error, StoreError) else FOUND


def _tell(sentence: str, code: int, *, debug: bool = False) -> int:
    if debug:
        import traceback

        traceback.print_exc()
    from shike.cli.output import plain

    print(f"shike: {plain(sentence)}", file=sys.stderr)
    return code


def _sentence(error: CycloptsError) -> str:
    return " ".join(str(error).split())
