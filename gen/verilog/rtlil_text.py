"""RTLIL text of Amaranth, made such that plain Verilog comes of it."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from unittest.mock import patch

from amaranth.back.rtlil import ModuleEmitter
from amaranth.hdl._nir import Net, Part, Value


@contextmanager
def full_operands() -> Iterator[None]:
    """Within, Amaranth writes operands as wide as the operation, without leaving out leading bits.

    Verilog's rules would extend them likewise, but linters warn of each. They do so too of a part
    that is shifted out of a wider value: it becomes the low bits of all that is shifted; and of a
    product with a single bit. Factors that are extended by their sign are written as signed ones,
    so that tools see how narrow they are.
    """
    shortened = ModuleEmitter.shorten_operand
    emit = ModuleEmitter.emit_operator

    def unchanged(emitter: Any, value: Any, *, signed: bool) -> Any:
        return value

    emit_part = ModuleEmitter.emit_part

    def emit_whole(emitter: Any, index: int, cell: Any) -> None:
        part = emitter.cell_wires[index]
        width = max(cell.width, len(cell.value))
        # A single bit is no number: as one it has two.
        is_bit = len(cell.offset) == 1 and cell.stride > 1
        wide = Part(
            cell.module_idx,
            value=cell.value,
            value_signed=cell.value_signed,
            width=width,
            stride=cell.stride,
            offset=Value([*cell.offset, Net.from_const(0)]) if is_bit else cell.offset,
            src_loc=cell.src_loc,
        )
        if width == cell.width:
            emit_part(emitter, index, wide)
            return
        whole = emitter.builder.wire(width)
        emitter.cell_wires[index] = whole
        emit_part(emitter, index, wide)
        emitter.cell_wires[index] = part
        emitter.builder.connect(part.name, f"{whole.name} [{cell.width - 1}:0]")

    def emit_operator(emitter: Any, index: int, cell: Any) -> None:
        def is_extended(operand: Any) -> bool:
            own = len(shortened(emitter, operand, signed=True))
            return own < len(operand) == len(shortened(emitter, operand, signed=False))

        if cell.operator != "*" or not any(map(is_extended, cell.inputs)):
            emit(emitter, index, cell)
            return
        factors = dict(zip("AB", cell.inputs, strict=True))
        emitter.builder.cell(
            "$mul",
            ports={
                **{port: emitter.sigspec(factor) for port, factor in factors.items()},
                "Y": emitter.cell_wires[index].name,
            },
            parameters={
                **{f"{port}_SIGNED": True for port in factors},
                **{f"{port}_WIDTH": len(factor) for port, factor in factors.items()},
                "Y_WIDTH": cell.width,
            },
            src_loc=cell.src_loc,
        )

    with (
        patch.object(ModuleEmitter, "shorten_operand", unchanged),
        patch.object(ModuleEmitter, "emit_operator", emit_operator),
        patch.object(ModuleEmitter, "emit_part", emit_whole),
    ):
        yield


def one_case_at_a_time(rtlil: str) -> str:
    """The same with no switch of more than one case and what holds otherwise.

    Cases are tried in their order, so each next one may stand inside "otherwise". Yosys makes plain
    multiplexers of them; of several cases it would make parallel ones, which it can only write as
    Verilog functions, and which would have to be taken apart by a pass that Amaranth's lacks.
    """
    lines = rtlil.split("\n")
    return "\n".join(_nested(lines, 0, len(lines)))


def _nested(lines: list[str], start: int, end: int) -> Iterator[str]:
    place = start
    while place < end:
        line = lines[place]
        if not line.lstrip().startswith("switch "):
            yield line
            place += 1
            continue
        indent = line[: len(line) - len(line.lstrip())]
        close = lines.index(f"{indent}end", place)
        starts = [at for at in range(place, close) if lines[at].startswith(f"{indent}  case")]
        cases = list(zip(starts, [*starts[1:], close], strict=True))
        ends = 0
        for number, (first, last) in enumerate(cases):
            is_last = lines[first].strip() == "case"
            if number == 0 or not is_last:
                if number:
                    yield f"{indent}  case"
                yield line
                ends += 1
            yield from _nested(lines, first, last)
            if is_last:
                break
        yield from [f"{indent}end"] * ends
        place = close + 1
