"""Passengers over HTTP: search, all pairs, hold, wait, pay, give back, change; refusals say why and what else (R1.1,
R1.4 – R1.7, R1.12, R1.15)."""

from __future__ import annotations

from datetime import timedelta
from typing import Any
from urllib.parse import quote

from shike.rail.payment import Notice, NoticeKind, signed
from shike.rail.selling import Openings
from shike.rail.web.bounds import SESSION_SECONDS
from tests.api.rail.railway import K1, K9, Railway, Said, at, order, person, ride, ride_along
from tests.unit.rail.shop import DAY, NOW, SECRET

SEATS = 3


def test_a_search_tells_trains_stops_classes_and_prices() -> None:
    async def story(here: Railway) -> None:
        said = await here.ask("GET", f"/search?from=A&to=C&date={DAY}")
        first = said.body["journeys"][0]["rides"][0]
        assert said.status == 200 and first["train"] == K1 and first["stops"] == ["A", "B", "C"]
        assert first["classes"][0] == {"class": "second", "left": SEATS, "plenty": False, "price_cents": 10000}
        unsold = [one["rides"][0] for one in said.body["journeys"] if one["rides"][0]["train"] == K9]
        assert {one["left"] for one in unsold[0]["classes"]} == {0}

    ride_along(story)


def test_a_search_tells_what_is_not_on_sale_and_from_when() -> None:
    """Nobody is told that there are no seats left of a train whose sale has not begun."""

    async def story(here: Railway) -> None:
        def told(said: Said) -> dict[str, Any]:
            return next(one["rides"][0] for one in said.body["journeys"] if one["rides"][0]["name"] == "K9")

        query = f"/search?from=A&to=C&date={DAY}"
        ride = told(await here.ask("GET", query))
        assert ride["state"] == "not_on_sale" and "opens_at" not in ride
        assert "not on sale" in (await here.ask("GET", f"/rail?from=A&to=C&date={DAY}")).body
        here.house._openings = Openings()
        here.clock.step(-14 * 86_400)
        ride = told(await here.ask("GET", query))
        assert ride["opens_at"] == "2026-11-07T00:00:00Z"  # 8:00 in Shanghai, 15 days before
        page = await here.ask("GET", f"/rail/trains/{quote(K9)}")
        assert "sale opens" in page.body

    ride_along(story)


def test_a_search_tells_what_is_over() -> None:
    """A day that has passed is an error; a train that has left is not "none left"."""

    async def story(here: Railway) -> None:
        here.clock.step(3 * 86_400 + 2 * 3600)  # DAY, 18:00 in Shanghai: all trains from A have left
        page = await here.ask("GET", f"/rail?from=A&to=C&date={DAY}")
        assert page.status == 200 and "sale is over" in page.body and "none left" not in page.body
        past = await here.ask("GET", f"/rail?from=A&to=C&date={DAY - timedelta(days=1)}")
        assert past.status == 422 and "is over: search from" in past.body

    ride_along(story)


def test_a_till_has_nothing_to_take_for_what_is_paid() -> None:
    async def story(here: Railway) -> None:
        token = await here.passenger()
        name = await here.buy(token, "1")
        page = await here.ask("GET", f"/rail/pay/{name}.1", token=token)
        assert page.status == 200 and "nothing to pay" in page.body and page.body.count(" disabled") == 2

    ride_along(story)


def test_a_search_finds_journeys_with_a_change_where_none_is_direct() -> None:
    async def story(here: Railway) -> None:
        said = await here.ask("GET", f"/search?from=A&to=G&date={DAY}")
        assert [len(one["rides"]) for one in said.body["journeys"]] and said.body["journeys"][0]["change_seconds"] > 0

    ride_along(story)


def test_all_pairs_of_a_train_come_at_once_with_a_tag() -> None:
    async def story(here: Railway) -> None:
        said = await here.ask("GET", at(K1, "availability?class=second"))
        assert len(said.body["pairs"]) == 6 and {one["left"] for one in said.body["pairs"]} == {SEATS}
        again = await here.ask("GET", at(K1, "availability?class=second"), if_none_match=said.headers["etag"])
        assert again.status == 304
        token = await here.passenger()
        assert (await here.hold(token, "1", "A C")).status == 201
        now = await here.ask("GET", at(K1, "availability?class=second"), if_none_match=said.headers["etag"])
        left = {(one["from"], one["to"]): one["left"] for one in now.body["pairs"]}
        assert now.status == 200 and left[0, 2] == 2 and left[2, 3] == SEATS

    ride_along(story)


def test_a_seat_map_tells_taken_segments_and_nobody() -> None:
    async def story(here: Railway) -> None:
        token = await here.passenger()
        await here.hold(token, "1", "B C")
        said = await here.ask("GET", at(K1, "seats?class=second"))
        assert sorted(one["taken"] for one in said.body["seats"]) == ["000", "000", "010"]
        assert "X01" not in str(said.body)

    ride_along(story)


def test_seats_are_held_paid_and_given_back() -> None:
    async def story(here: Railway) -> None:
        token = await here.passenger()
        held = await here.hold(token, "1")
        name = held.body["order"]
        assert held.status == 201 and held.body["state"] == "held" and held.body["trains"][0]["seats"]
        pay = await here.ask("POST", f"/orders/{name}/pay", token=token)
        payment = pay.body["page"].rpartition("/")[2]
        assert pay.body["costs_cents"] == 15000
        assert (await here.ask("POST", f"/payments/{payment}/paid", token=token)).status == 200
        assert (await here.ask("GET", f"/orders/{name}", token=token)).body["state"] == "ticketed"
        quote = await here.ask("POST", f"/orders/{name}/refund-quote", {}, token=token)
        back = await here.ask("POST", f"/orders/{name}/refund", {}, token=token)
        assert back.body["state"] == "closed" and back.body["back_cents"] == quote.body["back_cents"] > 0

    ride_along(story)


def test_seats_are_wished_for_by_name() -> None:
    async def story(here: Railway) -> None:
        token = await here.passenger()
        seats = [one["name"] for one in (await here.ask("GET", at(K1, "seats?class=second"))).body["seats"]]
        wish = f"={seats[2]}"
        held = await here.ask("POST", "/orders", {**order("1"), "seats": [wish]}, token=token)
        assert held.body["trains"][0]["seats"] == [seats[2]]
        taken = await here.ask("POST", "/orders", {**order("2"), "seats": [wish]}, token=token)
        assert taken.status == 201 and taken.body["trains"][0]["seats"] != [seats[2]], "another one, if it is gone"
        for seats_wrong in (["=99-99"], [wish, wish], [f"={seats[0]}", f"={seats[1]}"]):
            said = await here.ask("POST", "/orders", {**order("3"), "seats": seats_wrong}, token=token)
            assert (said.status, said.body["type"]) == (422, "urn:shike:problem:bad-order"), seats_wrong

    ride_along(story)


def test_the_same_key_means_the_same_order() -> None:
    async def story(here: Railway) -> None:
        token = await here.passenger()
        first = await here.hold(token, "1", idempotency_key="k")
        again = await here.hold(token, "1", idempotency_key="k")
        assert (first.status, again.status) == (201, 200) and first.body["order"] == again.body["order"]
        other = await here.hold(token, "2", idempotency_key="k")
        assert other.status == 422 and "another one" in other.body["detail"]
        shorter = await here.hold(token, "1", "A C", idempotency_key="k")
        assert shorter.status == 422 and "another one" in shorter.body["detail"]
        somebody = await here.passenger()
        assert (await here.hold(somebody, "3", idempotency_key="k")).body["order"] != first.body["order"]

    ride_along(story)


def test_who_is_refused_is_told_why_and_what_else_there_is() -> None:
    async def story(here: Railway) -> None:
        await here.fill("B C")
        token = await here.passenger()
        said = await here.hold(token, "9")
        assert said.status == 409 and said.body["reason"] == "full", said
        assert said.body["type"] == "urn:shike:problem:full"
        assert {"class": "first", "from": "A", "to": "D", "count": 1} in said.body["instead"]
        why = await here.ask("GET", at(K1, "why?class=second&from=A&to=D"))
        assert why.body["reason"] == "full" and why.body["instead"] == said.body["instead"]

    ride_along(story)


def test_before_the_sale_it_is_too_early_and_says_when() -> None:
    async def story(here: Railway) -> None:
        token = await here.passenger()
        said = await here.hold(token, "1", "D E", f"K5/{DAY}/1")
        assert said.status == 425 and said.body["reason"] == "not_on_sale"
        assert said.body["opens_at"].startswith("2026-11-19T09:00:00") and said.headers["retry-after"] == "3600"
        assert (await here.hold(token, "2", "A B", K9)).status == 425

    ride_along(story)


def test_one_person_is_not_on_two_trains_at_once() -> None:
    async def story(here: Railway) -> None:
        token = await here.passenger()
        await here.hold(token, "1")
        said = await here.hold(token, "1", "A D", f"K9/{DAY}/1")
        assert said.status == 409 and said.body["reason"] == "person"

    ride_along(story)


def test_who_waits_is_served_when_seats_come_free() -> None:
    async def story(here: Railway) -> None:
        token = await here.passenger()
        held = [(await here.hold(token, f"1{number}")).body["order"] for number in range(SEATS)]
        until = (NOW + timedelta(hours=5)).isoformat()
        body = {"train": ride(), "passengers": [person("7")], "until": until}
        said = await here.ask("POST", "/waits", body, token=token)
        assert said.status == 201 and said.body["state"] == "waiting" and said.body["in_front"] == 0
        assert (await here.ask("POST", f"/orders/{held[0]}/cancel", token=token)).body["state"] == "cancelled"
        assert (await here.ask("GET", f"/orders/{said.body['order']}", token=token)).body["state"] == "held"

    ride_along(story)


def test_tickets_are_changed_into_another_train() -> None:
    async def story(here: Railway) -> None:
        token = await here.passenger()
        old = await here.buy(token, "1")
        wish = {"train": ride("A D", f"K2/{DAY}/1")}
        quote = await here.ask("POST", f"/orders/{old}/change-quote", wish, token=token)
        assert quote.body["to_pay_cents"] == quote.body["to_get_cents"] == 0
        new = await here.ask("POST", f"/orders/{old}/change", wish, token=token, idempotency_key="c")
        assert new.status == 201 and new.body["state"] == "ticketed" and new.body["replaces"] == old
        assert (await here.ask("GET", f"/orders/{old}", token=token)).body["state"] == "closed"

    ride_along(story)


def test_an_order_is_its_session_s_alone() -> None:
    async def story(here: Railway) -> None:
        token, other = await here.passenger(), await here.passenger()
        name = (await here.hold(token, "1")).body["order"]
        assert (await here.ask("GET", f"/orders/{name}")).status == 401
        assert (await here.ask("GET", f"/orders/{name}", token=other)).status == 404
        assert (await here.ask("POST", f"/orders/{name}/cancel", token=other)).status == 404
        assert (await here.ask("GET", "/orders", token=other)).body == {"orders": []}
        assert [one["order"] for one in (await here.ask("GET", "/orders", token=token)).body["orders"]] == [name]
        forged = token[:-1] + ("0" if token[-1] != "0" else "1")
        assert (await here.ask("GET", f"/orders/{name}", token=forged)).status == 401
        here.clock.advance(SESSION_SECONDS)
        assert (await here.ask("GET", f"/orders/{name}", token=token)).status == 401

    ride_along(story)


def test_callbacks_count_if_they_are_signed() -> None:
    async def story(here: Railway) -> None:
        token = await here.passenger()
        name = (await here.hold(token, "1")).body["order"]
        pay = await here.ask("POST", f"/orders/{name}/pay", token=token)
        payment = pay.body["page"].rpartition("/")[2]
        notice = Notice("n1", payment, NoticeKind.PAID, 15000, "CNY")
        bare = {"id": "n1", "payment": payment, "kind": "paid", "amount_cents": 15000, "currency": "CNY"}
        assert (await here.ask("POST", "/notices", {**bare, "signature": "0" * 64})).status == 422
        good = {**bare, "signature": signed(notice, SECRET).signature}
        assert (await here.ask("POST", "/notices", good)).body == {"heard": "paid"}
        assert (await here.ask("GET", f"/orders/{name}", token=token)).body["state"] == "ticketed"

    ride_along(story)


def test_bad_input_is_told_with_its_field() -> None:
    async def story(here: Railway) -> None:
        token = await here.passenger()
        cases = [
            (order("1", "A X"), 404, "unknown-station"),
            (order("1", "D A"), 422, "bad-trip"),
            ({**order("1"), "passengers": []}, 422, "bad-order"),
            ({**order("1"), "passengers": [{**person("1"), "number": "?"}]}, 422, "bad-passenger"),
            ({**order("1"), "trains": []}, 422, "bad-order"),
            ({**order("1"), "seats": ["throne"]}, 422, "bad-order"),
            ({**order("1"), "colour": "red"}, 422, "bad-field"),
            (order("1", "A D", "K77/2026-11-22/1"), 404, "unknown-train"),
        ]
        for body, status, name in cases:
            said = await here.ask("POST", "/orders", body, token=token)
            assert (said.status, said.body["type"]) == (status, f"urn:shike:problem:{name}"), (body, said)
        assert (await here.ask("POST", "/orders", raw=b"{", token=token)).status == 400
        assert (await here.ask("POST", "/orders", raw=b"x", token=token, content_type="text/plain")).status == 415
        assert (await here.ask("GET", "/nowhere")).status == 404
        assert (await here.ask("GET", "/orders", token=token)).body == {"orders": []}

    ride_along(story)
