"""A worker that is killed while its runs hold permits: they go on holding them, end elsewhere, and give them back."""

from __future__ import annotations

from shike.limit.gates import permit_of
from shike.model import State
from tests import bounded
from tests.fault.test_kill import Site

PATIENCE = 90.0  # seconds after which it is stuck, however busy the machine
CAP, RUNS = 2, 10


def test_permits_of_a_killed_worker_are_held_by_its_runs_and_come_back_with_their_ends(site: Site) -> None:
    """R0.9, P1, P3: killed with SIGKILL in mid-run; never more than the cap are under way, and all of them succeed."""
    site.start("node")
    victim = site.start("worker", slots=CAP)
    ids = site.submit("limited", [{"n": n, "seconds": 0.3} for n in range(RUNS)])
    site.until(lambda: site.notes("begin"), "nothing was let in", PATIENCE)
    bounded.killed(victim)
    site.start("worker", slots=10)
    site.until(lambda: all(site.ended(one) for one in ids), "permits did not come back", PATIENCE)
    for run_id in ids:
        ended = site.ended(run_id)
        assert ended is not None and ended.state is State.SUCCESS
    under_way: set[int] = set()
    for line in site.notes_file.read_text().splitlines():
        word, n, *_ = line.split()
        if word == "begin":
            under_way.add(int(n))  # the killed one's, too: it holds its permit until it ends elsewhere
        elif word == "end":
            under_way.discard(int(n))
        assert len(under_way) <= CAP, under_way
    assert site.ask(lambda store: store.holders(permit_of("limited", "concurrency", {}))) == []
