"""
Expressions on the facts of crystals, the tests of concepts.

An expression such as `ion(phosphate) and not element(radioactive) and band_gap > 3` is read with Python's grammar, but
nothing of Python runs: only the functions, names and operators defined here are allowed. It is evaluated for all
crystals of a table at once in Kleene's three-valued logic: 1 holds, 0 does not, NaN unknown. Values between 0 and 1 are
grades; `and` is the smaller, `or` the larger one.
"""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from ..errors_clac import ClacInputError
from .fact_functions import FUNCTIONS, Scope, nearest, number_names
from .logic import Array, both, compared, either, negated

_Node = Callable[[Scope], Array]
_COMPARISONS = {ast.Lt: "<", ast.LtE: "<=", ast.Gt: ">", ast.GtE: ">=", ast.Eq: "==", ast.NotEq: "!="}
_ARITHMETIC: dict[type[ast.operator], Callable[[Array, Array], Array]] = {
    ast.Add: np.add,
    ast.Sub: np.subtract,
    ast.Mult: np.multiply,
    ast.Div: np.divide,
}


@dataclass(frozen=True)
class Expression:
    """
    An expression on facts.

    Args:
        text: The expression.
        place: Where it stands, for error messages: file, id of the concept, key.
    """

    text: str
    place: str = "expression"

    def evaluate(self, scope: Scope) -> Array:
        """
        Evaluate the expression on a table.

        Args:
            scope: The table, and the function for other concepts.

        Returns:
            `(n,)` float32: 1 holds, 0 does not, NaN unknown, values between them are grades.

        Raises:
            ClacInputError: If the expression is broken.
        """
        return np.asarray(self._compiled(scope), dtype=np.float32)

    def check(self) -> None:
        """
        Read the expression without evaluating it.

        Raises:
            ClacInputError: If it is broken: one line with the place and what is wrong.
        """
        _ = self._compiled

    @cached_property
    def calls(self) -> frozenset[tuple[str, ...]]:
        """The calls in the expression, each as function and arguments; numbers by name are `("number", name)`."""
        return frozenset(_calls(self._tree))

    @property
    def concepts(self) -> frozenset[str]:
        """Ids of the concepts that the expression refers to."""
        return frozenset(name for function, *names in self.calls if function == "concept" for name in names)

    @cached_property
    def listed_formulas(self) -> tuple[str, ...]:
        """
        The formulas that the expression lists, in its order; none if it begins with a rule.

        Those of `formula(C) and type("graphite") or formula(MoS2, WS2) or density > 5` are C, MoS2 and WS2.
        """
        tree = self._tree
        branches = tree.values if isinstance(tree, ast.BoolOp) and isinstance(tree.op, ast.Or) else [tree]
        listed = [_first_formulas(branch) for branch in branches]
        return tuple(name for names in listed for name in names) if listed[0] else ()

    @cached_property
    def _tree(self) -> ast.expr:
        try:
            return ast.parse(" ".join(self.text.split()), mode="eval").body
        except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
            reason = getattr(error, "msg", None) or "too deep"
            raise self._error(f"is not an expression ({reason})") from None

    @cached_property
    def _compiled(self) -> _Node:
        node, is_number = self._read(self._tree)
        if is_number:
            raise self._error("is a number, not a test; compare it, for example `band_gap > 1`")
        return node

    def _error(self, problem: str) -> ClacInputError:
        shown = " ".join(self.text.split())
        return ClacInputError(f"{self.place}: {problem}: {shown if len(shown) <= 120 else shown[:117] + '...'}")

    def _read(self, tree: ast.expr) -> tuple[_Node, bool]:
        """Return the evaluation of a part of the expression, and whether it is a number."""
        if isinstance(tree, ast.BoolOp):
            parts = [self._read_truth(value) for value in tree.values]
            join = both if isinstance(tree.op, ast.And) else either
            return lambda scope: join(part(scope) for part in parts), False
        if isinstance(tree, ast.UnaryOp) and isinstance(tree.op, ast.Not):
            inner = self._read_truth(tree.operand)
            return lambda scope: negated(inner(scope)), False
        if isinstance(tree, ast.Compare):
            return self._read_comparison(tree), False
        if isinstance(tree, ast.UnaryOp) and isinstance(tree.op, ast.USub):
            number = self._read_number(tree.operand)
            return lambda scope: -number(scope), True
        if isinstance(tree, ast.BinOp) and type(tree.op) in _ARITHMETIC:
            return self._read_arithmetic(tree), True
        if isinstance(tree, ast.Constant) and isinstance(tree.value, int | float) and not isinstance(tree.value, bool):
            value = float(tree.value)
            return lambda scope: np.full(len(scope.facts), value), True
        if isinstance(tree, ast.Name):
            return self._read_name(tree.id), True
        if isinstance(tree, ast.Call) and isinstance(tree.func, ast.Name):
            return self._read_call(tree, tree.func.id)
        raise self._error(f"`{ast.unparse(tree)}` is not allowed in an expression")

    def _read_truth(self, tree: ast.expr) -> _Node:
        node, is_number = self._read(tree)
        if is_number:
            raise self._error(f"`{ast.unparse(tree)}` is a number where a test is expected")
        return node

    def _read_number(self, tree: ast.expr) -> _Node:
        node, is_number = self._read(tree)
        if not is_number:
            raise self._error(f"`{ast.unparse(tree)}` is a test where a number is expected")
        return node

    def _read_comparison(self, tree: ast.Compare) -> _Node:
        sides = [self._read_number(side) for side in (tree.left, *tree.comparators)]
        operators = [_COMPARISONS.get(type(operator), "") for operator in tree.ops]
        if "" in operators:
            raise self._error(f"`{ast.unparse(tree)}` compares with an operator that is not allowed")

        def compare(scope: Scope) -> Array:
            values = [side(scope) for side in sides]
            pairs = zip(values, operators, values[1:], strict=False)
            return both(compared(left, operator, right) for left, operator, right in pairs)

        return compare

    def _read_arithmetic(self, tree: ast.BinOp) -> _Node:
        left, right, operate = self._read_number(tree.left), self._read_number(tree.right), _ARITHMETIC[type(tree.op)]

        def compute(scope: Scope) -> Array:
            with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
                value = operate(left(scope), right(scope))
            return np.where(np.isfinite(value), value, np.nan)

        return compute

    def _read_name(self, name: str) -> _Node:
        if name not in number_names():
            if name in FUNCTIONS:
                raise self._error(f"`{name}` needs arguments: {name}({FUNCTIONS[name].usage})")
            raise self._error(f"unknown name `{name}`{nearest(name, (*number_names(), *FUNCTIONS))}")
        return lambda scope: np.asarray(scope.facts.number(name), dtype=np.float64)

    def _read_call(self, tree: ast.Call, name: str) -> tuple[_Node, bool]:
        function = FUNCTIONS.get(name)
        if function is None:
            raise self._error(f"unknown function `{name}`{nearest(name, FUNCTIONS)}")
        if tree.keywords:
            raise self._error(f"`{name}` takes no keywords")
        values = tuple(self._argument(argument) for argument in tree.args)
        low, high = function.arguments
        if not low <= len(values) <= high:
            raise self._error(f"`{name}` expects {function.usage}, found {len(values)} arguments")
        for value in values:
            problem = function.check(value)
            if problem:
                raise self._error(problem)
        if function.is_number:
            return lambda scope: function.evaluate(scope, values), True
        return lambda scope: scope.truth_of((name, *values), lambda: function.evaluate(scope, values)), False

    def _argument(self, tree: ast.expr) -> str:
        text = _argument_text(tree)
        if text is None:
            raise self._error(f"the argument `{ast.unparse(tree)}` is neither a name nor a number; quote it")
        return text


def _argument_text(tree: ast.expr) -> str | None:
    if isinstance(tree, ast.Name):
        return tree.id
    if isinstance(tree, ast.Constant) and isinstance(tree.value, str | int | float):
        return str(tree.value)
    if isinstance(tree, ast.UnaryOp) and isinstance(tree.op, ast.USub | ast.UAdd):
        inner = _argument_text(tree.operand)
        sign = "-" if isinstance(tree.op, ast.USub) else ""
        return None if inner is None else sign + inner
    return None


def _first_formulas(node: ast.expr) -> list[str]:
    """The formulas with which a test begins: those of `formula(C) and type("graphite")` are C."""
    while isinstance(node, ast.BoolOp):
        node = node.values[0]
    if not (isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "formula"):
        return []
    names = (each.id if isinstance(each, ast.Name) else getattr(each, "value", None) for each in node.args)
    return [name for name in names if isinstance(name, str)]


def _calls(tree: ast.AST) -> Iterator[tuple[str, ...]]:
    if isinstance(tree, ast.Call) and isinstance(tree.func, ast.Name):
        yield (tree.func.id, *filter(None, map(_argument_text, tree.args)))
        return
    if isinstance(tree, ast.Name):
        yield ("number", tree.id)
    for child in ast.iter_child_nodes(tree):
        yield from _calls(child)


__all__ = ["Expression"]
