"""A railway in the simulated world: its sale is opened by a Shike schedule, its unpaid holds end by delayed runs, and
its seats stand in ledgers over one journal, whose writers overtake each other, die, sleep and have wrong clocks."""
