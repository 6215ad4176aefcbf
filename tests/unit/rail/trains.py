"""The source's two trains, by hand: the stations are real, the times are made up."""

from __future__ import annotations

from datetime import date

from shike.rail.model import Departure, Station, Trip
from shike.rail.timetable import Timetable
from tests.unit.rail.feeds import chinese

DAY = date(2026, 11, 22)
G71 = [
    "北京西", "保定东", "石家庄", "邢台东", "邯郸东", "郑州东", "许昌东", "驻马店西", "信阳东",
    "武汉", "岳阳东", "长沙南", "衡阳东", "郴州西", "韶关", "广州南", "深圳北",
]  # fmt: skip
D31 = ["北京南", "天津西", "济南西", "徐州东", "南京南", "苏州北", "上海虹桥"]
ABCD = ["A", "B", "C", "D"]


def run_through(train: str, names: list[str], *, hour: int = 8) -> Timetable:
    """A timetable of one train through these stations, a call each half hour, each day of a week."""
    known = {station.name: station for station in chinese()}
    stations = [known.get(name) or Station(name, name) for name in names]
    arrives = tuple((hour * 60 + 30 * at) * 60 for at in range(len(names)))
    trip = Trip(train, train, tuple(range(len(names))), arrives, tuple(at + 120 for at in arrives), 0b1111111)
    return Timetable(stations=stations, trips=[trip], zone_name="Asia/Shanghai", first_day=DAY, day_count=7)


def g71() -> tuple[Timetable, Departure]:
    timetable = run_through("G71", G71)
    return timetable, timetable.departure("G71", DAY)


def d31() -> tuple[Timetable, Departure]:
    timetable = run_through("D31", D31)
    return timetable, timetable.departure("D31", DAY)


def abcd() -> tuple[Timetable, Departure]:
    timetable = run_through("K1", ABCD)
    return timetable, timetable.departure("K1", DAY)
