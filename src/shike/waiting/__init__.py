"""What waits, changed while it waits: its band, its time, its place, and whether it may begin at all (R2.5).

    app.waiting.reprioritise(run_id, band=0)
    app.waiting.pause(task="shop.mail", reason="the relay is down", until=tomorrow)

`moves` is about one run, `bulk` about all that fit, `pauses` about queues, tasks, tags and keys, `orders` about what
goes out first; `face` is what a program calls. Each change of a run compares the state and version that were seen.
"""

from shike.waiting.face import Waiting as Waiting
