"""Boolean functions as Liberty writes them."""

import re
from collections.abc import Callable, Mapping, Sequence
from functools import cache
from typing import Any, cast

import numpy as np
import numpy.typing as npt

from gen.library.errors import NotUnderstoodError
from gen.library.library import Sense

Words = npt.NDArray[np.uint64]

# Truth tables have 2**n entries; cells of more inputs are not understood.
_MOST_INPUTS = 10

_TOKEN = re.compile(r"\s*(?:([A-Za-z_]\w*(?:\[\d+\])?)|([01])(?!\w)|([!'&*|+^()]))")
_CONSTANTS = (np.uint64(0), ~np.uint64(0))
_SYNONYMS = {"*": "&", "+": "|"}
_PRECEDENCE = {"!": 4, "^": 3, "&": 2, "|": 1, "(": 0}


def compile_function(function: str) -> Callable[[Mapping[str, Words]], Words]:
    """A function of words of 64 independent bits each, from a Boolean function of Liberty.

    What is returned takes the values of all names in ``function``, and returns an array of their
    common shape, which may be one of them. Operators are ``! ' ^ & * | +``, a name that follows
    another is an AND, 0 and 1 are constants, of shape (). Inversion comes first, then ^, then AND.
    Raises ``ValueError`` for anything else.
    """
    # As Python source: interpreted by us it would take twice as long. One operation in each line,
    # as expressions may be deeper than Python's parser.
    lines = ["def evaluate(values):"]
    stack: list[str] = []

    def push(expression: str) -> None:
        stack.append(f"word{len(lines)}")
        lines.append(f"    {stack[-1]} = {expression}")

    for token in _postfix(function):
        if token == "!":
            push(f"~{stack.pop()}")
        elif token in _PRECEDENCE:
            right, left = stack.pop(), stack.pop()
            push(f"{left} {token} {right}")
        elif token in ("0", "1"):
            push(f"constants[{token}]")
        else:
            push(f"values[{token!r}]")
    lines.append(f"    return np.asarray({stack.pop()})")
    names: dict[str, Any] = {"np": np, "constants": _CONSTANTS}
    exec("\n".join(lines), names)
    return cast(Callable[[Mapping[str, Words]], Words], names["evaluate"])


def expression(function: str, operands: Mapping[str, str]) -> str:
    """``function`` in the syntax of C, for words of independent bits; ``operands`` by their names.

    Raises ``ValueError`` where ``function`` is none, and ``KeyError`` for another name.
    """
    stack: list[str] = []
    for token in _postfix(function):
        if token == "!":
            stack.append(f"~{stack.pop()}")
        elif token in _PRECEDENCE:
            right, left = stack.pop(), stack.pop()
            stack.append(f"({left} {token} {right})")
        elif token in ("0", "1"):
            stack.append("~Word{0}" if token == "1" else "Word{0}")
        else:
            stack.append(operands[token])
    return stack.pop()


@cache
def _postfix(function: str) -> tuple[str, ...]:
    """``function`` with every operator after what it applies to."""
    output: list[str] = []
    operators: list[str] = []

    def apply(precedence: int) -> None:
        while operators and _PRECEDENCE[operators[-1]] >= precedence:
            output.append(operators.pop())

    def binary(operator: str) -> None:
        apply(_PRECEDENCE[operator])
        operators.append(operator)

    error = ValueError(f"not a Boolean function: {function!r}")
    after_operand = False
    position = 0
    text = function.rstrip()
    while position < len(text):
        match = _TOKEN.match(text, position)
        if match is None:
            raise error
        position = match.end()
        token = match[match.lastindex or 0]
        token = _SYNONYMS.get(token, token)
        if token in ("&", "|", "^", ")", "'"):
            if not after_operand:
                raise error
            if token == ")":
                apply(1)
                if not operators:
                    raise error
                operators.pop()
            elif token == "'":
                output.append("!")
            else:
                binary(token)
                after_operand = False
            continue
        if after_operand:
            binary("&")
        if token in ("!", "("):
            operators.append(token)
            after_operand = False
        else:
            output.append(token)
            after_operand = True
    if not after_operand or "(" in operators:
        raise error
    apply(1)
    return tuple(output)


def truth_table(function: str, inputs: Sequence[str]) -> npt.NDArray[np.bool_]:
    """Whether ``function`` is 1, for every value of ``inputs``: one axis of 2 for each."""
    if len(inputs) > _MOST_INPUTS:
        raise NotUnderstoodError("too many inputs")
    shape = (2,) * len(inputs)
    values = dict(zip(inputs, np.indices(shape).astype(np.uint64), strict=True))
    try:
        result = compile_function(function)(values)
    except (ValueError, KeyError):
        raise NotUnderstoodError(f"not a function of its inputs: {function!r}") from None
    return np.broadcast_to(result & np.uint64(1), shape).astype(np.bool_)


def sense_of(truth: npt.NDArray[np.bool_], axis: int) -> Sense | None:
    """How the function depends on the input ``axis``; None if it does not."""
    low, high = truth.take(0, axis), truth.take(1, axis)
    if (low == high).all():
        return None
    if (low <= high).all():
        return "positive_unate"
    return "negative_unate" if (low >= high).all() else "non_unate"
