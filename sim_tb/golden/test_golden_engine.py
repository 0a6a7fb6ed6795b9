"""The work of a layer on a matrix engine."""

from dataclasses import replace
from typing import Any

import pytest

from golden import named_format
from golden.engine import (
    Command,
    EngineShape,
    LayerCommand,
    busy_cycles,
    layer_commands,
    predicted_cycles,
)

SHAPE = EngineShape(
    rows=4,
    cols=8,
    k_per_cycle=2,
    machine_latency=14,
    slices_per_group=1,
    planes=2,
    lanes=4,
    weight_depth=16,
    result_tiles=5,
)


@pytest.mark.parametrize(
    ("name", "encoded", "zero_point", "message"),
    [
        (None, False, 1, "0 on an engine of unsigned activations, not 1"),
        ("5opt", False, 128, "0 on an engine of unsigned activations, not 128"),
        ("s5opt", True, 3, "0 on an engine of encoded activations, not 3"),
        ("s5opt", False, 256, "from 0 to 255, not 256"),
        ("s5opt", False, -1, "from 0 to 255, not -1"),
        ("s4opt", False, 127, "0 or 128 on an engine of signed bytes, not 127"),
    ],
)
def test_zero_points(name: str | None, encoded: bool, zero_point: int, message: str) -> None:
    """Those that a command can have, and what is said of another one."""
    fmt = None if name is None else named_format(name)
    shape = replace(SHAPE, format=fmt, encoded_input=encoded)
    allowed = {None: [0], "5opt": [0], "s4opt": [0, 128], "s5opt": [0, 1, 255]}[name]
    for each in [0] if encoded else allowed:
        (layer,) = layer_commands(shape, 1, 1, 1, zero_point=each)
        assert layer.command.zero_point == each
    with pytest.raises(ValueError) as error:  # noqa: PT011  # the whole text is compared
        layer_commands(shape, 1, 1, 1, zero_point=zero_point)
    assert str(error.value) == f"zero_point must be {message}"


@pytest.mark.parametrize(
    ("shape", "sizes", "exact", "message"),
    [
        (SHAPE, (0, 1, 1), False, "M must be an integer of at least 1, not 0"),
        (SHAPE, (1, -2, 1), False, "K must be an integer of at least 1, not -2"),
        (SHAPE, (1, 1, 0), False, "N must be an integer of at least 1, not 0"),
        (SHAPE, (1, 33, 1), False, "K must be at most 32 on this engine, not 33"),
        (
            replace(SHAPE, weight_depth=0),
            (1, 131_071, 1),
            False,
            "K must be at most 131070 on this engine, not 131071",
        ),
        (SHAPE, (1, 1, 524_281), False, "N must be at most 524280 on this engine, not 524281"),
        (
            replace(SHAPE, planes=0),
            (1, 1, 1),
            True,
            "the format of this engine has no exact mode",
        ),
        (
            replace(SHAPE, planes=0, encoded_input=True),
            (1, 1, 1),
            True,
            "an engine of encoded activations has no exact mode",
        ),
    ],
)
def test_refused(
    shape: EngineShape, sizes: tuple[int, int, int], exact: bool, message: str
) -> None:
    with pytest.raises(ValueError) as error:  # noqa: PT011  # the whole text is compared
        layer_commands(shape, *sizes, exact=exact)
    assert str(error.value) == message


def test_refused_encoding() -> None:
    encodes = replace(SHAPE, encoded_output=True, format=named_format("5opt"))
    for shape, sums, message in (
        (SHAPE, False, "this engine has no encoded output"),
        (encodes, True, "results leave as sums or encoded, not as both"),
    ):
        with pytest.raises(ValueError, match=f"^{message}$"):
            layer_commands(shape, 1, 1, 1, sums=sums, encoded=True)
    (command,) = layer_commands(encodes, 1, 1, 1, encoded=True)
    assert command == LayerCommand(Command(1, 1, 1, encoded=True), 0)


@pytest.mark.parametrize(
    ("name", "command", "words"),
    [
        ("5opt", Command(3, 2, 5), 3 * 2 * 4 * 2),
        ("5opt", Command(3, 2, 5, sums=True), 3 * 2 * 4 * 2 * 4),
        # Pairs of 12 bits, not of two bytes; of 11 and 9, where the last word is not full.
        ("5opt", Command(3, 2, 5, encoded=True), 3 * 2 * 4 * 2 * 12 // 16),
        ("3opt", Command(1, 1, 1, encoded=True), 6),
        ("7opt", Command(1, 1, 1, encoded=True), 5),
    ],
)
def test_packet_words(name: str, command: Command, words: int) -> None:
    shape = replace(SHAPE, encoded_output=True, format=named_format(name))
    assert shape.packet_words(command) == words


@pytest.mark.parametrize(
    ("sizes", "command"),
    [
        ((1, 1, 1), Command(1, 1, 1)),
        ((4, 2, 8), Command(1, 1, 1)),
        ((5, 3, 9), Command(2, 2, 2)),
        ((17, 32, 40), Command(5, 5, 16)),
        ((4 * 65535, 1, 8 * 65535), Command(65535, 65535, 1)),
    ],
)
@pytest.mark.parametrize(("exact", "sums"), [(False, False), (True, False), (False, True)])
def test_a_layer_is_one_command(
    sizes: tuple[int, int, int], command: Command, exact: bool, sums: bool
) -> None:
    expected = replace(command, exact=exact, sums=sums)
    assert layer_commands(SHAPE, *sizes, exact, sums) == [LayerCommand(expected, 0)]


def test_a_layer_of_too_many_rows() -> None:
    """It is several commands, each of all columns, the last one of what is left."""
    commands = layer_commands(SHAPE, 4 * 2 * 65535 + 1, 2, 9)
    assert commands == [
        LayerCommand(Command(65535, 2, 1), 0),
        LayerCommand(Command(65535, 2, 1), 4 * 65535),
        LayerCommand(Command(1, 2, 1), 4 * 2 * 65535),
    ]


@pytest.mark.parametrize(
    ("options", "command", "cycles"),
    [
        ({}, Command(3, 2, 5), 30),
        ({}, Command(3, 2, 5, exact=True), 60),
        ({"planes": 1}, Command(3, 2, 5, exact=True), 30),
        ({"planes": 4}, Command(1, 1, 1, exact=True), 4),
        # Groups of 4: a full one, and one slice that is filled up in all passes but the last.
        ({"slices_per_group": 4}, Command(1, 1, 5, exact=True), 2 * 4 + 4 + 1),
        ({"slices_per_group": 4}, Command(1, 1, 4, exact=True), 2 * 4),
        ({"slices_per_group": 4, "planes": 3}, Command(2, 1, 2, exact=True), 2 * (4 + 4 + 2)),
        ({"slices_per_group": 4}, Command(2, 3, 5), 30),
    ],
)
def test_busy_cycles(options: dict[str, Any], command: Command, cycles: int) -> None:
    assert busy_cycles(replace(SHAPE, **options), command) == cycles


@pytest.mark.parametrize(
    ("options", "command", "per_tile"),
    [
        ({}, Command(9, 2, 16), 16),
        ({"activation_words": 3}, Command(9, 2, 16), 3 * 16),
        ({"activation_words": 3}, Command(9, 2, 16, exact=True), 3 * 16),
        ({"activation_words": 2}, Command(9, 2, 16, exact=True), 2 * 16),
        # Weights come once for a column of tiles, or with every tile.
        ({"weight_words": 3}, Command(9, 2, 16), 16),
        ({"weight_words": 3, "weight_depth": 0}, Command(9, 2, 16), 3 * 16),
        # 4 rows of 8 columns through 4 lanes are 8 words, or 32 as sums.
        ({"result_words": 3}, Command(9, 2, 16), 3 * 8),
        ({"result_words": 3}, Command(9, 2, 16, sums=True), 3 * 32),
        ({"activation_words": 2, "result_words": 4}, Command(9, 2, 16), 2 * 16),
    ],
)
def test_the_slowest_stream_sets_the_pace(
    options: dict[str, Any], command: Command, per_tile: int
) -> None:
    """Of tiles beyond those that wait: each takes as long as its words of one stream."""
    shape = replace(SHAPE, **options)
    tiles = 100
    longer = replace(command, tiles_m=command.tiles_m + tiles)
    less, more = (predicted_cycles(shape, [each]) for each in (command, longer))
    assert more - less == tiles * per_tile * command.tiles_n


def test_widths_of_streams_and_their_words() -> None:
    assert SHAPE.result_bytes == SHAPE.lanes == 4
    assert replace(SHAPE, stream_bits=64).result_bytes == 8
