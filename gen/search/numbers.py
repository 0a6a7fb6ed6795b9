"""A network in integers, and what is lost with windows in some of its layers."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property

import numpy as np
from rich.progress import Progress

from gen.compiler.accumulator import network_sum_bits
from gen.compiler.windows import unwindowed_layers
from gen.search.element import Element
from gen.search.layers import LayerChoice, LayerIntegers, Layers, with_windows
from gen.search.machine import Machine
from golden.accelerator.shape import AcceleratorShape
from networks.evaluation.model import Model
from networks.evaluation.preparation import NATURAL, SHARED, Options
from networks.methods.corrected_biases import (
    LayerMeans,
    correcting,
    with_weight_corrections,
)
from networks.methods.objective import Objective
from networks.methods.observation import Observation
from networks.methods.problem import Method, Outcome, Problem
from networks.methods.problem_of_model import problem_of
from networks.methods.shared_order import orders_of, with_orders
from networks.quantization.arithmetic import Arithmetic
from networks.quantization.network import QuantizedNetwork
from networks.quantization.quantize import windowing_exceptions
from networks.quantization.shared_order import Orders

PARTS = 8
"""In so many parts images are sent through a network side by side."""
EXACT, INNER, WINDOWED = "8 bits", "all but first and last", "all"
"""Uniform choices of layers to be windowed: none, those that are by default, all that can be."""


@dataclass(frozen=True, eq=False)
class Task:
    """What is to be computed how well: a model on the images that it was seen with.

    ``kind`` is one of :data:`networks.methods.objective.OBJECTIVES`. With ``means`` biases make up
    for what the weights differ by.
    """

    model: Model
    seen: Observation
    kind: str
    scheduler: str | None = None
    means: LayerMeans | None = None

    def free_layers(self, element: Element, shape: AcceleratorShape) -> tuple[str, ...]:
        """The layers that an element can compute in windows, in the order of computation."""
        if element.format is None:
            return ()
        kept = unwindowed_layers(shape, self.model.graph)
        reasons = self._reasons(element, False)
        return tuple(name for name, reason in reasons.items() if not reason and name not in kept)

    def uniform(self, element: Element, free: Sequence[str]) -> dict[str, Layers]:
        """The uniform choices of layers, each once."""
        reasons = self._reasons(element, True)
        inner = Layers(name for name in free if not reasons[name])
        found: dict[Layers, str] = {}
        for name, layers in ((EXACT, Layers()), (WINDOWED, Layers(free)), (INNER, inner)):
            found.setdefault(layers, name)
        return {name: layers for layers, name in found.items()}

    def exact_layers(self, element: Element, windowed: Layers) -> tuple[str, ...]:
        """What ``--exact-layers`` says where ``windowed`` are."""
        reasons = self._reasons(element, False)
        return tuple(
            name for name, reason in reasons.items() if not reason and name not in windowed
        )

    def problem(self, element: Element, weight_bits: int, windowed: Layers) -> Problem:
        """That of clips for a machine of the element, with windows in these layers."""
        options = Options(
            weight_bits=weight_bits,
            first_layer_windowed=True,
            last_layer_windowed=True,
            exact_layers=self.exact_layers(element, windowed),
        )
        setting = element.setting(weight_bits)
        return problem_of(self.model, self.seen, options, setting, self.kind, self.scheduler)

    def outcome(self, method: Method, problem: Problem, progress: Progress) -> Outcome:
        """What ``method`` finds for a ``problem`` of this task."""
        if self.means is None:
            return method(problem, progress)
        found = method(correcting(problem, self.means), progress)
        return with_weight_corrections(problem, found, self.means)

    def _reasons(self, element: Element, ends: bool) -> dict[str, str]:
        """Why layers stay at 8 bits whatever is chosen; with ``ends`` first and last one too."""
        signed = element.format is not None and element.format.sparq_format.signed
        return windowing_exceptions(self.model.graph, self.seen.ranges, ends, ends, signed)


@dataclass(frozen=True, eq=False)
class Numbers:
    """The integers of a network for machines of one element, with the clips of one ``method``.

    ``outcome`` is what the method found; it is the same for several elements, or for this one. With
    the ``channel_order`` :data:`networks.evaluation.preparation.SHARED` its clips have orders.

    ``free`` are the layers that can be windowed, ``uniform`` the uniform choices of these by name,
    ``sum_bits`` those that no sum overflows, whichever are windowed.
    """

    element: Element
    weight_bits: int
    method: str
    channel_order: str
    outcome: Outcome
    free: tuple[str, ...]
    uniform: dict[str, Layers]
    sum_bits: int
    objective: Objective
    _found: dict[Layers, float] = field(default_factory=dict)

    def losses(self, choices: Sequence[Layers], current: Layers | None = None) -> list[float]:
        """The loss with windows in each of ``choices``; each is computed once.

        Those that differ little from ``current`` share with it what comes before in the network.
        """
        missing = [layers for layers in dict.fromkeys(choices) if layers not in self._found]
        if missing:
            first = [] if current is None else [current]
            tried = [*first, *missing]
            losses = self.objective([LayerChoice({}, {}, windowed=layers) for layers in tried])
            self._found.update(zip(tried, losses, strict=True))
        return [self._found[layers] for layers in choices]

    def network(self, windowed: Layers) -> QuantizedNetwork:
        """The network with these layers windowed."""
        return with_windows(self._integers.made, windowed)

    @property
    def arithmetic(self) -> Arithmetic:
        """What its products run in."""
        return self._integers.arithmetic

    @property
    def evaluations(self) -> int:
        """Losses that were computed."""
        return len(self._found)

    @cached_property
    def _integers(self) -> LayerIntegers:
        integers = self.objective.integers
        assert isinstance(integers, LayerIntegers)
        return integers


def all_numbers(
    task: Task,
    machines: Sequence[Machine],
    methods: Mapping[str, Method],
    searched: Collection[str],
    shared: bool,
    progress: Progress,
) -> list[Numbers]:
    """The integers of the model for each element and width of ``machines``, by each of ``methods``.

    Those of the methods that are called in ``searched`` depend on the element: they are given the
    uniform choice of all but first and last layer, as `sparq quantize` gives them. With ``shared``
    there are also those with channel orders, which depend on the element alone; where no channels
    can be reordered there are none.
    """
    outcomes: dict[tuple[str, int, Element | None], Outcome] = {}
    orders: dict[Element, Orders] = {}
    found = []
    kinds = {(each.element, each.weight_bits): each.shape for each in machines}
    for (element, bits), shape in kinds.items():
        free = task.free_layers(element, shape)
        uniform = task.uniform(element, free)
        problem = task.problem(element, bits, uniform.get(INNER, Layers(free)))
        for name, method in methods.items():
            key = name, bits, element if name in searched else None
            if key not in outcomes:
                outcomes[key] = task.outcome(method, problem, progress)
            outcome = outcomes[key]
            if element not in orders:
                own = (task, element, bits, free, outcome, progress)
                orders[element] = _orders(*own) if shared else {}
            by_order = {NATURAL: (outcome, uniform)}
            if orders[element]:
                windowed = {key: layers for key, layers in uniform.items() if layers}
                by_order[SHARED] = with_orders(problem, outcome, orders[element]), windowed
            for order, (each, own_uniform) in by_order.items():
                given = name, order, each, free, own_uniform
                found.append(_numbers(task, element, bits, *given, shape))
    return found


def _orders(
    task: Task,
    element: Element,
    weight_bits: int,
    free: tuple[str, ...],
    outcome: Outcome,
    progress: Progress,
) -> Orders:
    """Those of the network with all its windows."""
    windows = element.setting(weight_bits).windows
    if windows is None:
        return {}
    problem = task.problem(element, weight_bits, Layers(free))
    return orders_of(problem, outcome, windows, progress)


def _numbers(
    task: Task,
    element: Element,
    weight_bits: int,
    method: str,
    channel_order: str,
    outcome: Outcome,
    free: tuple[str, ...],
    uniform: dict[str, Layers],
    shape: AcceleratorShape,
) -> Numbers:
    objective = task.problem(element, weight_bits, Layers(free)).objective
    plain = objective.integers
    made = plain.network(outcome.clips)
    images, targets = np.concatenate(objective.batches), np.concatenate(objective.targets)
    count = min(PARTS, len(images))
    own = replace(
        objective,
        integers=LayerIntegers(plain.graph, plain.options, plain.setting, made=made),
        batches=np.array_split(images, count),
        targets=np.array_split(targets, count),
    )
    bits = network_sum_bits(shape, made)
    return Numbers(
        *(element, weight_bits, method, channel_order, outcome), free, uniform, bits, own
    )
