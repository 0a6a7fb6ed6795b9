"""What machines that multiply tiles have in common: their streams, and how slices enter."""

from collections.abc import Mapping, Sequence
from typing import Any

from amaranth.hdl import Cat, Const, Module, Mux, Signal, Value
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from golden.format import ACTIVATION_BITS
from hdl.edge.activation_lane import ActivationLane
from hdl.edge.row_bias import RowBias
from hdl.edge.stored_activation_lane import StoredActivationLane
from hdl.elements import Elements
from hdl.encode.sign_magnitude import taken_apart
from hdl.grid.grid import make_grid
from hdl.multiplier.mac import Mac
from hdl.multiplier.multiplier import named
from hdl.multiplier.stored_activations import StoredActivations
from hdl.placement import Component, place
from hdl.tile.group_buffer import GroupBuffer


class TileMachine(Component):
    """Multiplies tiles: ``rows`` x K activations by K x ``cols`` weights, any K.

    One slice of ``k_per_cycle`` steps of K enters per cycle, for all rows and columns together. A
    cycle without a slice is a bubble and harmless anywhere: operands and ``in_last`` count in no
    other cycle than that in which a slice is taken, and may be unknown (X) in all others. A new
    tile may start in the cycle after ``in_last``.

    Results leave one row per cycle, row ``rows - 1`` first, while the next tile computes; nothing
    can hold them back. A tile occupies the result registers for :attr:`drain_cycles`: after a tile
    of fewer slices than that, ``in_ready`` stays low until they are free, so no result is lost and
    ``in_ready`` never falls inside a tile. Where windows are shared by several slices, a tile whose
    slices do not fill the last group also keeps ``in_ready`` low for those that are missing.

    Parameters
    ----------
    rows, cols : int, from 1
    mac : Mac
        What its elements are.
    column_inputs : mapping
        The ports that carry weights, and what they have for each column.

    Raises ``ValueError`` for rows or columns that are none.

    Members
    -------
    in_valid : In(1)
        A slice is offered: in_last, activations and weights of some steps of the reduction.
    in_ready : Out(1)
        A slice that is offered in this cycle is taken; it depends on no input of the same cycle.
    in_last : In(1)
        The slice is the last one of its tile.
    in_a : In(rows * k_per_cycle * 8)
        Unsigned activations, row 0 low; within a row the lower step of the reduction low.
    zero_point : In(8)
        The unsigned byte that stands for 0 in in_a, with each slice that is taken. Only where bytes
        are affine.
    in_w : In(cols * k_per_cycle * weight_bits)
        Signed weights, column 0 low; within a column the lower step of the reduction low.
    out_valid : Out(1)
        A row of results leaves, the bottom row of a tile first; nothing can hold it back.
    out_last : Out(1)
        The row is row 0, the last one of its tile.
    out_acc : Out(cols * acc_bits)
        Signed sums of the row, column 0 low.

    Attributes
    ----------
    elements : dict
        Of each port, in the order of the signature, the :class:`Elements` of its word.
    meanings : dict
        What ports carry that are not as described above: with :class:`StoredActivations`, the row
        of ``in_a`` has stored pairs, which are decoded, and no slice waits for its group. In a
        signed format ``in_a`` has the bytes that a :class:`SignMagnitude` takes; or, where ``mac``
        says so, what it gives.
    """

    def __init__(
        self,
        rows: int,
        cols: int,
        mac: Mac,
        column_inputs: Mapping[str, Elements],
    ):
        for name, value in (("rows", rows), ("cols", cols)):
            if value < 1:
                raise ValueError(f"{name} must be an integer of at least 1, not {value!r}")
        self.rows = rows
        self.cols = cols
        self.mac = mac
        bit = Elements(1)
        inputs = {
            "in_a": self._activations.repeated("row", rows),
            **self._zero_point,
            **{name: column.repeated("column", cols) for name, column in column_inputs.items()},
        }
        sums = Elements(mac.acc_bits, signed=True).repeated("column", cols)
        self.elements = {
            "in_valid": bit,
            "in_ready": bit,
            "in_last": bit,
            **inputs,
            "out_valid": bit,
            "out_last": bit,
            "out_acc": sums,
        }
        self.port_meanings = {}
        if self._takes_stored_pairs:
            self.port_meanings["in_a"] = (
                "Stored pairs of activations, row 0 low; within a row the lower steps of the "
                "reduction low."
            )
        elif fmt := mac.split_format:
            kind = fmt.activation_kind.capitalize()
            self.port_meanings["in_a"] = (
                f"{kind} activations, row 0 low; within a row the lower step of the reduction low."
            )
        elif mac.multiplier.signed_format:
            self.port_meanings["in_a"] = (
                "Magnitudes of activations, each with its sign above it, row 0 low; within a row "
                "the lower step of the reduction low."
            )
        super().__init__(
            {
                "in_valid": In(1),
                "in_ready": Out(1),
                "in_last": In(1),
                **{name: In(word.width) for name, word in inputs.items()},
                "out_valid": Out(1),
                "out_last": Out(1),
                "out_acc": Out(sums.width),
            }
        )

    @property
    def k_per_cycle(self) -> int:
        """Steps of the reduction per slice."""
        return self.mac.k_per_cycle

    @property
    def drain_cycles(self) -> int:
        """Cycles from a tile's last slice to the earliest possible one of the next tile."""
        return self.rows

    @property
    def max_stall_cycles(self) -> int:
        """The most cycles for which ``in_ready`` stays low.

        Either a tile of one slice, taken right after another's last one, waits for the result
        registers, or one slice of a group is filled up with all the others.
        """
        return max(self.rows, self.mac.multiplier.slices_per_group) - 1

    @property
    def _takes_stored_pairs(self) -> bool:
        """Whether activations come encoded."""
        return isinstance(self.mac.multiplier, StoredActivations)

    @property
    def _activations(self) -> Elements:
        """What a row of ``in_a`` has."""
        multiplier, fmt = self.mac.multiplier, self.mac.split_format
        if fmt is None:
            return multiplier.activations
        is_signed = not fmt.takes_zero_point
        return Elements(ACTIVATION_BITS, is_signed).repeated("step", multiplier.k_per_cycle)

    @property
    def _zero_point(self) -> dict[str, Elements]:
        """The port of that name, where bytes are affine."""
        fmt = self.mac.split_format
        return {"zero_point": Elements(ACTIVATION_BITS)} if fmt and fmt.takes_zero_point else {}

    @property
    def _activation_lane(self) -> type[ActivationLane]:
        """What the left edge has for each row."""
        return StoredActivationLane if self._takes_stored_pairs else ActivationLane

    @property
    def _group_delay(self) -> int:
        """Cycles that a slice waits for its group."""
        slices = self.mac.multiplier.slices_per_group
        return slices if slices > 1 else 0

    def _rows_of(self, activations: Value) -> list[Value]:
        """The activations of each row."""
        bits = self.mac.multiplier.activations.width
        return [activations.word_select(row, bits) for row in range(self.rows)]

    def _entering(self, m: Module, platform: Any) -> Value:
        """The activations of a slice as multipliers take them: signed ones taken apart."""
        fmt = self.mac.split_format
        if fmt is None:
            return self.in_a
        zero_point = self.zero_point if fmt.takes_zero_point else Const(0)
        return taken_apart(m, platform, fmt, self.in_a, zero_point)

    def _slices(
        self, m: Module, platform: Any, control: wiring.Component, weights_in: Value
    ) -> tuple[Value, Value]:
        """Let slices enter, bubbles as zeros, when their group is complete.

        Returns what the :class:`ActivationLane` of each row takes, row 0 low, and the weights.
        ``control`` has the members of a handshake of tiles.
        """
        multiplier = self.mac.multiplier
        entering = self._entering(m, platform)
        if multiplier.slices_per_group == 1:
            activations = named(m, "activations", Mux(control.taken, entering, 0))
            return activations, named(m, "weights", Mux(control.taken, weights_in, 0))
        slice_in = Cat(entering, weights_in)
        buffer = GroupBuffer(
            multiplier.slices_per_group, len(slice_in), self.rows * multiplier.shared_bits
        )
        place(m, platform, "group_buffer", buffer)
        m.d.comb += [
            buffer.taken.eq(control.taken),
            buffer.last.eq(self.in_last),
            control.hold.eq(buffer.filling),
            buffer.data_in.eq(slice_in),
            buffer.largest_in.eq(Cat(map(multiplier.shares, self._rows_of(entering)))),
        ]
        rows = self._rows_of(buffer.data_out)
        bits = multiplier.shared_bits
        shared = [buffer.largest_out.word_select(row, bits) for row in range(self.rows)]
        lanes = [Cat(*lane) for lane in zip(rows, shared, strict=True)]
        return Cat(lanes), buffer.data_out[len(entering) :]

    def _row_bias(
        self,
        m: Module,
        platform: Any,
        codes: Value,
        last: Value,
        drain: Value,
        broadcast: Sequence[str] = (),
    ) -> Value:
        """The bias of the row whose results leave, from the activation codes of all rows.

        ``last`` and ``drain`` are those of the rows, or of all where they are ``broadcast``.
        """
        biases = make_grid(self.rows, 1, RowBias, self.mac, broadcast)
        place(m, platform, "row_biases", biases)
        m.d.comb += [
            biases.activation.eq(codes),
            biases.last.eq(last),
            biases.drain.eq(drain),
        ]
        # What row_scale has beside its power of two.
        factor = self.mac.multiplier.row_scale >> (self.mac.acc_bits - self.mac.row_bias_bits)
        if factor == 1:
            return biases.bias_out
        scaled = Signal(self.mac.row_bias_bits, name="row_bias")
        m.d.comb += scaled.eq(biases.bias_out * factor)
        return scaled
