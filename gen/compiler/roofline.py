"""The layers of a network under the roofs of an accelerator."""

from typing import Any

from golden.accelerator.shape import AcceleratorShape
from support.plots import new_figure, svg_text


def roofline(title: str, rows: list[dict[str, Any]], shape: AcceleratorShape) -> str:
    """An SVG of ``layer_report``: of each layer its products in a cycle over those of a byte of
    memory, which are at most as many as the machine has, and as memory brings bytes for.
    """
    figure = new_figure(8, 5)
    axes = figure.subplots()
    layers = [row for row in rows if row["products"] and row["cycles"]]
    roofs = sorted({row["most_products"] for row in layers}, reverse=True)
    places = [row["products_per_byte"] for row in layers]
    places += [roof / shape.beat_bytes for roof in roofs]
    ends = min(places, default=1) / 2, max(places, default=1) * 2
    for index, roof in enumerate(roofs):
        knee = roof / shape.beat_bytes
        below = [each for each in (ends[0], knee, ends[1]) if each <= ends[1]]
        height = [min(roof, each * shape.beat_bytes) for each in below]
        label = f"{roof} products in a cycle, {8 * shape.beat_bytes} bits of memory"
        axes.plot(below, height, color=f"C{index}", label=label, linewidth=1)
    for row in layers:
        point = (row["products_per_byte"], row["products"] / row["cycles"])
        axes.scatter(*point, s=12, color=f"C{roofs.index(row['most_products'])}")
        axes.annotate(row["layer"], point, fontsize=6)
    axes.set_xscale("log")
    axes.set_yscale("log")
    axes.set_xlabel("products for a byte of memory")
    axes.set_ylabel("products in a cycle")
    axes.set_title(title)
    if roofs:
        axes.legend(loc="lower right", fontsize=8)
    return svg_text(figure)
