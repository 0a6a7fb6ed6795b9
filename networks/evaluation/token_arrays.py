"""Tokens, masks and their labels in the arrays of an ``.npz`` file."""

import zipfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Self

import numpy as np
import numpy.typing as npt

from networks.evaluation.errors import DataError
from networks.evaluation.images import UNKNOWN, Images, Indices
from networks.evaluation.labels import array_labels
from networks.evaluation.preprocessing import Preprocessing
from networks.evaluation.source import Source
from networks.graph.embedding import Embedding
from networks.graph.graph import Graph
from networks.importer import open_token_inputs

LENGTH = "length"
MULTIPLE = 4
"""What lengths are rounded up to a multiple of, where a model leaves them open."""


@dataclass(frozen=True, eq=False)
class TokenArrays(Images):
    """Sequences in memory: int32 (N, inputs, length), as ``input_shape`` says."""

    tokens: npt.NDArray[np.int32]

    @property
    def are_bytes(self) -> bool:
        """Never."""
        return False

    def check(self) -> None:
        """Nothing: that integers are those of the model has been checked."""

    def select(self, indices: Indices) -> Self:
        """The sequences at these positions."""
        return replace(self, labels=self.labels[indices], tokens=self.tokens[indices])

    def batch(self) -> npt.NDArray[Any]:
        """All sequences, int32."""
        return np.ascontiguousarray(self.tokens)


def open_length(
    model: Path, output_name: str | None, paths: Sequence[Path]
) -> tuple[int, int] | None:
    """The input shape for the longest sequence in these files; None where that is not open.

    That is where the ``model`` takes tokens, and says nothing of their length. Rounded up to a
    multiple of ``MULTIPLE``, unless nothing says which are padding.
    """
    names = open_token_inputs(model, output_name)
    if not names:
        return None
    most = 1
    for path in paths:
        arrays = _read(path, names)
        lengths = _lengths(path, arrays, names)
        most = max(most, arrays[names[0]].shape[1] if lengths is None else int(lengths.max()))
        if lengths is None:
            return 1, most
    return 1, -(-most // MULTIPLE) * MULTIPLE


def tables_of(graph: Graph) -> dict[str, int]:
    """Rows of the shortest table that each input's integers are taken from; others are masks."""
    roots = {name: name for name in graph.tokens}
    found: dict[str, int] = {}
    for node in graph.nodes:
        root = roots.get(node.output) or roots.get(node.inputs[0])
        if root is None:
            continue
        if isinstance(node.operation, Embedding):
            rows = len(node.operation.table)
            found[root] = min(rows, found.get(root, rows))
        else:
            roots[node.output] = root
    return found


def load_tokens(path: Path, graph: Graph, labelled: bool) -> TokenArrays:
    """The sequences in an ``.npz`` file, for a ``graph`` that takes tokens.

    It holds an array of integers (N, length) for each input, called as that is; one that is missing
    is a mask of as many ones as ``length`` (N,) says. Sequences are cut or padded with zeros to the
    graph's length. ``labels`` as of images. Raises :class:`DataError` for what cannot be used.
    """
    names = graph.tokens
    arrays = _read(path, names)
    first = arrays[next(name for name in names if name in arrays)]
    count, width = first.shape
    length = graph.input_shape[1]
    lengths = _lengths(path, arrays, names)
    if lengths is not None and lengths.max() > length:
        raise DataError(
            f"{path}: sequences must have at most {length} elements, not {lengths.max()}"
        )
    if lengths is None and width != length:
        raise DataError(
            f"{path}: sequences must have {length} elements, not {width}; without a mask or an "
            f"array {LENGTH!r} they cannot be padded"
        )
    tokens = np.zeros((count, len(names), length), np.int32)
    rows = tables_of(graph)
    for index, name in enumerate(names):
        if name not in arrays:
            assert lengths is not None
            tokens[:, index] = np.arange(length) < lengths[:, np.newaxis]
            continue
        values = arrays[name]
        if values.shape != (count, width):
            raise DataError(
                f"{path}: {name} must have the shape {(count, width)}, not {values.shape}"
            )
        limit = rows.get(name, 2)
        outside = values[(values < 0) | (values >= limit)]
        if outside.size:
            raise DataError(f"{path}: {name} must be from 0 to {limit - 1}, not {outside[0]}")
        if name not in rows and not values.any(axis=1).all():
            empty = int(np.argmin(values.any(axis=1)))
            raise DataError(
                f"{path}: {name} must have a 1 in every sequence, not 0 alone (at index {empty})"
            )
        kept = min(width, length)
        tokens[:, index, :kept] = values[:, :kept]
    source = Source(path.name, count)
    numbers = np.full(count, UNKNOWN)
    if labelled:
        numbers, classes = _labels(path, arrays, count)
        source = source.with_labels("labels", numbers, classes)
    return TokenArrays(numbers, graph.input_shape, Preprocessing(), tokens, source=source)


def _read(path: Path, names: Sequence[str]) -> dict[str, npt.NDArray[Any]]:
    """The arrays of the inputs, lengths and labels that there are."""
    if path.suffix.lower() != ".npz":
        raise DataError(f"{path}: data of tokens must be an .npz file")
    if not path.exists():
        raise DataError(f"cannot read {path}: No such file or directory")
    try:
        with zipfile.ZipFile(path) as archive:
            members = {name.removesuffix(".npy") for name in archive.namelist()}
        with np.load(path, allow_pickle=False) as file:
            wanted = [name for name in (*names, LENGTH, "labels") if name in members]
            arrays = {name: np.asarray(file[name]) for name in wanted}
    except Exception as error:  # NumPy and zipfile raise all sorts of errors on damaged files
        reason = (str(error) or type(error).__name__).splitlines()[0]
        raise DataError(f"{path}: not an .npz file ({reason})") from None
    missing = [name for name in names if name not in arrays]
    if missing and (LENGTH not in arrays or len(missing) > 1 or len(names) == 1):
        raise DataError(
            f"{path}: no array {missing[0]!r}; needed are {', '.join(names)}, a mask of which "
            f"{LENGTH!r} may stand for"
        )
    for name in (*names, LENGTH):
        if name in arrays:
            rank = 1 if name == LENGTH else 2
            shown = "(N,)" if rank == 1 else "(N, length)"
            if arrays[name].ndim != rank or arrays[name].dtype.kind not in "iu":
                raise DataError(
                    f"{path}: {name} must be integers {shown}, not {arrays[name].dtype} "
                    f"{arrays[name].shape}"
                )
            if not arrays[name].size:
                raise DataError(f"{path}: no sequences found")
            if rank == 2:
                arrays[name] = arrays[name].astype(np.int64)
    return arrays


def _lengths(
    path: Path, arrays: Mapping[str, npt.NDArray[Any]], names: Sequence[str]
) -> npt.NDArray[Any] | None:
    """How far each sequence reaches; None if nothing says so."""
    count, width = next(arrays[name] for name in names if name in arrays).shape
    if LENGTH in arrays:
        lengths = arrays[LENGTH].astype(np.int64)
        if lengths.shape != (count,):
            raise DataError(f"{path}: {LENGTH} must have the shape {(count,)}, not {lengths.shape}")
        lowest, highest = lengths.min(), lengths.max()
        if lowest < 1 or highest > width:
            outside = highest if highest > width else lowest
            raise DataError(f"{path}: {LENGTH} must be from 1 to {width}, not {outside}")
        return lengths
    masks = [a for name, a in arrays.items() if name in names and a.max() == 1 and a.min() >= 0]
    if not masks:
        return None
    reach = [np.where(mask, np.arange(1, mask.shape[1] + 1), 0).max(axis=1) for mask in masks]
    result: npt.NDArray[Any] = np.maximum(np.max(reach, axis=0), 1)
    return result


def _labels(path: Path, arrays: Mapping[str, npt.NDArray[Any]], count: int) -> Any:
    if "labels" not in arrays:
        raise DataError(f"{path}: no array 'labels'")
    labels = arrays["labels"]
    if len(labels) != count:
        raise DataError(f"{path}: there must be {count} labels, not {len(labels)}")
    try:
        return array_labels(labels)
    except ValueError as error:
        raise DataError(f"{path}: {error}") from None
