"""Rewrites a function's syntax tree: names from around it become those of the program."""

from __future__ import annotations

import ast
import html
import itertools
import math
import re
import string
import unicodedata
from collections.abc import Callable, Mapping
from types import ModuleType
from typing import Any, NoReturn, Protocol

from sklearn.base import BaseEstimator

from onnxlet.function.inputs.restricted_python import (
    CHANGING,
    FUNCTIONS,
    SEARCHES,
    changes,
    why_not,
)

SEARCHED: Mapping[Any, str] = {
    re.findall: "findall", re.fullmatch: "fullmatch", re.match: "match", re.search: "search",
    re.split: "split", re.sub: "sub", re.finditer: "finditer", re.subn: "subn",
}  # fmt: skip
MODULES = (html, itertools, math, re, string, unicodedata)
# What does not show in which order a set is gone through: each process has another.
ORDERLESS = frozenset({"all", "any", "len", "max", "min", "set", "frozenset", "sorted", "sum"})
# What takes the members of a list, and does not see that its program has a tuple.
GOING_THROUGH = ORDERLESS | {"chain", "enumerate", "filter", "join", "list", "map", "tuple", "zip"}
LISTS = ast.List | ast.ListComp | ast.Set | ast.SetComp
SHOWN = ast.BinOp | ast.FormattedValue | ast.List | ast.Set | ast.Tuple
CHANGED = ("has a constant that it changes", "Begin a new list: [], or list(CONSTANT).")
UNORDERED = (
    "goes through a set, whose order is another in each process",
    "Sort it: sorted(set(…)).",
)
NOTHING = object()


class Constants(Protocol):
    """What stands around a function, as its translation has it."""

    def refuse(self, reason: str, hint: str = ...) -> NoReturn:
        """Stop."""

    def check_library(self, value: Any) -> None:
        """Refuse what a library of tokenisers makes."""

    def value(self, value: Any) -> str:
        """An expression for a constant."""

    def pattern(self, pattern: Any, flags: int) -> str:
        """The name of a regular expression."""


class Rewritten(ast.NodeTransformer):
    """A function in the program's names; parameters and variables keep theirs, with a mark."""

    def __init__(self, translation: Constants, around: Callable[[str], Any]) -> None:
        self._translation = translation
        self._around = around
        self._own: set[str] = set()
        self._kept: set[str] = set()
        self._sets: set[str] = set()
        self._lists: set[str] = set()
        self._parameters: set[str] = set()
        self._parents: dict[ast.AST, ast.AST] = {}

    def function(
        self, node: ast.FunctionDef | ast.Lambda, defaults: Mapping[str, str]
    ) -> ast.FunctionDef:
        """The definition; a lambda becomes one."""
        arguments, body = node.args, node.body
        if arguments.vararg or arguments.kwarg:
            self._translation.refuse("takes any number of arguments")
        inner = list(body) if isinstance(body, list) else [ast.Return(body)]
        if isinstance(node, ast.FunctionDef) and ast.get_docstring(node, clean=False) is not None:
            inner = inner[1:]
        parameters = [*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs]
        whole = ast.Module([*inner], [])
        self._parameters = {each.arg for each in parameters}
        self._own = self._parameters | _bound(whole)
        self._kept = self._own - _bound(whole)  # they may be a default, which all calls share
        self._sets = self._names_of_sets(whole)
        self._lists = {name for name, made in defaults.items() if made.startswith("list_")}
        nodes = [*ast.walk(whole)]
        self._parents = {child: n for n in nodes for child in ast.iter_child_nodes(n)}
        around = {n.id for n in nodes if isinstance(n, ast.Name)} - self._own
        shared = {n for n in around if isinstance(self._looked_up(n), list | set | dict)}
        shared |= {
            name for name, made in defaults.items() if made.startswith(("list_", "constant_"))
        }
        if changes(nodes, shared):
            self._translation.refuse(*CHANGED)
        self._check_order(whole)
        rewritten = [self.visit(each) for each in inner] or [ast.Pass()]
        names = [each.arg for each in parameters if each.arg not in defaults]
        given = [ast.parse(defaults[each.arg], mode="eval").body
                 for each in parameters if each.arg in defaults]  # fmt: skip
        ordered = names + [each.arg for each in parameters if each.arg in defaults]
        if ordered != [each.arg for each in parameters]:
            self._translation.refuse("has parameters without a default behind such with one")
        made = ast.arguments(
            posonlyargs=[], args=[ast.arg(marked(name)) for name in ordered], kwonlyargs=[],
            kw_defaults=[], defaults=given,
        )  # fmt: skip
        return ast.FunctionDef("f", made, rewritten, [], type_params=[])  # type: ignore[call-arg]

    # names

    def generic_visit(self, node: ast.AST) -> ast.AST:
        """Check a node, and go on."""
        if reason := why_not(node):
            line = getattr(node, "lineno", None)
            self._translation.refuse(
                f"is not plain enough{f', line {line}' * bool(line)}: {reason}"
            )
        return super().generic_visit(node)

    def visit_AnnAssign(self, node: ast.AnnAssign) -> Any:
        """`x: T = …`, without the annotation."""
        if node.value is None:
            return ast.Pass()
        return self.visit(ast.copy_location(ast.Assign([node.target], node.value), node))

    def visit_arg(self, node: ast.arg) -> Any:
        """A lambda's parameter."""
        return ast.arg(marked(node.arg))

    def visit_Lambda(self, node: ast.Lambda) -> Any:
        """A lambda inside."""
        if node.args.vararg or node.args.kwarg or node.args.kwonlyargs or node.args.defaults:
            self._translation.refuse("has a lambda inside with other than plain parameters")
        return self.generic_visit(node)

    def visit_FunctionDef(self, node: ast.FunctionDef) -> Any:
        """A function inside a function."""
        self._translation.refuse("defines another one inside")

    def visit_Name(self, node: ast.Name) -> Any:
        """An own name, or a constant from around."""
        if node.id in self._own:
            if node.id in self._lists and not self._looks_into(node):
                self._translation.refuse(
                    f"does other than look into {node.id}, a list that is its default",
                    "Take it as a constant around the function.",
                )
            return ast.copy_location(ast.Name(marked(node.id), node.ctx), node)
        found = self._constant(node)
        return self._expression(found, node)

    def _looks_into(self, node: ast.Name) -> bool:
        """Whether a list may as well be a tuple, which no call can change for the next."""
        match self._parents[node]:
            case ast.Compare(ops=[ast.In() | ast.NotIn()]) | ast.For() | ast.comprehension():
                return True
            case ast.Subscript(slice=ast.Constant() | ast.UnaryOp() | ast.Name()):
                return True
            case ast.Call(function):
                return ast.unparse(function).rpartition(".")[2] in GOING_THROUGH
        return False

    def visit_Attribute(self, node: ast.Attribute) -> Any:
        """`string.punctuation`, a class's constant, or a method."""
        found = self._constant(node)
        if found is not NOTHING:
            return self._expression(found, node)
        owner = node.value.id if isinstance(node.value, ast.Name) else None
        made_here = self._own - self._kept
        if node.attr in CHANGING and owner not in made_here:
            self._translation.refuse(*CHANGED)
        return self.generic_visit(node)

    def visit_AugAssign(self, node: ast.AugAssign) -> Any:
        """`x += …`, but of a list that a caller has."""
        is_given = isinstance(node.target, ast.Name) and node.target.id in self._parameters
        if is_given and isinstance(node.value, LISTS):
            self._translation.refuse(*CHANGED)
        return self.generic_visit(node)

    def visit_keyword(self, node: ast.keyword) -> Any:
        """An argument by name: a parameter of a function of the program is marked."""
        if node.arg is None:
            self._translation.refuse("passes any number of arguments on")
        return self.generic_visit(node)

    def visit_Call(self, node: ast.Call) -> Any:
        """A call; of `re` by the pattern's own method."""
        function = self._constant(node.func)
        if any(function is one for one in SEARCHED):
            return self._search(function, node)
        made = self.generic_visit(node)
        match made:
            case ast.Call(ast.Name(name)) if name.startswith("function_"):  # of the program
                for each in made.keywords:
                    each.arg = marked(str(each.arg))
        return made

    def _search(self, function: Any, node: ast.Call) -> Any:
        options = {str(each.arg): self._constant(each.value) for each in node.keywords}
        how = SEARCHED[function]
        flags_at = {"split": 3, "sub": 4}.get(how, 2)
        given = [self._constant(each) for each in node.args[:1]]
        if NOTHING in given or "pattern" in options or "string" in options:
            self._translation.refuse(f"calls re.{how} of a pattern that is not constant")
        flags = node.args[flags_at:]
        if flags:
            options["flags"] = self._constant(flags[0])
        if options.get("flags", 0) is NOTHING:
            self._translation.refuse(f"calls re.{how} with flags that are not constant")
        if not given or how not in SEARCHES:
            self._translation.refuse(f"calls re.{function.__name__}, which is not followed")
        [pattern] = given
        if isinstance(pattern, re.Pattern):
            name = self._translation.pattern(pattern.pattern, pattern.flags)
        else:
            name = self._translation.pattern(pattern, int(options.get("flags", 0)))
        arguments = [self.visit(each) for each in node.args[1:flags_at]]
        rest = [self.visit(each) for each in node.keywords if each.arg != "flags"]
        func = ast.parse(f"{name}.{how}", mode="eval").body
        return ast.copy_location(ast.Call(func, arguments, rest), node)

    def _constant(self, node: ast.AST) -> Any:
        """What an expression stands for, whatever the text is; NOTHING where that is unknown."""
        if isinstance(node, ast.Constant):
            return node.value
        if isinstance(node, ast.BinOp) and isinstance(node.op, ast.BitOr | ast.Add):
            left, right = self._constant(node.left), self._constant(node.right)
            if NOTHING in (left, right) or type(left) is not type(right):
                return NOTHING
            if isinstance(left, str | int) and not isinstance(left, bool):
                return left | right if isinstance(node.op, ast.BitOr) else left + right
            return NOTHING
        if isinstance(node, ast.Name):
            return NOTHING if node.id in self._own else self._looked_up(node.id)
        if isinstance(node, ast.Attribute):
            owner = self._constant(node.value)
            if isinstance(owner, ModuleType) and owner not in MODULES:
                self._translation.check_library(owner)
                self._translation.refuse(f"calls {owner.__name__}.{node.attr}, not followed")
            if isinstance(owner, ModuleType | BaseEstimator) or owner is str:
                return getattr(owner, node.attr, NOTHING)
        return NOTHING

    def _looked_up(self, name: str) -> Any:
        try:
            return self._around(name)
        except (KeyError, ValueError):
            self._translation.refuse(f"takes {name}, which is not defined")

    def _expression(self, value: Any, node: ast.AST) -> Any:
        if isinstance(value, ModuleType):
            self._translation.check_library(value)
            self._translation.refuse(f"takes the module {value.__name__} as a value")
        made = ast.parse(self._translation.value(value), mode="eval").body
        if isinstance(value, dict) and isinstance(self._parents.get(node), SHOWN):
            made = ast.BinOp(made, ast.BitOr(), made)  # a new dict: only a read-only one's text
        return ast.copy_location(made, node)

    # order

    def _names_of_sets(self, whole: ast.AST) -> set[str]:
        found: set[str] = set()
        for node in ast.walk(whole):
            if isinstance(node, ast.Assign) and self._is_set(node.value, found):
                found |= {each.id for each in node.targets if isinstance(each, ast.Name)}
        return found

    def _is_set(self, node: ast.AST, names: set[str]) -> bool:
        if isinstance(node, ast.Set | ast.SetComp):
            return True
        if isinstance(node, ast.BinOp):
            return self._is_set(node.left, names) or self._is_set(node.right, names)
        if isinstance(node, ast.Call):
            return self._constant(node.func) in (set, frozenset)
        if isinstance(node, ast.Name) and node.id in self._own:
            return node.id in names
        return isinstance(self._constant(node), set | frozenset)

    def _check_order(self, whole: ast.AST) -> None:
        """Refuse what goes through a set in an order that shows."""
        for node in ast.walk(whole):
            if not isinstance(node, ast.expr) or not self._is_set(node, self._sets):
                continue
            if isinstance(node, ast.Name) and type(node.ctx) is ast.Store:
                continue
            if not self._unseen(node):
                self._translation.refuse(*UNORDERED)

    def _unseen(self, node: ast.AST) -> bool:
        parent = self._parents[node]
        if isinstance(parent, ast.Compare):
            return True
        if isinstance(parent, ast.Assign):
            return parent.value is node
        if isinstance(parent, ast.BinOp | ast.Attribute | ast.UnaryOp | ast.If | ast.IfExp):
            return not isinstance(parent, ast.IfExp) or parent.test is node
        if isinstance(parent, ast.Call):
            return self._is_orderless(parent.func) and node in parent.args
        if isinstance(parent, ast.comprehension) and parent.iter is node:
            around = self._parents[parent]
            call = self._parents[around]
            return isinstance(around, ast.SetComp) or (
                isinstance(call, ast.Call) and self._is_orderless(call.func)
            )
        return False

    def _is_orderless(self, node: ast.AST) -> bool:
        return any(self._constant(node) is FUNCTIONS[name] for name in ORDERLESS)


def marked(name: str) -> str:
    """A user's name, which none of the program's is."""
    return f"_{name}_" if not name.startswith("__") else f"_u{name.strip('_')}_"


def _bound(whole: ast.AST) -> set[str]:
    """The names that a function makes: variables, and parameters of lambdas inside."""
    nodes = list(ast.walk(whole))
    stored = {n.id for n in nodes if isinstance(n, ast.Name) and type(n.ctx) is ast.Store}
    return stored | {n.arg for n in nodes if isinstance(n, ast.arg)}
