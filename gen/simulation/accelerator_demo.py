"""A whole network on accelerators: one start, one interrupt."""

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
from rich.progress import Progress

from gen.compiler.accelerator import accelerator_shape
from gen.compiler.compile import CompiledNetwork, compile_network
from gen.compiler.report import layer_report, totals
from gen.compiler.windows import unwindowed_layers
from gen.design.configuration import Configuration
from gen.design.expectation import require_equal
from gen.simulation.accelerator_runs import AcceleratorRuns
from gen.simulation.building import build_machines
from gen.simulation.compiled_accelerator import CompiledAccelerator, MemoryKind
from gen.simulation.demo import SIDE, demo_images
from networks import load_mnist
from networks.evaluation.formats import signed_layers
from networks.evaluation.inputs import Inputs
from networks.evaluation.model import channels_last
from networks.evaluation.preparation import Options, calibrated_network
from networks.quantization.arithmetic import of_machine
from networks.quantization.network import QuantizedNetwork
from networks.quantization.operations import Bytes
from networks.samples.mnist.quantized import quantized_mnist


def run_accelerator_demo(
    images: int,
    format_name: str,
    progress: Progress,
    inputs: Inputs | None = None,
    side: int = SIDE,
    options: Options | None = None,
) -> dict[str, Any]:
    """Take ``images`` images through an accelerator of exact elements and one of windows.

    Each image is put into memory, the program is started, and when the interrupt comes the logits
    are read: they must equal the integer network's bit for bit. The network is that of ``inputs``,
    quantized with ``options``, or else that for MNIST; layers that the accelerator cannot compute
    in windows are exact.

    Both accelerators have machines of ``side`` x ``side``, in behavioral style, and the memory
    answers at once. Returns layers (predicted cycles), the network's predicted and measured cycles,
    per image, and the counters. Raises ``ConfigurationError`` before any work, ``MismatchError`` at
    the first image whose logits differ.
    """
    accelerator: dict[str, Any] = {"top": "accelerator", "rows": side, "cols": side}
    accelerator |= {"style": "behavioral"}  # the same sums and cycles, and sooner compiled
    configurations = [
        Configuration(**accelerator, pe="8x8"),
        Configuration(**accelerator, pe="sparq", format=format_name),
    ]
    shapes = [accelerator_shape(each) for each in configurations]
    network, chosen = _network(images, inputs, configurations[1], options)
    programs = [compile_network(each, network) for each in shapes]

    def build(configuration: Configuration, on_step: Any) -> CompiledAccelerator:
        return CompiledAccelerator(configuration, on_step=on_step)

    with progress:
        machines = build_machines(build, configurations, progress)
        runs = [AcceleratorRuns(machine, MemoryKind()) for machine in machines]
        tasks = [
            progress.add_task(f"images on the {each.pe} accelerator", total=images)
            for each in configurations
        ]

        def run(index: int) -> float:
            _compare(programs[index], network, chosen, runs[index])
            progress.update(tasks[index], completed=images)
            return runs[index].cycles_per_image

        with ThreadPoolExecutor() as pool:
            exact, measured = pool.map(run, range(len(runs)))
    reports = [layer_report(each, latency=0) for each in programs]
    of_exact = {row["layer"]: row["cycles"] for row in reports[0]}
    layers = [
        {
            **{name: row[name] for name in ("layer", "cycles", "utilization", "bound")},
            "cycles_8x8": of_exact[row["layer"]],
            "speedup": of_exact[row["layer"]] / row["cycles"],
        }
        for row in reports[1]
    ]
    return {
        "layers": layers,
        "images": images,
        "predicted": totals(reports[1])["cycles"],
        "cycles": measured,
        "cycles_8x8": exact,
        "speedup": exact / measured,
        "counters": runs[1].counters,
    }


def _network(
    images: int, inputs: Inputs | None, configuration: Configuration, options: Options | None
) -> tuple[QuantizedNetwork, Bytes]:
    """The network, quantized for the accelerator, and the bytes of the images."""
    indices = demo_images(images, inputs)
    signed = signed_layers(configuration.format)
    if inputs is None:
        mnist = load_mnist()
        _, network = quantized_mnist(mnist, first_layer_windowed=False, signed=signed)
        return network, network.quantize_images(mnist.test.inputs[indices])
    chosen = inputs.images.select(indices)
    for part in (chosen, inputs.calibration):
        part.check()
    kept = unwindowed_layers(accelerator_shape(configuration), inputs.model.graph)
    network = calibrated_network(
        inputs.model, inputs.calibration, options, signed, kept, inputs.source
    )
    return network, network.quantize_images(channels_last(chosen.batch()))


def _compare(
    program: CompiledNetwork, network: QuantizedNetwork, images: Bytes, runs: AcceleratorRuns
) -> None:
    """Run all images, and compare their logits with the network's."""
    image = program.image
    expected = network.forward(images, of_machine(image.shape.format))
    found = np.stack(list(runs(image, images)))
    require_equal("logits on the accelerator", found, expected)
