"""Exact activations through windows: a byte in several passes."""

from collections.abc import Sequence
from typing import Any

from amaranth.hdl import Cat, Const, Module, Mux, Signal, Value
from amaranth.lib.memory import Memory
from amaranth.lib.wiring import In, Out

from golden.format import ACTIVATION_BITS, SparqFormat
from hdl.stream.stream_stage import StreamStage


class PlaneSplitter(StreamStage):
    """Lets slices pass, or, where they are ``exact``, once for each of ``planes``.

    A slice has activations in its low bits and weights above. In the pass of a plane only the bits
    of its mask are left of each activation; the weights stay, and so does the sign of what is left
    of a signed one. Where several slices share windows,
    all slices of such a group pass, then all again; a group that the end of the tile cuts short is
    filled up with empty slices, in all passes but the last.

    A slice that passes first does so combinationally.

    Parameters
    ----------
    activations : int
        Activations of a slice.
    weight_bits : int
        Bits of a slice's weights.
    planes : sequence of int
        Masks, ``SparqFormat.exact_planes``; of one or none, exact slices are as all others.
    group : int, from 1
        Slices that share windows.
    fmt : SparqFormat, optional
        Of signed activations: each is its magnitude and, above it, its sign, which is 0 for a 0.
        Without one they are bytes.

    Members
    -------
    in_valid, in_ready, in_data, out_valid, out_ready, out_data
        Of a :class:`StreamStage`.
    in_last : In(1)
        The slice is the last one of its tile.
    in_exact : In(1)
        The slice is to be multiplied exactly; all of a tile are, or none.
    out_last : Out(1)
        The slice is the last one of its tile.
    """

    def __init__(
        self,
        activations: int,
        weight_bits: int,
        planes: Sequence[int],
        group: int,
        fmt: SparqFormat | None = None,
    ):
        self.activations = activations
        self.weight_bits = weight_bits
        self.planes = tuple(planes)
        self.group = group
        self.fmt = fmt
        self.magnitude_bits = fmt.magnitude_bits if fmt else ACTIVATION_BITS
        self.activations_bits = activations * (fmt.activation_bits if fmt else ACTIVATION_BITS)
        width = self.activations_bits + weight_bits
        super().__init__(width, width, {"in_last": In(1), "in_exact": In(1), "out_last": Out(1)})

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        if len(self.planes) < 2:
            m.d.comb += [
                self.out_valid.eq(self.in_valid),
                self.in_ready.eq(self.out_ready),
                self.out_data.eq(self.in_data),
                self.out_last.eq(self.in_last),
            ]
            return m
        plane = Signal(range(len(self.planes)))
        is_last_plane = plane == len(self.planes) - 1
        if self.group == 1:
            self._repeat(m, plane, is_last_plane)
        else:
            self._replay(m, plane, is_last_plane)
        return m

    def _give(self, m: Module, slice_data: Value, plane: Signal, exact: Value) -> None:
        """Give a slice, of its activations the bits of a plane if it is exact."""
        mask = Signal(self.magnitude_bits)
        with m.Switch(plane):
            for index, own in enumerate(self.planes):
                with m.Case(index):
                    m.d.comb += mask.eq(Mux(exact, own, -1))
        if self.fmt is None:
            masks = Cat(mask.replicate(self.activations), Const(-1, self.weight_bits))
            m.d.comb += self.out_data.eq(slice_data & masks)
            return
        activations = slice_data[: self.activations_bits]
        for index in range(self.activations):
            activation = activations.word_select(index, self.fmt.activation_bits)
            masked = Signal(self.magnitude_bits, name=f"masked_{index}")
            m.d.comb += [
                masked.eq(activation & mask),
                self.out_data.word_select(index, self.fmt.activation_bits).eq(
                    Cat(masked, activation[-1] & masked.any())
                ),
            ]
        m.d.comb += self.out_data[self.activations_bits :].eq(slice_data[self.activations_bits :])

    def _repeat(self, m: Module, plane: Signal, is_last_plane: Value) -> None:
        """Offer the slice that is offered until all its planes have passed."""
        ends = ~self.in_exact | is_last_plane
        self._give(m, self.in_data, plane, self.in_exact)
        m.d.comb += [
            self.out_valid.eq(self.in_valid),
            self.out_last.eq(self.in_last & ends),
            self.in_ready.eq(self.out_ready & ends),
        ]
        with m.If(self.given & self.in_exact):
            m.d.sync += plane.eq(Mux(is_last_plane, 0, plane + 1))

    def _replay(self, m: Module, plane: Signal, is_last_plane: Value) -> None:
        """Let a group pass, and repeat it from a memory."""
        m.submodules.memory = memory = Memory(shape=len(self.in_data), depth=self.group, init=[])
        write = memory.write_port()
        read = memory.read_port(domain="comb")
        place = Signal(range(self.group))
        is_end = place == self.group - 1
        # The last slice of the group, and whether it ends the tile.
        count = Signal(range(self.group))
        ends_tile = Signal()
        passes = Signal(init=1)
        is_filling = Signal()
        m.d.comb += [
            write.addr.eq(place),
            write.data.eq(self.in_data),
            write.en.eq(self.taken & self.in_exact),
            read.addr.eq(place),
        ]
        repeats = ~passes
        slice_data = Mux(passes, self.in_data, Mux(is_filling, 0, read.data))
        self._give(m, slice_data, plane, self.in_exact | repeats)
        ends_last = repeats & is_last_plane & (place == count) & ends_tile
        m.d.comb += [
            self.in_ready.eq(passes & self.out_ready),
            self.out_valid.eq(repeats | self.in_valid),
            self.out_last.eq(Mux(passes, self.in_last & ~self.in_exact, ends_last)),
        ]
        with m.If(self.given):
            m.d.sync += place.eq(place + 1)
            with m.If(passes):
                with m.If(~self.in_exact):
                    m.d.sync += place.eq(0)
                with m.Elif(is_end | self.in_last):
                    m.d.sync += [
                        passes.eq(0),
                        count.eq(place),
                        ends_tile.eq(self.in_last),
                        is_filling.eq(~is_end),
                    ]
                    with m.If(is_end):
                        m.d.sync += [place.eq(0), plane.eq(1)]
            with m.Else():
                with m.If(ends_last):
                    m.d.sync += [place.eq(0), plane.eq(0), passes.eq(1), is_filling.eq(0)]
                with m.Elif(is_end):
                    m.d.sync += [place.eq(0), is_filling.eq(0), plane.eq(plane + 1)]
                    with m.If(is_last_plane):
                        m.d.sync += [plane.eq(0), passes.eq(1)]
                with m.Elif(place == count):
                    m.d.sync += is_filling.eq(1)
