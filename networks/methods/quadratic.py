"""Where a parabola through losses is least."""

from collections.abc import Sequence
from fractions import Fraction


def least_of_parabola(points: Sequence[tuple[float, float]]) -> float | None:
    """The abscissa of the lowest point of the parabola nearest to ``points`` (least squares).

    None where the fit is not convex, or its lowest point is not within the abscissas: a minimum
    that nothing was measured around. Exact rational arithmetic, so that no machine differs.
    """
    xs = [Fraction(x) for x, _ in points]
    ys = [Fraction(y) for _, y in points]
    if len(set(xs)) < 3:
        return None
    # Sums of powers about the mean, in which the normal equations are small.
    mean = sum(xs) / len(xs)
    ts = [x - mean for x in xs]
    count, second, third, fourth = (sum(t**power for t in ts) for power in (0, 2, 3, 4))
    level, slope, curve = (
        sum(y * t**power for t, y in zip(ts, ys, strict=True)) for power in (0, 1, 2)
    )
    # count a + second c = level; second b + third c = slope; second a + third b + fourth c = curve
    bend = fourth - second * second / count - third * third / second
    c = (curve - second * level / count - third * slope / second) / bend
    if c <= 0:
        return None
    b = (slope - third * c) / second
    lowest = mean - b / (2 * c)
    return float(lowest) if min(xs) <= lowest <= max(xs) else None
