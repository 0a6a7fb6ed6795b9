"""From clips to the network that runs on the hardware."""

from collections.abc import Mapping
from dataclasses import dataclass

from networks.evaluation.formats import EIGHT_BITS
from networks.evaluation.preparation import Options, quantized
from networks.evaluation.settings import EXACT_8_BIT, Setting
from networks.fixed_point import Float64Array
from networks.graph.graph import Graph
from networks.quantization.arithmetic import Arithmetic
from networks.quantization.attention_windows import window_attention
from networks.quantization.clips import Clips
from networks.quantization.network import QuantizedNetwork
from networks.quantization.weight_bias import with_weight_biases


@dataclass(frozen=True, eq=False)
class Integers:
    """From clips to the network in integers that runs on the hardware.

    That of ``setting``, a window format or exact 8 bits, as an evaluation with ``options`` makes
    it where nothing else is chosen on images. With ``means`` its biases are those of
    :func:`networks.quantization.weight_bias.with_weight_biases`, which explains these.
    """

    graph: Graph
    options: Options
    setting: Setting
    means: Mapping[str, Float64Array] | None = None

    def network(self, clips: Clips) -> QuantizedNetwork:
        """The network with these ``clips``."""
        windows = self.setting.windows
        attention = self.options.attention_windowed and windows is not None
        network = quantized(
            self.graph, clips, self.options, signed=self.setting.signed, attention=attention
        )
        if self.means is not None:
            network = with_weight_biases(network, self.graph, self.means)
        return window_attention(network, windows) if attention and windows else network

    @property
    def label(self) -> str:
        """The format of the activations, with its options; that of exact bytes is ``8bit``."""
        return EIGHT_BITS if self.setting.activations == EXACT_8_BIT else self.setting.label

    @property
    def arithmetic(self) -> Arithmetic:
        """What its products run in."""
        return self.setting.arithmetic()
