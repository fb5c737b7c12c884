"""Small changes of Python code, made by the operators of cosmic-ray."""

from __future__ import annotations

import ast
import difflib
import re
from collections.abc import Iterator
from typing import NamedTuple

from cosmic_ray.ast import ast_nodes, get_ast
from cosmic_ray.mutating import mutate_code
from cosmic_ray.plugins import get_operator, operator_names

# One replacement of each operator: most others, such as bits of floats, end with an error in the first test.
_KEPT = re.compile(
    r"core/(AddNot|NumberReplacer|ExceptionReplacer|ZeroIterationForLoop|Replace(And|Or|True|False|Break|Continue)With.*"
    r"|ReplaceBinaryOperator_(Add_Sub|Sub_Add|Mul_Div|Div_Mul|FloorDiv_Mul|Mod_Add|Pow_Mul|BitOr_BitAnd|BitAnd_BitOr)"
    r"|ReplaceUnaryOperator_Delete_.*|ReplaceComparisonOperator_(Eq_NotEq|NotEq_Eq|Lt_LtE|LtE_Lt|Gt_GtE|GtE_Gt|Is_IsNot"
    r"|IsNot_Is|In_NotIn|NotIn_In))"
)


class Change(NamedTuple):
    """
    A change of a module.

    Attributes:
        path: File of the module.
        operator: What was changed.
        occurrence: Place of the change among those of this operator.
        line: Line of the change, from 1.
    """

    path: str
    operator: str
    occurrence: int
    line: int

    def apply(self, source: str) -> str:
        """Return the changed source."""
        changed = mutate_code(source, get_operator(self.operator)(), self.occurrence)
        assert changed is not None
        return str(changed)

    def shown(self, source: str) -> str:
        """Return the changed lines, before and after."""
        lines = difflib.unified_diff(source.splitlines(), self.apply(source).splitlines(), lineterm="", n=0)
        return " ".join(line.strip() for line in list(lines)[3:])


def changes(path: str, source: str) -> Iterator[Change]:
    """
    Yield all changes of a module that may be noticed.

    Args:
        path: File of the module.
        source: Its source.
    """
    tree = get_ast(source)
    nodes = list(ast_nodes(tree))
    for name in sorted(operator_names()):
        kind = get_operator(name)
        if kind.arguments() or not _KEPT.fullmatch(name):
            continue
        operator = kind()
        positions = (start for node in nodes for start, _ in operator.mutation_positions(node))
        for occurrence, (line, _) in enumerate(positions):
            yield Change(path, name, occurrence, line)


def is_noticeable(source: str, changed: str) -> bool:
    """Whether a change is more than one of annotations, texts of errors and docstrings, which have no effect."""
    try:
        return ast.dump(_Behaviour().visit(ast.parse(source))) != ast.dump(_Behaviour().visit(ast.parse(changed)))
    except SyntaxError:
        return False


class _Behaviour(ast.NodeTransformer):
    """Leaves out what has no effect when the code runs."""

    def visit_arg(self, node: ast.arg) -> ast.arg:
        node.annotation = None
        return node

    def visit_FunctionDef(self, node: ast.FunctionDef) -> ast.FunctionDef:
        node.returns = None
        self.generic_visit(node)
        return node

    def visit_AnnAssign(self, node: ast.AnnAssign) -> ast.AnnAssign:
        self.generic_visit(node)
        node.annotation = ast.Constant(None)
        return node

    def visit_Call(self, node: ast.Call) -> ast.AST:
        self.generic_visit(node)
        # The size of a cache, and whether lengths are checked, change nothing that is right.
        node.keywords = [keyword for keyword in node.keywords if keyword.arg not in ("maxsize", "strict")]
        return node

    def visit_Raise(self, node: ast.Raise) -> ast.Raise:
        if isinstance(node.exc, ast.Call):
            node.exc.args = []
        return node


__all__ = ["Change", "changes", "is_noticeable"]
