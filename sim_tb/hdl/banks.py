"""Banks of activations (banks, lines, steps), as they are read and written."""

import random
from collections.abc import Mapping
from typing import Any

import numpy as np

from sim_tb.oracle.cycles import Agent, Word
from sim_tb.oracle.patches import Bytes


class ReadBanks(Agent):
    """Gives what an access reads one cycle later, and anything in all other cycles."""

    def __init__(self, banks: Bytes, stall: float):
        self.banks = banks
        self.stall = stall
        self.data: int | None = None

    def inputs(self, model: Any, rng: random.Random) -> Word:
        """Whether an access is taken does not depend on it."""
        word = rng.getrandbits(8 * self.banks[:, 0].size) if self.data is None else self.data
        return {"read_ready": int(rng.random() >= self.stall), "read_data": word}

    def observe(self, ports: Mapping[str, int]) -> None:
        """An access is taken."""
        self.data = None
        if ports["read_valid"] and ports["read_ready"]:
            low, high = ports["read_low"], ports["read_high"]
            words = [
                bank[high if number < ports["read_remainder"] else low]
                for number, bank in enumerate(self.banks)
            ]
            self.data = int.from_bytes(np.concatenate(words).tobytes(), "little")


class WriteBanks(Agent):
    """Writes what an access says."""

    def __init__(self, banks: Bytes, stall: float):
        self.banks = banks
        self.stall = stall

    def inputs(self, model: Any, rng: random.Random) -> Word:
        """Whether an access is taken does not depend on it."""
        return {"write_ready": int(rng.random() >= self.stall)}

    def observe(self, ports: Mapping[str, int]) -> None:
        """An access is taken."""
        if not (ports["write_valid"] and ports["write_ready"]):
            return
        banks, _, steps = self.banks.shape
        data = ports["write_data"].to_bytes(banks // 2 * steps, "little")
        for lane in range(ports["write_count"]):
            bank = ports["write_bank"] + lane
            line = ports["write_low"] if bank < banks else ports["write_high"]
            own = np.frombuffer(data[lane * steps :][:steps], np.uint8)
            self.banks[bank % banks, line] = own
