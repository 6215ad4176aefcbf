"""Filter and mapping: decided from the message alone, by data and not by code; what does not fit says where and why."""

from __future__ import annotations

import json
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from shike import Shike
from shike.bounds import JSON_DEPTH_MAX
from shike.connect import (
    ANEW,
    Field,
    Fixed,
    Map,
    Message,
    Pick,
    absent,
    at_least,
    at_most,
    between,
    like,
    one_of,
    present,
)
from shike.connect.bounds import BODY_BYTES_MAX
from shike.connect.conditions import View, Where
from shike.errors import BadArguments, BadInput, TooLarge

app = Shike("memory://")


@app.task
async def ship(order: int, to: str = "home", gift: bool = False) -> None: ...


def view(body: Any, **fields: Any) -> View:
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    return View(Message(fields.pop("id", "m1"), raw, fields.pop("topic", "orders.cn.paid"), fields))


ORDER = {"id": 7, "total": 120.5, "state": "paid", "buyer": {"tier": "gold"}, "lines": [{"sku": "a"}], "gift": True}


@pytest.mark.parametrize(
    ("wanted", "holds"),
    [
        ({}, True),
        ({"state": "paid"}, True),
        ({"state": "open"}, False),
        ({"state": one_of("open", "paid"), "total": at_least(120.5)}, True),
        ({"state": "paid", "total": at_least(121)}, False),
        ({"total": at_most(120)}, False),
        ({"total": between(100, 200)}, True),
        ({"buyer.tier": like("g*d"), "lines.0.sku": "a"}, True),
        ({"lines.1.sku": present()}, False),
        ({"lines.1": absent(), "buyer": present()}, True),
        ({"gift": 1}, False),  # JSON's true is not 1
        ({"id": True}, False),
        ({"gift": at_least(0)}, False),
        ({"state": at_least(0)}, False),
        ({"id": like("7")}, False),
        ({"$topic": like("orders.*.paid"), "$topic.1": "cn", "$id": "m1"}, True),
        ({"$headers.trace": present()}, False),
        ({"state.deeper": absent(), "lines.sku": absent(), "lines.-1": absent()}, True),
    ],
)
def test_a_filter_holds_where_all_its_conditions_do(wanted: dict[str, Any], holds: bool) -> None:
    assert Where(wanted).holds(view(ORDER)) is holds


def test_a_filter_on_the_envelope_needs_no_json() -> None:
    assert Where({"$topic": like("orders.*"), "$headers.kind": "raw"}).holds(view(b"\xff", kind="raw"))
    with pytest.raises(BadInput, match="no JSON"):
        Where({"state": "paid"}).holds(view(b"\xff"))


@pytest.mark.parametrize("path", ["", ".", "a..b", "$nothing", "$ids", None, 7, "a." * JSON_DEPTH_MAX + "a"])
def test_what_is_no_path_is_refused_at_once(path: Any) -> None:
    with pytest.raises(BadInput, match=r"path|place"):
        Where({path: 1})
    with pytest.raises(BadInput, match=r"path|place"):
        Map(args={"order": path}).check()


@pytest.mark.parametrize("body", [b"{", b"", b"\xff", b"[" * 100_000, b'{"id": NaN}'])
def test_a_body_that_is_no_json_says_so(body: bytes) -> None:
    with pytest.raises(BadInput, match="no JSON"):
        Map().call(view(body), ship)


def test_a_body_over_its_bound_is_not_even_read() -> None:
    with pytest.raises(TooLarge):
        Map().call(view(b" " * (BODY_BYTES_MAX + 1)), ship)


def test_without_a_mapping_the_body_is_the_arguments() -> None:
    assert msgspec.json.decode(Map().call(view({"order": 7, "gift": True}), ship).payload) == {"order": 7, "gift": True}
    for body in ([7], 7, None, "order"):
        with pytest.raises(BadArguments, match="JSON object"):
            Map().call(view(body), ship)


def test_a_mapping_takes_arguments_key_queue_and_band_from_the_message() -> None:
    tiers = {"gold": 0, "silver": 2}
    mapping = Map(
        args={"order": "id", "to": Field("address", "shop"), "gift": Fixed(True)},
        key="id",
        queue=Pick("buyer.tier", {"gold": "express"}, default="default"),
        band=Pick("buyer.tier", tiers, default=3),
    )
    call = mapping.call(view(ORDER), ship)
    assert msgspec.json.decode(call.payload) == {"order": 7, "to": "shop", "gift": True}
    assert (call.how.key, call.how.queue, call.how.band) == ("7", "express", 0)
    call = mapping.call(view({"id": 8, "buyer": {"tier": "root"}}), ship)
    assert (call.how.queue, call.how.band) == ("default", 3), "a sender chooses only what is listed"


@pytest.mark.parametrize(
    ("mapping", "words"),
    [
        (Map(args={"order": "number"}), "nothing at number"),
        (Map(args={"order": "state"}), "do not fit"),
        (Map(args={"number": "id"}), "cannot be called so"),
        (Map(args={"order": "id"}, band=Pick("state", {"open": 1})), "one of open"),
        (Map(args={"order": "id"}, band=Fixed(8)), "band=8"),
        (Map(args={"order": "id"}, band="total"), "band"),
        (Map(args={"order": "id"}, queue="buyer"), "queue"),
        (Map(args={"order": "id"}, key="gift"), "neither a text"),
        (Map(args={"order": "id"}, key="nothing"), "no key"),
    ],
)
def test_what_does_not_fit_is_told_by_its_place(mapping: Map, words: str) -> None:
    with pytest.raises(BadInput, match=words):
        mapping.call(view(ORDER), ship)


def test_an_identity_comes_from_the_message_or_is_asked_for() -> None:
    assert Map().identity(view(ORDER)) == "m1"
    assert Map(id="id").identity(view(ORDER)) == "7"
    assert Map(id=ANEW).identity(view(ORDER, id="")) == ""
    with pytest.raises(BadInput, match="id=ANEW"):
        Map().identity(view(ORDER, id=""))
    with pytest.raises(BadInput, match="neither a text"):
        Map(id="gift").identity(view(ORDER))


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=8,
)


@given(json_values, st.sampled_from([Map(), Map(args={"order": "order", "to": "to"}, key="order", band="to")]))
def test_any_json_is_a_call_or_a_refusal(body: Any, mapping: Map) -> None:
    try:
        mapping.call(view(body), ship)
    except BadInput as error:
        assert str(error)


def test_nothing_in_a_message_is_evaluated() -> None:
    text = "__import__('os').system('false')"
    call = Map(args={"order": Fixed(1), "to": "to"}).call(view({"to": text}), ship)
    assert msgspec.json.decode(call.payload)["to"] == text
