"""Small feeds to spoil, and the large real one."""

from __future__ import annotations

import zipfile
from functools import cache
from pathlib import Path

from shike.rail.gtfs import Feed, read_feed
from shike.rail.stations import Stations, read_stations

DATA = Path(__file__).parents[2] / "data" / "rail"
REAL = DATA / "db-fernverkehr-2019-gtfs.zip"
STATIONS = DATA / "cn-railway-stations.csv"

SMALL = {
    "agency.txt": "agency_id,agency_name,agency_url,agency_timezone\nX,X,http://x.example,Europe/Berlin\n",
    "stops.txt": "stop_id,stop_name,stop_lat,stop_lon\n"
    "a,Aachen Hbf,50.76,6.09\nb,Köln Hbf,50.94,6.95\nc,Düren,50.8,6.48\nd,Berlin Hbf,52.52,13.36\n",
    "routes.txt": "route_id,route_short_name,route_long_name,route_type\nr,,ICE 7,2\ns,,IC 9,2\n",
    "trips.txt": "route_id,service_id,trip_id\nr,daily,t\ns,daily,u\n",
    "calendar_dates.txt": "service_id,date,exception_type\n"
    "daily,20190330,1\ndaily,20190331,1\ndaily,20190401,1\ndaily,20190501,1\ndaily,20191026,1\ndaily,20191027,1\n",
    "stop_times.txt": "trip_id,arrival_time,departure_time,stop_id,stop_sequence\n"
    "t,08:00:00,08:00:00,a,1\nt,08:30:00,08:32:00,c,2\nt,09:00:00,09:05:00,b,3\nt,13:00:00,13:00:00,d,4\n"
    "u,23:50:00,23:50:00,b,1\nu,24:20:00,24:25:00,c,2\nu,25:30:00,25:30:00,a,9\n",
}


def written(folder: Path, **changed: str | None) -> Path:
    """A zip of the small feed; a file is changed by its name without `.txt`, or left out by None."""
    files = SMALL | {f"{name}.txt": text for name, text in changed.items()}
    path = folder / "feed.zip"
    with zipfile.ZipFile(path, "w") as archive:
        for name, text in files.items():
            if text is not None:
                archive.writestr(name, text.encode(errors="surrogateescape"))
    return path


def read(folder: Path, **changed: str | None) -> Feed:
    return read_feed(written(folder, **changed))


@cache
def real() -> Feed:
    return read_feed(REAL)


@cache
def chinese() -> Stations:
    return read_stations(STATIONS)
