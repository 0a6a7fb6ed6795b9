"""Real images through the Verilog of both arrays."""

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import numpy.typing as npt
from rich.progress import Progress

import golden
from gen.check import expected_product, require_equal
from gen.compiled_array import CompiledArray, Product
from gen.configuration import Configuration, ConfigurationError
from networks import (
    LabelledImages,
    MatrixLayer,
    QuantizedNetwork,
    accuracy,
    load_mnist,
    load_mnist_network,
    load_quantized_mnist_network,
)

SIDE = 16


def run_demo(images: object, format_name: str, progress: Progress) -> dict[str, Any]:
    """Take ``images`` test images through the 8x8 and the SPARQ array, layer by layer.

    Every product is computed by the emitted Verilog under Verilator and must equal golden; between
    layers golden requantizes. Returns layers (shapes, tiles, cycles), the accuracy in per cent on
    the whole test split (of golden, whose sums the arrays' are), and the number of images. Raises
    ``ConfigurationError`` before any work, ``MismatchError`` at the first differing element.
    """
    configurations = [
        Configuration(rows=SIDE, cols=SIDE, pe="8x8"),
        Configuration(rows=SIDE, cols=SIDE, pe="sparq", format=format_name),
    ]
    mnist = load_mnist()
    available = len(mnist.test.labels)
    if isinstance(images, bool) or not isinstance(images, int) or not 1 <= images <= available:
        raise ConfigurationError(f"images must be an integer from 1 to {available}, not {images}")
    network = load_quantized_mnist_network(mnist)
    # Evenly spread, since the images are in the order of their labels.
    chosen = mnist.test.images[np.arange(images) * available // images]

    with progress:
        building = progress.add_task("building the simulations", total=None)
        with ThreadPoolExecutor() as pool:
            arrays = list(pool.map(CompiledArray, configurations))
        progress.update(building, total=1, completed=1)
        exact, sparq = (
            _through_array(network, chosen, configuration, array, progress)
            for configuration, array in zip(configurations, arrays, strict=True)
        )
    layers = [
        {
            **{"name": layer.name, "m": len(product.sums), "k": layer.depth, "n": layer.width},
            "tiles": product.tiles,
            "cycles_8x8": exact[layer.name][1].cycles,
            "cycles_sparq": product.cycles,
            "ratio": product.cycles / exact[layer.name][1].cycles,
            "bit_exact": True,  # otherwise require_equal has raised
        }
        for layer, product in sparq.values()
    ]
    return {
        "layers": layers,
        "accuracy": _accuracies(network, mnist.test, configurations[1]),
        "images": images,
    }


def _through_array(
    network: QuantizedNetwork,
    images: npt.NDArray[np.uint8],
    configuration: Configuration,
    array: CompiledArray,
    progress: Progress,
) -> dict[str, tuple[MatrixLayer, Product]]:
    """Each layer's product, computed by the array and equal to golden's."""
    products: dict[str, tuple[MatrixLayer, Product]] = {}

    def matmul(
        layer: MatrixLayer, x: npt.NDArray[np.uint8], w: npt.NDArray[np.int8]
    ) -> npt.NDArray[np.int32]:
        what = f"{layer.name} on the {configuration.pe} array"
        task = progress.add_task(what, total=array.tiles(len(x), layer.width))
        product = array.matmul(x, w, lambda tiles: progress.advance(task, tiles))
        require_equal(what, product.sums, expected_product(configuration, x, w))
        products[layer.name] = layer, product
        return product.sums.astype(np.int32)

    network.forward(images, matmul)
    return products


def _accuracies(
    network: QuantizedNetwork, test: LabelledImages, configuration: Configuration
) -> dict[str, float]:
    fmt = configuration.sparq_format
    logits = {
        "fp32": load_mnist_network().forward(test.images),
        "a8w8": network.forward(test.images, lambda _, x, w: golden.exact_matmul(x, w)),
        "sparq": network.forward(test.images, lambda _, x, w: golden.sparq_matmul(x, w, fmt)),
    }
    return {name: round(100 * accuracy(value, test.labels), 2) for name, value in logits.items()}
