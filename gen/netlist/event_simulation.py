"""Simulation of a mapped netlist with the delays of the timing analysis: toggles with glitches."""

import ctypes
import weakref
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt

from gen.library.function import expression
from gen.library.library import Library
from gen.netlist.netlist import Netlist, NetlistError
from gen.netlist.simulation import WORD, Simulator
from gen.netlist.timing import PathDelays, path_delays
from support.cpp import shared_library

ENGINE = Path(__file__).with_suffix(".cpp")
OPTIONS = ("-std=c++20", "-O2")
SEED = 13


class TimedSimulator(Simulator):
    """A :class:`Simulator` that also counts the changes of nets within cycles, in a sample of them.

    In each cycle ``words_per_cycle`` words of 64 lanes, picked at random but always the same ones,
    are simulated with delays as well. Flip-flops and input ports change after the clock to output
    delay of a flip-flop; then events run until all is settled, however long that takes. The delay
    of a path through a cell, from one input to one output, rising or falling there, is the one at
    its load and at the slowest slew of its input, rounded to picoseconds and at least 1. The model
    is that of Verilog's ``specify`` in Icarus: a changed function is taken over by the output after
    the shortest delay from the inputs that have just changed, with the value that it has by then.
    So pulses shorter than a delay are swallowed, and all others count in full.

    ``folder`` keeps the compiled engine: of one library, for all netlists. Raises ``ToolError``
    without a C++ compiler.
    """

    def __init__(
        self, netlist: Netlist, library: Library, lanes: int, words_per_cycle: int, folder: Path
    ):
        super().__init__(netlist, library, lanes)
        words = lanes // WORD
        if not 1 <= words_per_cycle <= words:
            raise ValueError(f"words_per_cycle must be from 1 to {words}, not {words_per_cycle}")
        self._words_per_cycle = words_per_cycle
        self._random = np.random.default_rng(SEED)
        self._waiting: list[int] = []
        self._timed_toggles = np.zeros((words, netlist.nets), np.int64)
        self._settled_toggles = self._timed_toggles.copy()
        self._before: npt.NDArray[np.uint64] | None = None
        self._tables = _Tables(netlist, library, path_delays(netlist, library))
        self._engine = _engine(library, folder)
        self._simulation = self._engine.create(ctypes.byref(self._tables.structure))
        weakref.finalize(self, self._engine.destroy, self._simulation)

    def count_toggles(self, enabled: bool) -> None:
        """As that of a :class:`Simulator`."""
        super().count_toggles(enabled)
        if enabled:
            self._timed_toggles[:] = self._settled_toggles[:] = 0
            self._before = None

    def step(self) -> None:
        """As that of a :class:`Simulator`, and let events run. Both must settle alike."""
        super().step()
        if not self._counting:
            return
        if self._before is not None:
            for _ in range(self._words_per_cycle):
                if not self._waiting:  # each as often as the others
                    self._waiting = self._random.permutation(len(self._timed_toggles)).tolist()
                word = self._waiting.pop()
                self._let_events_run(word, self._before[self._rows, word])
        self._before = self._values.copy()

    def _let_events_run(self, word: int, values: npt.NDArray[np.uint64]) -> None:
        settled = self._values[self._rows, word]
        sources = settled[self._tables.source_nets]
        self._settled_toggles[word] += np.bitwise_count(values ^ settled)
        self._engine.run_cycle(
            self._simulation,
            *(array.ctypes.data for array in (values, sources, self._timed_toggles[word])),
        )
        if self._netlist.clock is not None:
            for toggles in (self._timed_toggles, self._settled_toggles):
                toggles[word, self._netlist.clock] += 2 * WORD
        differs = np.flatnonzero(values != settled)
        if len(differs):
            name = self._netlist.net_names[differs[0]]
            raise NetlistError(f"{name} settles otherwise with delays than without")

    @property
    def timed_toggles(self) -> npt.NDArray[np.int64]:
        """How often each net has changed in the picked cycles, with glitches: (words, nets)."""
        return self._timed_toggles.copy()

    @property
    def settled_toggles(self) -> npt.NDArray[np.int64]:
        """Likewise in the same cycles, without glitches."""
        return self._settled_toggles.copy()


class _Structure(ctypes.Structure):
    """``Netlist`` of the engine."""

    _fields_ = (
        *((name, ctypes.c_int32) for name in ("nets", "gates", "sources")),
        *((name, ctypes.c_void_p) for name in ("function", "first_pin", "net_of", "pin_net")),
        *((name, ctypes.c_void_p * 2) for name in ("delay", "order", "launch")),
        *((name, ctypes.c_void_p) for name in ("first_sink", "sink_gate", "sink_pin")),
    )


class _Tables:
    """A netlist as the engine reads it: one gate for each output of its logic."""

    def __init__(self, netlist: Netlist, library: Library, delays: PathDelays):
        functions = {key: place for place, key in enumerate(_functions(library))}
        gates = [
            (instance, output, net)
            for instance in netlist.logic
            for output, net in instance.outputs.items()
        ]
        function, first_pin = [], [0]
        pin_net: list[int] = []
        delay: tuple[list[int], list[int]] = ([], [])
        order: tuple[list[int], list[int]] = ([], [])
        sinks: list[list[tuple[int, int]]] = [[] for _ in range(netlist.nets)]
        for gate, (instance, output, _) in enumerate(gates):
            function.append(functions[instance.cell, output])
            begin = len(pin_net)
            for pin in library.cells[instance.cell].inputs:
                net = instance.inputs[pin]
                sinks[net].append((gate, len(pin_net)))
                pin_net.append(net)
                fall_rise = delays.paths.get((instance.name, pin, output), (1, 1))
                for edge in (0, 1):
                    delay[edge].append(fall_rise[edge])
            for edge in (0, 1):
                pins = range(begin, len(pin_net))
                order[edge].extend(sorted(pins, key=delay[edge].__getitem__))
            first_pin.append(len(pin_net))
        self.source_nets = np.array(list(delays.launches), np.intp)
        launch = [[both[edge] for both in delays.launches.values()] for edge in (0, 1)]
        first_sink = np.cumsum([0, *map(len, sinks)])
        flat = [sink for of_net in sinks for sink in of_net]
        columns: list[Sequence[int] | npt.NDArray[np.intp]] = [
            *(function, first_pin, [*(net for *_, net in gates), *delays.launches], pin_net),
            *(*delay, *order, *launch),
            *(first_sink, [gate for gate, _ in flat], [pin for _, pin in flat]),
        ]
        # Kept, because the structure holds their addresses.
        self._arrays = [np.array(column, np.int32) for column in columns]
        places = [array.ctypes.data for array in self._arrays]
        pairs = [(ctypes.c_void_p * 2)(*places[start : start + 2]) for start in (4, 6, 8)]
        self.structure = _Structure(
            netlist.nets, len(gates), len(self.source_nets), *places[:4], *pairs, *places[10:]
        )


def _functions(library: Library) -> dict[tuple[str, str], str]:
    """The function of each output of each combinational cell, in C, of its inputs' words."""
    found = {}
    for cell in library.cells.values():
        words = {name: f"in[{place}]" for place, name in enumerate(cell.inputs)}
        for output in cell.outputs:
            function = cell.pins[output].function
            if function is not None:
                found[cell.name, output] = expression(function, words)
    return found


def _engine(library: Library, folder: Path) -> ctypes.CDLL:
    """The engine for the cells of ``library``, compiled unless it is there."""
    cases = "".join(
        f"    case {place}: return {text};  // {' '.join(key)}\n"
        for place, (key, text) in enumerate(_functions(library).items())
    )
    most = max(len(cell.inputs) for cell in library.cells.values())
    header = (
        f"constexpr int MOST_INPUTS = {most};\n"
        f"static inline Word evaluate(int function, const Word* in) {{\n  switch (function) {{\n"
        f"{cases}  }}\n  return 0;\n}}\n"
    )
    what = "the simulation with delays"
    engine = shared_library(what, ENGINE, folder, OPTIONS, {"cells.h": header})
    engine.create.restype = ctypes.c_void_p
    engine.create.argtypes = engine.destroy.argtypes = [ctypes.c_void_p]
    engine.run_cycle.argtypes = [ctypes.c_void_p] * 4
    engine.destroy.restype = engine.run_cycle.restype = None
    return engine
