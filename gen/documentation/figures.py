"""The pictures of the documentation: ``python -m gen.documentation.figures`` draws them."""

from pathlib import Path
from typing import Any

import schemdraw
from amaranth.sim import Simulator

from gen.documentation.accelerator_figure import accelerator_figure
from gen.documentation.block_diagram import BlockDiagram
from gen.documentation.engine_figures import engine_figures
from gen.documentation.waves import labelled, level, svg, timing_svg
from hdl import SystolicArray, sparq_mac
from support.files import write_if_changed

FOLDER = Path("docs")
ROWS = COLS = 2
BUBBLE = None
SLICES = ("A0", "A1", BUBBLE, "A2", "B0", "B1", "B2")
"""What enters in each cycle: two tiles, A and B, of three slices each."""


def pe_figure() -> str:
    """The datapath of the SPARQ processing element."""
    d = BlockDiagram()

    # Weights, on two lines that both lanes share.
    d.text((4.55, 10.9), "weight_in (offset binary)")
    d.box((4.1, 10.2), 0.9, 0.8, "w0")
    d.box((5.0, 10.2), 0.9, 0.8, "w1")
    d.wire((4.1, 9.8), (4.1, 1.6), (5.9, 1.6))
    d.wire((5.0, 9.8), (5.0, 0.8), (5.9, 0.8))

    # Lanes.
    d.text((1.1, 9.7), "activation_in")
    d.text((1.1, 9.2), "(pair, decoded)")
    for lane, y in enumerate((0.0, -5.0)):
        for name, height in (("x", 8.4), ("ShiftCtrl ", 7.6), ("MuxCtrl ", 6.8)):
            d.box((1.1, y + height), 2.2, 0.8, f"{name}{lane}")
        d.wire((2.2, y + 8.4), (9.0, y + 8.4))
        d.wire((2.2, y + 7.6), (9.0, y + 7.6))
        d.wire((2.2, y + 6.8), (2.8, y + 6.8), (2.8, y + 4.8), (6.6, y + 4.8), (6.6, y + 5.4))
        d.box((6.6, y + 6.2), 1.4, 1.6, "mux")
        d.wire((7.3, y + 6.2), (9.0, y + 6.2))
        d.text((8.1, y + 5.8), "weight")
        d.box((10.7, y + 7.3), 3.4, 3.0, f"ShiftAddMultiplier {lane}")
        d.text((10.7, y + 6.6), "(x · weight) << shift")
    for x, height in ((4.1, 6.6), (5.0, 5.8)):
        d.dot((x, height))
        d.wire((x, height), (5.9, height))

    # Sum and accumulator.
    d.wire((12.4, 7.3), (13.6, 7.3), (13.6, 5.2))
    d.wire((12.4, 2.3), (13.6, 2.3), (13.6, 4.4))
    d.adder((13.6, 4.8))
    d.wire((14.0, 4.8), (16.4, 4.8))
    d.text((15.2, 5.15), "products")
    d.adder((16.8, 4.8))
    d.wire((17.2, 4.8), (18.2, 4.8))
    d.box((19.4, 4.8), 2.4, 1.0, "accumulator")
    d.wire((20.6, 4.8), (21.7, 4.8))
    d.dot((21.1, 4.8))
    d.wire((21.1, 4.8), (21.1, 3.0), (17.5, 3.0))
    d.box((16.8, 3.0), 1.4, 1.0, "mux")
    d.text((15.05, 3.0), "0")
    d.wire((15.3, 3.0), (16.1, 3.0))
    d.wire((16.8, 3.5), (16.8, 4.4))
    d.wire((16.8, 1.7), (16.8, 2.5))
    d.text((16.8, 1.3), "last_out: 0")

    # Result register.
    d.text((20.5, 7.7), "result_in (from above)")
    d.wire((20.5, 7.3), (20.5, 5.7), (21.7, 5.7))
    d.box((22.4, 5.25), 1.4, 1.8, "mux")
    d.wire((23.1, 5.25), (23.9, 5.25))
    d.box((24.9, 5.25), 2.0, 1.0, "result")
    d.wire((25.9, 5.25), (26.7, 5.25))
    d.text((26.8, 5.25), "result_out", "left")
    d.wire((22.4, 2.3), (22.4, 4.35))
    d.text((22.0, 1.9), "last_out: accumulator", "left")
    d.text((22.0, 1.4), "else drain_out: result_in", "left")
    d.text((22.0, 0.9), "else the register holds", "left")

    # To the neighbours.
    for x, names in ((0.0, ("activation",)), (9.7, ("weight",)), (18.3, ("last", "drain"))):
        inputs, outputs = (", ".join(f"{name}_{way}" for name in names) for way in ("in", "out"))
        d.text((x, -1.6), inputs, "left")
        d.wire((x + 2.9, -1.6), (x + 3.6, -1.6))
        d.box((x + 4.5, -1.6), 1.8, 0.8, "register")
        d.wire((x + 5.4, -1.6), (x + 6.1, -1.6))
        d.text((x + 6.2, -1.6), outputs, "left")
    return svg(d.drawing)


def dma_figure() -> str:
    """An engine in a system, with three channels to it and one from it."""
    d = BlockDiagram()
    d.box((1.4, 2.4), 2.4, 6.4, "memory")
    streams = ("s_axis_activations", "s_axis_weights", "s_axis_parameters", "m_axis_results")
    for name, y in zip(streams, (4.8, 3.2, 1.6, 0.0), strict=True):
        out = name.startswith("m_")
        d.box((5.2, y), 3.0, 1.0, "DMA, S2MM" if out else "DMA, MM2S")
        for left, right in ((2.6, 3.7), (6.7, 12.2)):
            d.wire(*(((right, y), (left, y)) if out else ((left, y), (right, y))))
        d.text((9.4, y + 0.35), name)
    d.box((13.8, 2.4), 3.2, 6.4, "engine")
    d.box((5.2, 7.2), 3.0, 1.0, "processor")
    d.wire((6.7, 7.4), (14.2, 7.4), (14.2, 5.6))
    d.text((9.4, 7.75), "s_axi_control (AXI4-Lite)")
    d.wire((13.2, 5.6), (13.2, 7.0), (6.7, 7.0))
    d.text((9.4, 6.55), "irq")
    d.wire((5.2, 6.7), (5.2, 5.3))
    d.text((4.5, 6.0), "control")
    return svg(d.drawing)


def _record() -> list[dict[str, Any]]:
    """What the ports of an array show in each cycle, from a simulation."""
    array = SystolicArray(ROWS, COLS, sparq_mac("5opt").mac)
    simulator = Simulator(array)
    simulator.add_clock(1e-6)
    cycles: list[dict[str, Any]] = []
    schedule = (*SLICES, *[BUBBLE] * (array.latency + ROWS))

    async def bench(ctx: Any) -> None:
        for number, item in enumerate(schedule):
            ctx.set(array.in_valid, item is not BUBBLE)
            ctx.set(array.in_last, item is not BUBBLE and item.endswith("2"))
            ctx.set(array.in_a, 0x01010101 * (number + 1))
            ctx.set(array.in_w, 0x01010101)
            names = ("in_valid", "in_ready", "in_last", "out_valid", "out_last")
            cycles.append({name: ctx.get(getattr(array, name)) for name in names})
            await ctx.tick()

    simulator.add_testbench(bench)
    simulator.run()
    return cycles


def timing_figure() -> str:
    """Two tiles entering and leaving an array, as simulated."""
    cycles = _record()

    # A tile's rows leave from the bottom one up, and end with last.
    rows: list[str | None] = []
    tiles = iter("AB")
    row, tile = 0, ""
    for cycle in cycles:
        if not cycle["out_valid"]:
            rows.append(None)
            continue
        if row == 0:
            row, tile = ROWS, next(tiles)
        row -= 1
        assert cycle["out_last"] == (row == 0)
        rows.append(f"{tile} r{row}")
    slices = [*SLICES, *[None] * (len(cycles) - len(SLICES))]

    levels = {name: level(name, [cycle[name] for cycle in cycles]) for name in cycles[0]}
    return timing_svg(
        len(cycles),
        [
            *(levels[name] for name in ("in_valid", "in_ready", "in_last")),
            labelled("in_a, in_w", slices),
            *(levels[name] for name in ("out_valid", "out_last")),
            labelled("out_acc", rows),
        ],
    )


def main() -> None:
    """Draw all figures."""
    schemdraw.use("svg")
    figures = {"pe": pe_figure(), "timing": timing_figure(), "dma": dma_figure()}
    figures["accelerator"] = accelerator_figure()
    for name, text in (figures | engine_figures()).items():
        path = FOLDER / f"{name}.svg"
        write_if_changed(path, text)
        print(f"wrote {path}")


if __name__ == "__main__":
    main()
