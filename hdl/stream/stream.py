"""The signals of a stream, wherever they stand."""

from typing import Any, NamedTuple

from amaranth.hdl import Module, Value


class Stream(NamedTuple):
    """Valid, ready and data of a stream, and where it has one, what says that a packet ends."""

    valid: Value
    ready: Value
    data: Value
    last: Value | None

    @classmethod
    def of(cls, component: Any, prefix: str) -> "Stream":
        """That of a component whose names begin so."""
        valid, ready, data = (
            getattr(component, f"{prefix}{signal}") for signal in ("valid", "ready", "data")
        )
        return cls(valid, ready, data, getattr(component, f"{prefix}last", None))

    def feed(self, m: Module, sink: "Stream") -> None:
        """Words go on to ``sink``, cut off or filled up with zeros to its width."""
        m.d.comb += [
            sink.valid.eq(self.valid),
            sink.data.eq(self.data),
            self.ready.eq(sink.ready),
        ]
        if self.last is not None and sink.last is not None:
            m.d.comb += sink.last.eq(self.last)
