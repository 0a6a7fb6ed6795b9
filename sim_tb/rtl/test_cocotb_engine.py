"""Emitted engines in a simulator, with AXI4-Lite and AXI4-Stream models of others."""

import shutil
from collections.abc import Callable, Sequence
from typing import Any

import pytest

from gen.design.configuration import Configuration
from gen.verilog.generate import Generated, generate
from sim_tb.rtl.runner import Module, run_bench

SEED = 41
ENGINES: dict[str, dict[str, Any]] = {
    "2x2": {"rows": 2, "cols": 2},
    "group": {"rows": 3, "cols": 4, "lanes": 2, "group": 8},
    "tensor": {"machine": "tensor_core", "rows": 2, "cols": 2, "pairs": 2, "weight_bits": 5},
    "8x8": {"rows": 2, "cols": 3, "pe": "8x8", "weight_depth": 0, "lanes": 1},
    "sparse": {"machine": "sparse_tensor_core", "rows": 2, "cols": 2, "pairs": 2},
    "7opt": {
        "rows": 4,
        "cols": 2,
        "format": "7opt",
        "group": 16,
        "weight_depth": 30,
        "result_tiles": 2,
    },
    "2x4x8": {"rows": 2, "cols": 2, "pe": "2x4x8", "command_depth": 2, "weight_bits": 3},
    "encoded": {
        "rows": 2,
        "cols": 8,
        "lanes": 4,
        "format": "3opt",
        "group": 4,
        "encoded_input": True,
        "encoded_output": True,
    },
    "signed": {"rows": 2, "cols": 2, "format": "s4opt", "group": 4},
    "affine": {"rows": 2, "cols": 3, "format": "s5opt", "stream_bits": 8, "weight_depth": 0},
    "multipoint": {
        "rows": 3,
        "cols": 4,
        "lanes": 2,
        "weight_bits": 4,
        "acc_bits": 20,
        "encoded_output": True,
        "multipoint": True,
    },
    "one": {"rows": 1, "cols": 1, "acc_bits": 20, "pipeline": 2, "weight_depth": 1},
    "narrow_streams": {"rows": 3, "cols": 4, "lanes": 2, "group": 8, "stream_bits": 8},
}
TESTS = (
    "products",
    "smallest_and_ragged",
    "waits",
    "soft_reset",
    "registers_meanwhile",
    "refused",
    "interrupt",
)


SWEEP: dict[str, dict[str, Any]] = {
    "5x7": {"rows": 5, "cols": 7, "lanes": 1, "pipeline": 1},
    "3opt": {"rows": 3, "cols": 2, "format": "3opt", "vsparq": False, "group": 4},
    "6opt": {"rows": 2, "cols": 3, "format": "6opt", "rounding": False, "weight_depth": 0},
    "wide_streams": {"rows": 2, "cols": 2, "stream_bits": 128},
    "2x8x8": {"rows": 2, "cols": 4, "lanes": 2, "pe": "2x8x8", "result_tiles": 64},
    "core_8x8": {"machine": "tensor_core", "rows": 3, "cols": 1, "pe": "8x8", "pairs": 2},
    "core_group": {"machine": "tensor_core", "rows": 1, "cols": 2, "pairs": 2, "group": 16},
    "encoded_core": {
        "machine": "tensor_core",
        "rows": 2,
        "cols": 2,
        "pairs": 2,
        "encoded_input": True,
        "encoded_output": True,
    },
    "encodes": {"rows": 3, "cols": 4, "lanes": 2, "encoded_output": True, "weight_depth": 0},
    "multipoint_8x8": {"rows": 2, "cols": 6, "pe": "8x8", "acc_bits": 24, "multipoint": True},
    "narrow": {"machine": "sparse_tensor_core", "rows": 3, "cols": 2, "weight_bits": 3},
}
PAIR = ("8x8", "group")
"""Two engines side by side: different widths, buffers and modes."""
TOP = "two_engines"


def configuration(options: dict[str, Any]) -> Configuration:
    return Configuration(top="engine", **options)


def parameters(products: int, *engines: dict[str, Any]) -> dict[str, Any]:
    return {"engines": list(engines), "products": products}


def run(options: dict[str, Any], products: int, **given: Any) -> int:
    return run_bench(
        *(configuration(options), "engine"),
        seed=SEED,
        parameters=parameters(products, {"options": {"top": "engine", **options}}),
        testcase=",".join(TESTS),
        **given,
    )


@pytest.mark.every(40)
@pytest.mark.slow
@pytest.mark.parametrize("name", ENGINES)
def test_engine(name: str, checks: Callable[[int], None]) -> None:
    checks(run(ENGINES[name], products=4))


@pytest.mark.full
@pytest.mark.parametrize("name", [*ENGINES, *SWEEP])
def test_engine_full(name: str, checks: Callable[[int], None]) -> None:
    checks(run((ENGINES | SWEEP)[name], products=40))


@pytest.mark.skipif(shutil.which("iverilog") is None, reason="Icarus (iverilog) is not installed")
@pytest.mark.full
def test_engine_in_icarus(checks: Callable[[int], None]) -> None:
    """Where what nobody has set is unknown: none of it is seen."""
    checks(run(ENGINES["2x2"], products=4, simulator="icarus"))


@pytest.mark.full
def test_two_engines_in_a_design(checks: Callable[[int], None]) -> None:
    """Each with a name of its own: their modules have different names, and both are right."""
    engines = {f"engine_{name}": configuration(ENGINES[name]) for name in PAIR}
    modules = [generate(engine, name) for name, engine in engines.items()]
    given = [
        {"options": {"top": "engine", **ENGINES[name]}, "prefix": f"{module.name}_"}
        for name, module in zip(PAIR, modules, strict=True)
    ]
    text = "\n".join([*(module.verilog for module in modules), side_by_side(modules)])
    checks(
        run_bench(
            Module(TOP, text, []),
            "engine",
            seed=SEED,
            parameters=parameters(3, *given),
            testcase="side_by_side",
        )
    )


def side_by_side(modules: Sequence[Generated]) -> str:
    """Verilog of a module with an instance of each, whose ports begin with its name."""
    ports, instances = ["input clk", "input rst"], []
    for module in modules:
        connections = [".clk(clk)", ".rst(rst)"]
        for port in module.sidecar["ports"][2:]:
            outer = f"{module.name}_{port['name']}"
            ports.append(f"{port['direction']} [{port['width'] - 1}:0] {outer}")
            connections.append(f".{port['name']}({outer})")
        instances.append(f"  {module.name} {module.name}_i ({', '.join(connections)});")
    return "\n".join([f"module {TOP} ({', '.join(ports)});", *instances, "endmodule", ""])
