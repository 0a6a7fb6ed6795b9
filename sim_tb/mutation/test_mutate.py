"""Mutation coverage: mutants, how they end, and what the command says."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from click import ClickException
from click.testing import CliRunner

from gen.commands.terminal import progress_bar
from sim_tb.mutation import mutants
from sim_tb.mutation.mutants import COMPONENTS, Component
from sim_tb.mutation.mutate import Coverage, CoverageError, measure, mutate

ENCODER = COMPONENTS["encoder 2opt trim no vSPARQ"]


@pytest.fixture
def encoder(tmp_path: Path, monkeypatch: Any) -> Component:
    monkeypatch.setattr(mutants, "FOLDER", tmp_path)
    return ENCODER


@pytest.mark.full
def test_mutants_are_killed_or_equivalent(encoder: Component) -> None:
    """The bench is exhaustive: what it does not notice changes nothing."""
    mutations = encoder.prepare(4, seed=5)
    assert mutations == encoder.prepare(4, seed=5)
    assert mutations != encoder.prepare(4, seed=2)
    encoder.prepare(4, seed=5)
    lines = encoder.module.verilog.splitlines()
    for mutation in mutations:
        number, _, text = mutation.line.partition(": ")
        assert lines[int(number) - 1].strip() == text
    assert not encoder.is_noticed(0)
    noticed = [encoder.is_noticed(mutation.number) for mutation in mutations]
    equivalent = [encoder.is_equivalent(mutation.number) for mutation in mutations]
    assert noticed == [not same for same in equivalent]
    assert {True, False} == set(noticed)


def test_a_survivor_is_listed(monkeypatch: Any, capsys: Any) -> None:
    """With a bench that notices nothing, as one that is too weak."""
    survivor = mutants.Mutation(1, "inv", "encoder", "lane0", "value[3]", "18: assign a = b;")
    coverage = Coverage("encoder 5opt", 1, 9, 0, [survivor])
    monkeypatch.setattr("sim_tb.mutation.mutate.measure", lambda *arguments: [coverage])
    monkeypatch.setattr("sim_tb.mutation.mutate.write_if_changed", lambda path, text: None)
    result = CliRunner().invoke(mutate, ["--component", "encoder 5opt"])
    assert (
        "encoder 5opt: survived: inv at value[3] of lane0 in encoder: 18: assign a = b;"
        in result.output
    )
    assert isinstance(result.exception, CoverageError)
    assert str(result.exception) == (
        "encoder 5opt: 90.0 % of its mutants are noticed, and 100 % should be"
    )


@pytest.mark.full
def test_tests_that_fail_by_themselves(tmp_path: Path, monkeypatch: Any) -> None:
    monkeypatch.setattr(mutants, "FOLDER", tmp_path)
    broken = replace(ENCODER, name="broken", parameters=COMPONENTS["encoder 5opt"].parameters)
    monkeypatch.setitem(COMPONENTS, "broken", broken)
    monkeypatch.setattr(
        "sim_tb.mutation.mutate.run_tasks",
        lambda function, tasks, on_done: [function(*task) for task in tasks],
    )
    with pytest.raises(CoverageError, match=r"^the tests of broken fail without a mutation$"):
        list(measure(["broken"], 1, 1, progress_bar()))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (
            ["--component", "alu"],
            "Invalid value for '--component': 'alu' is not one of 'encoder 5opt', ",
        ),
        (["--mutants", "0"], "mutants must be an integer from 1 to 10000, not 0"),
        (["--seed", "-1"], "seed must be an integer of at least 0, not -1"),
    ],
)
def test_bad_arguments(arguments: list[str], message: str) -> None:
    result = CliRunner().invoke(mutate, arguments, standalone_mode=False)
    assert isinstance(result.exception, ClickException)
    assert result.exception.format_message().startswith(message)
