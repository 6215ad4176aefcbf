"""Triggers in plain words, in English and Chinese."""

from __future__ import annotations

import pytest

from shike.errors import BadInput
from shike.trigger import AnyTrigger, all_of, any_of, calendar, cron, during, every, except_for, once


@pytest.mark.parametrize(
    ("expression", "english", "chinese"),
    [
        ("0 9 * * mon-fri", "every weekday at 09:00", "每个工作日 09:00"),
        ("0 9,17 * * *", "every day at 09:00 and 17:00", "每天 09:00、17:00"),
        ("* * * * *", "every minute", "每分钟"),
        ("*/5 * * * *", "every 5 minutes", "每 5 分钟"),
        ("@hourly", "every hour", "每小时"),
        ("15 * * * *", "every hour at :15", "每小时的第 15 分"),
        ("0 */2 * * *", "every 2 hours", "每 2 小时"),
        ("3,17 * * * *", "at minute 3 and 17 of the hour", "每小时第 3、17 分"),
        ("*/10 9-17 * * *", "every 10 minutes, 09:00–17:59", "09:00–17:59，每 10 分钟"),
        ("0 12 * * sat,sun", "every Saturday and Sunday at 12:00", "每周六、周日 12:00"),
        ("0 0 * * 2-4,6", "every Tuesday to Thursday and Saturday at 00:00", "每周二至周四、周六 00:00"),
        ("0 0 1,15,L * *", "on the 1st, 15th and last day of the month at 00:00", "每月 1 日、15 日、最后一天 00:00"),
        ("0 0 1-3 * *", "on the 1st–3rd of the month at 00:00", "每月 1–3 日 00:00"),
        ("@yearly", "on the 1st of January at 00:00", "每年 1 月的 1 日 00:00"),
        ("0 0 L-3 * *", "on the 4th-last day of the month at 00:00", "每月倒数第 4 天 00:00"),
        ("0 0 15W * *", "on the weekday nearest the 15th of the month at 00:00", "每月最接近 15 日的工作日 00:00"),
        ("0 0 LW * *", "on the last weekday of the month at 00:00", "每月最后一个工作日 00:00"),
        ("0 8 * * mon#2,5L", "on the second Monday and last Friday of the month at 08:00",
         "每月第二个周一、最后一个周五 08:00"),
        ("0 0 13 * fri", "on the 13th of the month or every Friday at 00:00", "每月 13 日或每周五 00:00"),
        ("0 0 */16 * mon", "every Monday if it is the 1st and 17th of the month at 00:00",
         "每周一（且为 1 日、17 日） 00:00"),
        ("0 9 * jun-aug *", "every day in June to August at 09:00", "每年 6–8 月的每天 09:00"),
    ],
)  # fmt: skip
def test_cron_is_told_in_both_languages(expression: str, english: str, chinese: str) -> None:
    trigger = cron(expression, tz="Asia/Shanghai")
    assert trigger.describe() == f"{english}, Asia/Shanghai"
    assert trigger.describe("zh") == f"{chinese}（Asia/Shanghai）"


@pytest.mark.parametrize(
    ("expression", "english", "chinese"),
    [
        ("* * * * * *", "every second", "每秒"),
        ("*/10 * * * * *", "every 10 seconds", "每 10 秒"),
        ("5,10 * * * * *", "at second 5 and 10 of every minute", "每分钟的第 5、10 秒"),
        ("*/20 30 2 * * *", "every day at 02:30:00, 02:30:20 and 02:30:40", "每天 02:30:00、02:30:20、02:30:40"),
        ("0 0 9 * * ? 2026", "every day in 2026 at 09:00", "2026 年内每天 09:00"),
        ("0 0 9 1 1 ? 2026-2028", "on the 1st of January 2026–2028 at 09:00", "2026–2028 年内每年 1 月的 1 日 09:00"),
    ],
)
def test_seconds_and_years_are_told(expression: str, english: str, chinese: str) -> None:
    trigger = cron(expression, seconds="first")
    assert trigger.describe() == f"{english}, UTC"
    assert trigger.describe("zh") == f"{chinese}（UTC）"


def test_the_utc_policy_is_told_as_utc() -> None:
    assert cron("0 9 * * *", tz="Asia/Shanghai", dst="utc").describe() == "every day at 09:00, UTC"


@pytest.mark.parametrize(
    ("trigger", "english", "chinese"),
    [
        (once(1_767_225_600_000_000), "once, on 2026-01-01 00:00:00 UTC", "仅一次：2026-01-01 00:00:00 UTC"),
        (cron("-"), "never (switched off)", "从不（已停用）"),
        (every("1m"), "every minute", "每分钟"),
        (every("1h30m"), "every 1 hour and 30 minutes", "每 1 小时 30 分钟"),
        (every(10, initial_delay=5), "every 10 seconds, the first after 5 seconds", "每 10 秒，首次延迟 5 秒"),
        (every("10s", delay=True), "10 seconds after the previous run ends", "上次运行结束后 10 秒"),
        (any_of(every("1m"), every("7s")), "every minute; or every 7 seconds", "每分钟；或 每 7 秒"),
        (all_of(every("1m"), every("7s")), "when all of these agree: every minute; every 7 seconds",
         "同时满足：每分钟；每 7 秒"),
        (except_for(every("1s"), every("1m")), "every second; but not every minute", "每秒；但不包括 每分钟"),
        (
            during(every("1s"), calendar(keep=["mon-fri", "09:00-17:00"], exclude=["12-25"], tz="Asia/Shanghai")),
            "every second; only mon-fri, 09:00-17:00, not 12-25 (Asia/Shanghai)",
            "每秒；仅限 mon-fri、09:00-17:00，不含 12-25（Asia/Shanghai）",
        ),
    ],
)  # fmt: skip
def test_the_other_triggers_are_told_too(trigger: AnyTrigger, english: str, chinese: str) -> None:
    assert trigger.describe("en") == english
    assert trigger.describe("zh") == chinese


def test_another_language_is_bad_input() -> None:
    with pytest.raises(BadInput, match="en, zh"):
        every("1s").describe("fr")  # type: ignore[arg-type]
