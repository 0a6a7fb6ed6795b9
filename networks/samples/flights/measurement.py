"""Tables in few bits: log loss, area under the curve and size, by method."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import numpy as np
from rich.progress import Progress

from golden import named_format, sparq_matmul
from golden.embedding import CodebookTable, RowTable
from networks.embedding.batch import Batch
from networks.embedding.integer_recommender import (
    Bytes,
    Int32Array,
    Multiply,
    Weights,
    exact,
    quantize_recommender,
)
from networks.embedding.metrics import area_under_curve, log_losses
from networks.embedding.recommender import Recommender
from networks.fixed_point import Float64Array
from networks.samples.flights.data import BAG, CATEGORIES, Flights
from networks.samples.flights.training import train
from support.tasks import run_tasks

Table = RowTable | CodebookTable

FLOAT_BYTES = 4
CALIBRATION = 4096
"""Evenly spread training flights that ranges of activations are taken of."""
BLOCKS = 16
"""Codebooks of a table where blocks of rows share them; no more than it has rows."""
FORMATS = ("5opt", "2opt")
"""Window formats beside exact bytes."""


@dataclass(frozen=True)
class Coding:
    """How tables are quantized."""

    method: str
    bits: int

    def __call__(self, values: Float64Array) -> Table:
        """A table of ``values``."""
        if self.method == "codebook per row":
            return CodebookTable.from_float(values, self.bits)
        if self.method == "codebook per block":
            return CodebookTable.from_float(values, self.bits, min(BLOCKS, len(values)))
        options = SEARCHES.get(self.method)
        if options is not None:
            return RowTable.from_float(values, self.bits, "greedy", **options)
        return RowTable.from_float(values, self.bits, self.method)


SEARCHES: Mapping[str, dict[str, Any]] = {"greedy": {}, "greedy, wide": {"bins": 200, "ratio": 0.5}}
"""Greedy searches by name: as published, and one that may leave out half of the range."""
METHODS = ("symmetric", "asymmetric", *SEARCHES, "codebook per row", "codebook per block")
CODINGS = (Coding("asymmetric", 8), *(Coding(name, bits) for bits in (4, 2) for name in METHODS))


@dataclass(frozen=True)
class CodedTables:
    """All tables of a recommender, quantized."""

    tables: tuple[Table, ...]
    bag: Table

    @classmethod
    def of(cls, model: Recommender, coding: Callable[[Float64Array], Table]) -> "CodedTables":
        """The tables of ``model``."""
        return cls(tuple(map(coding, model.tables)), coding(model.bag))

    @property
    def nbytes(self) -> int:
        """Bytes of all tables."""
        return sum(table.nbytes for table in (*self.tables, self.bag))

    def in_place(self, model: Recommender) -> Recommender:
        """``model`` with the values of these tables."""
        tables = tuple(table.values() for table in self.tables)
        return replace(model, tables=tables, bag=self.bag.values())

    def relative_error(self, model: Recommender) -> float:
        """The L2 norm of the error of all values over that of the values."""
        pairs = [*zip(self.tables, model.tables, strict=True), (self.bag, model.bag)]
        error = sum(float(np.square(table.values() - values).sum()) for table, values in pairs)
        total = sum(float(np.square(values).sum()) for _, values in pairs)
        return float(np.sqrt(error / total))


def calibration_of(train_part: Batch) -> Batch:
    """Evenly spread flights."""
    count = len(train_part.labels)
    return train_part.select(np.arange(min(CALIBRATION, count)) * count // min(CALIBRATION, count))


def windowed(format_name: str) -> Multiply:
    """Products in windows."""
    return partial(_windowed, format_name)


def _windowed(format_name: str, name: str, x: Bytes, w: Weights) -> Int32Array:
    del name
    return sparq_matmul(x, w, named_format(format_name))


def measure_coding(
    model: Recommender, reference: Float64Array, calibration: Batch, test: Batch, coding: Coding
) -> dict[str, Any]:
    """A row of the result: ``model`` with its tables in a ``coding``.

    ``reference`` are the log losses of the model itself. The tables alone, with layers in floating
    point; and all of it in integers, in exact bytes and in windows.
    """
    coded = CodedTables.of(model, coding)
    integers = quantize_recommender(model, coded.tables, coded.bag, calibration)
    runs = {"fp32": coded.in_place(model).forward(test), "a8w8": integers.forward(test, exact)}
    runs |= {name: integers.forward(test, windowed(name)) for name in FORMATS}
    row: dict[str, Any] = {"method": coding.method, "bits": coding.bits, "bytes": coded.nbytes}
    row["error"] = round(coded.relative_error(model), 4)
    return row | {name: _scores(logits, test, reference) for name, logits in runs.items()}


def _scores(logits: Float64Array, test: Batch, reference: Float64Array) -> dict[str, float]:
    losses = log_losses(logits, test.labels)
    difference = losses - reference
    return {
        "log_loss": round(float(losses.mean()), 5),
        "difference": round(float(difference.mean()), 5),
        "difference_error": round(float(difference.std() / np.sqrt(len(difference))), 5),
        "auc": round(area_under_curve(logits, test.labels), 5),
    }


def measure_flights(
    flights: Flights,
    widths: Sequence[int],
    progress: Progress,
    scheduler: str | None = None,
) -> tuple[dict[str, Any], dict[int, Recommender]]:
    """Train a recommender of each width, and measure it in every coding.

    On all cores, or on the Dask cluster at ``scheduler``. Returns the result as plain data, and the
    recommenders.
    """
    sizes, bag_size = flights.sizes, flights.sizes[CATEGORIES.index(BAG)]
    task = progress.add_task("training", total=len(widths))
    trainings = [(flights.train, sizes, bag_size, width) for width in widths]
    trained = run_tasks(train, trainings, scheduler, lambda: progress.advance(task))
    models: dict[int, Recommender] = dict(zip(widths, trained, strict=True))

    calibration, test = calibration_of(flights.train), flights.test
    task = progress.add_task("float logits", total=len(widths))
    references = {}
    tables = []
    for width, model in models.items():
        logits = model.forward(test)
        references[width] = log_losses(logits, test.labels)
        values = sum(table.size for table in (*model.tables, model.bag))
        error = float(references[width].std() / np.sqrt(len(logits)))
        row = {"width": width, "bytes": values * FLOAT_BYTES, "standard_error": round(error, 5)}
        tables.append(row | _scores(logits, test, references[width]))
        progress.advance(task)
    places = [(width, coding) for width in widths for coding in CODINGS]
    task = progress.add_task("tables in few bits", total=len(places))
    measured = run_tasks(
        measure_coding,
        [(models[width], references[width], calibration, test, coding) for width, coding in places],
        scheduler,
        lambda: progress.advance(task),
    )
    rate = float(flights.train.labels.mean())
    guess = log_losses(np.full(len(test.labels), np.log(rate / (1 - rate))), test.labels)
    result = {
        "train": len(flights.train.labels),
        "test": len(test.labels),
        "late": round(float(test.labels.mean()), 4),
        "guess_log_loss": round(float(guess.mean()), 5),
        "categories": dict(zip(CATEGORIES, sizes, strict=True)),
        "models": tables,
        "rows": [{"width": width} | row for (width, _), row in zip(places, measured, strict=True)],
    }
    return result, models
