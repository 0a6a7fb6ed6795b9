"""The kernel as a shared library: compiled for this processor when it is first used."""

import ctypes
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Any

import numpy.typing as npt

from support.cpp import shared_library
from support.errors import ToolError

SOURCE = Path(__file__).with_name("kernel.cpp")
FOLDER = Path(__file__).resolve().parents[2] / "build" / "kernel"
OPTIONS = ("-std=c++17", "-O3", "-ffp-contract=off", "-fno-trapping-math", "-fwrapv")
NATIVE = ("-march=native",)
"""What only some compilers take; without it the kernel is slower, but the same."""


class CodingStructure(ctypes.Structure):
    """``Coding`` of the kernel, with the ``tables`` that it points to."""

    tables: tuple[npt.NDArray[Any], ...] = ()
    _fields_ = (
        *((name, ctypes.c_int32) for name in ("group", "length", "zero_point")),
        *((name, ctypes.c_int32) for name in ("magnitude_max", "lends")),
        *((name, ctypes.c_void_p) for name in ("values", "shifts")),
    )


class FinishStructure(ctypes.Structure):
    """``Finish`` of the kernel."""

    _fields_ = (
        ("factors", ctypes.c_void_p),
        *((name, ctypes.c_int32) for name in ("zero_point", "low", "high")),
    )


class LayerStructure(ctypes.Structure):
    """``Layer`` of the kernel."""

    _fields_ = (
        *((name, ctypes.c_int32) for name in ("images", "height", "width", "channels")),
        *((name, ctypes.c_int32 * 2) for name in ("kernel", "stride")),
        ("padding", ctypes.c_int32 * 4),
        ("dilation", ctypes.c_int32 * 2),
        *((name, ctypes.c_int32) for name in ("groups", "outputs", "rows", "columns", "fill")),
        *((name, ctypes.c_void_p) for name in ("weights", "bias")),
    )


def kernel() -> ctypes.CDLL | None:
    """The kernel; None without a C++ compiler, or where nothing can be kept."""
    return load()[0]


def missing() -> str | None:
    """One line that says why there is no kernel, and what that means; None if there is one."""
    reason = load()[1]
    return reason and f"integer networks run in NumPy alone, several times slower: {reason}"


@cache
def load() -> tuple[ctypes.CDLL | None, str | None]:
    """The kernel, or why there is none."""
    what = "the kernel of integer networks"
    try:
        try:
            library = shared_library(what, SOURCE, FOLDER, (*OPTIONS, *NATIVE))
        except ToolError:
            library = shared_library(what, SOURCE, FOLDER, OPTIONS)
    except ToolError as error:
        return None, str(error)
    except OSError as error:
        return None, f"cannot write into {FOLDER}: {error.strerror}"
    for name in ("run_layer", "run_combine", "run_look_up", "run_max_pool"):
        library[name].restype = None
    return library, None


def address(array: npt.NDArray[Any]) -> int:
    """Where the elements of a contiguous ``array`` are."""
    assert array.flags.c_contiguous
    return array.ctypes.data


def addresses(arrays: Sequence[npt.NDArray[Any]]) -> Any:
    """A C array of as many addresses."""
    return (ctypes.c_void_p * len(arrays))(*map(address, arrays))
