"""Queues, registers and adapters of streams in Amaranth's own simulator."""

from collections.abc import Iterator
from typing import Any

import pytest

from sim_tb.hdl.part_case import STALLS
from sim_tb.hdl.part_cases import CASES
from sim_tb.hdl.parts import compare, ports_of, run_part
from sim_tb.hdl.pysim import SEED, clock
from sim_tb.oracle.cycles import moved

KINDS = ("fifo", "register", "upsizer", "downsizer", "gearbox")
NAMES = [name for name in CASES if name.startswith(KINDS)]
MARKED = ("downsizer", "gearbox")
"""Those that say where a packet ends."""
BITS = 5
"""Of the narrow side of adapters."""


def what_leaves(name: str, taken: list[tuple[int, int]]) -> list[Any]:
    """The words, by what was taken: words and marks."""
    data = [word for word, _ in taken]
    kind, _, number = name.partition("_")
    if kind == "upsizer":
        beats = int(number)
        groups = [data[at : at + beats] for at in range(0, len(data) - beats + 1, beats)]
        return [sum(word << BITS * place for place, word in enumerate(own)) for own in groups]
    if kind == "downsizer":
        beats = int(number)
        return [
            (word >> BITS * place & (1 << BITS) - 1, int(last and place == beats - 1))
            for word, last in taken
            for place in range(beats)
        ]
    if kind == "gearbox":
        narrow, wide = map(int, number.split("_"))
        return list(packets(taken, narrow, wide))
    return data


def packets(taken: list[tuple[int, int]], narrow: int, wide: int) -> Iterator[tuple[int, int]]:
    """Wide words, and which end a packet: the whole packet is a number."""
    packet = bits = 0
    for word, last in taken:
        packet |= word << bits
        bits += narrow
        while bits >= wide + last:
            yield packet & (1 << wide) - 1, 0
            packet, bits = packet >> wide, bits - wide
        if last:
            yield packet, 1
            packet = bits = 0


@pytest.mark.every(16)
@pytest.mark.parametrize("after", STALLS)
@pytest.mark.parametrize("before", STALLS)
@pytest.mark.parametrize("name", NAMES)
def test_all_words_leave_in_order(name: str, before: float, after: float, checks: Any) -> None:
    """Each once; what is offered stays until it is taken, and comes when it can."""
    cycles = CASES[name].cycles(SEED, before, after)
    outputs = run_part(name, cycles)
    checks(compare(name, SEED, cycles, outputs))
    ports = ports_of(cycles, outputs)
    names = ["out_data", "out_last"] if name.startswith(MARKED) else ["out_data"]
    taken = moved(ports, "in", "in_data", "in_last")
    assert len(taken) == 150
    assert moved(ports, "out", *names) == what_leaves(name, taken), f"seed {SEED}"


@pytest.mark.parametrize("name", NAMES)
def test_resets(name: str, checks: Any) -> None:
    """What is held is lost, and nothing else."""
    seed = SEED + 1
    cycles = CASES[name].cycles(seed, 0.2, 0.4, resets=0.1)
    checks(compare(name, seed, cycles, run_part(name, cycles)))


@pytest.mark.parametrize(
    "name", [name for name in NAMES if name != "fifo_2" and "gear" not in name]
)
def test_a_word_in_every_cycle(name: str) -> None:
    """Where nothing stalls the narrow side moves in every cycle until all is over."""
    cycles = CASES[name].cycles(SEED, 0, 0)
    ports = ports_of(cycles, run_part(name, cycles))
    side = "out" if name.startswith("downsizer") else "in"
    moves = [own[f"{side}_valid"] and own[f"{side}_ready"] for own in ports]
    count = sum(moves)
    assert count >= 150
    assert all(moves[:count])
    latency = {"fifo": 2, "register": 1}.get(name.partition("_")[0], 0)
    first = [bool(own["out_valid"]) for own in ports].index(True)
    behind = int(name.partition("_")[2]) - 1 if name.startswith("upsizer") else 0
    assert first == latency + behind


@pytest.mark.parametrize(
    ("name", "capacity"), [("register", 2), *((f"fifo_{depth}", depth) for depth in (2, 3, 4, 9))]
)
def test_capacity(name: str, capacity: int) -> None:
    """So many words are taken while none leaves: then no more."""
    given = {"rst": 0, "in_valid": 1, "in_data": 3, "out_ready": 0}
    outputs = clock(CASES[name].component(), [given] * (2 * capacity + 4))
    taken = [own["in_ready"] for own in outputs]
    assert sum(taken) == capacity
    assert not any(taken[-3:])
    # A queue of three words or more takes them one after the other.
    assert all(taken[:capacity]) == (name != "fifo_2")
