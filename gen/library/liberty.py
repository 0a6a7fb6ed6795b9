"""Liberty text as a tree of groups."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np
from lark import Lark, Transformer, UnexpectedInput, UnexpectedToken, v_args

from gen.library.errors import NotUnderstoodError
from gen.library.library import Numbers

# Semicolons are often forgotten, and are never needed: a value ends where a name begins. What
# stands in brackets is separated by commas, and in some attributes by spaces.
_GRAMMAR = r"""
start: group+
group: WORD arguments "{" (group | listed | value)* "}" ";"?
listed: WORD arguments ";"?
value: WORD ":" _expression ";"?
arguments: "(" ((ARGUMENT | STRING) ","?)* ")"
_expression: _operand (OPERATOR _operand)*
!_operand: WORD | STRING | "(" _expression ")"

STRING: /"(?:[^"\\]|\\.)*"/s
OPERATOR.1: /[-+*]|\/(?![*\/])/
WORD: /(?:[^\s(){}:;,"*+\/\\]|\/(?![*\/])|(?<=\d[eE])\+)+/
ARGUMENT: /(?:[^\s(){},;"\/\\]|\/(?![*\/]))+/
COMMENT.2: /\/\*.*?\*\//s | /\/\/[^\n]*/
CONTINUED.2: /\\\r?\n/
SPACE: /\s+/
%ignore COMMENT
%ignore CONTINUED
%ignore SPACE
"""


@dataclass(frozen=True, eq=False)
class Group:
    """A group of a Liberty file: ``kind (arguments) { ... }``.

    ``attributes`` are those of the group itself, simple ones with one value, each by the last of
    its name; ``groups`` those directly in it. All texts are without quotes and outer spaces.
    """

    kind: str
    arguments: list[str]
    attributes: dict[str, list[str]]
    groups: list["Group"]

    def text(self, name: str) -> str | None:
        """The value of an attribute, of several values all together; None if there is none."""
        values = self.attributes.get(name)
        return None if values is None else "".join(values)

    def is_true(self, name: str) -> bool:
        """Whether an attribute says so."""
        return (self.text(name) or "").lower() == "true"

    def inner(self, *kinds: str) -> list["Group"]:
        """The groups of those kinds that are directly in it."""
        return [group for group in self.groups if group.kind in kinds]


def parse_liberty(text: str) -> Group:
    """The library group of a Liberty text. Raises :class:`NotUnderstoodError`."""
    try:
        tops: Any = _parser().parse(text)
    except UnexpectedInput as error:
        raise NotUnderstoodError(_reason(error, text)) from None
    if len(tops) != 1 or tops[0].kind != "library":
        raise NotUnderstoodError("it must hold one library")
    top: Group = tops[0]
    return top


def number(text: str | None) -> float:
    """The finite number that ``text`` spells. Raises :class:`NotUnderstoodError`."""
    try:
        value = float(str(text))
    except ValueError:
        raise NotUnderstoodError(f"not a number: {text!r}") from None
    if not np.isfinite(value):
        raise NotUnderstoodError(f"not a number: {text!r}")
    return value


def numbers(values: Sequence[str] | None) -> Numbers:
    """All numbers of an attribute: each of its values may list several."""
    if values is None:
        raise NotUnderstoodError("a table without numbers")
    words = (word for value in values for word in re.split(r"[\s,\\]+", value) if word)
    return np.array([number(word) for word in words])


def _reason(error: UnexpectedInput, text: str) -> str:
    """What is wrong, and near which line."""
    if isinstance(error, UnexpectedToken):
        found, ended = str(error.token), error.token.type == "$END"
    else:
        # A quote or a comment is refused as such only if it does not end.
        rest = text[error.pos_in_stream :]
        found, ended = rest[0], rest.startswith(('"', "/*")) or rest in ("\\", "\\\r")
    if ended:
        return f"it ends in the middle, near line {len(text.splitlines()) or 1}"
    shown = found if len(found) <= 20 else found[:20] + "..."
    return f"unexpected {shown!r}, near line {error.line}"


class _Builder(Transformer[Any, Any]):
    """Builds groups while their text is read."""

    def start(self, groups: list[Group]) -> list[Group]:
        return groups

    @v_args(inline=True)
    def group(self, kind: str, arguments: list[str], *items: Any) -> Group:
        found = Group(str(kind), arguments, {}, [])
        for item in items:
            if isinstance(item, Group):
                found.groups.append(item)
            else:
                name, values = item
                found.attributes[name] = values
        return found

    def listed(self, children: list[Any]) -> Any:
        return str(children[0]), children[1]

    def value(self, children: list[str]) -> Any:
        return str(children[0]), [" ".join(map(_unquoted, children[1:]))]

    def arguments(self, children: list[str]) -> list[str]:
        return [_unquoted(child) for child in children]


def _unquoted(text: str) -> str:
    return str(text[1:-1] if text.startswith('"') else text).strip()


@cache
def _parser() -> Lark:
    return Lark(_GRAMMAR, parser="lalr", transformer=_Builder())
