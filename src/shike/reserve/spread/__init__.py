"""Ledgers spread over processes: each has one writer, and whoever is asked passes a command on to it.

`owners` says which process writes which ledgers: virtual buckets of a store of Shike, leased with its epochs, so what a
dead process had is another's within three seconds. `post` is the queue in which a command waits for the writer of its
ledger (in process; `redis_post` between processes). `spread` is what one talks to. Neither lease nor queue has to hold
for anything to be right: the journal's fence refuses a second writer, and a command that is asked again is done once.
"""
