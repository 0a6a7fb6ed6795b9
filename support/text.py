"""Tables as text."""

import csv
import io
from typing import Any

Grid = tuple[str, list[str], list[list[str]]]
"""Title, headings and rows of a table."""


def csv_text(rows: list[dict[str, Any]]) -> str:
    """``rows`` of one set of keys as comma-separated values with a heading."""
    stream = io.StringIO()
    writer = csv.DictWriter(stream, list(rows[0]), lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return stream.getvalue()


def markdown(title: str, headings: list[str], rows: list[list[str]]) -> str:
    """A table in Markdown, under its title."""
    lines = [f"### {title}", "", f"| {' | '.join(headings)} |", "|---" * len(headings) + "|"]
    lines += [f"| {' | '.join(row)} |" for row in rows]
    return "\n".join(lines) + "\n"
