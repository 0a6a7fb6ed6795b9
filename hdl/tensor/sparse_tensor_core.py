"""The tensor core for 2:4 structured sparse weights."""

from golden.format import SPARSE_KEPT
from hdl.broadcast.structured_selection import INDEX_BITS, StructuredSelection
from hdl.elements import Elements
from hdl.multiplier.mac import Mac
from hdl.tensor.tensor_core import TensorCore


class SparseTensorCore(TensorCore):
    """A :class:`TensorCore` behind 2:4 activation selection; equals ``golden.sparq_matmul_2_4``.

    A slice covers ``k_per_cycle`` steps of K, of which every four have two weights per column. Each
    unit selects the activations that meet its column's weights, and only then pairs and encodes
    them: the pairs follow the weights. Everything else, latency and throughput in slices as well,
    is as in a :class:`TensorCore`; multiplications per cycle are half the steps.

    Parameters
    ----------
    rows, cols : int, from 1
    mac : Mac
        One whose multiplier is a :class:`StructuredSelection`.

    Members
    -------
    in_valid, in_ready, in_last, in_a, out_valid, out_last, out_acc
        As in a :class:`TensorCore`.
    in_w : In(cols * k_per_cycle // 2 * weight_bits)
        Signed non-zero weights, column 0 low; within a column two for each block of four steps of
        the reduction, the lower block low.
    in_index : In(cols * k_per_cycle // 2 * 2)
        The step of each weight within its block of four, 0 to 3, in the order of in_w. Ascending
        indices: the block has both weights. Equal ones: it has the first weight alone. Descending
        ones: it has none.
    """

    module_name = "sparse_tensor_core"

    def __init__(self, rows: int, cols: int, mac: Mac):
        if not isinstance(mac.multiplier, StructuredSelection):
            raise ValueError(
                "mac must have a StructuredSelection as its multiplier, "
                f"not {type(mac.multiplier).__name__}"
            )
        self._selection = mac.multiplier
        super().__init__(rows, cols, mac)

    def _column_inputs(self) -> dict[str, Elements]:
        dimensions = (("block", self._selection.blocks), ("weight", SPARSE_KEPT))
        weights = Elements(self._selection.weight_bits, True, dimensions)
        return {"in_w": weights, "in_index": Elements(INDEX_BITS, False, dimensions)}
