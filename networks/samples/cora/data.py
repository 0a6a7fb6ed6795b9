"""The Cora citation graph from a file: ``cora.npz``, of ``kimiyoung/planetoid`` (MIT).

It holds the places of the ones of the bag of words (``feature_rows``, ``feature_cols``, ``shape``),
``labels``, undirected pairs ``edges``, and the public split: ``train``, ``validation``, ``test``.
"""

from pathlib import Path

import numpy as np

from networks.message_passing.node_graph import Incidence, NodeGraph
from support.errors import InputError

FILE = "cora.npz"
PARTS = ("train", "validation", "test")
FIELDS = ("feature_rows", "feature_cols", "shape", "labels", "edges", *PARTS)


class GraphError(InputError):
    """A graph cannot be read: one line that says why."""


def load_cora(folder: Path) -> NodeGraph:
    """The graph in ``cora.npz`` of ``folder``; raises :class:`GraphError`."""
    path = folder / FILE
    source = "networks/samples/cora/data.py says what it holds"
    try:
        with np.load(path, allow_pickle=False) as arrays:
            missing = [name for name in FIELDS if name not in arrays]
            found = {name: arrays[name].astype(np.int64) for name in FIELDS if name in arrays}
    except OSError as error:
        reason = error.strerror or error
        raise GraphError(
            f"SHARED must be a folder with {FILE}: {path}: {reason}; {source}"
        ) from None
    except ValueError as error:
        raise GraphError(f"{path} is no file of arrays: {error}; {source}") from None
    if missing:
        raise GraphError(f"{path} lacks {', '.join(missing)}; {source}")
    if found["shape"].shape != (2,) or found["edges"].ndim != 2 or found["edges"].shape[1] != 2:
        raise GraphError(f"{path}: shape must have two numbers and edges two columns; {source}")
    nodes, vocabulary = found["shape"].tolist()
    if (
        found["labels"].shape != (nodes,)
        or found["feature_rows"].shape != found["feature_cols"].shape
    ):
        raise GraphError(
            f"{path}: there must be {nodes} labels and as many feature_rows as feature_cols; "
            f"{source}"
        )
    for name in ("feature_rows", "feature_cols", "edges", *PARTS):
        limit = vocabulary if name == "feature_cols" else nodes
        if found[name].size and not 0 <= found[name].min() <= found[name].max() < limit:
            raise GraphError(f"{path}: {name} must be from 0 to {limit - 1}; {source}")
    ends = found["edges"]
    itself = np.arange(nodes)
    starts = np.concatenate([ends[:, 0], ends[:, 1], itself])
    others = np.concatenate([ends[:, 1], ends[:, 0], itself])
    return NodeGraph(
        Incidence.of(starts, others, nodes),
        Incidence.of(found["feature_rows"], found["feature_cols"], nodes),
        vocabulary,
        found["labels"],
        {name: found[name] for name in PARTS},
    )
