"""The picture of the accelerator."""

from gen.documentation.block_diagram import BlockDiagram
from gen.documentation.waves import svg


def accelerator_figure() -> str:
    """What the accelerator consists of, and where data go."""
    d = BlockDiagram()

    # Memory outside, and control.
    d.box((-1.0, 4.6), 2.0, 9.2, "memory")
    d.text((2.0, 9.0), "m_axi_memory")
    d.box((5.4, 8.4), 2.6, 1.0, "program reader")
    d.box((5.4, 6.4), 2.6, 1.0, "stream router")
    d.box((5.4, 3.6), 2.6, 1.0, "line loader")
    d.box((5.4, 1.2), 2.6, 1.0, "line storer")
    for y in (8.4, 6.4):
        d.wire((0.0, y), (4.1, y))
    # With ENCODED_MEMORY=1 alone.
    for y, text in ((3.6, "pair unpacker"), (1.2, "pair packer")):
        d.box((2.0, y), 2.6, 1.0, text)
    d.text((2.0, 2.4), "(ENCODED_MEMORY)")
    d.wire((0.0, 3.6), (0.7, 3.6))
    d.wire((3.3, 3.6), (4.1, 3.6))
    d.wire((4.1, 1.2), (3.3, 1.2))
    d.wire((0.7, 1.2), (0.0, 1.2))
    d.text((5.4, 10.4), "s_axi_control, irq")
    d.wire((5.4, 10.1), (5.4, 8.9))
    d.wire((6.7, 8.4), (8.0, 8.4))
    d.text((8.1, 8.4), "descriptors, each to the unit that does it", "left")

    # The scratchpad, and what reads it.
    d.box((9.4, 2.4), 2.6, 3.4, "scratchpad")
    d.wire((6.7, 3.6), (8.1, 3.6))
    d.wire((8.1, 1.2), (6.7, 1.2))
    d.box((13.4, 3.6), 2.6, 1.0, "patch reader")
    d.wire((10.7, 3.6), (12.1, 3.6))

    # What computes.
    d.box((18.6, 5.6), 4.6, 1.6, "")
    d.text((18.6, 5.9), "machine, requantizer")
    d.text((18.6, 5.3), "(GemmCore)")
    d.box((18.6, 2.8), 4.6, 1.6, "")
    d.text((18.6, 3.1), "vector unit")
    d.text((18.6, 2.5), "(lanes, requantizer)")
    d.wire((14.7, 3.6), (15.5, 3.6), (15.5, 5.2), (16.3, 5.2))
    d.dot((15.5, 3.6))
    d.wire((15.5, 3.6), (15.5, 3.0), (16.3, 3.0))
    d.wire((6.7, 6.4), (15.2, 6.4), (15.2, 6.0), (16.3, 6.0))
    d.dot((14.9, 6.4))
    d.wire((14.9, 6.4), (14.9, 2.4), (16.3, 2.4))
    d.text((10.6, 6.75), "parameters, weights")

    # Results.
    d.box((23.2, 5.6), 2.2, 1.0, "turner")
    d.wire((20.9, 5.6), (22.1, 5.6))
    d.wire((24.3, 5.6), (25.2, 5.6), (25.2, 3.3))
    d.wire((20.9, 2.8), (24.0, 2.8))
    d.box((25.2, 2.8), 2.4, 1.0, "byte tables")
    d.wire((25.2, 2.3), (25.2, 0.6), (21.3, 0.6))
    d.box((20.0, 0.6), 2.6, 1.0, "result writer")
    d.wire((18.7, 0.6), (9.4, 0.6), (9.4, 0.7), arrow=True)
    return svg(d.drawing)
