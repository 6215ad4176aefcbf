"""What the server takes at most, each with its reason. Units stand last in the name."""

from __future__ import annotations

from typing import Final

# One request.
BODY_BYTES_MAX: Final = 1024 * 1024  # a run with the largest arguments, sixteen times over
BULK_BYTES_MAX: Final = 16 * 1024 * 1024  # bulks and acknowledgements of whole batches
BULK_RUNS_MAX: Final = 1_000  # of one bulk: one atomic step of a few milliseconds, so that others get their turn
GRAPH_NODES_MAX: Final = 1_000  # of one graph sent as JSON: what a person or an agent writes; programs have `app.graph`
PLAN_RUNS_MAX: Final = 200  # that depend on each other in one bulk: each is remembered by its id
ACKS_MAX: Final = 1_000  # of one request, as in one step of a worker of our own
PAGE_MAX: Final = 500  # of one page of a list
PAGE: Final = 50
WAIT_SECONDS_MAX: Final = 30.0  # of a long poll: proxies cut connections that are silent for a minute
HEADER_CHARS_MAX: Final = 200  # of an idempotency key: it becomes a part of a business key

# Who asks.
KEY_BYTES: Final = 32  # of chance in an access key: 256 bits need no slow hash
KEYS_MAX: Final = 1_000  # people and programs have one each; more wants an identity provider
KEY_REMEMBERED_SECONDS: Final = 2.0  # a key that was revoked elsewhere works for so long here
KEYS_REMEMBERED_MAX: Final = 10_000
ROTATION_SECONDS: Final = 24 * 3600.0  # the old secret works beside the new one for a day
REQUESTS_PER_SECOND: Final = 2_000.0  # of one key, unless the key says otherwise; a loop that went wild, not a program
REFUSALS_PER_SECOND: Final = 5.0  # of one address that shows no valid key: guessing 256 bits is hopeless, and cheap
REFUSALS_BURST: Final = 20.0
METERS_MAX: Final = 10_000  # keys and addresses with a meter at once
SIGN_IN_SECONDS: Final = 12 * 3600.0  # a day's work; then a person shows the key again
LINK_SECONDS: Final = 600.0  # from a terminal into a browser, by hand and over a slow connection
SIGN_INS_MAX: Final = 10_000  # browsers at once

# What goes on.
STREAMS_MAX: Final = 500  # listeners at once; each has a connection and a queue
STREAM_EVENTS_MAX: Final = 1_000  # that wait for one slow reader; then it is told that some were lost
STREAM_PAUSE_SECONDS: Final = 15.0  # between two signs of life on a silent stream
WAITERS_MAX: Final = 2_000  # long polls at once
GRANTS_KEPT: Final = 100_000  # claimed runs that are known without asking the store: 65 MB at most
GRANT_ARGS_BYTES: Final = 128  # longer arguments are not kept with them: making a run without costs more than these
SESSION_LEASE_SECONDS_MIN: Final = 5.0  # a beat over HTTP may well be a second late
SESSION_LEASE_SECONDS_MAX: Final = 3_600.0
METRICS_SECONDS: Final = 2.0  # counts are read at most so often, however many scrape them

# The log.
LOG_SEGMENT: Final = 1_000  # entries that are read at once
LOG_CHARS_MAX: Final = 2_000  # of what one entry tells of before and after
LOG_SUM_SECONDS: Final = 10.0  # what is only counted is written so often
LOG_SUMS_MAX: Final = 10_000  # (key, route) pairs counted at once
LOG_TRIES: Final = 50  # of one entry, while other servers write theirs
