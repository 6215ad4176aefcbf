"""Who is measured on a server: Redis or PostgreSQL, each row on an empty one (`benchmarks.brokers`).

Each peer is given the settings that made it fastest, and stands a second time as `…-safe` where its default leaves a
killed worker's runs lying for longer than a minute: with the settings that its own documents give for that.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from benchmarks.systems.spec import Spec

PEERS, PEERS_ARQ = "peers", "peers-arq"  # arq wants redis-py 5, taskiq-redis wants 8


def _redis(title: str, module: str, *, venv: str = PEERS, **words: Any) -> Spec:
    words = {"patience_seconds": 6} | words
    return Spec(title=title, module=module, group="redis", venv=venv, **words)


def _postgres(title: str, module: str, **words: Any) -> Spec:
    words = {"patience_seconds": 6} | words
    return Spec(title=title, module=module, group="postgres", venv=PEERS, bulk=True, crowd=True, **words)


def _ours(title: str, group: str, drain_runs: int) -> Spec:
    return Spec(
        title=title, module="shike_app", group=group, ours=True, bulk=True, crowd=True, settings={"store": "server"},
        drain_runs=drain_runs, crowd_runs=20_000, bulk_runs=100_000,
        patience_seconds=30,
    )  # fmt: skip


def _safe(spec: Spec, title: str, patience_seconds: float, **settings: Any) -> Spec:
    return replace(spec, title=title, patience_seconds=patience_seconds, settings={**spec.settings, **settings})


CELERY = _redis("Celery, prefork 1", "celery5", once=True, drain_runs=1_000)
RQ = _redis("RQ, SimpleWorker", "rq3", once=True, bulk=True, drain_runs=500, submit_runs=500,
         bulk_runs=5_000)  # fmt: skip
DRAMATIQ = _redis("Dramatiq, 8 threads", "dramatiq2", settings={"threads": 8})
HUEY = _redis("huey, 4 threads", "huey3", settings={"workers": 4, "poll_seconds": 0.1, "storage": "redis"})
ARQ = _redis("arq, 100 at once, poll 0.02 s", "arq0", venv=PEERS_ARQ, once=True, crowd=True, drain_runs=1_500)
SAQ = _redis("SAQ, 100 at once", "saq0", venv=PEERS_ARQ, once=True, crowd=True, drain_runs=1_500)
TASKIQ = _redis("taskiq, streams, 100 at once", "taskiq0", crowd=True)
PROCRASTINATE = _postgres("Procrastinate, 20 at once", "procrastinate3", once=True, drain_runs=600, submit_runs=300,
                          crowd_runs=300, bulk_runs=5_000)  # fmt: skip
PGQUEUER = _postgres("PgQueuer, batch 200", "pgqueuer1", drain_runs=20_000, patience_seconds=45)

PLAIN = Spec(title="plain code, one worker", module="plain", group="redis", design=True)

BROKERED: dict[str, Spec] = {
    "shike-redis": _ours("Shike, Redis", "redis", 60_000),
    "shike-redis-precise": replace(
        _ours("Shike `precise`, Redis", "redis", 60_000),
        settings={"store": "server", "preset": "precise"},
        design=True,
    ),
    "shike-postgres": _ours("Shike, PostgreSQL", "postgres", 40_000),
    "shike-mysql": _ours("Shike, MariaDB", "mysql", 20_000),
    "plain-0": replace(PLAIN, settings={"worker": 0}),
    "plain-1": replace(PLAIN, settings={"worker": 1}),
    "celery": CELERY,
    "celery-safe": _safe(CELERY, "Celery, late ack, visible again after 10 s", 30, safe=True),
    "rq": RQ,
    "rq-safe": _safe(RQ, "RQ, three tries, maintenance each 2 s", 30, safe=True),
    "dramatiq": DRAMATIQ,
    "dramatiq-safe": _safe(DRAMATIQ, "Dramatiq, dead after 5 s", 30, safe=True),
    "huey-redis": HUEY,
    "arq": ARQ,
    "arq-safe": _safe(ARQ, "arq, no job over 5 s", 30, safe=True),
    "saq": SAQ,
    "saq-safe": _safe(SAQ, "SAQ, three tries, no job over 5 s", 30, safe=True),
    "taskiq": TASKIQ,
    "taskiq-safe": _safe(TASKIQ, "taskiq, taken over after 5 s", 30, safe=True),
    "procrastinate": PROCRASTINATE,
    "procrastinate-safe": _safe(PROCRASTINATE, "Procrastinate, with a rescue of our own", 30, safe=True),
    "pgqueuer": PGQUEUER,
    "pgqueuer-safe": _safe(PGQUEUER, "PgQueuer, dead after 5 s", 30, heartbeat_seconds=5.0),
}
