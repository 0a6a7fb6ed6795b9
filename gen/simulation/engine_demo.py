"""A whole network on engines, layer after layer."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
from rich.progress import Progress

from gen.design.configuration import Configuration, ConfigurationError
from gen.design.expectation import require_equal
from gen.driver.product import ColumnParameters
from gen.simulation.building import build_machines
from gen.simulation.compiled_engine import CompiledEngine, EngineError
from gen.simulation.demo import SIDE, arithmetic_of, demo_network, operand_of
from golden.engine import predicted_cycles
from golden.format import ACTIVATION_BITS, ACTIVATION_MAX, SparqFormat
from networks.evaluation.inputs import Inputs
from networks.evaluation.preparation import Options
from networks.graph.graph import propagate
from networks.quantization.arithmetic import matrices
from networks.quantization.network import IntegerNode, QuantizedNetwork
from networks.quantization.operations import Bytes, IntegerMatrixLayer, Requantization

WEIGHT_DEPTH = 2048
"""Slices of weights that the engines hold: the longest reduction of the network for MNIST."""


class LayerRun(NamedTuple):
    """A layer on an engine: its product (N of all groups together), and its cycles."""

    m: int
    k: int
    n: int
    predicted: int
    measured: int
    busy: int


def run_engine_demo(
    images: int,
    format_name: str,
    progress: Progress,
    inputs: Inputs | None = None,
    side: int = SIDE,
    options: Options | None = None,
) -> dict[str, Any]:
    """Take ``images`` images through an engine of exact elements and one of windows.

    Every product, bias, requantization and ReLU is computed by the emitted Verilog under Verilator,
    driven through the C driver, and must equal the integer network bit for bit; layers that are not
    windowed run in the exact mode. Pools, additions and the last layer's scales are golden's. The
    network is that of ``inputs``, quantized with ``options``, or else that for MNIST, with all
    layers windowed.

    Both engines have arrays of ``side`` x ``side``. Returns layers (shapes; predicted, measured and
    busy cycles), totals, and sizes. Raises ``ConfigurationError`` before any work,
    ``MismatchError`` at the first differing element.
    """
    engine = {"top": "engine", "rows": side, "cols": side, "weight_depth": WEIGHT_DEPTH}
    engine |= {"style": "behavioral"}  # the same sums and cycles, and sooner compiled
    configurations = [
        Configuration(**engine, pe="8x8"),
        Configuration(**engine, pe="sparq", format=format_name),
    ]
    network, chosen = demo_network(images, inputs, configurations[1].format, options)
    require_fit(network, configurations[1].sparq_format)
    with progress:
        engines = build_machines(
            lambda each, on_step: CompiledEngine(each, on_step=on_step), configurations, progress
        )
        with ThreadPoolExecutor() as pool:
            runs = [
                pool.submit(through_engine, network, chosen, each, progress) for each in engines
            ]
            baseline, sparq = (each.result() for each in runs)
    layers = [
        {
            **{"name": name, "m": run.m, "k": run.k, "n": run.n},
            **{"predicted": run.predicted, "cycles": run.measured, "busy": run.busy},
            "utilization": run.busy / run.measured,
            "cycles_8x8": baseline[name].measured,
            "speedup": baseline[name].measured / run.measured,
            "reason": _reason(run, baseline[name]),
            "bit_exact": True,  # otherwise require_equal has raised
        }
        for name, run in sparq.items()
    ]
    cycles = sum(run.measured for run in sparq.values())
    total = sum(run.measured for run in baseline.values())
    return {
        "layers": layers,
        "images": images,
        "cycles": cycles,
        "cycles_8x8": total,
        "speedup": total / cycles,
    }


def through_engine(
    network: QuantizedNetwork, images: Bytes, engine: CompiledEngine, progress: Progress
) -> dict[str, LayerRun]:
    """Take ``images`` through ``network``, every layer that multiplies on ``engine``.

    Raises ``MismatchError`` at the first element that differs from the integer network's, and
    :class:`EngineError` where the engine fails or cycles are not those that were predicted.
    """
    configuration = engine.configuration
    arithmetic = arithmetic_of(configuration)
    task = progress.add_task(f"layers on the {configuration.pe} engine", total=len(network.layers))
    runs: dict[str, LayerRun] = {}

    def apply(node: IntegerNode, *values: Any) -> Any:
        operation: Any = node.operation
        if not isinstance(operation, IntegerMatrixLayer):
            return node.clipped(operation(*values))
        (x,) = values
        sums, run = layer_sums_or_bytes(operation, node.clip, x, engine)
        shape = operation.lowering.output_shape(x.shape[1:], operation.width)
        got = sums.reshape(len(x), *shape)
        expected = operation.biased(arithmetic(operation, x))
        if isinstance(operation.finish, Requantization):
            expected = node.clipped(operation.finish(expected))
        what = f"{operation.name} on the {configuration.pe} engine"
        require_equal(what, got.reshape(-1, shape[-1]), expected.reshape(-1, shape[-1]))
        if run.predicted != run.measured:
            raise EngineError(f"{what}: {run.measured} cycles, not {run.predicted}")
        runs[operation.name] = run
        progress.advance(task)
        if isinstance(operation.finish, Requantization):
            return got
        return node.clipped(operation.finish(got.astype(np.int32)))

    propagate(network.nodes, network.source, images, network.output, apply)
    return runs


def layer_sums_or_bytes(
    layer: IntegerMatrixLayer, clip: tuple[int, int] | None, x: Bytes, engine: CompiledEngine
) -> tuple[npt.NDArray[Any], LayerRun]:
    """What the engine makes of a layer's input: bytes (M, N), or the last layer's int32 sums.

    A layer that is not windowed runs in the exact mode, if the engine has windows. The zero point
    of one that is windowed in a signed format is subtracted by the engine, not by the bias.
    """
    finish, fmt = layer.finish, engine.configuration.mac.sparq_format
    per_group = layer.width // layer.groups
    low, high = clip or (0, ACTIVATION_MAX)
    columns = ColumnParameters.of(layer.width, layer.bias)
    if isinstance(finish, Requantization):
        columns = ColumnParameters.of(
            *(layer.width, layer.bias, finish.multiplier, finish.shift),
            *(finish.zero_point, low, high),
        )
    is_exact = not layer.windowed and engine.configuration.format is not None
    parts, predicted, measured, busy = [], 0, 0, 0
    for group, (rows, weights) in enumerate(matrices(layer, x)):
        rows, zero_point = operand_of(rows, fmt if layer.windowed else None, layer.fill)
        own = columns.of_part(group * per_group, per_group)
        own = replace(own, bias=own.bias + zero_point * weights.sum(axis=0, dtype=np.int64))
        sums = not isinstance(finish, Requantization)
        plan = engine.plan(rows, weights, own, is_exact, sums, zero_point=zero_point)
        run = engine.run(plan)
        parts.append(run.result)
        predicted += predicted_cycles(engine.shape, [each.command for each in plan.commands])
        measured += run.counters["cycles"]
        busy += run.counters["busy"]
    result = np.concatenate(parts, axis=1)
    return result, LayerRun(len(result), layer.depth, layer.width, predicted, measured, busy)


def require_fit(network: QuantizedNetwork, fmt: SparqFormat) -> None:
    """Raise ``ConfigurationError`` for a layer that does not fit both engines."""
    for layer in network.layers:
        if layer.depth > WEIGHT_DEPTH:
            raise ConfigurationError(
                f"the reduction of {layer.name} must be at most {WEIGHT_DEPTH} long to fit the "
                f"engine's weight buffer, not {layer.depth}"
            )
        if not layer.windowed and fmt.magnitude_bits < ACTIVATION_BITS:
            raise ConfigurationError(
                f"{layer.name} stays at {ACTIVATION_BITS} bits ({layer.reason}), of which an "
                f"engine of signed bytes multiplies {fmt.magnitude_bits}"
            )


def _reason(run: LayerRun, baseline: LayerRun) -> str:
    """Why a layer is not twice as fast, in a few words; empty if it is."""
    if round(baseline.measured / run.measured, 2) >= 2:
        return ""
    reasons = []
    if run.busy == baseline.busy:
        reasons.append("exact mode")
    elif 2 * run.busy > baseline.busy:
        reasons.append(f"odd K: {run.k} steps in {run.k // 2 + 1} slices")
    outside, before = run.measured - run.busy, baseline.measured - baseline.busy
    if 2 * outside > before:
        reasons.append(f"cycles without a slice: {outside}, of 8x8 {before}")
    return "; ".join(reasons)
