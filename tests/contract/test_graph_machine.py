"""Any words in any order, graphs among them: every store frees and ends children as the model does (R2.14)."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import initialize, rule, run_state_machine_as_test
from msgspec.structs import replace

from shike.ids.runs import BUCKET_BITS
from shike.model import OnParent, State
from shike.store.children import gate_of
from shike.store.guards import Choose, Entry
from shike.store.verbs import Ack, Claimed, Move
from shike.track.graph import Edge, ordered, ties_of
from tests.contract.stores import STORES, demand
from tests.contract.test_machine import FAIL, PHASES, QUEUES, Words, shrink_for_seconds
from tests.contract.test_portable import Movers

__all__ = ["shrink_for_seconds"]

BRANCHES = ("", "", "", "x", "y")
EXAMPLES = 40  # of each kind: the words without graphs are played more often, in `test_machine.py`
COMES_BACK = (State.FAILED, State.SCHEDULED)

edge = st.tuples(st.integers(0, 6), st.sampled_from(OnParent), st.sampled_from(BRANCHES))
node = st.tuples(st.lists(edge, max_size=3), st.sampled_from([0.0, 0.0, 0.0, 5.0]), st.sampled_from([b"", b"", FAIL]))


class GraphWords(Words):
    """The words of the contract, and graphs. What is said of several runs at once is said one by one where some of them
    come back: which of two failures a child is told of first is each store's own, then."""

    @initialize()
    def begin(self) -> None:
        super().begin()
        self.gates: list[str] = []
        ask = self.twins.ask

        def one_by_one(verb: str, *args: Any, **fields: Any) -> Any:
            if verb != "settle" or not any(ack.state in COMES_BACK for ack in args[1]):
                return ask(verb, *args, **fields)
            return [answer for ack in args[1] for answer in ask(verb, args[0], [ack])]

        self.twins.ask = one_by_one  # type: ignore[method-assign]

    @rule(nodes=st.lists(node, min_size=2, max_size=7), repeat=st.booleans(), after=st.sampled_from([0.0, 0.0, 3.0]))
    def submit_graph(
        self, nodes: list[tuple[list[tuple[int, OnParent, str]], float, bytes]], repeat: bool, after: float
    ) -> None:
        edges = [
            [Edge(parent % number, on, when) for parent, on, when in listed] if number else []
            for number, (listed, _, _) in enumerate(nodes)
        ]
        assert ordered(edges, [str(number) for number in range(len(edges))])
        graph = (len(self.ids) + 1) << BUCKET_BITS
        ties = ties_of(graph, edges, [approval for _, approval, _ in nodes])
        entries = [
            Entry(
                self.new_run(
                    queue=QUEUES[0],
                    ties=tie,
                    gate=gate_of(graph) if tie.after or tie.approval_seconds else "",
                    options=options,
                ),
                delay_seconds=after,
            )
            for tie, (_, _, options) in zip(ties, nodes, strict=True)
        ]
        self.gates.append(gate_of(graph))
        self.twins.ask("submit", entries)
        if repeat:
            self.twins.ask("submit", entries, repeat=True)

    def ack(self, claimed: Claimed, state: State, traced: bool, insert: bool, died: bool) -> Ack:
        told = super().ack(claimed, state, traced, insert and not claimed.run.ties, died)
        if claimed.run.ties and state is State.SUCCESS and traced:
            return replace(told, effects=(Choose(("x",)),))
        return told

    @rule(which=st.integers(0, 20))
    def approve(self, which: int) -> None:
        if not self.gates:
            return
        waiting = self.twins.ask("gate_waiters", self.gates[which % len(self.gates)], 10)
        moves = [Move(run_id=one.run_id, version=one.version, to=State.SCHEDULED, run_at=self.now) for one in waiting]
        self.twins.ask("move", moves)

    def teardown(self) -> None:
        for gate in getattr(self, "gates", ()):
            self.twins.ask("gate_waiters", gate, 1000)
        super().teardown()


class GraphMovers(GraphWords, Movers):
    """And now and then everything moves to another store."""


def play(base: type[Words], *kinds: str, steps: int) -> None:
    for kind in kinds:
        demand(kind)
    machine = type("Graphs", (base,), {"kinds": kinds})
    run_state_machine_as_test(
        machine,
        settings=settings(
            max_examples=EXAMPLES,
            stateful_step_count=steps,
            deadline=None,
            phases=PHASES,
            suppress_health_check=list(HealthCheck),
        ),
    )


def test_the_reference_model_keeps_its_promises() -> None:
    play(GraphWords, "memory", steps=40)


@pytest.mark.parametrize("kind", sorted(set(STORES) - {"memory", "redis-cluster"}))
def test_every_store_answers_as_the_reference_model_does(kind: str) -> None:
    play(GraphWords, "memory", kind, steps=40)


@pytest.mark.parametrize("kind", sorted(set(STORES) - {"memory", "redis-cluster"}))
def test_a_graph_that_moves_to_another_store_goes_on_there(kind: str) -> None:
    play(GraphMovers, "memory", kind, steps=30)
