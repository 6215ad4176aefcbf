"""Triggers in Chinese."""

from __future__ import annotations

from shike.trigger.calendar import Calendar
from shike.trigger.cron_facts import Facts, Pulse, Run

_WEEKDAYS = ("周日", "周一", "周二", "周三", "周四", "周五", "周六", "周日")
_ORDINALS = ("", "第一个", "第二个", "第三个", "第四个", "第五个")
_UNITS = {"d": "天", "h": "小时", "m": "分钟", "s": "秒", "ms": "毫秒", "us": "微秒"}
_PULSES = {"second": "秒", "minute": "分钟", "hour": "小时"}


class Chinese:
    """`每个工作日 09:00（Europe/Berlin）`"""

    def once(self, instant: str) -> str:
        return f"仅一次：{instant}"

    def never(self) -> str:
        return "从不（已停用）"

    def every(self, length: list[tuple[int, str]], delay: bool, initial: list[tuple[int, str]]) -> str:
        if delay:
            text = f"上次运行结束后 {_length(length)}"
        elif len(length) == 1 and length[0][0] == 1:
            text = f"每{_UNITS[length[0][1]]}"
        else:
            text = f"每 {_length(length)}"
        return f"{text}，首次延迟 {_length(initial)}" if initial else text

    def cron(self, facts: Facts, tz: str) -> str:
        days = _days(facts)
        if facts.times:
            text = f"{days or '每天'} {'、'.join(facts.times)}"
        else:
            text = "，".join(part for part in (days, _hours(facts.hours), _pulse(facts.pulse)) if part)
        return f"{text}（{tz}）"

    def any_of(self, parts: list[str]) -> str:
        return "；或 ".join(parts)

    def all_of(self, parts: list[str]) -> str:
        return "同时满足：" + "；".join(parts)

    def minus(self, base: str, minus: str) -> str:
        return f"{base}；但不包括 {minus}"

    def during(self, base: str, calendars: list[Calendar]) -> str:
        return "；".join([base, *map(_calendar, calendars)])


def _calendar(calendar: Calendar) -> str:
    only = f"仅限 {'、'.join(calendar.keep)}" if calendar.keep else ""
    never = f"不含 {'、'.join(calendar.exclude)}" if calendar.exclude else ""
    return f"{'，'.join(filter(None, (only, never))) or '任何时间'}（{calendar.tz}）"


def _length(length: list[tuple[int, str]]) -> str:
    return " ".join(f"{number} {_UNITS[unit]}" for number, unit in length)


def _pulse(pulse: Pulse) -> str:
    if pulse.unit:
        text = f"每{_PULSES[pulse.unit]}" if pulse.every == 1 else f"每 {pulse.every} {_PULSES[pulse.unit]}"
        return f"{text}的第 {pulse.minutes[0]} 分" if any(pulse.minutes) else text
    minutes = "每分钟" if len(pulse.minutes) == 60 else f"第 {_numbers(pulse.minutes)} 分"
    if pulse.seconds == (0,):
        return f"每小时{minutes}"
    seconds = "每秒" if len(pulse.seconds) == 60 else f"第 {_numbers(pulse.seconds)} 秒"
    return f"{minutes}的{seconds}"


def _numbers(values: tuple[int, ...]) -> str:
    return "、".join(map(str, values))


def _hours(hours: tuple[Run, ...]) -> str:
    return "、".join(f"{first:02}:00–{last:02}:59" for first, last in hours)


def _days(facts: Facts) -> str:
    months = "、".join(_run(run, "月") for run in facts.months)
    month = f"每年 {months}的" if months else "每月"
    by_date, by_weekday = _by_date(facts), _by_weekday(facts, month)
    if by_date:
        dates = f"{month} {by_date}" if by_date[0].isdigit() else month + by_date
        text = f"{dates}或{by_weekday}" if by_weekday else dates
        if by_weekday and not facts.either:
            text = f"{by_weekday}（且为 {by_date}）"
    else:
        text = by_weekday or (f"{month}每天" if months else "")
    years = "、".join(_run(run, "年") for run in facts.years)
    return f"{years}内{text or '每天'}" if years else text


def _by_date(facts: Facts) -> str:
    parts = [_run(run, "日") for run in facts.month_days]
    parts += [f"倒数第 {back + 1} 天" if back else "最后一天" for back in sorted(facts.last_days)]
    parts += [f"最接近 {day} 日的工作日" for day in facts.near]
    parts += [f"最接近倒数第 {back + 1} 天的工作日" if back else "最后一个工作日" for back in facts.near_last]
    return "、".join(parts)


def _by_weekday(facts: Facts, month: str) -> str:
    parts = []
    within = month if facts.months else ""
    if facts.weekdays == ((1, 5),):
        parts.append(f"{within}每个工作日")
    elif facts.weekdays:
        parts.append(f"{within}每" + "、".join(_week_run(run) for run in facts.weekdays))
    named = [f"{_ORDINALS[number]}{_WEEKDAYS[day]}" for day, number in facts.nth]
    named += [f"最后一个{_WEEKDAYS[day]}" for day in facts.last_weekdays]
    if named:
        parts.append(month + "、".join(named))
    return "、".join(parts)


def _run(run: Run, unit: str) -> str:
    first, last = run
    return f"{first} {unit}" if first == last else f"{first}–{last} {unit}"


def _week_run(run: Run) -> str:
    first, last = run
    if first == last:
        return _WEEKDAYS[first]
    return f"{_WEEKDAYS[first]}{'、' if last == first + 1 else '至'}{_WEEKDAYS[last]}"
