"""A search over machines and layers: its steps, its losses, its costs, and what it finds."""

import itertools
import json
import math
import shutil
import subprocess
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner

import gen.search.costs
from gen.commands.compile import compile
from gen.commands.evaluate import evaluate
from gen.commands.search import search as command
from gen.compiler.accelerator import accelerator_shape
from gen.compiler.accumulator import network_sum_bits
from gen.compiler.compile import compile_network
from gen.compiler.errors import CompileError
from gen.compiler.report import layer_report
from gen.search.choice import Choice
from gen.search.costs import AREA, AREA_CYCLES, COSTS, CYCLES, ENERGY, Costs
from gen.search.element import Element, element_name, element_of
from gen.search.greedy import ratio_greedy
from gen.search.layers import Layers
from gen.search.machine import Machine
from gen.search.numbers import EXACT, INNER, WINDOWED, Numbers, Task, all_numbers
from gen.search.search import BudgetError, Found, search
from golden.accelerator.shape import SUM_BITS
from networks.evaluation.images import Images
from networks.evaluation.model import Model, channels_last
from networks.evaluation.preparation import Options, calibrated, reference_of, run_of
from networks.methods.corrected_biases import layer_means
from networks.methods.lapq import Lapq
from networks.methods.least_squares import least_squares
from networks.methods.loss import cross_entropy
from networks.methods.min_max import min_max
from networks.methods.objective import CROSS_ENTROPY
from networks.methods.observation import observe
from networks.methods.problem import Method
from networks.quantization.clips import Given
from networks.samples.mnist.files import write_files
from sim_tb.networks.families import images_of, model_of, quiet
from sim_tb.repository.sources import ROOT
from support.errors import InputError

COUNT = 12
MORE = (("scratchpad", 16), ("memory_bits", 64))
METHODS = {"minmax": min_max, "least-squares": least_squares}


# --- steps


@pytest.mark.parametrize("seed", range(4))
def test_greedy(seed: int) -> None:
    """Each step is the one of the most gain for its cost, by rational numbers; then none gains."""
    rng = np.random.default_rng(seed)
    items = range(5)
    states = [frozenset(each) for n in range(6) for each in itertools.combinations(items, n)]
    loss = dict(zip(states, map(float, rng.integers(1, 40, len(states))), strict=True))
    price = [float(each) for each in rng.integers(0, 3, 5)]

    def steps(state: frozenset[int]) -> list[tuple[frozenset[int], float]]:
        return [(state - {item}, price[item]) for item in items if item in state]

    way = ratio_greedy(states[-1], steps, lambda asked, near: [loss[each] for each in asked])
    assert way[0] == frozenset(items)
    for before, after in itertools.pairwise(way):
        (item,) = before - after
        gain = loss[before] - loss[after]
        assert gain > 0
        for other in before:
            rival = loss[before] - loss[before - {other}]
            if price[item] == 0 == price[other]:
                assert rival <= gain
            elif rival > 0 and price[item]:
                assert price[other] > 0
                assert rival * price[item] <= gain * price[other]
    assert all(loss[way[-1] - {item}] >= loss[way[-1]] for item in way[-1])
    short = ratio_greedy(
        *(states[-1], steps, lambda asked, near: [loss[each] for each in asked]),
        lambda state: len(state) > 3,
    )
    assert short == [state for state in way if len(state) > 3]


# --- elements and machines


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("9opt", "elements must be some of 8x8, 2x8x8, 5opt, "),
        ("2x4x8", "elements must be some of 8x8, 2x8x8, 5opt, "),
        ("5opt+s4opt", "elements must be some of 8x8, 2x8x8, 5opt, "),
        ("4:0,1", "format 4:0,1: shifts of a 4-bit window must reach 4 or more"),
        ("4:0,5", "elements must be of formats with exact planes, which layers at 8 bits need, no"),
    ],
)
def test_elements_refused(name: str, message: str) -> None:
    with pytest.raises(ValueError, match="must") as caught:
        element_name(name)
    assert str(caught.value).startswith(message)


def test_element_names() -> None:
    assert [element_name(name) for name in ("8x8", "4:4,0", "s5opt")] == ["8x8", "2opt", "s5opt"]
    assert element_of("8x8", True, False, 2) == Element("8x8")
    assert element_of("3opt", False, False, 2).label == "3opt trim no vSPARQ group 2"


# --- losses, sums, cycles


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Model:
    return model_of("squeezenet", tmp_path_factory.mktemp("model"))


@pytest.fixture(scope="module")
def images(model: Model) -> Images:
    return images_of(model, COUNT)


@pytest.fixture(scope="module")
def task(model: Model, images: Images) -> Task:
    seen = observe(model, images, "mean", 99.9, 1, quiet())
    return Task(model, seen, CROSS_ENTROPY)


def machine(name: str, bits: int, side: int = 4, group: int = 1) -> Machine:
    return Machine(element_of(name, True, True, group), bits, side, side, MORE)


def label_of(each: Numbers) -> str:
    return each.objective.integers.setting.label


@pytest.mark.parametrize("correct", [False, True])
@pytest.mark.parametrize(("name", "group"), [("3opt", 1), ("2opt", 2), ("s5opt", 1), ("8x8", 1)])
def test_losses(
    task: Task, model: Model, images: Images, name: str, group: int, correct: bool
) -> None:
    """Of each choice of layers: those of the network that an evaluation makes of its arguments."""
    if correct:
        task = replace(task, means=layer_means(model.graph, task.seen, None, quiet()))
    own = machine(name, 4, group=group)
    found = all_numbers(task, [own], METHODS, (), True, quiet())
    orders = ["natural", "shared"] if name != "8x8" else ["natural"]
    assert [each.channel_order for each in found] == orders * len(METHODS)
    for numbers in found:
        assert bool(numbers.outcome.clips.biases) == correct
        free = numbers.free
        assert bool(numbers.outcome.clips.orders) == (numbers.channel_order == "shared")
        choices = [*numbers.uniform.values()]
        if free:
            assert len(free) > 3
            choices += [Layers(free[:2]), Layers(free[1:]), Layers(free[::2])]
        numbers.losses(choices[:1])
        losses = numbers.losses(choices, choices[-1])
        assert len({*losses}) == (len({*choices}) if free else 1)
        for windowed, loss in zip(choices, losses, strict=True):
            options = Options(
                weight_bits=4,
                first_layer_windowed=True,
                last_layer_windowed=True,
                exact_layers=task.exact_layers(own.element, windowed),
            )
            setting = own.element.setting(4)
            source = Given(numbers.outcome.clips)
            base = calibrated(model, images, options, False, lambda count: None, source=source)
            reference = reference_of(base, setting, options)
            network, arithmetic = run_of(base, setting, options, reference)
            x = network.quantize_images(channels_last(images.batch()))
            step, zero_point = network.quantizations[network.output]
            logits = (network.forward(x, arithmetic).astype(np.float64) - zero_point) * step
            assert loss == math.fsum(cross_entropy(logits, images.labels)) / COUNT


def test_uniform_choices(task: Task, model: Model) -> None:
    """None, all but the ends, all; those that are the same once."""
    (numbers,) = all_numbers(task, [machine("5opt", 8)], {"minmax": min_max}, (), False, quiet())
    names = [node.name for node in model.graph.matrix_nodes]
    assert [*numbers.uniform] == [EXACT, WINDOWED, INNER]
    assert numbers.uniform[EXACT] == Layers()
    # Its images can be negative, which these windows are not for.
    assert numbers.uniform[WINDOWED] == Layers(names[1:]) == Layers(numbers.free)
    assert numbers.uniform[INNER] == Layers(names[1:-1])
    (signed,) = all_numbers(task, [machine("s5opt", 8)], {"minmax": min_max}, (), False, quiet())
    assert signed.uniform[INNER] == Layers(names[1:-1])
    (exact,) = all_numbers(task, [machine("8x8", 8)], {"minmax": min_max}, (), False, quiet())
    assert exact.uniform == {EXACT: Layers()}


def test_channel_orders(task: Task) -> None:
    """One for each element, whatever the clips; without windows there is none to choose."""
    machines = [machine("3opt", 4), machine("2opt", 4), machine("2opt", 3)]
    found = all_numbers(task, machines, METHODS, (), True, quiet())
    shared = [each for each in found if each.channel_order == "shared"]
    assert len(shared) == len(found) / 2
    assert all([*each.uniform] == [WINDOWED, INNER] for each in shared)
    for each in shared:
        assert each.losses([each.uniform[INNER]]) == [each.outcome.loss]
    orders = [each.outcome.clips.orders for each in shared]
    assert all(each is orders[2] for each in orders[2:])
    assert all(each is orders[0] for each in orders[:2])
    assert orders[0].keys() == orders[2].keys()
    assert any((orders[0][name] != orders[2][name]).any() for name in orders[0])


def test_clips_of_elements(task: Task) -> None:
    """Those that are searched for an element are its own; losses are those of the methods."""
    machines = [machine("3opt", 3), machine("2opt", 3)]
    methods: dict[str, Method] = {"lapq": Lapq(0), "minmax": min_max}
    found = all_numbers(task, machines, methods, ("lapq",), False, quiet())
    assert [each.method for each in found] == ["lapq", "minmax"] * 2
    assert found[0].outcome is not found[2].outcome
    assert found[1].outcome is found[3].outcome
    for each in found[:3]:
        assert each.losses([each.uniform[INNER]]) == [each.outcome.loss]


@pytest.mark.parametrize(
    ("family", "name"),
    [("squeezenet", "5opt"), ("lenet", "s5opt"), ("mobilenet", "3opt"), ("resnet", "8x8")],
)
def test_sums(family: str, name: str, tmp_path: Path) -> None:
    """The compiler takes so many bits, whichever layers are windowed, and of fewer not all."""
    model = model_of(family, tmp_path)
    seen = observe(model, images_of(model, 4), "mean", 99.9, 1, quiet())
    own = machine(name, 6)
    task = Task(model, seen, CROSS_ENTROPY)
    (numbers,) = all_numbers(task, [own], {"minmax": min_max}, (), False, quiet())
    networks = [numbers.network(windowed) for windowed in numbers.uniform.values()]
    bits = network_sum_bits(own.shape, numbers.network(Layers(numbers.free)))
    assert bits == numbers.sum_bits
    for network in networks:
        compile_network(replace(own.shape, acc_bits=bits), network)
    refused = []
    for network in networks:
        try:
            compile_network(replace(own.shape, acc_bits=bits - 1), network)
        except CompileError as error:
            refused.append(str(error))
    assert refused
    assert all(f"can take {bits} bits, and acc_bits is {bits - 1}" in text for text in refused)
    assert own.acc_bits(bits) == max(bits, 15)
    assert own.acc_bits(9) == 15


@pytest.mark.slow
def test_timing(task: Task) -> None:
    """Machines of equal timing take equal cycles; each layer its own."""
    machines = [machine(name, 4) for name in ("5opt", "2opt", "8x8", "2x8x8")]
    numbers = all_numbers(task, machines, {"minmax": min_max}, (), False, quiet())
    costs = Costs(task.model.graph, "generic", None, quiet())
    by_windows: dict[str, list[dict[str, int]]] = {}
    for own, each in zip(machines, numbers, strict=True):
        for name, windowed in each.uniform.items():
            choice = Choice(own, each, windowed)
            (found,) = costs.layer_cycles([choice])
            compiled = compile_network(own.shape, each.network(windowed))
            rows = layer_report(compiled)
            assert found == {row["layer"]: row["cycles"] for row in rows}
            assert costs.cycles([choice]) == [sum(row["cycles"] for row in rows)]
            by_windows.setdefault(name, []).append(found)
    assert machines[0].timing == machines[1].timing != machines[2].timing
    assert by_windows[WINDOWED][0] == by_windows[WINDOWED][1]
    totals = [sum(found.values()) for found in by_windows[EXACT]]
    assert totals[0] == totals[1] > totals[3]
    assert sum(by_windows[WINDOWED][0].values()) < totals[0]


# --- the whole search


def measured(units: Any) -> dict[str, Any]:
    """Of arrays, what grows with every width; no netlist is that small."""
    rows = []
    for unit in units:
        mac = unit.element
        size = 10 + mac.weight_bits * mac.k_per_cycle + mac.acc_bits
        size += len(mac.sparq_format.placements) if mac.sparq_format else 2 * mac.weight_bits
        area = float(size * unit.rows * unit.cols)
        rows.append({"gate_equivalents": area, "area_um2": None, "meets_target": True})
    return {"rows": rows}


@pytest.fixture
def fast(monkeypatch: pytest.MonkeyPatch) -> None:
    """Costs of formulas in place of mapped netlists."""
    monkeypatch.setattr(
        gen.search.costs, "run_area", lambda library, units, *args, **more: measured(units)
    )

    def energies(function: Any, tasks: Any, *args: Any) -> Any:
        if function is gen.search.costs._energy_per_mac:
            return [100.0 + unit.element.weight_bits * unit.element.acc_bits for _, unit in tasks]
        return [function(*task) for task in tasks]

    monkeypatch.setattr(gen.search.costs, "run_tasks", energies)


@pytest.fixture(scope="module")
def machines() -> list[Machine]:
    found = [machine(name, 4) for name in ("3opt", "2opt", "8x8")]
    return [*found, machine("2opt", 2), machine("3opt", 4, side=2)]


@pytest.fixture(scope="module")
def numbers(task: Task, machines: list[Machine]) -> list[Numbers]:
    return all_numbers(task, machines, METHODS, (), False, quiet())


def searched(
    task: Task,
    machines: list[Machine],
    numbers: list[Numbers],
    cost: str,
    budget: float | None = None,
    **limits: float,
) -> Found:
    costs = Costs(task.model.graph, "generic", None, quiet())
    return search(machines, numbers, costs, cost, budget, limits, quiet())


@pytest.mark.slow
@pytest.mark.usefixtures("fast")
@pytest.mark.parametrize("cost", COSTS)
def test_never_worse_than_uniform(
    task: Task, machines: list[Machine], numbers: list[Numbers], cost: str
) -> None:
    """For each uniform choice there is one that costs and loses as little or less, exactly."""
    found = searched(task, machines, numbers, cost)
    uniform = [point for point in found.points if point.choice.uniform]
    # Of windows three each, of 8x8 one; two methods.
    assert len(uniform) == 2 * (4 * 3 + 1)
    for point in uniform:
        assert any(other.cost <= point.cost and other.loss <= point.loss for other in found.front)
    costs = [point.cost for point in found.front]
    losses = [point.loss for point in found.front]
    assert costs == sorted({*costs})
    assert losses == sorted({*losses}, reverse=True)
    assert len({point.choice.key for point in found.points}) == len(found.points)
    fresh = Costs(task.model.graph, "generic", None, quiet())
    for point in found.points:
        assert point.cost == fresh.of(cost, [point.choice])[0]
        assert point.loss == point.choice.numbers.losses([point.choice.windowed])[0]
        assert point.choice.windowed <= Layers(point.choice.numbers.free)
        own = point.choice.machine.configuration(point.choice.acc_bits)
        shape = accelerator_shape(own)
        assert point.choice.acc_bits < SUM_BITS
        compile_network(shape, point.choice.numbers.network(point.choice.windowed))
    if cost == CYCLES:
        assert any(not point.choice.uniform for point in found.front)


@pytest.mark.slow
@pytest.mark.usefixtures("fast")
def test_budget_and_limits(task: Task, machines: list[Machine], numbers: list[Numbers]) -> None:
    whole = searched(task, machines, numbers, CYCLES)
    middle = whole.front[len(whole.front) // 2].cost
    found = searched(task, machines, numbers, CYCLES, middle)
    assert [(point.cost, point.loss) for point in found.front] == [
        (point.cost, point.loss) for point in whole.front if point.cost <= middle
    ]
    costs = Costs(task.model.graph, "generic", None, quiet())
    areas = costs.of(AREA, [point.choice for point in whole.points])
    limit = sorted(areas)[len(areas) // 2]
    limited = searched(task, machines, numbers, CYCLES, area=limit)
    assert max(costs.of(AREA, [point.choice for point in limited.points])) <= limit
    cheap = searched(task, machines, numbers, AREA, cycles=middle)
    assert max(costs.of(CYCLES, [point.choice for point in cheap.front])) <= middle
    least = f"{whole.front[0].cost:.6g}"
    with pytest.raises(BudgetError) as caught:
        searched(task, machines, numbers, CYCLES, 1.0)
    assert str(caught.value) == (
        f"budget must be at least {least}, the least cycles there is, not 1"
    )
    small = searched(task, machines, numbers, AREA, cycles=middle).front[0].cost
    with pytest.raises(BudgetError) as caught:
        searched(task, machines, numbers, AREA, 1.0, cycles=middle)
    assert str(caught.value) == (
        f"budget must be at least {small:.6g}, the least area within the limits, not 1"
    )
    kept = [point.choice for point in whole.points if point.choice.uniform]
    kept = [each for each, area in zip(kept, costs.of(AREA, kept), strict=True) if area <= limit]
    fastest = min(costs.of(CYCLES, kept))
    with pytest.raises(BudgetError) as caught:
        searched(task, machines, numbers, AREA_CYCLES, area=limit, cycles=1.0)
    assert str(caught.value) == (
        f"limit of cycles must be at least {fastest:.6g}, the least within the other limits, not 1"
    )
    with pytest.raises(BudgetError) as caught:
        searched(task, machines, numbers, AREA, cycles=1.0)
    assert str(caught.value) == (
        f"limit of cycles must be at least {least}, the least there is, not 1"
    )


@pytest.mark.usefixtures("fast")
def test_energies(task: Task, machines: list[Machine], numbers: list[Numbers]) -> None:
    """A layer at 8 bits multiplies as often as there are planes."""
    costs = Costs(task.model.graph, "generic", None, quiet())
    macs = costs.macs
    layer = task.model.graph.matrix_nodes[1]
    weights: Any = layer.operation.weights  # type: ignore[union-attr]
    assert macs[layer.name] == math.prod(task.model.graph.shapes[layer.output][:-1]) * weights.size
    own = next(each for each in numbers if label_of(each) == "3opt")
    choices = [
        Choice(machines[0], own, windowed)
        for windowed in (Layers(own.free), Layers(own.free) - {layer.name}, Layers())
    ]
    every, one, none = costs.of(ENERGY, choices)
    unit = (100 + 4 * choices[0].acc_bits) / 1e9
    total = sum(macs.values())
    first = task.model.graph.matrix_nodes[0].name
    assert every == pytest.approx((total + macs[first]) * unit)
    assert one == pytest.approx((total + macs[first] + macs[layer.name]) * unit)
    assert none == pytest.approx(2 * total * unit)


@pytest.mark.full
def test_energies_of_netlists() -> None:
    """Of a MAC with narrower weights less; of an element by the one recipe, whatever the clock."""
    found = [
        gen.search.costs._energy_per_mac("generic", machine("2opt", bits).processing_element(20))
        for bits in (6, 3)
    ]
    assert found[0] > 1.3 * found[1] > 0


# --- the command


@pytest.fixture(scope="module")
def mnist(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("mnist")
    write_files(folder)
    return folder


def arguments(mnist: Path) -> list[str]:
    data = ("--data", mnist / "test.npz", "--calibration", mnist / "calibration.npz")
    return [str(each) for each in (mnist / "mnist.onnx", *data)]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--weight-bits", "4,9"], "weight-bits must be integers from 2 to 8, not '9'"),
        (["--sizes", "4by4"], "sizes must be rows x columns such as 16x16, not '4by4'"),
        (["--weight-bits", "8,x"], "weight-bits must be integers from 2 to 8, not 'x'"),
        (["--weight-bits", "8,8"], "weight-bits must be different ones, not 8 twice"),
        (["--sizes", "3x4"], "rows of an accelerator must be a power of two from 2 to 64, not 3"),
        (["--budget", "0"], "budget must be a number above 0, not 0"),
        (["--budget", "x"], "budget must be a number, not 'x'"),
        (
            ["--limit", "area=-1"],
            "limit must be some of area=NUMBER, cycles=NUMBER, not 'area=-1'",
        ),
        (
            ["--limit", "energy=1"],
            "limit must be some of area=NUMBER, cycles=NUMBER, not 'energy=1'",
        ),
        (
            ["--cost", "area", "--limit", "area=9"],
            "limit must be of another cost than area: give a budget",
        ),
        (
            ["--limit", "area=9,area=8"],
            "limit must be different ones, not area twice",
        ),
        (["--library", "generic", "--library", "osu018"], "library must be one, not 2"),
        (
            ["--elements", "8x8", "--group", "2"],
            "group has no effect where no element has windows: leave it out",
        ),
        (["--passes", "2"], "passes has no effect without lapq among methods: leave it out"),
        (
            ["--methods", "max"],
            "methods must be some of lapq, least-squares, minmax, not 'max'",
        ),
        (
            ["--percentile", "99"],
            "percentile has no effect where calibration-method is mean: leave it out",
        ),
        (["--elements", "s4opt"], "take one such as 5opt or s5opt"),
        (["--memory-bits", "8"], "memory_bits must be one of 32, 64, "),
        (["--plot", "front.pdf"], "plot must be a file that ends in .svg, not front.pdf"),
        (["--output", __file__], f"cannot write into {__file__}: it is no folder"),
    ],
)
def test_refused(mnist: Path, options: list[str], message: str) -> None:
    result = CliRunner().invoke(command, [*arguments(mnist), *options])
    refused = isinstance(result.exception, InputError)
    text = str(result.exception) if refused else result.stderr.rpartition("Error: ")[2]
    assert message in " ".join(text.split())
    assert len(text.strip().splitlines()) == 1


PLAIN = ("--channel-order", "natural", "--no-correct-bias")


@pytest.mark.full
@pytest.mark.parametrize(
    ("asked", "count"),
    [
        (("--elements", "2opt", "--weight-bits", "4,3", *PLAIN), 4),
        (("--elements", "2opt", "--weight-bits", "4,3"), 5),
        (("--elements", "8x8", "--weight-bits", "4", "--cost", "cycles", "--methods", "minmax"), 1),
    ],
)
def test_points_are_configurations(
    mnist: Path, tmp_path: Path, asked: tuple[str, ...], count: int
) -> None:
    """Each is taken by ``make verilog``, ``compile`` and ``evaluate``, which agree with it."""
    report, plot = tmp_path / "found.json", tmp_path / "found.svg"
    options = ["--calibration-images", "64", "--images", "200", "--sizes", "4x4"]
    options += ["--scratchpad", "16", "--memory-bits", "64", "--output", str(tmp_path / "clips")]
    given = [*arguments(mnist), *options, *asked, "--json", str(report), "--plot", str(plot)]
    result = CliRunner().invoke(command, given, catch_exceptions=False)
    assert result.exit_code == 0
    assert plot.read_text().startswith("<?xml")
    found = json.loads(report.read_text())
    text = report.read_text()
    assert CliRunner().invoke(command, given).exit_code == 0
    assert report.read_text() == text
    assert len(found["front"]) == count
    layers = [row["windowed"] for row in found["front"]]
    assert len({*layers}) > 1 or count == 1
    for index, row in enumerate(found["front"]):
        shutil.rmtree(tmp_path / "verilog", ignore_errors=True)
        make = ["make", "--no-print-directory", "verilog", *row["verilog"]]
        done = subprocess.run(
            [*make, f"OUTPUT={tmp_path / 'verilog'}"], cwd=ROOT, capture_output=True, text=True
        )
        assert done.returncode == 0, done.stderr
        assert list((tmp_path / "verilog").glob("*.v"))
        output = ["--output", str(tmp_path / f"program{index}")]
        made = tmp_path / "compiled.json"
        compiled = [*row["compile"], *output, "--json", str(made)]
        assert CliRunner().invoke(compile, compiled, catch_exceptions=False).exit_code == 0
        assert json.loads(made.read_text())["total"]["cycles"] == row["cycles"]
        output = ["--output", str(tmp_path / "plots"), "--json", str(made)]
        evaluated = [*row["evaluate"], "--images", "200", *output]
        assert CliRunner().invoke(evaluate, evaluated, catch_exceptions=False).exit_code == 0
        rows = json.loads(made.read_text())["rows"]
        (own,) = [each for each in rows if each["label"] == row["evaluate_row"]]
        assert own["top1"] == row["top1"]
    for row in found["accumulators"]:
        assert row["acc_bits"] < SUM_BITS
        assert row["area"] < row["area_32"]
