"""How many columns of an array second points may take, and which channels get them."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np

from networks.fixed_point import Float64Array
from networks.quantization.operations import IntegerMatrixLayer

IDLE = "idle"
ALLOWED = f"{IDLE}, a number of columns, or a part of all channels such as 25%"
Channel = tuple[str, int]
"""A layer, and one of its output channels."""


@dataclass(frozen=True)
class ExtraColumns:
    """So many columns, or a ``percent`` of all channels; or all that ``idle`` ones hold.

    Idle are the columns that the last tile of a layer's product leaves so: they cost no cycle.
    """

    count: int = 0
    percent: int = 0
    idle: bool = False

    @classmethod
    def parse(cls, text: str) -> Self:
        """``idle``, ``12`` or ``25%``; ``ValueError`` for anything else."""
        if text == IDLE:
            return cls(idle=True)
        found = re.fullmatch(r"(\d+)(%?)", text)
        if not found or int(found[1]) < 1 or (found[2] and int(found[1]) > 100):
            raise ValueError(f"extra-columns must be {ALLOWED}, not {text!r}")
        return cls(percent=int(found[1])) if found[2] else cls(count=int(found[1]))

    def __str__(self) -> str:
        """As it is parsed."""
        return IDLE if self.idle else f"{self.percent}%" if self.percent else str(self.count)

    def chosen(
        self, layers: Sequence[IntegerMatrixLayer], ranked: Sequence[Channel], cols: int
    ) -> list[Channel]:
        """The first ones of ``ranked``, which are all channels of ``layers``, that fit."""
        if not self.idle:
            return list(ranked[: self.count or round(len(ranked) * self.percent / 100)])
        widths = {layer.name: layer.width // layer.groups for layer in layers}
        left = {
            (layer.name, group): idle_columns(widths[layer.name], cols)
            for layer in layers
            for group in range(layer.groups)
        }
        found = []
        for name, channel in ranked:
            product = name, channel // widths[name]
            if left[product]:
                left[product] -= 1
                found.append((name, channel))
        return found


def idle_columns(width: int, cols: int) -> int:
    """Of the last one of the tiles, ``cols`` wide, that ``width`` columns take."""
    return -width % cols


def ranked_by(errors: Mapping[str, Float64Array]) -> list[Channel]:
    """All channels, those of the largest ``errors`` (N,) of their layers first."""
    channels = [(name, index) for name, own in errors.items() for index in range(len(own))]
    return sorted(channels, key=lambda channel: -errors[channel[0]][channel[1]])


def shuffled(errors: Mapping[str, Float64Array], seed: int) -> list[Channel]:
    """All channels, in an order that nothing but ``seed`` decides."""
    channels = [(name, index) for name, own in errors.items() for index in range(len(own))]
    order = np.random.Generator(np.random.PCG64(seed)).permutation(len(channels))
    return [channels[index] for index in order]
