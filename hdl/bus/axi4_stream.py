"""AXI4-Stream ports, with names that tools group into one interface."""

from amaranth.lib.wiring import Flow, Member


def axi4_stream_members(prefix: str, flow: Flow, bits: int, last: bool) -> dict[str, Member]:
    """The members of a component that takes a stream (``flow`` In) or gives one (Out).

    ``bits``: of its words; ``last``: whether it tells where packets end.
    """
    members = {
        f"{prefix}_tvalid": Member(flow, 1),
        f"{prefix}_tready": Member(flow.flip(), 1),
        f"{prefix}_tdata": Member(flow, bits),
    }
    return members | ({f"{prefix}_tlast": Member(flow, 1)} if last else {})


def axi4_stream_meanings(prefix: str, word: str, last: bool) -> dict[str, str]:
    """What each of the members is, for ``port_meanings`` of a component; ``word``: a word."""
    meanings = {
        f"{prefix}_tvalid": "A word is offered, until it is taken.",
        f"{prefix}_tready": "A word that is offered is taken.",
        f"{prefix}_tdata": word,
    }
    return meanings | ({f"{prefix}_tlast": "The word ends a packet."} if last else {})
