"""What the left edge of a machine does for one row, where activations come encoded."""

from hdl.edge.activation_lane import ActivationLane


class StoredActivationLane(ActivationLane):
    """Decodes the stored pairs of one row, once for all units of the row. Latency: 1 cycle.

    Members
    -------
    data_in : the stored pairs of ``k_per_cycle`` activations, the lower k low
    """

    module_name = "stored_activation_lane"
