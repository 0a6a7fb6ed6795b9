"""RTLIL text of Amaranth, made such that plain Verilog comes of it."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from unittest.mock import patch

from amaranth.back.rtlil import ModuleEmitter


@contextmanager
def full_operands() -> Iterator[None]:
    """Within, Amaranth writes operands as wide as the operation, without leaving out leading bits.

    Verilog's rules would extend them likewise, but linters warn of each.
    """

    def unchanged(emitter: Any, value: Any, *, signed: bool) -> Any:
        return value

    with patch.object(ModuleEmitter, "shorten_operand", unchanged):
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
