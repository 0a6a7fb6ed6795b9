"""What tells components apart: their type and all that they were constructed with."""

import inspect
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, fields, is_dataclass
from enum import Enum
from functools import cache, cached_property
from typing import Any, Self

from amaranth.hdl import Shape
from amaranth.lib import data, wiring


@dataclass(frozen=True)
class Identity:
    """A type and its arguments by name, hashable; equal ones stand for equal hardware."""

    kind: type
    arguments: tuple[tuple[str, Any], ...]

    @cached_property
    def _hash(self) -> int:
        return hash((self.kind, self.arguments))

    def __hash__(self) -> int:
        return self._hash

    def __str__(self) -> str:
        arguments = ", ".join(f"{name}={_text(value)}" for name, value in self.arguments)
        return f"{self.kind.__name__}({arguments})"

    def leaves(self) -> Iterator[tuple[tuple[str, ...], Any]]:
        """The kind, at the path (), and every number, text or type in the arguments, by its path.

        An argument that has arguments of its own stands for its kind, followed by them.
        """
        yield (), self.kind
        for name, value in self.arguments:
            if isinstance(value, Identity):
                for path, leaf in value.leaves():
                    yield (name, *path), leaf
            else:
                yield (name,), value


class Identified:
    """Something that what its constructor was called with tells apart: no parameter is forgotten.

    Arguments may be numbers, texts, types, sequences and mappings of them, dataclasses, shapes,
    layouts and signatures, and others that are identified.
    """

    _identity: Identity | str

    def __new__(cls, *args: Any, **kwargs: Any) -> Self:
        # Components tell Amaranth where they were made: here would be of no use.
        made_at = {"src_loc_at": 1} if issubclass(cls, wiring.Component) else {}
        self = super().__new__(cls, **made_at)
        constructor: Any = cls
        bound = _signature(constructor).bind(*args, **kwargs)
        bound.apply_defaults()
        try:
            arguments = tuple((name, _frozen(v)) for name, v in bound.arguments.items())
            self._identity = Identity(cls, arguments)
        except TypeError as error:
            self._identity = f"{cls.__name__} cannot be told from its variants: {error}"
        return self

    @property
    def identity(self) -> Identity:
        """The type and the arguments; raises ``TypeError`` for one that cannot be compared."""
        if isinstance(self._identity, str):
            raise TypeError(self._identity)
        return self._identity


def snake_case(name: str) -> str:
    """The name of a class in lower case, its words joined by underscores."""
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", name).lower()


@cache
def _signature(kind: Any) -> inspect.Signature:
    constructor = inspect.signature(kind.__init__)
    return constructor.replace(parameters=list(constructor.parameters.values())[1:])


def _frozen(value: Any) -> Any:
    """A hashable value that is equal for equal arguments and shows all that is in them."""
    kind = type(value)
    if value is None or isinstance(value, bool | int | float | str | bytes | type | Enum):
        return value
    if isinstance(value, Identified):
        return value.identity
    if isinstance(value, Mapping):
        items: Any = value.items()
    elif isinstance(value, list | tuple | range):
        return tuple(map(_frozen, value))
    elif isinstance(value, set | frozenset):
        return tuple(sorted(map(_frozen, value), key=repr))
    elif is_dataclass(kind):
        items = [(field.name, getattr(value, field.name)) for field in fields(kind)]
    elif isinstance(value, Shape):
        items = [("width", value.width), ("signed", value.signed)]
    elif isinstance(value, data.Layout):
        items = [(key, (field.offset, field.shape)) for key, field in value]
        items.append(("size", value.size))
    elif isinstance(value, wiring.Signature):
        items = value.members.items()
    elif isinstance(value, wiring.Member):
        of = value.signature if value.is_signature else (value.shape, value.init)
        items = [("flow", value.flow), ("of", of), ("dimensions", value.dimensions)]
    elif hasattr(value, "__index__"):
        return int(value)
    else:
        raise TypeError(f"nothing is known of an argument of type {kind.__name__}")
    return Identity(kind, tuple((str(key), _frozen(item)) for key, item in items))


def _text(value: Any) -> str:
    if isinstance(value, tuple):
        return f"({', '.join(map(_text, value))})"
    return value.__name__ if isinstance(value, type) else str(value)
