"""Who is there and who is silent, by no clock but one's own."""

from __future__ import annotations

import msgspec
import pytest
from msgspec.structs import replace

from shike.bounds import BUCKET_LEASE_SECONDS, NODE_LOOK_SECONDS
from shike.clock import ManualClock
from shike.model import Load, Session
from shike.scheduler.peers import HEARD_SECONDS, NEWS_SECONDS, Peers, load_of
from shike.store.memory import MemoryStore


def node(number: int, kind: str = "node", beat: int = 1, load: bytes = b"") -> Session:
    words = {"name": "", "host": "", "pid": 1, "started_at": 1, "expires_at": 1, "lease_seconds": 10.0}
    return Session(id=f"n{number}", number=number, kind=kind, beat=beat, load=load, **words)  # type: ignore[arg-type]


class Eyes:
    """Looks as a node does, NODE_LOOK_SECONDS apart."""

    def __init__(self) -> None:
        self.clock = ManualClock()
        self.peers = Peers(MemoryStore(self.clock), self.clock)

    def look(self, *sessions: Session, seconds: float = NODE_LOOK_SECONDS) -> None:
        """Look at the same for so long."""
        for _ in range(round(seconds / NODE_LOOK_SECONDS)):
            self.clock.advance(NODE_LOOK_SECONDS)
            self.peers.note(sessions)


def test_workers_and_clients_are_no_nodes_and_nodes_come_in_the_order_of_their_numbers() -> None:
    eyes = Eyes()
    eyes.look(node(3), node(1, "all"), node(2, "worker"))
    assert eyes.peers.alive("n1") == ("n1", "n3")


def test_a_node_is_silent_when_its_beat_was_the_same_for_its_buckets_lease() -> None:
    eyes = Eyes()
    eyes.look(node(1), node(2), seconds=NODE_LOOK_SECONDS + BUCKET_LEASE_SECONDS - 0.1)
    assert eyes.peers.alive("n1") == ("n1", "n2") and eyes.peers.silent("n1") == ()
    eyes.look(node(1), node(2))
    assert eyes.peers.alive("n1") == ("n1",) and eyes.peers.silent("n1") == (("n2", 1),)


def test_a_node_on_a_slow_store_says_how_long_it_wants_to_be_waited_for() -> None:
    eyes = Eyes()
    slow = node(2, load=msgspec.json.encode(Load(bucket_lease_seconds=6.5)))
    eyes.look(slow, seconds=6.4)
    assert eyes.peers.silent("n1") == ()
    eyes.look(slow, seconds=0.8)
    assert eyes.peers.silent("n1") == (("n2", 1),)


def test_time_in_which_we_could_not_look_counts_against_nobody() -> None:
    """The store was away for a minute: nobody's beat has changed, and nobody is dead for that."""
    eyes = Eyes()
    eyes.look(node(2), seconds=2.0)
    eyes.clock.advance(60.0)
    eyes.look(node(2))
    assert eyes.peers.silent("n1") == ()
    eyes.look(node(2), seconds=2.0)
    assert eyes.peers.silent("n1") == (("n2", 1),)


def test_who_comes_back_from_silence_is_heard_for_a_while_before_it_is_given_something() -> None:
    eyes = Eyes()
    eyes.look(node(2), seconds=6.0)
    for beat in range(2, 12):
        eyes.look(node(2, beat=beat), seconds=0.8)
        assert eyes.peers.silent("n1") == ()
        assert eyes.peers.alive("n1") == (), "not yet"
        assert eyes.peers.alive("n1", {"n2"}) == ("n2",), "what it owns is its own"
    eyes.look(node(2, beat=12), seconds=HEARD_SECONDS - 8.0 + 0.8)
    assert eyes.peers.alive("n1") == ("n2",)


def test_a_process_that_is_provably_gone_is_silent_at_once() -> None:
    eyes = Eyes()
    eyes.peers._store.is_gone = lambda session: session == "n2"  # type: ignore[method-assign]
    eyes.look(node(1), node(2))
    assert eyes.peers.silent("n1") == (("n2", 1),)


@pytest.mark.parametrize("load", [b"", b"\xff", b"[1]", b'{"late_ms":"?"}', b'{"queues":["mail"]}'])
def test_what_cannot_be_read_tells_nothing(load: bytes) -> None:
    assert load_of(replace(node(1), load=load)) == Load()


def test_what_a_worker_told_holds_for_as_long_as_its_beat_is_news() -> None:
    eyes = Eyes()
    eyes.look(node(1), node(2, "worker"))
    assert [one.id for one in eyes.peers.tellers()] == ["n2"]
    eyes.look(node(1), node(2, "worker"), seconds=NEWS_SECONDS + NODE_LOOK_SECONDS)
    assert eyes.peers.tellers() == []
    eyes.look(node(1), node(2, "worker", beat=2))
    assert [one.beat for one in eyes.peers.tellers()] == [2]
