"""What worker and child say to each other survives the way."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shike.attempts import Failure, Fault, Frame, LogLine, Tail, UserStep
from shike.bounds import FRAME_BYTES_MAX
from shike.errors import BadInput, TooLarge
from shike.worker import frames
from tests.unit.worker.calls import RUN

numbers = st.integers(0, 2**63 - 1)
texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
steps = st.lists(st.builds(UserStep, texts, numbers, numbers, numbers, texts), max_size=3).map(tuple)
tails = st.builds(Tail, numbers, st.lists(st.builds(LogLine, numbers, texts, texts), max_size=3).map(tuple))
failures = st.builds(
    Failure, texts, st.tuples(st.builds(Fault, texts, texts, st.tuples(st.builds(Frame, texts, numbers, texts))))
)
words = (steps, numbers, tails, numbers)
TO_CHILD = st.one_of(
    st.builds(frames.Start, texts, st.lists(texts, max_size=3)),
    st.builds(
        frames.Ask, texts, st.binary(max_size=50), st.just(RUN), numbers, numbers, numbers, numbers, st.booleans()
    ),
    st.just(frames.Stop()),
)
FROM_CHILD = st.one_of(
    st.just(frames.Ready()),
    st.builds(frames.Progress, st.binary(max_size=50)),
    st.builds(frames.Logged, tails),
    st.builds(frames.Done, *words, st.binary(max_size=50), texts),
    st.builds(frames.Refused, *words, texts, numbers, numbers),
    st.builds(frames.Failed, *words, texts, texts, st.one_of(st.none(), failures)),
)


def body_of(frame: bytes) -> bytes:
    head, body = frame[: frames.HEAD_BYTES], frame[frames.HEAD_BYTES :]
    assert frames.body_bytes(head) == len(body)
    return body


@given(TO_CHILD)
def test_what_a_worker_says_is_heard_as_it_was_said(message: frames.ToChild) -> None:
    assert frames.read_to_child(body_of(frames.pack(message))) == message


@given(FROM_CHILD)
def test_what_a_child_says_is_heard_as_it_was_said(message: frames.FromChild) -> None:
    assert frames.read_from_child(body_of(frames.pack(message))) == message


@given(st.binary(max_size=30))
def test_nonsense_is_refused_and_never_taken_for_a_message(body: bytes) -> None:
    try:
        message = frames.read_from_child(body)
    except BadInput:
        return
    assert frames.read_from_child(body_of(frames.pack(message))) == message


def test_a_child_cannot_say_what_only_a_worker_says() -> None:
    with pytest.raises(BadInput):
        frames.read_from_child(body_of(frames.pack(frames.Stop())))


def test_a_message_over_the_limit_is_refused_on_both_sides() -> None:
    with pytest.raises(TooLarge) as caught:
        frames.pack(frames.Progress(b"x" * FRAME_BYTES_MAX))
    assert caught.value.limit == FRAME_BYTES_MAX
    with pytest.raises(TooLarge):
        frames.body_bytes(b"HTTP")
