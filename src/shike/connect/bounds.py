"""The bounds of this room, each with its reason."""

from __future__ import annotations

CONNECT_SECONDS = 5.0  # to be let in by a broker
ANSWER_SECONDS = 5.0  # for one answer of it: half of a lease, as with stores
NAME_CHARS_MAX = 64  # with a prefix and all it fits a routing key of 255 bytes, and a person's eye
BODY_BYTES_MAX = 256 * 1024  # four times the largest arguments; NATS takes 1 MiB unless told otherwise
ID_CHARS_MAX = 128  # a UUID, or a short key of the sender's own
TAKEN_AT_ONCE = 100  # messages that one receiver has in hand; more would wait in its memory instead of in the broker
AGAIN_SECONDS = 1.0  # before a message that could not be taken comes again: a failing receiver must not spin
HAND_SECONDS = 30.0  # how long a message may be in hand before the broker gives it to another receiver

# RabbitMQ.
DELAY_DIGITS = 8  # hexadecimal, of milliseconds: up to 2^32 − 1, which is also the longest time to live of a queue
EXCHANGE_DELAY_MILLIS_MAX = 2**32 - 1  # the plug-in's own bound, as its pages tell

# NATS.
NAK_GATHER_SECONDS = 0.04  # each nak puts the server's timer off by 10 ms, so they are sent in bursts with gaps between
WAITING_MAX = 100_000  # messages that one consumer lets wait; behind them even a short delay is not looked at
JETSTREAM_DELAY_SECONDS_MAX = 30 * 86_400.0  # each wait is an entry in the server's memory: for far times it is wrong
FETCH_SECONDS = 5.0  # one look for messages; the next follows at once

# Redis.
REDIS_CONNECTIONS_MAX = 16  # of one object: more commands at once wait for one another here instead of there
TAKE_MAX = 100  # messages of one script: others have to get their turn
SCAN_SECONDS = 1.0  # what a lost notification costs at most
LOOK_SECONDS = 0.1  # between two looks at a sorted set that others may have put something earlier into
REDIS_DELAY_SECONDS_MAX = 10 * 366 * 86_400.0  # a decade: scores are milliseconds, exact to far beyond

# Events.
BLOCK_SECONDS = 1.0  # one look for messages where none comes: within ANSWER_SECONDS
STILL_THERE_SECONDS = 10.0  # between two looks at whether what is read from is there: no broker tells when it goes
CONSUMER_IDLE_SECONDS = 86_400.0  # of a Redis group: one that did not read for so long is a process that is gone
MQTT_KEEP_SECONDS = 7 * 86_400  # so long a broker keeps what comes for a receiver that is away
ASIDE_KEPT = 100  # bad messages of one intake; a person looks at some, a flood of them is one mistake
ASIDE_BODY_BYTES = 4 * 1024  # of each is kept: what is wrong is seen in its beginning
SIGNED_WITHIN_SECONDS = 300.0  # a webhook that was signed longer ago, or that far ahead, is a replay or a wrong clock
SECRET_BYTES_MIN = 16  # shorter ones can be guessed

# Batches.
BATCH_RUNS = 100  # calls in one message, unless told otherwise …
BATCH_RUNS_MAX = 1_000
BATCH_SECONDS = 10.0  # … which is sent at the latest so long after its first call
BATCHES_SENT_AT_ONCE = 4  # messages under way: while one is confirmed the next ones go
BATCHED_MAX = 10_000  # calls that wait in memory for a broker; more are refused

# Outlets.
OUTLET_ATTEMPTS = 20  # of telling one outcome: with pauses up to five minutes, an outage of an hour
OUTLET_PAUSE_SECONDS_MAX = 300.0
FOLLOW_SECONDS = 5.0  # between two looks at the history where nobody tells that a run ended
FOLLOW_PAUSE_SECONDS = 0.2  # between two looks where somebody does: what ends meanwhile is handed over together
FOLLOW_PAGE = 500  # ends of one look, and runs that tell in one step
FOLLOW_LATE_SECONDS = 60.0  # a step that ends runs is in the history so long after the time it has, at most
FOLLOW_NOTE_SECONDS = 10.0  # between two notes of how far one has come: a write
TOLD_SECONDS = 86_400.0  # for which an end is known as told, should the note of it be lost with its node
STREAM_LENGTH_MAX = 100_000  # entries of a Redis stream of outcomes: some 50 MB, in memory

# Waking a scheduler.
ASKED_MAX = 10_000  # words that wait to be sent to the broker: what a node reads ahead; more are not asked for
SENT_AT_ONCE = 64  # … of which so many are under way
WAKES_KEEP_SECONDS = 600.0  # of a stream: words to a node that is gone are of no use to anybody
