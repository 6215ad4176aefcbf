"""The simulated cluster: production's engine and client in virtual time, faults by seed, and a judge.

Read in this order: `loop` (time, order, death), `clocks`, `machines` and `roles` (who runs), `faults` and `rumours`
(the way to the store), `chaos` (what goes wrong when), `workload` and `handlers` (what is asked), `watch` (what is
seen at the store's door), `oracle` and `checker` (what should be), `cluster` (one seed), `mutants` (planted bugs),
`fleet` (many seeds). `python -m tests.sim --help` says how to run it.
"""
