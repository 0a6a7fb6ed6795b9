"""Unknown inputs stay outside: X wherever no slice is taken, in Icarus, of RTL and of netlists.

RTL starts with unknown registers and, before its reset, unknown control. In netlists flip-flops
start with ones, and ``rst`` and ``in_valid`` are known from the start: mapping may take ``clear ? 0
: sum`` apart, so that a simulator makes it X, as no silicon does, where ``sum`` is X. Verilator
knows no X; there all benches drive random operands where no slice is taken.
"""

import re
import shutil
import subprocess
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from gen.design.configuration import MACHINES, Configuration
from gen.design.expectation import expected_product, random_operands
from gen.library.load import load_library
from gen.simulation.tiling import ArrayShape
from gen.synthesis.mapping import RECIPES, map_verilog
from gen.tools.yosys import run_yosys
from gen.verilog.generate import Generated, generate
from golden import encode_pairs, pack_pairs
from golden.format import GROUPS

SEED = 23
UNKNOWN = "x"
CYCLES_OF_ELEMENTS = 70

ELEMENTS: list[dict[str, Any]] = [
    {"pe": "8x8"},
    {"pe": "2x8x8", "pipeline": 1},
    {"pe": "2x4x8", "pipeline": 2},
    *(
        {"vsparq": group in (1, 8), "group": group, "weight_bits": bits}
        for group, bits in zip(GROUPS, (8, 4, 8, 5, 8), strict=True)
    ),
    {"format": "s5opt"},
    {"format": "s4opt", "vsparq": False, "group": 4, "pipeline": 1},
]
"""Every kind of element and every group."""

SHAPES: dict[str, dict[str, Any]] = {
    "array": {"rows": 2, "cols": 2},
    "tensor_core": {"rows": 2, "cols": 1, "pairs": 2},
    "sparse_tensor_core": {"rows": 1, "cols": 2},
}


def configuration(top: str, element: dict[str, Any]) -> Configuration:
    """A small machine; a sparse one's groups are within its slice."""
    options = SHAPES[top] | element
    if top == "sparse_tensor_core":
        options["pairs"] = max(2, element.get("group", 1) // 2)
    return Configuration(top=top, **options)


QUICK = {
    "array": ELEMENTS,
    "tensor_core": [ELEMENTS[0], ELEMENTS[6]],
    "sparse_tensor_core": [ELEMENTS[1], ELEMENTS[5]],
}
"""What `make test` plays as RTL; `make test-full` plays all, as RTL and as netlists."""
QUICK_NETLISTS = {"array": [ELEMENTS[1]]}

pytestmark = pytest.mark.skipif(
    shutil.which("iverilog") is None,
    reason="only a simulator with X can tell: iverilog is not installed",
)


@dataclass(frozen=True)
class Player:
    """A design, and what its inputs are in each cycle: bits of ports, unknown where left out."""

    generated: Generated
    cycles: list[dict[str, str]]

    @property
    def name(self) -> str:
        return self.generated.name

    def ports(self, direction: str) -> list[tuple[str, int]]:
        """Names and widths, the clock left out."""
        return [
            (port["name"], port["width"])
            for port in self.generated.sidecar["ports"]
            if port["direction"] == direction and port["name"] != "clk"
        ]

    def stimulus(self) -> str:
        """A line of bits for each cycle."""
        return "".join(
            "".join(cycle.get(name, UNKNOWN * width) for name, width in self.ports("input")) + "\n"
            for cycle in self.cycles
        )

    def bench(self, number: int) -> str:
        """A module that plays the stimulus and writes what the outputs are before each edge."""
        inputs, outputs = ("input", "output")
        wires = ", ".join(
            f".{name}({name})" for way in (inputs, outputs) for name, _ in self.ports(way)
        )
        declared = "".join(f"  reg [{width - 1}:0] {name};\n" for name, width in self.ports(inputs))
        declared += "".join(
            f"  wire [{width - 1}:0] {name};\n" for name, width in self.ports(outputs)
        )
        total = sum(width for _, width in self.ports(inputs))
        return f"""module player_{number};
  reg clk = 0;
{declared}  {self.name} dut (.clk(clk), {wires});
  reg [{total - 1}:0] stimulus [0:{len(self.cycles) - 1}];
  integer cycle, file;
  initial begin
    $readmemb("stimulus_{number}", stimulus);
    file = $fopen("response_{number}");
    for (cycle = 0; cycle < {len(self.cycles)}; cycle = cycle + 1) begin
      {{{", ".join(name for name, _ in self.ports(inputs))}}} = stimulus[cycle];
      #4 $fdisplay(file, "%b", {{{", ".join(name for name, _ in self.ports(outputs))}}});
      #1 clk = 1;
      #5 clk = 0;
    end
  end
endmodule
"""

    def responses(self, lines: Sequence[str]) -> list[dict[str, str]]:
        """Bits of the outputs in each cycle."""
        words = []
        for line in lines:
            word, rest = {}, line
            for name, width in self.ports("output"):
                word[name], rest = rest[:width], rest[width:]
            words.append(word)
        assert len(words) == len(self.cycles)
        return words


def play(
    players: Sequence[Player], sources: Sequence[str], folder: Path
) -> list[list[dict[str, str]]]:
    """What the outputs of each player are in each of its cycles, all in one simulation."""
    benches = [player.bench(number) for number, player in enumerate(players)]
    for number, player in enumerate(players):
        (folder / f"stimulus_{number}").write_text(player.stimulus())
    (folder / "players.v").write_text("\n".join([*sources, *benches]))
    tops = [f"-splayer_{number}" for number in range(len(players))]
    subprocess.run(["iverilog", "-g2005", *tops, "-oplayers", "players.v"], cwd=folder, check=True)
    subprocess.run(["vvp", "-n", "players"], cwd=folder, check=True, stdout=subprocess.DEVNULL)
    return [
        player.responses((folder / f"response_{number}").read_text().splitlines())
        for number, player in enumerate(players)
    ]


def rtl(players: Sequence[Player]) -> list[str]:
    """The designs as emitted, without the initial values of their registers."""
    declaration = re.compile(r"^ *reg\b[^;]*;|\boutput reg\b[^,)]*", re.MULTILINE)
    texts = []
    for player in players:
        text = declaration.sub(
            lambda found: re.sub(r" = \d+'[dh]\w+", "", found[0]), player.generated.verilog
        )
        assert text != player.generated.verilog or player.name.startswith("encoder")
        texts.append(text)
    return texts


def netlists(players: Sequence[Player], folder: Path) -> Iterator[str]:
    """The cells as Yosys reads them, and the designs mapped onto them."""
    library = load_library("generic", folder)
    cells = folder / "cells.v"
    run_yosys([f"read_liberty {library.path}", f"write_verilog -noattr {cells}"])
    text, count = re.subn(r"^( *reg \w+);", r"\1 = 1'b1;", cells.read_text(), flags=re.MULTILINE)
    assert count
    yield text
    for player in players:
        (mapped,) = map_verilog(player.generated.verilog, player.name, library, RECIPES[:1])
        yield mapped.verilog


def bits(value: int, width: int) -> str:
    return f"{value & ((1 << width) - 1):0{width}b}"


def is_known(word: str) -> bool:
    return set(word) <= {"0", "1"}


def before_reset() -> list[dict[str, str]]:
    """Nothing is known; then one cycle of reset, in which only that is."""
    return [{}, {"rst": "0"}, {"rst": "0"}, {"rst": "1"}]


KNOWN_CONTROL = {"rst": "0", "in_valid": "0"}


class Machine:
    """A machine between tiles; operands and ``in_last`` are unknown where no slice is offered."""

    def __init__(self, configuration: Configuration):
        self.configuration = configuration
        generated = generate(configuration)
        self.sidecar = generated.sidecar
        self.shape = ArrayShape.of(self.sidecar)
        self.player = Player(generated, before_reset())
        self.products: list[Any] = []
        self.rng = np.random.default_rng(SEED)

        slices_per_group = max(1, (self.sidecar["group"] or 1) // self.shape.k_per_cycle)
        self._wait = self.shape.rows + slices_per_group
        for slices in (self.shape.rows + slices_per_group, 1, 7, 1, 2 * slices_per_group + 1):
            self._tile(slices, complete=True)
        self._bubbles(self.sidecar["latency"] + self.shape.rows)
        self._tile(3, complete=False)
        self.player.cycles.append({"rst": "1"})
        self._tile(5, complete=True)
        self._bubbles(self.sidecar["latency"] + self.shape.rows)

    def _bubbles(self, count: int) -> None:
        self.player.cycles.extend([{"rst": "0", "in_valid": "0"}] * count)

    def _tile(self, slices: int, complete: bool) -> None:
        """A tile with bubbles inside, and so many after it that ``in_ready`` is high again."""
        depth = slices * self.shape.k_per_cycle
        matrices = random_operands(self.configuration, depth, self.rng)
        words = zip(*self.shape.slices(*matrices), strict=True)
        widths = dict(self.player.ports("input"))
        for index, operands in enumerate(words):
            self._bubbles(int(self.rng.integers(3)))
            cycle = {"rst": "0", "in_valid": "1"}
            cycle["in_last"] = str(int(complete and index == slices - 1))
            for name, word in zip(self.shape.operands, operands, strict=True):
                cycle[name] = bits(int.from_bytes(word.tobytes(), "little"), widths[name])
            self.player.cycles.append(cycle)
        if complete:
            self.products.append(expected_product(self.configuration, *matrices))
            self._bubbles(self._wait)

    def check(self, responses: Sequence[dict[str, str]]) -> int:
        """All that must be known is, and the sums are golden's; returns how many values."""
        name = self.player.name
        rows = []
        reset = len(before_reset())
        for number, word in enumerate(responses[reset:], reset):
            for port in ("in_ready", "out_valid", "out_last"):
                assert is_known(word[port]), f"{name}, cycle {number}: {port} is {word[port]}"
            if self.player.cycles[number].get("in_valid") == "1":
                assert word["in_ready"] == "1", f"{name}, cycle {number}: in_ready is low"
            if word["out_valid"] == "1":
                assert is_known(word["out_acc"]), f"{name}, cycle {number}: {word['out_acc']}"
                rows.append(int(word["out_acc"], 2))
        size = -(-self.shape.cols * self.shape.acc_bits // 64) * 8
        words = np.array([list(row.to_bytes(size, "little")) for row in rows], np.uint8)
        assert len(words) == self.shape.rows * len(self.products), f"{name}: {len(words)} rows"
        for tile, product in enumerate(self.products):
            first = tile * self.shape.rows
            sums = self.shape.results(words[first : first + self.shape.rows])
            assert (sums == product).all(), f"{name}, tile {tile}:\n{sums}\nnot\n{product}"
        return 3 * len(responses) + words.size // 8


def check_machines(top: str, elements: Sequence[dict[str, Any]], mapped: bool, folder: Path) -> int:
    machines = [Machine(configuration(top, element)) for element in elements]
    players = [machine.player for machine in machines]
    if mapped:
        for player in players:
            player.cycles[:] = [KNOWN_CONTROL | cycle for cycle in player.cycles]
    sources = list(netlists(players, folder)) if mapped else rtl(players)
    played = play(players, sources, folder)
    return sum(machine.check(words) for machine, words in zip(machines, played, strict=True))


@pytest.mark.every(6)
@pytest.mark.slow
@pytest.mark.parametrize("top", MACHINES)
def test_machines(top: str, tmp_path: Path, checks: Callable[[int], None]) -> None:
    checks(check_machines(top, QUICK[top], False, tmp_path))


@pytest.mark.full
@pytest.mark.parametrize("top", QUICK_NETLISTS)
def test_netlists(top: str, tmp_path: Path, checks: Callable[[int], None]) -> None:
    checks(check_machines(top, QUICK_NETLISTS[top], True, tmp_path))


@pytest.mark.full
@pytest.mark.parametrize("mapped", [False, True])
@pytest.mark.parametrize("top", MACHINES)
def test_machines_full(
    top: str, mapped: bool, tmp_path: Path, checks: Callable[[int], None]
) -> None:
    checks(check_machines(top, ELEMENTS, mapped, tmp_path))


@pytest.mark.parametrize("mapped", [False, True])
def test_encoder(mapped: bool, tmp_path: Path, checks: Callable[[int], None]) -> None:
    """An encoder has no state: known inputs give golden's pair, whatever came before."""
    encoder = Configuration(top="encoder")
    x = np.random.default_rng(SEED).integers(0, 256, (40, 2), dtype=np.uint8)
    cycles: list[dict[str, str]] = []
    for first, second in x.tolist():
        cycles += [{}, {"activations": bits(first | second << 8, 16)}]
    player = Player(generate(encoder), cycles)
    sources = list(netlists([player], tmp_path)) if mapped else rtl([player])
    (words,) = play([player], sources, tmp_path)
    fmt = encoder.sparq_format
    expected = pack_pairs(encode_pairs(x, fmt), fmt).ravel().tolist()
    assert [int(word["pair"], 2) for word in words[1::2]] == expected
    checks(len(expected))


def element_player(element: dict[str, Any], filling: str, mapped: bool) -> Player:
    """Codes are ``filling`` until the first last, and ``result_in`` but where it drains.

    Where the element is ``mapped``, codes and control are known from the start.
    """
    rng = np.random.default_rng(SEED)
    generated = generate(Configuration(top="pe", **element))
    player = Player(generated, before_reset())
    widths = dict(player.ports("input"))

    if mapped:
        known = {name: "0" * width for name, width in widths.items() if name != "result_in"}
        player.cycles[:] = [known | cycle for cycle in player.cycles]

    def code(name: str, known: bool) -> str:
        value = int.from_bytes(rng.bytes(widths[name] // 8 + 1), "little")
        return bits(value, widths[name]) if known else filling * widths[name]

    for cycle in range(CYCLES_OF_ELEMENTS):
        player.cycles.append(
            {
                "rst": "0",
                "activation_in": code("activation_in", mapped or cycle > 2),
                "weight_in": code("weight_in", mapped or cycle > 2),
                "last_in": str(int(cycle % 20 == 2 + generated.sidecar["pipeline"])),
                "drain_in": str(int(cycle % 5 == 3)),
                "result_in": code("result_in", cycle % 5 == 4),
            }
        )
    return player


def check_elements(elements: Sequence[dict[str, Any]], mapped: bool, folder: Path) -> int:
    """From the first last on, results are as if zeros had been where nothing was known."""
    unknown = [element_player(element, UNKNOWN, mapped) for element in elements]
    zeros = [element_player(element, "0", mapped) for element in elements]
    sources = list(netlists(unknown, folder)) if mapped else rtl(unknown)
    played = play([*unknown, *zeros], sources, folder)
    compared = 0
    for player, got, expected in zip(unknown, played, played[len(unknown) :], strict=False):
        # The first result that the first last hands over is that of no sum; so is what shifts.
        first = len(before_reset()) + 20 + player.generated.sidecar["pipeline"] + 4
        for number in range(first, len(got)):
            assert is_known(got[number]["result_out"]), f"{player.name}, cycle {number}"
            assert got[number] == expected[number], f"{player.name}, cycle {number}"
            compared += 1
    return compared


@pytest.mark.slow
def test_processing_elements(tmp_path: Path, checks: Callable[[int], None]) -> None:
    checks(check_elements(ELEMENTS[1:4:2], False, tmp_path))


@pytest.mark.full
@pytest.mark.parametrize("mapped", [False, True])
def test_processing_elements_full(
    mapped: bool, tmp_path: Path, checks: Callable[[int], None]
) -> None:
    checks(check_elements(ELEMENTS, mapped, tmp_path))
