"""Figures as files."""

import io

import matplotlib as mpl
from matplotlib.backends.backend_svg import FigureCanvasSVG
from matplotlib.figure import Figure

# The same input gives the same bytes: no random identifiers in the SVG.
mpl.rcParams["svg.hashsalt"] = "sparq"
METADATA = {"Date": None, "Creator": None}


def svg_text(figure: Figure) -> str:
    """``figure`` as SVG, the same bytes every time."""
    stream = io.StringIO()
    FigureCanvasSVG(figure).print_svg(  # type: ignore[no-untyped-call]
        stream, metadata=METADATA
    )
    return stream.getvalue()
