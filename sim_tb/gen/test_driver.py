"""The C driver: its constants are the table's, it compiles anywhere, and does what it says."""

import ctypes
import re
import subprocess
from collections.abc import Callable, Iterator
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from gen.driver import DRIVER
from golden import named_format
from golden.engine import Command, EngineShape
from golden.requantize import MAX_SHIFT, MULTIPLIER_BITS
from hdl.bus.register_map import Access, RegisterMap
from hdl.engine.engine_registers import COUNTERS, IDENTIFICATION, ErrorCode
from sim_tb.hdl.register_maps import ENGINE, engine, signed_engine
from support.cpp import cpp_compiler

SEED = 5
TEXT = DRIVER.read_text(encoding="utf-8")
STRICT = ["-Wall", "-Wextra", "-pedantic", "-Werror"]
LANGUAGES = [
    *(("c", standard) for standard in ("c99", "c11", "c17")),
    *(("c++", standard) for standard in ("c++98", "c++11", "c++17")),
]
OK, NOT_FOUND, WRONG_HASH, FULL, TIMEOUT, BAD_ARGUMENT = range(6)


def constants(registers: RegisterMap) -> str:
    """The part of the driver that the table says."""
    lines = []
    for register in registers.registers:
        name = f"{registers.name}_{register.name}".upper()
        lines.append(f"#define {name}_OFFSET {register.offset:#04x}u")
        for field in register.fields:
            lines.append(f"#define {name}_{field.name.upper()}_SHIFT {field.low_bit}")
            lines.append(f"#define {name}_{field.name.upper()}_MASK {field.mask:#x}u")
    return "\n".join([*lines, ""])


def enumeration(name: str) -> dict[str, int]:
    """The constants of an enum in the driver."""
    found = re.search(rf"^enum {name} \{{\n(.*?)^\}};", TEXT, re.MULTILINE | re.DOTALL)
    assert found
    pairs = re.findall(r"^  SPARQ_ENGINE_(\w+) = (\d+)", found[1], re.MULTILINE)
    return {key: int(value) for key, value in pairs}


def test_constants_are_those_of_the_table() -> None:
    begin, end = (
        f"/* {word} of what the table of registers says. */\n" for word in ("Begin", "End")
    )
    assert TEXT.partition(begin)[2].partition(end)[0] == constants(signed_engine())
    for name, value in (
        ("IDENTIFICATION", f"{IDENTIFICATION:#x}"),
        ("MAX_MULTIPLIER", f"{(1 << MULTIPLIER_BITS) - 1:#x}"),
        ("MAX_SHIFT", f"{MAX_SHIFT}"),
    ):
        assert f"#define SPARQ_ENGINE_{name} {value}u\n" in TEXT
    errors = {f"ERROR_{code.name}": code.value for code in ErrorCode}
    assert enumeration("sparq_engine_error") == {"NO_ERROR": 0, **errors}
    counters = {f"COUNTER_{name}": index for index, name in enumerate(COUNTERS)}
    assert enumeration("sparq_engine_counter") == {**counters, "COUNTERS": len(COUNTERS)}


@pytest.mark.parametrize(("language", "standard"), LANGUAGES)
def test_compiles_without_a_warning(language: str, standard: str, tmp_path: Path) -> None:
    source = tmp_path / "driver"
    source.write_text(f'#include "{DRIVER}"\n#include "{DRIVER}"\n')
    # C99 and C++98 both, though C++98 has no <stdint.h> of its own and no long long.
    extra = ["-Wno-long-long"] if standard == "c++98" else []
    command = [*cpp_compiler(), "-x", language, f"-std={standard}", *STRICT, *extra]
    subprocess.run([*command, "-fsyntax-only", source], check=True)


READ = ctypes.CFUNCTYPE(ctypes.c_uint32, ctypes.c_void_p, ctypes.c_uint32)
WRITE = ctypes.CFUNCTYPE(None, ctypes.c_void_p, ctypes.c_uint32, ctypes.c_uint32)


class CEngine(ctypes.Structure):
    _fields_ = [("read32", READ), ("write32", WRITE), ("context", ctypes.c_void_p)]


class CShape(ctypes.Structure):
    NAMES = (
        *("rows", "cols", "k_per_cycle", "weight_bits", "acc_bits", "planes", "weight_depth"),
        *("lanes", "command_depth", "result_tiles", "stream_bits"),
        *("encoded_input", "encoded_output", "pair_bits", "has_zero_point"),
    )
    _fields_ = [(name, ctypes.c_uint32) for name in NAMES]


class CCommand(ctypes.Structure):
    _fields_ = [
        *((name, ctypes.c_uint16) for name in ("tiles_m", "tiles_n", "slices")),
        *((name, ctypes.c_int) for name in ("exact", "sums", "encoded")),
        ("zero_point", ctypes.c_uint8),
    ]


class CColumn(ctypes.Structure):
    _fields_ = [
        ("bias", ctypes.c_int32),
        ("multiplier", ctypes.c_uint16),
        *((name, ctypes.c_uint8) for name in ("shift", "zero_point", "low", "high")),
    ]


def driver_library(text: str, folder: Path) -> ctypes.CDLL:
    """The functions of a driver, which a library can be called for: none is static in it."""
    (folder / "driver.c").write_text(text.replace("static inline ", ""))
    command = [*cpp_compiler(), "-x", "c", "-std=c99", *STRICT, "-fsanitize=undefined"]
    command += ["-fsanitize-undefined-trap-on-error", "-O1", "-shared", "-fPIC", "driver.c"]
    subprocess.run([*command, "-o", "driver.so"], cwd=folder, check=True)
    return ctypes.CDLL(str(folder / "driver.so"))


@pytest.fixture(scope="module")
def library(tmp_path_factory: pytest.TempPathFactory) -> ctypes.CDLL:
    found = driver_library(TEXT, tmp_path_factory.mktemp("driver"))
    for name in ("hash", "counter"):
        getattr(found, f"sparq_engine_{name}").restype = ctypes.c_uint64
    for name in ("completed", "error", "interrupts", "unpack_pair"):
        getattr(found, f"sparq_engine_{name}").restype = ctypes.c_uint32
    found.sparq_engine_read_shape.restype = CShape
    return found


class Model:
    """Registers of an engine as software sees them; ``gives`` are fields that hardware gives."""

    def __init__(self, library: ctypes.CDLL):
        self.library = library
        self.table = engine()
        self.held: dict[tuple[str, str], int] = {}
        self.gives: dict[tuple[str, str], Callable[[], int]] = {}
        self.pulses: list[tuple[str, str]] = []
        self.writes: list[tuple[str, int]] = []
        self.own = CEngine(READ(self._read), WRITE(self._write), 0x1234)

    def call(self, name: str, *arguments: Any) -> Any:
        return getattr(self.library, f"sparq_engine_{name}")(ctypes.byref(self.own), *arguments)

    def _register(self, context: int, offset: int) -> Any:
        assert context == 0x1234
        (found,) = [own for own in self.table.registers if own.offset == offset]
        return found

    def _read(self, context: int, offset: int) -> int:
        register = self._register(context, offset)
        word = 0
        for field in register.fields:
            key = register.name, field.name
            value = self.held.get(key, field.value)
            if field.access is Access.READ:
                value = self.gives.get(key, lambda: 0)()
            word |= value << field.low_bit
        return word

    def _write(self, context: int, offset: int, word: int) -> None:
        register = self._register(context, offset)
        self.writes.append((register.name, word))
        assert register.is_writable
        for field in register.fields:
            key, value = (register.name, field.name), (word & field.mask) >> field.low_bit
            if field.access is Access.READ_WRITE:
                self.held[key] = value
            elif field.access is Access.WRITE_ONE_TO_CLEAR and value:
                self.held[key] = 0
            elif field.access is Access.PULSE and value:
                self.pulses.append(key)


@pytest.fixture
def model(library: ctypes.CDLL) -> Model:
    return Model(library)


def values(*numbers: int) -> Callable[[], int]:
    """One after the other, the last one from then on."""
    left = iter(numbers)
    last = [0]

    def give() -> int:
        last[0] = next(left, last[0])
        return last[0]

    return give


def test_check(model: Model) -> None:
    own = int(ENGINE["configuration_hash"], 16)
    assert model.call("hash") == own
    assert model.call("check", ctypes.c_uint64(own)) == OK
    for bit in (0, 31, 32, 63):
        assert model.call("check", ctypes.c_uint64(own ^ 1 << bit)) == WRONG_HASH
    model.held["IDENTIFICATION", "value"] = 0xFFFFFFFF
    assert model.call("check", ctypes.c_uint64(own)) == NOT_FOUND


def test_shape(model: Model) -> None:
    shape = model.call("read_shape")
    expected = {**ENGINE, "pair_bits": 10, "has_zero_point": 0}
    assert {name: getattr(shape, name) for name in CShape.NAMES} == {
        name: expected[name] for name in CShape.NAMES
    }
    for signs, encoded in product((0, 1), repeat=2):
        model.held["FORMAT", "signs"], model.held["FORMAT", "encoded_input"] = signs, encoded
        assert model.call("read_shape").has_zero_point == (signs and not encoded)


def test_enable_and_soft_reset(model: Model) -> None:
    for on in (1, 0):
        model.call("enable", on)
        assert model.held["CONTROL", "enable"] == on
        assert not model.pulses
        model.call("soft_reset")
        assert model.pulses == [("CONTROL", "soft_reset")]
        assert model.held["CONTROL", "enable"] == on
        model.pulses.clear()


@pytest.mark.parametrize(
    ("exact", "sums", "encoded"),
    [(0, 0, 0), (1, 0, 0), (0, 7, 0), (-1, 1, 0), (0, 0, 1), (3, 0, 8)],
)
def test_start(model: Model, exact: int, sums: int, encoded: int) -> None:
    command = CCommand(65535, 2, 300, exact, sums, encoded)
    model.gives["STATUS", "command_full"] = values(1, 0)
    assert model.call("start", ctypes.byref(command)) == FULL
    assert not model.writes
    assert model.call("start", ctypes.byref(command)) == OK
    mode = (exact != 0) | (sums != 0) << 1 | (encoded != 0) << 2
    described = [("TILES_M", 65535), ("TILES_N", 2), ("DEPTH", 300), ("MODE", mode)]
    assert model.writes == [*described, ("START", 1)]
    assert model.pulses == [("START", "start")]


def test_start_with_a_zero_point(model: Model) -> None:
    """It is written where there is one, also after another one; elsewhere there is no register."""
    model.table = signed_engine()
    for zero_point in (128, 0):
        model.writes.clear()
        command = CCommand(1, 2, 3, 1, 0, 0, zero_point)
        assert model.call("start", ctypes.byref(command)) == OK
        described = [("TILES_M", 1), ("TILES_N", 2), ("DEPTH", 3), ("MODE", 1)]
        assert model.writes == [*described, ("ZERO_POINT", zero_point), ("START", 1)]
    model.table = engine()
    model.writes.clear()
    refused = CCommand(1, 2, 3, 1, 0, 0, 128)
    assert model.call("start", ctypes.byref(refused)) == BAD_ARGUMENT
    assert not model.writes


def test_waits(model: Model) -> None:
    for polls, expected in ((4, OK), (3, TIMEOUT), (0, TIMEOUT)):
        model.gives["STATUS", "idle"] = values(0, 0, 0, 1)
        assert model.call("wait_idle", polls) == expected
        model.gives["COMPLETED", "count"] = values(5, 6, 6, 8)
        assert model.call("wait_completed", 7, polls) == expected
        # Past the end of 32 bits.
        model.gives["COMPLETED", "count"] = values(2**32 - 2, 2**32 - 1, 0, 1)
        assert model.call("wait_completed", 1, polls) == expected
    assert model.call("completed") == 2**32 - 2


def test_errors_and_interrupts(model: Model) -> None:
    assert model.call("error") == 0
    model.held["ERROR", "code"] = ErrorCode.QUEUE_FULL
    assert model.call("error") == ErrorCode.QUEUE_FULL
    model.call("clear_error")
    assert model.call("error") == 0
    model.held |= {("INTERRUPT", "done"): 1, ("INTERRUPT", "error"): 1}
    assert model.call("interrupts") == 3
    model.call("clear_interrupts", 2)
    assert model.call("interrupts") == 1
    model.call("enable_interrupts", 2)
    assert model.held["INTERRUPT_ENABLE", "done"] == 0
    assert model.held["INTERRUPT_ENABLE", "error"] == 1


def test_counters(model: Model) -> None:
    for frozen in (1, 0):
        model.call("freeze_counters", frozen)
        assert model.held["COUNTER_CONTROL", "freeze"] == frozen
        model.call("clear_counters")
        assert model.pulses.pop() == ("COUNTER_CONTROL", "clear")
        assert model.held["COUNTER_CONTROL", "freeze"] == frozen
    # A carry between two reads of one counter.
    model.gives["BUSY_HIGH", "count"] = values(6, 7)
    model.gives["BUSY_LOW", "count"] = values(0, 1)
    assert model.call("counter", 1) == 7 << 32 | 1

    def counted(index: int, half: int) -> Callable[[], int]:
        def give() -> int:
            assert model.held["COUNTER_CONTROL", "freeze"] == 1
            return 0x80000000 + 2 * index + half

        return give

    for index, name in enumerate(COUNTERS):
        for half, own in enumerate(("LOW", "HIGH")):
            model.gives[f"{name}_{own}", "count"] = counted(index, half)
    got = (ctypes.c_uint64 * len(COUNTERS))()
    for frozen in (0, 1):
        model.held["COUNTER_CONTROL", "freeze"] = frozen
        model.call("counters", got)
        assert list(got) == [counted_word(index) for index in range(len(COUNTERS))]
        assert model.held["COUNTER_CONTROL", "freeze"] == frozen


def counted_word(index: int) -> int:
    return (0x80000000 + 2 * index + 1) << 32 | 0x80000000 + 2 * index


@pytest.mark.parametrize(
    ("stream_bits", "sizes"),
    [
        (0, {1: 1, 3: 3, 16: 16, 17: 17}),
        (8, {1: 1, 3: 3, 17: 17}),
        (64, {1: 8, 7: 8, 8: 8, 9: 16, 16: 16, 17: 24}),
        (1024, {1: 128, 128: 128, 129: 256}),
    ],
)
def test_bytes_in_a_stream(library: ctypes.CDLL, stream_bits: int, sizes: dict[int, int]) -> None:
    library.sparq_engine_stream_bytes.restype = ctypes.c_size_t
    shape = CShape(stream_bits=stream_bits)
    for size, padded in sizes.items():
        given = ctypes.byref(shape), ctypes.c_size_t(size)
        assert library.sparq_engine_stream_bytes(*given) == padded


def test_bytes_of_results(library: ctypes.CDLL) -> None:
    """Those of the words that the model counts: bytes, sums and stored pairs, also huge packets."""
    library.sparq_engine_result_bytes.restype = ctypes.c_uint64
    seen = set()
    for cols, lanes, name, stream_bits in product(
        *((2, 12, 256), (1, 2, 12), ("5opt", "6opt"), (0, 8, 64, 1024))
    ):
        if cols % lanes:
            continue
        for rows, tiles_m, tiles_n in ((1, 1, 1), (3, 5, 7), (256, 65535, 65535)):
            own = EngineShape(
                rows=rows,
                cols=cols,
                k_per_cycle=2,
                machine_latency=1,
                slices_per_group=1,
                planes=2,
                lanes=lanes,
                weight_depth=1,
                result_tiles=2,
                stream_bits=stream_bits,
                result_words=-(-8 * lanes // stream_bits) if stream_bits else 1,
                format=named_format(name),
            )
            shape = CShape(
                **{"rows": rows, "cols": cols, "lanes": lanes, "stream_bits": stream_bits},
                pair_bits=own.pair_bits,
            )
            for sums, encoded in ((0, 0), (1, 0), (0, 1)):
                if encoded and lanes % 2:
                    continue
                command = CCommand(tiles_m, tiles_n, 9, 0, sums, encoded)
                given = ctypes.byref(shape), ctypes.byref(command)
                words = own.packet_words(
                    Command(tiles_m, tiles_n, 9, False, sums == 1, encoded == 1)
                )
                got = library.sparq_engine_result_bytes(*given)
                assert got == words * own.result_bytes
                seen.add(got)
    assert min(seen) == 2
    assert max(seen) > 2**50


def shapes() -> Iterator[CShape]:
    for weight_bits in range(2, 9):
        yield CShape(rows=3, cols=5, k_per_cycle=2, weight_bits=weight_bits)
    yield CShape(rows=1, cols=1, k_per_cycle=1, weight_bits=3)


def byte_array(count: int) -> Any:
    """Bytes that are not 0, and two behind them."""
    return (ctypes.c_uint8 * (count + 2))(*[0xA5] * (count + 2))


def test_pack_activations(library: ctypes.CDLL) -> None:
    rng = np.random.default_rng(SEED)
    for shape in shapes():
        for padding in (0, 3):
            x = rng.integers(0, 256, (shape.rows, shape.k_per_cycle + 4), np.uint8)
            for rows in range(shape.rows + 1):
                for steps in range(shape.k_per_cycle + 1):
                    count = shape.rows * shape.k_per_cycle + padding
                    slice_ = byte_array(count)
                    assert _pack(library, "activations", slice_, count, shape, x, rows, steps) == OK
                    expected = np.zeros((shape.rows, shape.k_per_cycle), np.uint8)
                    expected[:rows, :steps] = x[:rows, :steps]
                    assert bytes(slice_) == expected.tobytes() + bytes(padding) + b"\xa5\xa5"
        slice_ = byte_array(count)
        refused = [(shape.rows + 1, 0, count), (0, shape.k_per_cycle + 1, count)]
        refused.append((0, 0, shape.rows * shape.k_per_cycle - 1))
        for rows, steps, size in refused:
            result = _pack(library, "activations", slice_, size, shape, x, rows, steps)
            assert result == BAD_ARGUMENT
            assert set(slice_) == {0xA5}
        # Its words are stored pairs.
        shape.encoded_input = 1
        result = _pack(library, "activations", slice_, count, shape, x, 1, 1)
        assert result == BAD_ARGUMENT
        assert set(slice_) == {0xA5}


def test_pack_affine_activations(library: ctypes.CDLL) -> None:
    """All that is no activation is the byte that stands for 0, which other engines have not."""
    shape = CShape(rows=2, k_per_cycle=2, has_zero_point=1)
    x = np.array([[1, 2], [3, 4]], np.uint8)
    slice_ = byte_array(4)

    def pack(zero_point: int) -> Any:
        given = (slice_, ctypes.c_size_t(4), ctypes.byref(shape), x.ctypes.data_as(ctypes.c_void_p))
        place = (ctypes.c_size_t(2), 1, 1, ctypes.c_uint8(zero_point))
        return library.sparq_engine_pack_affine_activations(*given, *place)

    assert pack(200) == OK
    assert bytes(slice_) == bytes([1, 200, 200, 200, 0xA5, 0xA5])
    shape.has_zero_point = 0
    assert pack(200) == BAD_ARGUMENT
    assert bytes(slice_)[:4] == bytes([1, 200, 200, 200])
    assert pack(0) == OK
    assert bytes(slice_)[:4] == bytes([1, 0, 0, 0])


def test_pack_pairs(library: ctypes.CDLL) -> None:
    """Any words of stored pairs; and each is found again where it was packed."""
    rng = np.random.default_rng(SEED)
    for width in (1, 9, 12, 17, 31):
        shape = CShape(rows=3, cols=5, k_per_cycle=4, encoded_input=1, pair_bits=width)
        count = -(-3 * 2 * width // 8)
        for padding in (0, 3):
            x = rng.integers(0, 1 << width, (3, 2 + 4), np.uint32)
            for rows in range(4):
                for pairs in range(3):
                    slice_ = byte_array(count + padding)
                    given = (count + padding, shape, x, rows, pairs)
                    assert _pack(library, "pairs", slice_, *given) == OK
                    expected = np.zeros((3, 2), np.int64)
                    expected[:rows, :pairs] = x[:rows, :pairs]
                    word = sum(int(own) << width * at for at, own in enumerate(expected.flat))
                    assert bytes(slice_) == word.to_bytes(count + padding, "little") + b"\xa5\xa5"
                    got = [
                        library.sparq_engine_unpack_pair(
                            slice_, ctypes.c_size_t(at), ctypes.byref(shape)
                        )
                        for at in range(6)
                    ]
                    assert got == expected.reshape(-1).tolist()
        slice_ = byte_array(count)
        for rows, pairs, size in [(4, 0, count), (0, 3, count), (0, 0, count - 1)]:
            assert _pack(library, "pairs", slice_, size, shape, x, rows, pairs) == BAD_ARGUMENT
            assert set(slice_) == {0xA5}
        x[0, 0] = 1 << width
        assert _pack(library, "pairs", slice_, count, shape, x, 1, 1) == BAD_ARGUMENT
    for encoded_input, width in ((1, 0), (1, 32), (0, 12)):
        shape = CShape(rows=1, cols=1, k_per_cycle=2, encoded_input=encoded_input, pair_bits=width)
        pair = np.zeros((1, 1), np.uint32)
        assert _pack(library, "pairs", byte_array(8), 8, shape, pair, 1, 1) == BAD_ARGUMENT


def test_pack_weights(library: ctypes.CDLL) -> None:
    rng = np.random.default_rng(SEED)
    for shape in shapes():
        half = 1 << (shape.weight_bits - 1)
        mask = 2 * half - 1
        count = -(-shape.cols * shape.k_per_cycle * shape.weight_bits // 8)
        for padding in (0, 3):
            w = rng.integers(-half, half, (shape.k_per_cycle, shape.cols + 4), np.int8)
            w[0, 0], w[-1, -5] = -half, half - 1
            for cols in range(shape.cols + 1):
                for steps in range(shape.k_per_cycle + 1):
                    slice_ = byte_array(count + padding)
                    assert (
                        _pack(library, "weights", slice_, count + padding, shape, w, cols, steps)
                        == OK
                    )
                    word = 0
                    for column in range(cols):
                        for step in range(steps):
                            place = (column * shape.k_per_cycle + step) * shape.weight_bits
                            word |= (int(w[step, column]) & mask) << place
                    expected = word.to_bytes(count + padding, "little")
                    assert bytes(slice_) == expected + b"\xa5\xa5"
        slice_ = byte_array(count)
        refused = [(shape.cols + 1, 0, count), (0, shape.k_per_cycle + 1, count)]
        for cols, steps, size in [*refused, (0, 0, count - 1)]:
            assert _pack(library, "weights", slice_, size, shape, w, cols, steps) == BAD_ARGUMENT
            assert set(slice_) == {0xA5}
        for wrong in (half, -half - 1):
            if -128 <= wrong < 128:
                w[0, 0] = wrong
                assert _pack(library, "weights", slice_, count, shape, w, 1, 1) == BAD_ARGUMENT


def test_pack_weights_of_no_width(library: ctypes.CDLL) -> None:
    w = np.zeros((1, 1), np.int8)
    for weight_bits in (0, 9):
        shape = CShape(rows=1, cols=1, k_per_cycle=1, weight_bits=weight_bits)
        assert _pack(library, "weights", byte_array(8), 8, shape, w, 1, 1) == BAD_ARGUMENT


def _pack(
    library: ctypes.CDLL,
    what: str,
    slice_: Any,
    count: int,
    shape: CShape,
    matrix: Any,
    *valid: int,
) -> Any:
    function = getattr(library, f"sparq_engine_pack_{what}")
    stride = ctypes.c_size_t(matrix.shape[1])
    source = matrix.ctypes.data_as(ctypes.c_void_p)
    return function(slice_, ctypes.c_size_t(count), ctypes.byref(shape), source, stride, *valid)


def test_pack_column(library: ctypes.CDLL) -> None:
    for column in [
        CColumn(-2, 0x7ABC, 46, 128, 1, 254),
        CColumn(2**31 - 1, 0, 0, 0, 0, 255),
        CColumn(-(2**31), 0x7FFF, 46, 255, 255, 255),
    ]:
        slice_ = byte_array(12)
        assert library.sparq_engine_pack_column(slice_, ctypes.byref(column)) == OK
        words = [column.bias & 0xFFFFFFFF, column.multiplier | column.shift << 16]
        words.append(column.zero_point | column.low << 8 | column.high << 16)
        expected = b"".join(word.to_bytes(4, "little") for word in words)
        assert bytes(slice_) == expected + b"\xa5\xa5"
    for column in (
        *(CColumn(0, multiplier, 0, 0, 0, 0) for multiplier in (0x8000, 0xFFFF)),
        *(CColumn(0, 0, shift, 0, 0, 0) for shift in (MAX_SHIFT + 1, 63, 64, 255)),
        *(CColumn(0, 0, 0, 0, low, high) for low, high in ((200, 10), (1, 0), (255, 254))),
    ):
        slice_ = byte_array(12)
        assert library.sparq_engine_pack_column(slice_, ctypes.byref(column)) == BAD_ARGUMENT
        assert set(slice_) == {0xA5}
