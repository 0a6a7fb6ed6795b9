"""Timing diagrams of the matrix engine, from one simulation of a small one."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from amaranth.sim import Simulator

from gen.design.configuration import Configuration
from gen.documentation.waves import labelled, level, timing_svg
from gen.driver.product import ColumnParameters, EngineProduct
from golden.engine import EngineShape
from hdl import GemmEngine

SIDE, SLICES, TILES = 2, 3, 2
"""Of a tile, and of the one column of tiles of the command."""

Cycle = dict[str, int]
CONTROL, RESULTS = "s_axi_control", "m_axis_results"
OPERANDS = ("activations", "weights", "parameters")


def _engine() -> GemmEngine:
    configuration = Configuration(top="engine", rows=SIDE, cols=SIDE, weight_depth=4)
    assert configuration.engine is not None
    return GemmEngine(configuration.engine, configuration.hash, (0, 0, 0))


def _words(engine: GemmEngine) -> dict[str, list[int]]:
    """The words of each stream of operands."""
    unit, core = engine.engine, engine.core
    shape = EngineShape(
        rows=SIDE,
        cols=SIDE,
        k_per_cycle=engine.k_per_cycle,
        machine_latency=core.machine.latency,
        slices_per_group=1,
        planes=len(unit.planes),
        lanes=unit.lanes,
        weight_depth=unit.weight_depth,
        result_tiles=core.result_tiles,
    )
    depth = SLICES * engine.k_per_cycle
    x = np.ones((TILES * SIDE, depth), np.uint8)
    w = np.ones((depth, SIDE), np.int8)
    product = EngineProduct(shape, unit.unit.weight_bits, False, x, w, ColumnParameters.of(SIDE))
    words = (product.activations(), product.weights(), product.parameter_words())
    return {
        name: [int.from_bytes(word.tobytes(), "little") for word in each]
        for name, each in zip(OPERANDS, words, strict=True)
    }


def _writes(engine: GemmEngine) -> list[tuple[str, int]]:
    """What is written, register by register, to start a command."""
    return [
        ("CONTROL", 1),
        ("TILES_M", TILES),
        ("TILES_N", 1),
        ("DEPTH", SLICES),
        ("MODE", 0),
        ("START", 1),
    ]


def _record(engine: GemmEngine) -> list[Cycle]:
    """Every port in every cycle: a command is started, then operands are offered.

    Of the results the first word is not taken at once.
    """
    cycles: list[Cycle] = []
    names = list(engine.signature.members)
    offsets = {register.name: register.offset for register in engine.registers.registers}

    async def bench(ctx: Any) -> None:
        writes = _writes(engine)
        words = _words(engine)
        taken = dict.fromkeys(OPERANDS, 0)
        results = waited = 0

        async def cycle() -> Cycle:
            nonlocal results, waited
            for name in OPERANDS:
                left = words[name][taken[name] :] if not writes else []
                ctx.set(getattr(engine, f"s_axis_{name}_tvalid"), bool(left))
                ctx.set(getattr(engine, f"s_axis_{name}_tdata"), left[0] if left else 0)
            ctx.set(getattr(engine, f"{RESULTS}_tready"), waited > 2)
            now = {name: int(ctx.get(getattr(engine, name))) for name in names}
            cycles.append(now)
            for name in OPERANDS:
                taken[name] += now[f"s_axis_{name}_tvalid"] & now[f"s_axis_{name}_tready"]
            waited += now[f"{RESULTS}_tvalid"]
            results += now[f"{RESULTS}_tvalid"] & now[f"{RESULTS}_tready"]
            await ctx.tick()
            return now

        def drive(**values: int) -> None:
            for name, value in values.items():
                ctx.set(getattr(engine, f"{CONTROL}_{name}"), value)

        await cycle()
        await cycle()
        while writes:
            register, value = writes[0]
            drive(awaddr=offsets[register], awvalid=1, wdata=value, wstrb=15, wvalid=1, bready=1)
            now = await cycle()
            assert now[f"{CONTROL}_awready"]
            assert now[f"{CONTROL}_wready"]
            drive(awvalid=0, wvalid=0)
            while not (await cycle())[f"{CONTROL}_bvalid"]:
                pass
            writes.pop(0)
        while results < TILES * SIDE:
            await cycle()
        await cycle()

    simulator = Simulator(engine)
    simulator.add_clock(1e-6)
    simulator.add_testbench(bench)
    simulator.run()
    return cycles


def _first(cycles: Sequence[Cycle], name: str) -> int:
    return next(number for number, cycle in enumerate(cycles) if cycle[name])


def _levels(cycles: Sequence[Cycle], *names: str) -> list[dict[str, Any]]:
    return [level(name, [cycle[name] for cycle in cycles]) for name in names]


def _where(cycles: Sequence[Cycle], name: str, valid: str, labels: Sequence[str]) -> dict[str, Any]:
    """A signal with the next of ``labels`` wherever it is valid, until it is taken."""
    left = list(labels)
    shown: list[str | None] = []
    for cycle in cycles:
        shown.append(left[0] if cycle[valid] else None)
        if cycle[valid] and cycle[valid.replace("valid", "ready")]:
            left.pop(0)
    return labelled(name, shown)


def _start(cycles: Sequence[Cycle], engine: GemmEngine) -> str:
    """The last two writes."""
    count = len(_writes(engine))
    begins = [n for n, cycle in enumerate(cycles) if cycle[f"{CONTROL}_awvalid"]]
    assert len(begins) == count
    part = cycles[begins[-2] - 1 : begins[-1] + 5]
    names = [name for name, _ in _writes(engine)][-2:]
    return timing_svg(
        len(part),
        [
            *_levels(part, f"{CONTROL}_awvalid", f"{CONTROL}_awready"),
            _where(part, f"{CONTROL}_awaddr", f"{CONTROL}_awvalid", names),
            *_levels(part, f"{CONTROL}_wvalid", f"{CONTROL}_wready"),
            _where(part, f"{CONTROL}_wdata", f"{CONTROL}_wvalid", ["0", "1"]),
            *_levels(part, f"{CONTROL}_bvalid", f"{CONTROL}_bready"),
        ],
    )


def _operands(cycles: Sequence[Cycle]) -> str:
    """From the first word that is offered to the last one."""
    begin = _first(cycles, "s_axis_weights_tvalid")
    last = max(n for n, cycle in enumerate(cycles) if cycle["s_axis_activations_tvalid"])
    part = cycles[begin - 1 : last + 3]
    activations = [f"{tile}{number}" for tile in "AB" for number in range(SLICES)]
    signals = []
    for name, labels in (
        ("weights", [f"w{number}" for number in range(SLICES)]),
        ("activations", activations),
        ("parameters", [f"p{number}" for number in range(6)]),
    ):
        prefix = f"s_axis_{name}"
        signals += _levels(part, f"{prefix}_tvalid", f"{prefix}_tready")
        signals.append(_where(part, f"{prefix}_tdata", f"{prefix}_tvalid", labels))
    return timing_svg(len(part), signals)


def _results(cycles: Sequence[Cycle]) -> str:
    """All words of results; the first one has to wait."""
    part = cycles[_first(cycles, f"{RESULTS}_tvalid") - 1 :]
    labels = [f"{tile} r{row}" for tile in "AB" for row in range(SIDE)]
    return timing_svg(
        len(part),
        [
            *_levels(part, f"{RESULTS}_tvalid", f"{RESULTS}_tready"),
            _where(part, f"{RESULTS}_tdata", f"{RESULTS}_tvalid", labels),
            *_levels(part, f"{RESULTS}_tlast"),
        ],
    )


def engine_figures() -> dict[str, str]:
    """By name: a command's start, operands going in, and results leaving."""
    engine = _engine()
    cycles = _record(engine)
    return {
        "engine_start": _start(cycles, engine),
        "engine_operands": _operands(cycles),
        "engine_results": _results(cycles),
    }
