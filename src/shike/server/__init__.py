"""The outside door: HTTP for people, for programs and for workers in any language (R2.1, R3.14).

`table` says what there is, who may, and by which rule; nothing is served that does not stand there. `web` makes a
Litestar application of it, `serving` listens. `keys`, `limits` and `log` guard it; `runs`, `schedules`, `letters`,
`queues`, `fleet`, `proofs`, `access`, `health`, `streams` and `workers` are the rooms behind the door: plain async
functions from an `Ask` to an answer, over the same `shike.operate` as the command line.
"""
