"""The data path of the engine: streams, buffers, machine, output."""

from typing import Any

from amaranth.hdl import Cat, Const, Module, Signal, Value
from amaranth.lib.wiring import In, Out

from golden.format import ACTIVATION_BITS
from hdl.elements import Elements
from hdl.encode.sign_magnitude import taken_apart
from hdl.engine.column_parameters import PARAMETER_WORD_BITS
from hdl.engine.command import COMMAND
from hdl.engine.engine_unit import EngineUnit
from hdl.engine.output_stage import OutputStage
from hdl.engine.pair_counter import PairCounter
from hdl.engine.parameter_buffer import ParameterBuffer
from hdl.engine.plane_splitter import PlaneSplitter
from hdl.engine.tile_walk import TILE, TileWalk
from hdl.engine.weight_buffer import WeightBuffer
from hdl.placement import Component, place
from hdl.stream.stream_fifo import GAPLESS_DEPTH, StreamFifo
from hdl.stream.stream_register import StreamRegister

QUEUE_LATENCY = 2
"""Cycles from a row of results to its being offered to the output."""


def whole_bytes(bits: int) -> int:
    """The least whole number of bytes that holds so many bits, in bits."""
    return -(-bits // 8) * 8


class GemmCore(Component):
    """Takes commands and streams, and gives results, as the :class:`GemmEngine` says.

    Parameters
    ----------
    engine : EngineUnit

    Members
    -------
    enable : In(1)
        Slices may go into the machine.
    command_valid : In(1)
        A command is offered.
    command_ready : Out(1)
        A command that is offered is taken.
    command : In(COMMAND)
        The command.
    zero_point : In(engine.zero_point_bits)
        With it: the high bits of the byte that stands for 0, all others being 0. Where it is 0,
        signed bytes are in two's complement. Only where signed activations come as bytes.
    commands_waiting : Out(range(command_depth + 1))
        Commands whose slices have not all gone into the machine.
    activations_valid, weights_valid, parameters_valid : In(1)
        A word of the stream is offered.
    activations_ready, weights_ready, parameters_ready : Out(1)
        A word that is offered is taken.
    activations_data : In(rows * k_per_cycle * 8)
        A slice, the row whose results leave first low; within a row the lower step low. Of a
        machine that takes stored pairs rows * k_per_cycle / 2 of them, in whole bytes.
    weights_data : In(cols * k_per_cycle * weight_bits, in whole bytes)
        A slice as the machine takes it.
    parameters_data : In(32)
        A word of :data:`COLUMN_PARAMETERS`, of column 0 first.
    results_valid : Out(1)
        A word of results is offered, until it is taken.
    results_ready : In(1)
        A word that is offered is taken.
    results_data : Out(lanes * 8)
        The word.
    results_last : Out(1)
        The word is the last one of its command.
    done : Out(1)
        The last word of a command leaves.
    busy : Out(1)
        The machine takes a slice.
    waits_for_activations : Out(1)
        There is a command, but no activations.
    waits_for_weights : Out(1)
        There are activations, but no weights.
    waits_for_output : Out(1)
        There are both, but no room for results.
    pairs_with_zero : Out(range(pairs + 1))
        Pairs that the machine took in an earlier cycle and of which exactly one is zero.
    zero_pairs : Out(range(pairs + 1))
        Pairs that it took in the same cycle and of which both are.
    """

    def __init__(self, engine: EngineUnit):
        self.engine = engine
        self.machine = machine = engine.machine_component()
        names = [name for name in machine.elements if name.startswith("in_")]
        self._weight_ports = [
            name for name in names if name not in ("in_valid", "in_ready", "in_last", "in_a")
        ]
        self.weight_bits = sum(machine.elements[name].width for name in self._weight_ports)
        steps = machine.k_per_cycle
        self._activations = machine.elements["in_a"]
        if fmt := engine.split_format:
            byte = Elements(ACTIVATION_BITS, signed=not fmt.takes_zero_point)
            self._activations = byte.repeated("step", steps).repeated("row", engine.rows)
        self.activation_bits = self._activations.width
        self.pairs = engine.rows * steps // 2 if steps % 2 == 0 else 0
        # From a tile's last slice to its last result, if one ends in every ``rows`` cycles.
        under_way = machine.latency + engine.rows + QUEUE_LATENCY + 1
        self.result_tiles = engine.result_tiles or max(2, -(-under_way // engine.rows))
        streams = {
            "activations": whole_bytes(self.activation_bits),
            "weights": whole_bytes(self.weight_bits),
            "parameters": PARAMETER_WORD_BITS,
        }
        inputs = {
            port: member
            for name, width in streams.items()
            for port, member in (
                (f"{name}_valid", In(1)),
                (f"{name}_ready", Out(1)),
                (f"{name}_data", In(width)),
            )
        }
        super().__init__(
            {
                "enable": In(1),
                "command_valid": In(1),
                "command_ready": Out(1),
                "command": In(COMMAND),
                **({"zero_point": In(engine.zero_point_bits)} if engine.zero_point_bits else {}),
                "commands_waiting": Out(range(engine.command_depth + 1)),
                **inputs,
                "results_valid": Out(1),
                "results_ready": In(1),
                "results_data": Out(engine.lanes * 8),
                "results_last": Out(1),
                "done": Out(1),
                "busy": Out(1),
                "waits_for_activations": Out(1),
                "waits_for_weights": Out(1),
                "waits_for_output": Out(1),
                "pairs_with_zero": Out(range(self.pairs + 1)),
                "zero_pairs": Out(range(self.pairs + 1)),
            }
        )

    @property
    def activation_parts(self) -> dict[str, Elements]:
        """What a slice of activations consists of, the lowest first: names as of the machine's
        ports, and ``padding``, less than a byte.
        """
        return _in_whole_bytes({"a": self._activations})

    @property
    def weight_parts(self) -> dict[str, Elements]:
        """What a slice of weights consists of, in the same form."""
        elements = self.machine.elements
        return _in_whole_bytes(
            {name.removeprefix("in_"): elements[name] for name in self._weight_ports}
        )

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        engine, machine = self.engine, self.machine
        rows, mac = engine.rows, machine.mac

        # Streams come in through registers.
        activations = StreamRegister(whole_bytes(self.activation_bits))
        weights = StreamRegister(whole_bytes(self.weight_bits))
        for name, register in (("activations", activations), ("weights", weights)):
            place(m, platform, f"{name}_register", register)
            m.d.comb += [
                register.in_valid.eq(getattr(self, f"{name}_valid")),
                register.in_data.eq(getattr(self, f"{name}_data")),
                getattr(self, f"{name}_ready").eq(register.in_ready),
            ]

        # Commands wait.
        zero_point = [self.zero_point] if engine.zero_point_bits else []
        command = Cat(self.command, *zero_point)
        commands = StreamFifo(len(command), engine.command_depth)
        place(m, platform, "commands", commands)
        m.d.comb += commands.in_data.eq(command)
        walk = TileWalk(self.result_tiles)
        place(m, platform, "walk", walk)
        m.d.comb += [
            walk.command.eq(commands.out_data),
            walk.command_valid.eq(commands.out_valid & self.enable),
            commands.out_ready.eq(walk.command_ready),
        ]
        waiting = Signal.like(self.commands_waiting, name="waiting")
        m.d.sync += waiting.eq(waiting + commands.taken - commands.given)
        m.d.comb += [
            self.commands_waiting.eq(waiting),
            walk.activations_valid.eq(activations.out_valid),
        ]

        # Weights stay for a column of tiles, or stream in.
        goes = Signal()
        m.d.comb += goes.eq(walk.slice_valid & walk.slice_ready)
        m.d.comb += activations.out_ready.eq(goes)
        if engine.weight_depth:
            to_load = StreamFifo(COMMAND.size, engine.command_depth)
            place(m, platform, "commands_to_load", to_load)
            buffer = WeightBuffer(self.weight_bits, engine.weight_depth)
            place(m, platform, "weight_buffer", buffer)
            m.d.comb += [
                self.command_ready.eq(commands.in_ready & to_load.in_ready),
                commands.in_valid.eq(self.command_valid & to_load.in_ready),
                to_load.in_valid.eq(self.command_valid & commands.in_ready),
                to_load.in_data.eq(self.command),
                buffer.command.eq(to_load.out_data),
                buffer.command_valid.eq(to_load.out_valid),
                to_load.out_ready.eq(buffer.command_ready),
                buffer.in_valid.eq(weights.out_valid),
                buffer.in_data.eq(weights.out_data),
                weights.out_ready.eq(buffer.in_ready),
            ]
            source = buffer
        else:
            m.d.comb += [
                self.command_ready.eq(commands.in_ready),
                commands.in_valid.eq(self.command_valid),
            ]
            source = weights
        m.d.comb += [walk.weights_valid.eq(source.out_valid), source.out_ready.eq(goes)]

        # Slices pass, once or in planes.
        entering = self._entering(m, platform, activations.out_data, commands.out_data)
        splitter = PlaneSplitter(
            len(activations.out_data) // 8,
            self.weight_bits,
            engine.planes,
            mac.multiplier.slices_per_group,
            engine.split_format,
        )
        place(m, platform, "plane_splitter", splitter)
        m.d.comb += [
            splitter.in_valid.eq(walk.slice_valid),
            splitter.in_last.eq(walk.slice_last),
            splitter.in_exact.eq(walk.slice_exact),
            splitter.in_data.eq(Cat(entering, source.out_data[: self.weight_bits])),
            walk.slice_ready.eq(splitter.in_ready),
        ]

        # The machine gives the bottom row first.
        place(m, platform, "machine", machine)
        slice_activations = splitter.out_data[: len(machine.in_a)]
        row_bits = len(machine.in_a) // rows
        bottom_first = [slice_activations.word_select(row, row_bits) for row in range(rows)]
        m.d.comb += [
            machine.in_valid.eq(splitter.out_valid),
            splitter.out_ready.eq(machine.in_ready),
            machine.in_last.eq(splitter.out_last),
            machine.in_a.eq(Cat(reversed(bottom_first))),
            Cat(getattr(machine, name) for name in self._weight_ports).eq(
                splitter.out_data[len(entering) :]
            ),
        ]

        # Results wait until the output takes them, and what is to be done with them.
        # The walk sees that there is room; nothing else holds them back.
        tile_depth = max(GAPLESS_DEPTH, self.result_tiles)
        result_depth = max(GAPLESS_DEPTH, rows * self.result_tiles)
        results = StreamFifo(len(machine.out_acc), result_depth)
        tiles = StreamFifo(TILE.size, tile_depth)
        place(m, platform, "results", results)
        place(m, platform, "tiles", tiles)
        m.d.comb += [
            results.in_valid.eq(machine.out_valid),
            results.in_data.eq(machine.out_acc),
            tiles.in_valid.eq(goes & walk.slice_last),
            tiles.in_data.eq(walk.tile),
        ]
        parameters = ParameterBuffer(engine.cols, engine.lanes)
        sizes = rows, engine.cols, engine.lanes, mac.acc_bits
        points = 2 if engine.multipoint else None
        output = OutputStage(*sizes, engine.output_format, points)
        place(m, platform, "parameter_buffer", parameters)
        place(m, platform, "output_stage", output)
        m.d.comb += [
            parameters.in_valid.eq(self.parameters_valid),
            parameters.in_data.eq(self.parameters_data),
            self.parameters_ready.eq(parameters.in_ready),
            parameters.part.eq(output.parameters_part),
            parameters.read.eq(output.parameters_read),
            parameters.free_bank.eq(output.parameters_release),
            output.parameters_full.eq(parameters.full),
            output.parameters.eq(parameters.parameters),
            output.rows_valid.eq(results.out_valid & tiles.out_valid),
            output.sums.eq(results.out_data),
            output.tile.eq(tiles.out_data),
            results.out_ready.eq(output.rows_ready),
            tiles.out_ready.eq(output.finished),
            walk.finished.eq(output.finished),
        ]

        # The output goes through a register.
        words = StreamRegister(len(self.results_data) + 1)
        place(m, platform, "results_register", words)
        m.d.comb += [
            words.in_valid.eq(output.out_valid),
            words.in_data.eq(Cat(output.out_data, output.out_last)),
            output.out_ready.eq(words.in_ready),
            self.results_valid.eq(words.out_valid),
            words.out_ready.eq(self.results_ready),
            Cat(self.results_data, self.results_last).eq(words.out_data),
            self.done.eq(words.given & self.results_last),
        ]

        # What is counted.
        m.d.comb += [
            self.busy.eq(machine.in_valid & machine.in_ready),
            self.waits_for_activations.eq(walk.waits_for_activations),
            self.waits_for_weights.eq(walk.waits_for_weights),
            self.waits_for_output.eq(walk.waits_for_output),
        ]
        if self.pairs:
            stored_format = engine.unit.sparq_format if engine.unit.encoded_input else None
            counter = PairCounter(self.pairs, stored_format, engine.split_format)
            place(m, platform, "pair_counter", counter)
            m.d.comb += [
                counter.valid.eq(self.busy),
                counter.activations.eq(slice_activations),
                self.pairs_with_zero.eq(counter.with_zero),
                self.zero_pairs.eq(counter.zero),
            ]
        return m

    def _entering(self, m: Module, platform: Any, activations: Value, command: Value) -> Value:
        """The activations of a slice as the machine takes them: signed ones taken apart."""
        engine = self.engine
        fmt = engine.split_format
        if fmt is None:
            return activations
        zero_point = command[COMMAND.size :]
        if not fmt.takes_zero_point:  # a zero point of 128 is a highest bit inverted
            highest = Cat(Const(0, ACTIVATION_BITS - 1), zero_point)
            activations = activations ^ highest.replicate(len(activations) // ACTIVATION_BITS)
        return taken_apart(m, platform, fmt, activations, zero_point)


def _in_whole_bytes(parts: dict[str, Elements]) -> dict[str, Elements]:
    """These parts, and what fills them up."""
    bits = sum(part.width for part in parts.values())
    if bits % 8:
        parts["padding"] = Elements(whole_bytes(bits) - bits)
    return parts
