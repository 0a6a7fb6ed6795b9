"""One property of one configuration, and how it is proved."""

from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import ClassVar

from gen.proof.verdict import Verdict
from gen.verilog.emission import Emission
from hdl.array.systolic_array import SystolicArray
from hdl.catalogue import MacUnit

Rtl = Mapping[str, str]
"""Emitted Verilog by the name of its top module."""


class Job(ABC):
    """A property of a configuration.

    Attributes
    ----------
    property_name, says : str
        Name of the property, and what it says in half a line.
    method : str
    configuration, depth : str
        Name of the configuration; how much is covered, "unbounded" for an induction.
    quick : bool
        Whether it belongs to the proofs of the developer loop.
    cost : float
        Seconds, roughly: long proofs are started first.
    compiled : bool
        Whether the C++ compiler makes a part of the proof.
    """

    property_name: ClassVar[str]
    says: ClassVar[str]
    method: str
    configuration: str
    depth: str
    quick: bool = False
    cost: float = 1
    compiled: ClassVar[bool] = False

    @property
    def name(self) -> str:
        """Names this job alone, and its files."""
        return f"{self.property_name}_{self.configuration}"

    @abstractmethod
    def rtl(self) -> Rtl:
        """What the property is about, emitted as users get it."""

    @property
    @abstractmethod
    def statement(self) -> str:
        """The text of the property: a different text is a different proof."""

    @abstractmethod
    def prove(self, rtl: Rtl, timeout: float, waveform: Path) -> Verdict:
        """Prove the property of ``rtl``; a counterexample goes to the file ``waveform``."""


def asserted(claims: Iterable[str]) -> list[str]:
    """Lines that end a module ``claim``: each claim holds in every cycle but the first."""
    lines = [f"    assert ({claim});" for claim in claims]
    return ["  always @* if (started) begin", *lines, "  end", "endmodule\n"]


class ElementJob(Job):
    """A property of one element, which names the configuration."""

    def __init__(self, element: MacUnit):
        self.element = element
        self.configuration = element.slug


class SizedJob(Job):
    """A property of an array, or of a part of it, whose size and element name the configuration."""

    def __init__(self, element: MacUnit, rows: int, cols: int):
        self.element = element
        self.rows = rows
        self.cols = cols
        self.configuration = f"{rows}x{cols}_{element.slug}"

    def rtl(self) -> Rtl:
        """The whole array."""
        array = SystolicArray(self.rows, self.cols, self.element.mac)
        return {"array": Emission("array").verilog(array)}
