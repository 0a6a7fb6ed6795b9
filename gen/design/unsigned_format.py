"""The formats of networks whose activations have no sign."""

from golden import NamedFormat


def unsigned_format(name: str) -> NamedFormat:
    """The :class:`NamedFormat` of that name, which must be one of unsigned activations.

    Raises ``ValueError`` for a signed one, and what a :class:`NamedFormat` raises.
    """
    fmt = NamedFormat(name)
    if fmt.sparq_format.signed:
        raise ValueError(
            f"format must be one of unsigned activations, as those of the network are, "
            f"not {fmt.name}"
        )
    return fmt
