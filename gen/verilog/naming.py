"""Names of modules: as short as tells all modules of a design apart."""

import re
from collections.abc import Mapping
from typing import Any

from hdl.identity import Identity, snake_case


class NameConflict(ValueError):
    """One name for two modules: both are named."""


def module_names(top: str, modules: Mapping[Identity, str]) -> dict[Identity, str]:
    """A name for each module: ``top`` + ``_`` + what its component calls itself.

    Where components that are not alike call themselves alike, what tells them apart follows: the
    values of the first parameters that differ, as few as needed. Raises :class:`NameConflict` if
    two names are then the same.
    """
    alike: dict[str, list[Identity]] = {}
    for identity, name in modules.items():
        alike.setdefault(name, []).append(identity)
    names: dict[Identity, str] = {}
    owners: dict[str, Identity] = {}
    for name, identities in alike.items():
        for identity, suffix in _suffixes(identities).items():
            names[identity] = full = f"{top}_{name}{suffix}"
            if full in owners:
                raise NameConflict(f"two modules are called {full}: {owners[full]} and {identity}")
            owners[full] = identity
    return {identity: names[identity] for identity in modules}


def _suffixes(identities: list[Identity]) -> dict[Identity, str]:
    """What tells identities apart: nothing of a single one."""
    suffixes = dict.fromkeys(identities, "")
    leaves = {identity: dict(identity.leaves()) for identity in identities}
    groups = [identities]
    for path in dict.fromkeys(path for of in leaves.values() for path in of):
        split: list[list[Identity]] = []
        for group in groups:
            parts: dict[Any, list[Identity]] = {}
            for identity in group:
                parts.setdefault(leaves[identity].get(path, _ABSENT), []).append(identity)
            split += parts.values()
            if len(parts) > 1:
                for value, part in parts.items():
                    for identity in part:
                        suffixes[identity] += _suffix(path, value)
        groups = split
    return suffixes


_ABSENT = object()


def _suffix(path: tuple[str, ...], value: Any) -> str:
    if value is _ABSENT:
        return ""
    if isinstance(value, type):
        return f"_{snake_case(value.__name__)}"
    if value is None or isinstance(value, bool):
        return f"_{path[-1]}" if value else f"_no_{path[-1]}"
    return f"_{path[-1]}_{re.sub(r'[^A-Za-z0-9]+', '_', str(value)).strip('_')}"
