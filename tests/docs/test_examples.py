"""The everyday jobs (R3.15), each a program in `examples/`, run by the real engine in virtual time."""

from __future__ import annotations

import asyncio
import csv
import secrets
import sqlite3
import sys
from collections.abc import Callable, Iterator
from contextlib import closing
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

import shike
from shike.connect import open_delays
from shike.errors import ApprovalUsed, StaleToken
from shike.model import Live
from shike.operate import approvals
from shike.reserve.journal.memory import MemoryJournal
from shike.testing import harness
from shike.worker.load import load_app
from tests.docs.sinks import Gateway, MailSink, serving
from tests.servers import url

CANCELLED = "select number from cancelled order by number"

EXAMPLES = Path(__file__).parents[2] / "examples"

Load = Callable[[str], ModuleType]


@pytest.fixture
def example(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Load]:
    """Imports an example anew, in an empty folder of its own."""
    monkeypatch.chdir(tmp_path)
    loaded: list[str] = []

    def load(name: str) -> ModuleType:
        load_app(str(EXAMPLES / f"{name}.py"))
        loaded.append(name)
        return sys.modules[name]

    yield load
    for name in loaded:
        del sys.modules[name]


def rows(database: str, query: str) -> list[Any]:
    """What a query finds; of one column just the values."""
    with closing(sqlite3.connect(database)) as db:
        found = db.execute(query).fetchall()
    return [row[0] if len(row) == 1 else row for row in found]


def lines(file: str) -> list[list[str]]:
    with Path(file).open(encoding="utf-8", newline="") as text:
        return list(csv.reader(text))


# ---------------------------------------------------------------- with the outside


def test_the_sales_report_is_mailed_each_night_about_the_day_before(
    example: Load, monkeypatch: pytest.MonkeyPatch
) -> None:
    sink = MailSink(refuse=1)
    monkeypatch.setenv("SMTP", sink.address)
    report = example("sales_report")
    with serving(sink), harness(report.app, start=datetime(2026, 3, 27, 12, tzinfo=UTC)) as h:
        h.advance("72h")
        moments = [datetime.fromtimestamp(run.run.moment / 1e6, UTC) for run in h.runs(states=(shike.State.SUCCESS,))]
    assert [f"{moment:%d %H:%M}" for moment in reversed(moments)] == ["27 23:10", "28 23:10", "29 22:10"]
    days = [date(2026, 3, 27), date(2026, 3, 28), date(2026, 3, 29)]  # the clocks change on the last one
    sold = [report.sold_on(day).total() for day in days]
    assert [mail["Subject"] for mail in sink.mails] == [
        f"Sales of {day}: {tickets:,} tickets" for day, tickets in zip(days, sold, strict=True)
    ]
    assert "Frankfurt(Main)Hbf" in sink.mails[0].get_content()
    assert len({mail["Message-ID"] for mail in sink.mails}) == 3


def test_a_busy_gateway_is_asked_again_when_it_says_so_and_with_the_same_key(
    example: Load, monkeypatch: pytest.MonkeyPatch
) -> None:
    gateway = Gateway(503, 429, retry_after=90)
    monkeypatch.setenv("SMS_GATEWAY", gateway.address)
    sms = example("order_sms")
    with serving(gateway), harness(sms.app) as h:
        handle = sms.order_placed(7, "+4930123456")
        assert not sms.order_placed(7, "+4930123456").fresh
        h.advance("89s")
        assert len(gateway.asked) == 1
        h.advance("92s")
        assert handle.result() is None
    assert gateway.asked == 3 * [(f"order-sms:7#{handle.id}", "+4930123456", "Thank you! Your order 7 is on its way.")]


def test_a_gateway_that_refuses_is_not_asked_again_and_a_broken_one_is(
    example: Load, monkeypatch: pytest.MonkeyPatch
) -> None:
    gateway = Gateway(404, 500)
    monkeypatch.setenv("SMS_GATEWAY", gateway.address)
    sms = example("order_sms")
    with serving(gateway), harness(sms.app) as h:
        refused, broken = h.submit(sms.send_sms.bind("+0", "hi")), h.submit(sms.send_sms.bind("+1", "hi"))
        h.advance("1m")
        assert [h.find(handle).state for handle in (refused, broken)] == [shike.State.CANCELLED, shike.State.SUCCESS]  # type: ignore[union-attr]
    assert [to for _, to, _ in gateway.asked] == ["+0", "+1", "+1"]


# ---------------------------------------------------------------- days pass


def test_an_unpaid_order_is_cancelled_after_half_an_hour_and_a_paid_one_is_not(example: Load) -> None:
    orders = example("unpaid_order")
    with harness(orders.app) as h:
        orders.place(1)
        orders.place(2)
        h.advance("29m")
        assert orders.pay(2)
        assert rows("shop.db", "select state from orders order by number") == ["open", "paid"]
        h.advance("61s")
        assert rows("shop.db", "select state from orders order by number") == ["cancelled", "paid"]
        assert not orders.pay(1)


def test_a_hotel_sells_no_room_twice_and_gives_up_what_nobody_confirms(example: Load) -> None:
    """R1.13: rooms over nights."""
    hotel = example("hotel")
    with harness(hotel.app) as h:
        ada, bob = hotel.book("ada", 3, 5), hotel.book("bob", 4, 7)
        assert ada and bob and ada == hotel.book("ada", 3, 5)
        assert not hotel.book("cyd", 2, 5)  # the night of the 4th is full
        assert hotel.book("dan", 5, 9)  # ada has left by then
        assert hotel.confirm(bob)
        h.advance("2h 1m")
        assert hotel.book("cyd", 2, 5) and not hotel.confirm(ada)


def test_old_carts_are_dropped_at_night_and_young_ones_stay(example: Load) -> None:
    cleaner = example("clean_up")
    with harness(cleaner.app, start=datetime(2026, 6, 1, 12, tzinfo=UTC)) as h:
        for days in (1, 28, *[40] * (2 * cleaner.BATCH + 1)):
            cleaner.touch_cart(h.now - timedelta(days=days))
        h.advance("13h")  # 03:00 in Berlin
        assert rows("shop.db", "select count(*) from carts") == [2 * cleaner.BATCH + 3]
        h.advance("1h")
        assert rows("shop.db", "select count(*) from carts") == [2]
        h.advance("1d")
        assert rows("shop.db", "select count(*) from carts") == [2]
        h.advance("1d")
        assert rows("shop.db", "select count(*) from carts") == [1]


def test_a_device_is_silent_half_a_minute_after_its_last_beat(example: Load) -> None:
    outs = example("time_outs")
    with harness(outs.app) as h:
        for _ in range(5):
            outs.beat("thermometer")
            h.advance("20s")
        assert rows("time_outs_state.db", "select state from devices") == ["alive"]
        assert len(h.runs(task=outs.watch.name)) == 1  # however often it beats
        h.advance("11s")
        assert rows("time_outs_state.db", "select state from devices") == ["silent"]
        outs.beat("thermometer")
        h.advance("31s")
        assert rows("time_outs_state.db", "select state from devices") == ["silent"]


def test_a_session_ends_twenty_minutes_after_its_last_use(example: Load) -> None:
    outs = example("time_outs")
    with harness(outs.app) as h:
        outs.use("ada")
        outs.use("bob")
        h.advance("15m")
        outs.use("bob")
        h.advance("7m")
        assert rows("time_outs_state.db", "select user from sessions") == ["bob"]


def test_a_request_without_an_answer_is_given_up_and_an_answer_stops_the_timer(example: Load) -> None:
    outs = example("time_outs")
    with harness(outs.app) as h:
        outs.ask("ping")
        outs.ask("pong")
        h.advance("4s")
        outs.answered("pong")
        h.advance("2s")
        assert rows("time_outs_state.db", "select name, state from requests order by name") == [
            ("ping", "no answer"),
            ("pong", "answered"),
        ]
        assert sorted(run.state for run in h.runs(task=outs.give_up.name)) == [
            shike.State.SUCCESS,
            shike.State.CANCELLED,
        ]


def test_a_shop_without_goods_is_warned_on_the_seventh_day_and_closed_on_the_tenth(example: Load) -> None:
    mall = example("empty_shop")
    query = "select name, state, note from shops order by name"
    with harness(mall.app) as h:
        mall.open_shop("bare")
        mall.open_shop("full")
        h.advance("5d")
        mall.add_goods("full", "tea")
        h.advance("4d")
        assert rows("mall.db", query) == [("bare", "open", "three days left"), ("full", "open", "")]
        h.advance("1d")
        assert rows("mall.db", query) == [("bare", "closed", "three days left"), ("full", "open", "")]


def test_a_bill_unpaid_for_a_week_is_settled_once_from_the_balance(example: Load) -> None:
    bills = example("unpaid_bill")
    with harness(bills.app) as h:
        with closing(bills.books()) as db, db:
            db.execute("insert into balances values ('ada', 5000)")
        assert bills.issue(1, "ada", 1200).fresh
        assert not bills.issue(1, "ada", 1200).fresh
        bills.issue(2, "ada", 300)
        bills.issue(3, "ada", 9900)
        bills.pay(2)
        h.advance("6d")
        assert rows("books.db", "select cents from balances") == [5000]
        h.advance("1d")
        assert rows("books.db", "select cents from balances") == [3800]
        assert rows("books.db", "select state from bills order by number") == ["settled", "paid", "overdue"]


def test_who_was_away_for_three_days_gets_one_message_per_absence(example: Load) -> None:
    users = example("absent_user")
    with harness(users.app, start=datetime(2026, 6, 1, 0, tzinfo=UTC)) as h:
        users.log_in("ada")
        users.log_in("bob")
        h.advance("2d")
        users.log_in("bob")
        h.advance("2d")  # the fourth morning at ten in Shanghai
        assert rows("site.db", "select phone from sms") == ["ada"]
        h.advance("10d")
        assert sorted(rows("site.db", "select phone from sms")) == ["ada", "bob"]
        users.log_in("ada")
        h.advance("4d")
        assert sorted(rows("site.db", "select phone from sms")) == ["ada", "ada", "bob"]


def test_untouched_refunds_reach_the_operators_on_working_days_only(example: Load) -> None:
    refunds = example("untouched_refund")
    with harness(refunds.app, start=datetime(2026, 12, 21, 12, tzinfo=UTC)) as h:  # a Monday
        refunds.ask_refund(1)
        refunds.ask_refund(2)
        with closing(refunds.desk()) as db, db:
            db.execute("update refunds set state = 'done' where number = 2")
        h.advance_to(datetime(2026, 12, 27, 23, tzinfo=UTC))  # Christmas on Friday, then a weekend
        assert not Path("operators.csv").exists() or lines("operators.csv") == []
        h.advance_to(datetime(2026, 12, 28, 9, tzinfo=UTC))
        assert [number for number, _ in lines("operators.csv")] == ["1"]
        h.advance("7d")
        assert [number for number, _ in lines("operators.csv")] == ["1"]


def test_a_reminder_comes_ten_minutes_before_and_follows_a_meeting_that_moves(example: Load) -> None:
    diary = example("meeting_reminder")
    with harness(diary.app) as h:
        start = h.now + timedelta(hours=2)
        diary.plan("Tea", start)
        diary.plan("Review", start)
        diary.plan("Review", start + timedelta(days=1))
        h.advance("109m")
        assert rows("diary.db", "select words from reminders") == []
        h.advance("1m")
        assert rows("diary.db", "select words from reminders") == ["Tea starts at 02:00"]
        h.advance("1d")
        assert rows("diary.db", "select words from reminders") == ["Tea starts at 02:00", "Review starts at 02:00"]


# ---------------------------------------------------------------- how things work


def test_a_transfer_and_its_receipt_are_one_transaction(example: Load) -> None:
    """On a real file, in real time: the store and the bank share it."""
    bank = example("transaction")

    async def story() -> None:
        await bank.app.open()
        await asyncio.to_thread(bank.open_bank)
        async with bank.app.running(grace=0.1):
            with pytest.raises(bank.NotEnough):
                bank.transfer("ada", "bob", 5000)
            receipt = bank.transfer("ada", "bob", 500)
            assert await receipt.wait("20s") == "ada gave 500 to bob"
        await bank.app.client.close()

    asyncio.run(story())
    assert rows("bank.db", "select name, cents from accounts order by name") == [("ada", 1500), ("bob", 500)]
    assert rows("bank.db", "select words from receipts") == ["ada gave 500 to bob"]


def test_schedules_take_their_values_from_configuration(example: Load, monkeypatch: pytest.MonkeyPatch) -> None:
    """R3.11"""
    monkeypatch.setenv("PULSE", "10m")
    monkeypatch.setenv("ARCHIVE", "0 3 * * *")
    configured = example("configured")
    assert [name for name, _ in configured.declared()] == [
        "health/pulse",
        "office/report",
        "office/monthly",
        "office/archive",
    ]
    with harness(configured.app, start=datetime(2026, 6, 30, tzinfo=UTC)) as h:  # a Tuesday, the last of the month
        h.advance("1d")
    written = lines("configured.csv")
    assert [at for at, line in written if line == "report"] == ["2026-06-30 23:00:00+00:00"]
    assert [at for at, line in written if line == "month is over"] == ["2026-06-30 18:00:00+00:00"]
    assert [at for at, line in written if line == "archive"] == ["2026-06-30 03:00:00+00:00"]
    assert [at for at, line in written if line == "pulse"][:2] == [
        "2026-06-30 00:00:30+00:00",
        "2026-06-30 00:10:30+00:00",
    ]


def test_a_schedule_is_off_until_it_is_configured(example: Load, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PULSE", "1d")
    configured = example("configured")
    with harness(configured.app) as h:
        h.advance("32d")
    assert "archive" not in {line for _, line in lines("configured.csv")}


def test_a_fixed_rate_counts_from_the_schedule_and_a_fixed_delay_from_the_end(
    example: Load, capsys: pytest.CaptureFixture[str]
) -> None:
    """R3.7"""
    timers = example("fixed_delay_or_rate")
    with harness(timers.app) as h:
        h.advance("60s")
    starts = lines("starts.csv")
    rate, delay = ([int(at) for kind, at in starts if kind == name] for name in ("fixed rate", "fixed delay"))
    assert rate[:6] == [0, 10, 20, 30, 40, 50]
    assert delay == [0, 14, 28, 42, 56]
    assert "fixed delay  starts at  14.0 s" in capsys.readouterr().out


def test_after_a_slow_run_a_fixed_rate_catches_up_or_not_and_no_neighbour_notices(example: Load) -> None:
    """R3.7"""
    timers = example("catching_up")
    with harness(timers.app) as h:
        h.advance("59s")
    starts: dict[str, list[int]] = {}
    for kind, at in lines("starts.csv"):
        if int(at) < 60:
            starts.setdefault(kind, []).append(int(at))
    assert starts["catching up"] == [0, 35, 36, 37, 40, 50]
    assert starts["not catching up"] == [0, 40, 50]
    assert starts["fixed delay"] == [0, 45, 56]
    assert starts["neighbour"] == starts["failing"] == [0, 10, 20, 30, 40, 50]


def test_what_is_delivered_twice_is_taken_once(example: Load) -> None:
    """R0.13"""
    inbox = example("receive_once")
    with harness(inbox.app) as h:
        inbox.pay(30)
        h.advance("1m")
        attempts = [run.attempts for run in h.runs(limit=100)]
        assert sorted(attempts) == [1] * 20 + [2] * 10
    assert rows("ledger.db", "select number from payments order by number") == list(range(30))


def test_listeners_hear_of_each_end_and_ring_for_the_dead(example: Load) -> None:
    """R3.12"""
    parcels = example("listeners")
    with harness(parcels.app) as h:
        parcels.app.submit_many([parcels.ship.bind(parcel) for parcel in range(10)])
        h.advance("10s")
        assert sorted((task, reason) for task, _, reason in lines("alarms.csv")) == [
            ("listeners.ship", f"ValueError: parcel {parcel} is broken") for parcel in (1, 5, 9)
        ]
        assert parcels.counts["run.ended SUCCESS"] == 7
        assert parcels.counts["run.ended FAILED"] == parcels.counts["run.ended DEAD"] == 3
        assert parcels.counts["worker.started"] == 1


def test_dead_letters_are_replayed_once_when_the_trouble_is_over(example: Load) -> None:
    """R0.12"""
    charges = example("dead_letters")
    Path("bank.down").touch()
    with harness(charges.app) as h:
        begin = h.now
        handles = [charges.charge.submit(card, 990) for card in ("ada", "bob", "cyd")]
        h.advance("8s")
        assert {h.find(handle).state for handle in handles} == {shike.State.FAILED}  # type: ignore[union-attr]
        h.advance("2s")
        assert h.now - begin < timedelta(seconds=11)
        assert {h.find(handle).state for handle in handles} == {shike.State.DEAD}  # type: ignore[union-attr]
        Path("bank.down").unlink()
        assert h.run(charges.replay_all()) == 3
        assert h.run(charges.replay_all()) == 0
        h.run_due()
    assert sorted(card for _, card, _ in lines("charges.csv")) == ["ada", "bob", "cyd"]


def test_a_long_run_shows_how_far_it_is_and_can_be_called_off(example: Load) -> None:
    work = example("long_run")
    with harness(work.app) as h:
        work.fill(60 * work.BATCH)
        handle = work.give_slugs.submit()
        h.advance("10s")
        found = h.find(handle)
        assert isinstance(found, Live)
        assert found.progress in (b'{"batches":10,"left":50000}', b'{"batches":11,"left":49000}')
        handle.cancel()
        h.advance("2s")
        assert h.find(handle).state is shike.State.CANCELLED  # type: ignore[union-attr]
        left = rows("library.db", "select count(*) from books where slug is null")[0]
        assert 0 < left < 60 * work.BATCH
        assert h.submit(work.give_slugs.bind(0.0)).result() == left / work.BATCH


def test_labels_share_two_printers_and_a_late_holder_is_refused(example: Load, monkeypatch: pytest.MonkeyPatch) -> None:
    """R0.6, on a real Redis, in real time."""
    monkeypatch.setenv("REDIS_URL", url("redis"))
    monkeypatch.setenv("LOCKS", f"t{secrets.token_hex(6)}")
    hall = example("printers")

    async def story() -> None:
        async with hall.app.running(grace=0.1):
            runs = await hall.app.submit_many([hall.label.bind(f"parcel {number}") for number in range(12)])
            used = {await run.wait(timeout="30s") for run in runs}
        assert used == set(hall.PRINTERS)
        with pytest.raises(StaleToken):
            await hall.Printer("printer-1").print("late", token=1)
        await hall.app.client.close()

    asyncio.run(story())
    labels = []
    for printer in hall.PRINTERS:
        steps = lines(f"{printer}.csv")
        assert [step for step, *_ in steps] == ["begin", "end"] * (len(steps) // 2), "two labels on one printer at once"
        labels += [label for step, label, _ in steps if step == "end"]
    assert sorted(labels) == sorted(f"parcel {number}" for number in range(12))


def test_a_flood_of_letters_leaves_others_their_turn_and_a_report_is_sent_once(example: Load) -> None:
    """R0.9: turns, a rate, and the last of several."""
    mail = example("fair_mail")
    with harness(mail.app) as h:
        mail.fill()
        h.advance("1s")
        first = [tenant for tenant, _ in lines("letters.csv")[:30]]
        assert first.count("small") == 5
        h.advance("3m")
        assert len(lines("letters.csv")) == 205
        assert ["small", "5"] in lines("reports.csv") and ["flood", "200"] in lines("reports.csv")
        assert len(lines("reports.csv")) < 20


def test_gpus_that_a_team_has_reserved_are_free_at_its_time_and_used_by_others_until_then(example: Load) -> None:
    """R1.13: a worker pool over time, honoured by the dispatcher."""
    shared = example("gpu_slots")
    journal = MemoryJournal()  # while a thread writes a file, virtual time would pass
    shared.open_journal = lambda _url: journal
    with harness(shared.app, start=datetime(2026, 6, 1, 12, tzinfo=UTC)) as h:
        assert h.run(shared.reserve("research", 3, 60, 180))
        assert not h.run(shared.reserve("vision", 2, 120, 240))  # only one is left until 3:00
        for document in range(300):
            shared.embed.submit(document)
        h.advance("59m")
        assert len(shared.done) > 4 * 57
        for model in ("a", "b", "c", "d"):
            shared.train.submit("research", model)
        h.advance("27m")
        assert {one for one in shared.done if one.startswith("research")} == {f"research/{model}" for model in "abc"}
        h.advance("4h")
        assert len(shared.done) == 304


def test_an_order_and_its_mail_are_written_together_and_the_mail_is_relayed(example: Load) -> None:
    shop = example("outbox")

    async def story() -> None:
        await shop.outbox.create()
        async with shop.app.running(), shop.outbox.relaying() as relay:
            shop.place(7)
            with pytest.raises(shop.Known):
                shop.place(7)
            shop.place(8)
            async with asyncio.timeout(60):
                while len(rows("shop.db", "select * from mails")) < 2 or relay.handed_on < 2:  # counted a little later
                    await asyncio.sleep(0.05)
        assert relay.handed_on == 2
        await shop.app.client.close()

    asyncio.run(story())
    assert rows("shop.db", "select words from mails order by number")[0] == "Thank you for order 7!"
    assert rows("shop.db", "select count(*) from shike_outbox") == [0]


@pytest.mark.parametrize("service", ["rabbitmq", "nats", "redis"])
def test_orders_wait_in_a_broker_and_each_is_cancelled_once(
    service: str, example: Load, monkeypatch: pytest.MonkeyPatch
) -> None:
    """R3.9, on real brokers, in real time."""
    monkeypatch.setenv("BROKER_URL", url(service))
    monkeypatch.setenv("BRIDGE", f"t{secrets.token_hex(6)}")
    monkeypatch.setenv("PAY_WITHIN", "0.3s")
    shop = example("by_broker")
    shop.shop().close()

    async def story() -> None:
        stopped = asyncio.Event()
        receiving = asyncio.ensure_future(shop.receive(stopped))
        for number in (7, 8, 7):
            assert await shop.place(number) == f"order/{number}"
        async with asyncio.timeout(60):
            while len(rows("shop.db", CANCELLED)) < 2:
                await asyncio.sleep(0.05)
        stopped.set()
        await receiving
        for name in (shop.bridge.name, f"{shop.bridge.name}-refused"):
            async with open_delays(url(service), name) as delays:
                await delays.drop()

    asyncio.run(story())
    assert rows("shop.db", CANCELLED) == [7, 8]


def test_words_are_counted_in_parts_and_kept_in_batches(example: Load) -> None:
    words = example("word_count")
    Path("text.txt").write_text("The tide, and the moon.\n" * 300 + "A tide of words\n" * 40, encoding="utf-8")
    with harness(words.app) as h:
        h.advance("2s")  # the worker has told what it serves
        assert words.count_file("text.txt") == 3
        assert words.show() == [("tide", 340), ("moon", 300), ("words", 40)]


def test_four_agents_follow_a_plan_and_a_person_approves(example: Load) -> None:
    agents = example("agents")
    with harness(agents.app, tags=("web", "pen")) as h:
        graph = agents.plan("tide tables").submit()
        h.advance("10s")
        assert not Path("published.csv").exists()
        (request,) = h.run(approvals.requests(agents.app.client))
        assert request.arguments == {"draft": "tide tables: three books on tide tables and seven pages on tide tables"}
        h.run(approvals.approve(agents.app.client, int(request.run), request.digest, by="ann"))
        with pytest.raises(ApprovalUsed, match="approved by ann"):
            h.run(approvals.approve(agents.app.client, int(request.run), request.digest, by="bob"))
        h.advance("1s")
        assert lines("published.csv") == [[request.arguments["draft"]]]
        told = h.run(agents.story(graph.id))
    heads = [line for line in told if not line.startswith(" ")]
    assert [line.partition(",")[0] for line in heads] == [
        "library: success",
        "web: success",
        "writer: success",
        "review: success",
        "publish: success",
        "apologise: skipped",
    ]
    assert any("retry backoff: 2.0 s after attempt 1 failed" in line for line in told)
    assert any("attempt 1: ConnectionError: the search does not answer" in line for line in told)
    assert any("search: ConnectionError" in line for line in told) and any("draft" in line for line in told)
    assert any("nobody had approved it until" in line for line in told)
