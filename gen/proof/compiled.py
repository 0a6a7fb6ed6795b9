"""Gates compiled to C++, many inputs per machine word, and run for all inputs."""

import subprocess
import tempfile
from collections.abc import Sequence
from pathlib import Path

from gen.proof.gates import FLIP_FLOP, LOGIC, Gates, Net
from gen.proof.verdict import ProofError
from support.cpp import cpp_compiler

HARNESS = Path(__file__).with_name("enumeration.cpp")


def function(
    name: str,
    gates: Gates,
    inputs: Sequence[Net],
    outputs: Sequence[Net],
    constants: dict[Net, int] | None = None,
) -> str:
    """A C++ function of words: ``outputs`` from ``inputs``; registers on the way are wires.

    ``constants`` gives the value of further nets. Raises :class:`ProofError` if outputs depend on
    anything else.
    """
    fixed: dict[Net, int] = {"0": 0, "1": 1, **(constants or {})}
    order, leaves = gates.cone(outputs, {*inputs, *fixed})
    words = {net: f"in[{position}]" for position, net in enumerate(inputs)}
    words |= {net: "ones" if value else "zeros" for net, value in fixed.items()}
    if unknown := [leaf for leaf in leaves if leaf not in words]:
        raise ProofError(f"{name} depends on {gates.name(unknown[0])}")
    text_of_adders = "".join(
        function(
            f"{name}_{position}",
            adder,
            [adder.ports[pin][0] for pin in "abc" if pin in adder.ports],
            [adder.ports[pin][0] for pin in ("total", "carry")],
        )
        for position, adder in enumerate(gates.adders.values())
    )
    positions = {kind: position for position, kind in enumerate(gates.adders)}
    lines = []
    for index, cell in enumerate(order):
        if cell.kind == FLIP_FLOP:
            words[cell.pins["Q"]] = words[cell.pins["D"]]
            continue
        if cell.is_adder:
            given = ", ".join(words[net] for net in cell.inputs)
            lines.append(f"  const Word a{index}[] = {{{given}}}; Word n{index}[2];")
            lines.append(f"  {name}_{positions[cell.kind]}(a{index}, n{index});")
            words |= {
                cell.pins[pin]: f"n{index}[{position}]"
                for position, pin in enumerate(("total", "carry"))
                if pin in cell.pins
            }
            continue
        pins, text = LOGIC[cell.kind]
        operands = {pin: words[cell.pins[pin]] for pin in pins}
        lines.append(f"  const Word n{index} = {text.format(**operands)};")
        words[cell.pins["Y"]] = f"n{index}"
    lines += [f"  out[{position}] = {words[net]};" for position, net in enumerate(outputs)]
    body = "\n".join(lines)
    return f"{text_of_adders}static inline void {name}(const Word* in, Word* out) {{\n{body}\n}}\n"


def run(header: str, entries: bytes, timeout: float) -> str:
    """What the harness prints, compiled with ``header`` and given ``entries``.

    Raises :class:`ProofError` if it does not end within ``timeout`` seconds, ``ToolError`` without
    a compiler.
    """
    compiler = cpp_compiler()
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder)
        (path / "model.h").write_text(header)
        (path / "entries").write_bytes(entries)
        program = path / "enumeration"
        # -O1: more has made wrong programs of such text.
        command = [*compiler, "-std=c++17", "-O1", f"-I{path}", str(HARNESS), "-o", str(program)]
        try:
            built = subprocess.run(
                command, capture_output=True, text=True, check=False, timeout=timeout
            )
            if built.returncode:
                first = (built.stderr.strip().splitlines() or ["no message"])[0]
                raise ProofError(f"compiling the gates failed: {first}")
            result = subprocess.run(
                [str(program), str(path / "entries")],
                capture_output=True,
                text=True,
                check=False,
                timeout=timeout,
            )
        except subprocess.TimeoutExpired:
            raise ProofError(f"not proved within {timeout:g} s") from None
        if result.returncode:
            raise ProofError(f"the enumeration ended with status {result.returncode}")
        return result.stdout
