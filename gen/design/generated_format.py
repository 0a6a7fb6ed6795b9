"""The formats that hardware is generated in, and networks are evaluated in."""

from golden import NamedFormat


def generated_format(
    name: str, rounding: bool = True, vsparq: bool = True, group: int = 1
) -> NamedFormat:
    """The :class:`NamedFormat` of these arguments, which must be one of unsigned activations.

    Raises ``ValueError`` for a signed one, and what a :class:`NamedFormat` raises.
    """
    fmt = NamedFormat(name, rounding, vsparq, group)
    if fmt.sparq_format.signed:
        raise ValueError(
            f"format must be one of unsigned activations, not {fmt.name}: "
            "no command takes signed ones"
        )
    return fmt
