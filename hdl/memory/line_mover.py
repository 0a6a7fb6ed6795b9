"""What moves lines between a scratchpad and memory."""

from collections.abc import Mapping

from amaranth.lib.wiring import In, Member, Out

from hdl.memory.line_encoding import LineEncoding
from hdl.memory.scratchpad_shape import ScratchpadShape
from hdl.memory.transfer import line_transfer_layout, transfer_layout
from hdl.placement import Component


class LineMover(Component):
    """Takes commands to move lines, and asks for the beats of these.

    The request of a command is offered in the cycle in which the command is, and taken with it;
    that of the next command goes while the lines of this one are still under way.

    Parameters
    ----------
    shape : ScratchpadShape
    address_bits : int
    more : mapping
        What else a kind of mover has.
    encoding : LineEncoding, optional
        Commands say of lines whether they are stored pairs in memory.

    Members
    -------
    command_valid : In(1)
        A command is offered.
    command_ready : Out(1)
        A command that is offered is taken.
    command : In(line_transfer_layout(shape, address_bits, encoding is not None))
        The command.
    request_valid : Out(1)
        The request of the command is offered, until it is taken.
    request_ready : In(1)
        A request that is offered is taken.
    request : Out(transfer_layout(address_bits))
        All beats of its lines.
    """

    def __init__(
        self,
        shape: ScratchpadShape,
        address_bits: int,
        more: Mapping[str, Member],
        encoding: LineEncoding | None = None,
    ):
        self.shape = shape
        self.address_bits = address_bits
        self.encoding = encoding
        super().__init__(
            {
                "command_valid": In(1),
                "command_ready": Out(1),
                "command": In(line_transfer_layout(shape, address_bits, encoding is not None)),
                "request_valid": Out(1),
                "request_ready": In(1),
                "request": Out(transfer_layout(address_bits)),
                **more,
            }
        )
