"""Products of a workload by an emitted array, one after another, each compared with golden."""

from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt
from rich.progress import Progress

from gen.design.configuration import Configuration
from gen.design.expectation import expected_product, require_equal
from gen.simulation.building import build_machines
from gen.simulation.compiled_array import CompiledArray
from golden import exact_matmul

SIDE = 16
STYLE = "behavioral"
"""The one that simulates twice as fast; both are proved to add the same sums."""


@dataclass
class ArrayProducts:
    """Called with a name, activations (M, K) uint8 and weights (K, N) int8, it multiplies them.

    The array is a SPARQ one of :data:`SIDE` rows and columns, in ``format_name``, built when the
    object is made; each sum must be golden's. :attr:`runs` has a row for each product: its shape,
    tiles and cycles, and whether windows cost nothing in it, every sum being that of exact bytes.
    """

    format_name: str
    progress: Progress
    runs: list[dict[str, Any]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._configuration = Configuration(
            rows=SIDE, cols=SIDE, pe="sparq", format=self.format_name, style=STYLE
        )
        [self._array] = build_machines(
            lambda each, on_step: CompiledArray(each, on_step=on_step),
            [self._configuration],
            self.progress,
        )

    def __call__(
        self, name: str, x: npt.NDArray[np.uint8], w: npt.NDArray[np.int8]
    ) -> npt.NDArray[np.int32]:
        """The sums, int32 (M, N); raises ``MismatchError`` at the first that is not golden's."""
        m, n = len(x), w.shape[1]
        task = self.progress.add_task(f"{name} on the array", total=self._array.tiles(m, n))
        product = self._array.matmul(
            x, w, on_tiles=lambda tiles: self.progress.advance(task, tiles)
        )
        require_equal(
            f"{name} on the array", product.sums, expected_product(self._configuration, x, w)
        )
        sums = product.sums.astype(np.int32)
        self.runs.append(
            {
                **{"name": name, "m": m, "k": x.shape[1], "n": n},
                **{"tiles": product.tiles, "cycles": product.cycles},
                "exact": bool(np.array_equal(sums, exact_matmul(x, w))),
                "bit_exact": True,  # otherwise require_equal has raised
            }
        )
        return sums
