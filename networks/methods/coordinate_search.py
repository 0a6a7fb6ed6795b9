"""A joint search, one clip after the other."""

from collections.abc import Callable, Sequence

from networks.methods.coordinates import Coordinate
from networks.methods.objective import Objective
from networks.quantization.clips import Clips

FACTORS = (0.7, 0.85, 0.93, 1.08, 1.2)
"""What each clip is tried with in the first pass; in each later one half as far from 1."""


def coordinate_search(
    objective: Objective,
    clips: Clips,
    loss: float,
    coordinates: Sequence[Coordinate],
    alternatives: Sequence[Clips],
    passes: int,
    on_done: Callable[[], None] = lambda: None,
) -> tuple[Clips, list[float]]:
    """From ``clips``, of this ``loss``, to better ones, and the least loss after each coordinate.

    Each of ``coordinates`` in turn takes the candidate of the least loss, if that is below the one
    so far: a factor, or, in the first of the ``passes``, what it is in one of the ``alternatives``.
    ``on_done`` is called after each. Nothing is random.
    """
    trace = []
    for index in range(passes):
        factors = [1 + (factor - 1) / (1 << index) for factor in FACTORS]
        for coordinate in coordinates:
            candidates = [coordinate.scaled(clips, factor) for factor in factors]
            if not index:
                candidates += _others(coordinate, clips, alternatives)
            losses = objective(candidates)
            if min(losses) < loss:
                loss = min(losses)
                clips = candidates[losses.index(loss)]
            trace.append(loss)
            on_done()
    return clips, trace


def _others(coordinate: Coordinate, clips: Clips, alternatives: Sequence[Clips]) -> list[Clips]:
    """``clips`` with the coordinate as in each of ``alternatives`` in which it is another."""
    found = {coordinate.part(other): other for other in alternatives}
    found.pop(coordinate.part(clips), None)
    return [coordinate.taken(clips, other) for other in found.values()]
