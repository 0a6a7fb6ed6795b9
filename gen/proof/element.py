"""Processing elements: what one step adds, for all operands."""

import struct
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from gen.proof import compiled
from gen.proof.accumulator_nets import AccumulatorNets, check_feed_forward, read_accumulator
from gen.proof.gates import Gates, Net, lane_planes, lane_values
from gen.proof.job import ElementJob, Rtl
from gen.proof.rule import Rule, effective_pair
from gen.proof.verdict import ProofError, Verdict
from gen.proof.waveform import write_waveform
from gen.verilog.emission import Emission
from golden import NAMED_FORMATS, SIGNED_FORMATS
from golden.format import SparqFormat
from hdl import PROCESSING_ELEMENTS, MacUnit, sparq_mac
from hdl.edge.activation_lane import ActivationLane
from hdl.edge.column_correction import ColumnCorrection
from hdl.edge.row_bias import RowBias
from hdl.edge.weight_lane import WeightLane
from hdl.element.processing_element import ProcessingElement
from hdl.multiplier.mac_part import MacPart
from hdl.multiplier.style import Style


def element_rtl(element: MacUnit) -> dict[str, str]:
    """Verilog of a processing element and of what the edges of an array do for it."""
    mac = element.mac
    parts: dict[str, type[MacPart]] = {
        "pe": ProcessingElement,
        "activation_lane": ActivationLane,
        "weight_lane": WeightLane,
    }
    if mac.multiplier.row_scale:
        parts["row_bias"] = RowBias
    if mac.multiplier.column_scale:
        parts["column_correction"] = ColumnCorrection
    return {name: Emission(name).verilog(kind.build(mac)) for name, kind in parts.items()}


def array_latency(element: MacUnit, rows: int, cols: int) -> int:
    """Cycles from a tile's last slice to its first row of results, as an array promises."""
    slices = element.mac.multiplier.slices_per_group
    return rows + cols + 2 + element.pipeline + (slices if slices > 1 else 0)


def array_bits(element: MacUnit, rows: int, cols: int) -> dict[str, int]:
    """Widths of an array's ports for operands and results."""
    mac = element.mac
    return {
        "in_a": 8 * mac.k_per_cycle * rows,
        "in_w": mac.multiplier.weights_bits * cols,
        "out_acc": mac.acc_bits * cols,
    }


def coefficients(element: MacUnit, code: int) -> tuple[int, int]:
    """What a code of activations multiplies each weight by.

    For an encoded pair, the sum over its lanes of ``x << shift`` where the lane meets that weight,
    negative where its sign is 1, as ``SparqFormat`` defines the codes.
    """
    fmt = _format_of(element)
    n = fmt.window_bits
    signs, unsigned = divmod(code, 1 << fmt.unsigned_pair_bits)
    lanes = unsigned & (1 << n) - 1, unsigned >> n & (1 << n) - 1
    states = {number: state for state, number in fmt.control_codes.items()}
    state = states[unsigned >> 2 * n]
    factors = [0, 0]
    for lane, (x, shift, mux) in enumerate(zip(lanes, state[:2], state[2:], strict=True)):
        sign = -1 if signs >> lane & 1 else 1
        factors[mux] += sign * (x << fmt.lane_shifts[shift])
    return factors[0], factors[1]


def valid_codes(element: MacUnit) -> Iterable[int]:
    """Every valid code of a pair of activations."""
    fmt = _format_of(element)
    lanes = 2 * fmt.window_bits
    return (
        signs << fmt.unsigned_pair_bits | control << lanes | x
        for signs in range(1 << fmt.sign_bits)
        for control in sorted(fmt.control_codes.values())
        for x in range(1 << lanes)
    )


def _format_of(element: MacUnit) -> SparqFormat:
    assert element.format is not None
    return element.format.sparq_format


def values(element: MacUnit, a: int, b: int) -> tuple[int, int]:
    """What the activations of a step become: what the products are of, by the paper's rule."""
    if element.format is None:
        return a % 2**element.activation_bits, b % 2**element.activation_bits
    return effective_pair(a, b, Rule.of(element.format))


def activations_of(element: MacUnit, pair: int) -> tuple[int, int] | None:
    """The activations of a pair at the edge: bytes, or of a signed format signs and magnitudes.

    None where a 0 has a sign, as no activation does.
    """
    fmt = element.sparq_format
    if fmt is None or not fmt.signed:
        return pair & 255, pair >> 8
    signs, sizes = zip(
        *(divmod(own, 1 << fmt.magnitude_bits) for own in divmod(pair, 1 << fmt.activation_bits)),
        strict=True,
    )
    if any(sign and not size for sign, size in zip(signs, sizes, strict=True)):
        return None
    second, first = (-size if sign else size for sign, size in zip(signs, sizes, strict=True))
    return first, second


@dataclass(frozen=True, eq=False)
class Part:
    """The gates of one of an element's parts, and its accumulator if it has one."""

    gates: Gates
    accumulator: AccumulatorNets | None

    @classmethod
    def of(
        cls, rtl: Rtl, name: str, operands: Iterable[str], latency: int, timeout: float
    ) -> "Part":
        """Prove how its accumulator adds, and that this depends on the ``operands`` alone."""
        gates = Gates.of(rtl[name], name, timeout)
        accumulator = read_accumulator(gates)
        nets = {net for operand in operands for net in gates.inputs[operand]}
        check_feed_forward(gates, accumulator, nets, latency)
        return cls(gates, accumulator)

    def function(self, name: str, operands: Iterable[str]) -> tuple[str, int]:
        """C++ of the sum that the accumulator gets, while it is cleared; the bits of the sum."""
        assert self.accumulator is not None
        outputs = self.accumulator.sum_nets(self.gates)
        inputs = [net for operand in operands for net in self.gates.inputs[operand]]
        # What is kept is zero; the sum does not depend on the rest.
        constants: dict[Net, int] = dict.fromkeys(self.accumulator.low, 0)
        constants[self.accumulator.clear] = 1
        return compiled.function(name, self.gates, inputs, outputs, constants), len(outputs)


class StepJob(ElementJob):
    """One step of an element, for each activation code and all pairs of signed weights.

    Weights go through the recoding of the array's edge, and what the edges accumulate of the biases
    is subtracted: both from the emitted Verilog.
    """

    method = "enumeration"
    compiled = True

    def rtl(self) -> Rtl:
        """The element and the parts of the edges."""
        return element_rtl(self.element)

    @property
    def statement(self) -> str:
        """For the hash."""
        return f"{self.property_name}: {self.says}; {self.element}"

    def entries(self, rtl: Rtl, timeout: float) -> dict[int, tuple[int, int]]:
        """The codes of activations, and what each weight must be multiplied by."""
        raise NotImplementedError

    def prove(self, rtl: Rtl, timeout: float, waveform: Path) -> Verdict:
        """Run all weights for each code, compiled."""
        waveform.unlink(missing_ok=True)
        entries = self.entries(rtl, timeout)
        header = self._header(rtl, timeout)
        packed = b"".join(
            struct.pack("<3q", code, *factors) for code, factors in sorted(entries.items())
        )
        words = compiled.run(header, packed, timeout).split()
        multiplier = self.element.built_multiplier
        weights = multiplier.k_per_cycle * multiplier.weight_bits
        if words == ["checked", str(len(entries) << weights)]:
            return Verdict(True)
        if len(words) != 5 or words[0] != "wrong":
            return Verdict(False, f"the enumeration said {' '.join(words)!r}")
        code, index, expected, found = map(int, words[1:])
        shown = {
            "activation_code": (multiplier.activation_code_bits, [code]),
            "weights": (weights, [index]),
            "expected_sum": (multiplier.sum_bits + 2, [expected]),
            "sum": (multiplier.sum_bits + 2, [found]),
        }
        write_waveform(waveform, shown)
        return Verdict(
            False,
            f"activation code {code:#x} and weights {index:#x} add {found}, not {expected}: "
            f"{waveform}",
            waveform,
        )

    def _header(self, rtl: Rtl, timeout: float) -> str:
        multiplier, pipeline = self.element.built_multiplier, self.element.pipeline
        operands = ("activation_in", "weight_in")
        step, out_bits = Part.of(rtl, "pe", operands, pipeline, timeout).function("step", operands)
        lane = Gates.of(rtl["weight_lane"], "weight_lane", timeout)
        codes = [lane.next_value(net) for net in lane.ports["data_out"]]
        functions = [step, compiled.function("recode", lane, lane.inputs["data_in"], codes)]
        widths = {}
        for bias, part, port in (
            ("row_bias", "row_bias", "activation"),
            ("column_bias", "column_correction", "weight"),
        ):
            text, widths[bias] = f"static void {bias}(const Word*, Word*) {{}}\n", 0
            if part in rtl:
                found = Part.of(rtl, part, [port], pipeline, timeout)
                text, widths[bias] = found.function(bias, [port])
            functions.append(text)
        low_bits = min(multiplier.sum_bits, self.element.acc_bits)
        constants = {
            "WEIGHT_BITS": multiplier.weight_bits,
            "K": multiplier.k_per_cycle,
            "ACTIVATION_BITS": multiplier.activation_code_bits,
            "WEIGHT_CODE_BITS": multiplier.weight_code_bits,
            "ROW_BITS": widths["row_bias"],
            "COLUMN_BITS": widths["column_bias"],
            "ROW_SCALE": multiplier.row_scale,
            "COLUMN_SCALE": multiplier.column_scale,
            "SUM_BITS": low_bits,
            "OUT_BITS": out_bits,
            "SIGNED": int(self.element.is_behavioral),
        }
        return "".join(f"#define {name} {value}\n" for name, value in constants.items()) + "".join(
            functions
        )


class LanesJob(StepJob):
    """Every lane, ShiftCtrl, MuxCtrl and pair of weights."""

    property_name = "lanes"
    says = "one step adds the sum over lanes of (x * w_mux) << shift, and its biases"

    def __init__(self, element: MacUnit):
        super().__init__(element)
        weights = 2 * element.weight_bits
        self.depth = f"all codes x 2^{weights} weights"

    def entries(self, rtl: Rtl, timeout: float) -> dict[int, tuple[int, int]]:
        """All codes, and what they stand for by definition."""
        return {code: coefficients(self.element, code) for code in valid_codes(self.element)}


class ProductJob(StepJob):
    """From bytes to the step: composed with the encoder of the array's edge."""

    property_name = "products"
    says = "one step adds a1' w1 + a2' w2 and its biases, from the bytes at the edge"

    def __init__(self, element: MacUnit):
        super().__init__(element)
        k, fmt = element.k_per_cycle, element.sparq_format
        activation_bits = 8 if fmt is None else fmt.activation_bits
        self.depth = f"all 2^{k * (activation_bits + element.weight_bits)} inputs"

    def entries(self, rtl: Rtl, timeout: float) -> dict[int, tuple[int, int]]:
        """The code of every pair of bytes, and what the paper's rule makes of the pair."""
        if self.element.k_per_cycle > 2:
            raise ProofError(f"{self.depth} are too many to be enumerated")
        lane = Gates.of(rtl["activation_lane"], "activation_lane", timeout)
        inputs = lane.inputs["data_in"]
        lanes = 1 << len(inputs)
        planes = lane_planes(range(lanes), len(inputs))
        outputs = [lane.next_value(net) for net in lane.ports["data_out"]]
        known = lane.evaluate(outputs, dict(zip(inputs, planes, strict=True)), lanes)
        codes = lane_values([known[net] for net in outputs], lanes)
        entries: dict[int, tuple[int, int]] = {}
        for pair, code in enumerate(codes):
            activations = activations_of(self.element, pair)
            if activations is None:
                continue
            factors = values(self.element, *activations)
            if entries.setdefault(code, factors) != factors:
                raise ProofError(f"code {code:#x} of pair {pair:#x} is also that of another value")
        return entries


def signed_elements(registered: bool = False) -> Iterator[MacUnit]:
    """Those of signed formats, in both styles: each lane its own window, and shared windows.

    Without registers, or ``registered`` in every pipeline.
    """
    for style in Style:
        for pipeline in range(style.max_pipeline + 1 if registered else 1):
            for name in SIGNED_FORMATS:
                for vsparq, group in ((True, 1), (False, 1), (False, 2)):
                    options: dict[str, Any] = {"pipeline": pipeline, "style": style}
                    yield sparq_mac(name, vsparq=vsparq, group=group, **options)


def elements(
    names: Sequence[str] = tuple(NAMED_FORMATS), style: Style = Style.STRUCTURAL
) -> Iterator[MacUnit]:
    """All elements of 8-bit weights with 32-bit accumulators, in every pipeline.

    The exact ones, which have no multiplier to choose in behavioral style, and those of the formats
    of these names.
    """
    for pipeline in range(style.max_pipeline + 1):
        options: dict[str, Any] = {"pipeline": pipeline, "style": style}
        for kind, element in PROCESSING_ELEMENTS.items():
            own = (name if style is Style.STRUCTURAL else None for name in element.MULTIPLIERS)
            for multiplier in dict.fromkeys(own):
                yield MacUnit(kind, multiplier, **options)
        for group in (1, 2):
            for name in names:
                for vsparq in (True, False):
                    yield sparq_mac(name, vsparq=vsparq, group=group, **options)
