"""The ports in the headers of emitted modules."""

import re


def declared_ports(text: str, module: str) -> dict[str, tuple[str, int, bool]]:
    """Direction, width and signedness of each port of a module, in its order, read from the text.

    A port without a type has that of the one before it.
    """
    header = re.search(rf"^module {module}\((.*?)\);$", text, re.MULTILINE | re.DOTALL)
    assert header is not None
    ports = {}
    kind = None
    for each in header[1].split(","):
        port = re.fullmatch(
            r"\s*(?:(input|output) (?:reg )?(signed )?(?:\[(\d+):0\] )?)?(\w+)(?: = \S+)?", each
        )
        assert port is not None, each
        if port[1]:
            kind = (port[1], int(port[3] or 0) + 1, bool(port[2]))
        assert kind is not None
        assert port[4] not in ports
        ports[port[4]] = kind
    return ports
