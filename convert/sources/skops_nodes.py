"""What a node of a .skops file may hold, beside being of a class that is harmless by itself.

A harmless class does harm with the wrong thing in it: scikit-learn asks what stands in
`estimators_` for the method that `stack_method_` names, whatever that is; and a sum whose
`initial` is a text is that text, in the place of the rows.
"""

from __future__ import annotations

import inspect
import json
import re
from collections import Counter
from collections.abc import Iterator, Mapping
from functools import cached_property
from typing import Any, Final

import numpy as np

from onnxlet.convert.sources.skops_allowlist import (
    MAY_BE_MADE,
    NOTHING,
    is_estimator,
    is_of_sklearn,
    reached,
)
from onnxlet.function.arrays import Array

KEY = re.compile(r"^(\w+)=(.*)$", re.M)


def is_sound_booster(text: str) -> bool:
    """Children are there and later than their parent, columns and sets of categories are there.

    The form is that of `Tree::ToString` and `GBDT::SaveModelToString` in LightGBM's sources.
    """
    head, *trees = re.split(r"^(?=Tree=)", text.partition("end of trees")[0], flags=re.M)
    of_all = _lines(head)
    [width], [several] = of_all["max_feature_idx"] + 1, of_all["num_class"]
    return (
        re.search(r"[\r\0]", text) is None  # which end a line, too, and the text
        and [len(tree.encode()) for tree in trees] == list(of_all.get("tree_sizes", ()))
        and of_all["num_tree_per_iteration"].tolist() == [several]
        and len(trees) % several == 0
        and set(re.findall(r"num_class:(\S*)", head)) <= {f"{several:.0f}"}  # the objective's
        and all(_is_sound_tree(_lines(tree), width) for tree in trees)
    )


def _lines(text: str) -> dict[str, Array]:
    """Numbers by name; of a name that comes twice either might be taken."""
    found = Counter(name for name, _ in KEY.findall(text))
    if found and max(found.values()) > 1:
        raise ValueError("a booster's text has a name twice")
    texts = {"feature_names", "feature_infos", "objective", "version", "monotone_constraints"}
    return {
        name: np.array(line.split(), dtype=float)
        for name, line in KEY.findall(text)
        if name not in texts
    }


def _is_sound_tree(tree: dict[str, Array], width: float) -> bool:
    [leaves], [sets] = tree["num_leaves"], tree["num_cat"]
    nothing = np.array([])
    ends, words = tree.get("cat_boundaries", nothing), tree.get("cat_threshold", nothing)
    columns = np.append(tree.get("split_feature", nothing), tree.get("leaf_features", nothing))
    kinds, thresholds = tree.get("decision_type", nothing), tree.get("threshold", nothing)
    children = [tree.get(name, nothing) for name in ("left_child", "right_child")]
    return (
        {len(each) for each in (*children, kinds, thresholds)} == {leaves - 1}
        and len(tree["leaf_value"]) == leaves
        and within(columns, width)
        and within(thresholds[kinds % 2 == 1], sets)
        and len(ends) == (sets + 1 if sets else 0)
        and bool(np.all(np.diff(ends) >= 0))
        and within(ends, len(words) + 1)
        and all(within(-child[child < 0], leaves + 1, 1) for child in children)
        and all(
            within(child[child >= 0], leaves - 1, np.flatnonzero(child >= 0) + 1)
            for child in children
        )
    )


def within(numbers: Any, end: Any, start: Any = 0) -> bool:
    """Whether all are at least the start, and less than the end; no is said of NaN."""
    return bool(np.all((np.asarray(numbers) >= start) & (np.asarray(numbers) < end)))


Node = Mapping[str, Any]

ANSWERS: Final = frozenset({"predict", "predict_proba", "predict_log_proba", "decision_function"})
ASKED: Final = ANSWERS | {"transform", "score"}
METHODS: Final = ASKED | {"fit", "fit_predict", "fit_transform", "inverse_transform"}

# Attributes by name: scikit-learn looks up a method that the first say in what the others hold.
OF_METHODS: Final = re.compile(r"_?(stack|chain|response|predict|prediction)_methods?_?")
OF_ESTIMATORS: Final = re.compile(
    r"(?!n_|max_|min_)(.*_)?(estimator|regressor|classifier|transformer)s?_?"
    r"|init_|steps|transformer_list"
)
WITH_COLUMNS: Final = frozenset({"transformers", "transformers_", "_transformers"})
IMPORTANCE: Final = re.compile(r"[a-zA-Z]\w*(\.[a-zA-Z]\w*)*")  # 'coef_', 'named_steps.a.coef_'
# What a function is called with, and where that function stands.
KEYWORDS: Final[Mapping[str, str]] = {
    "kw_args": "func",
    "inv_kw_args": "inverse_func",
    "_kwargs": "_score_func",
    "metric_params": "metric",
    "effective_metric_params_": "effective_metric_",
    "kernel_params": "kernel",
    "pairwise_kernels_kwargs": "metric",
}
CALLED: Final = frozenset(
    {
        *("_score_func", "analyzer", "feature_names_out", "func", "importance_getter"),
        *("inverse_func", "preprocessor", "score_func", "tokenizer"),
    }
)
FUNCTIONS: Final = frozenset({"FunctionNode", "JsonNode", "PartialNode", "TypeNode"})
# NumPy's functions answer with any object by 'initial', 'dtype', 'where' or 'out'.
OF_NUMPY: Final = frozenset(
    {
        *("axes", "axis", "a_max", "a_min", "copy", "ddof", "decimals", "keepdims", "max", "min"),
        *("n", "nan", "neginf", "posinf"),
    }
)
HANDLES: Final = frozenset({"BytearrayNode", "BytesNode", "JsonNode"})
NEVER: Final = frozenset({"initial", "out", "where"})
SEQUENCES: Final = frozenset({"ListNode", "TupleNode"})
PLAIN: Final = frozenset(
    {
        *("DTypeNode", "JsonNode", "NdArrayNode", "RandomGeneratorNode", "RandomStateNode"),
        "TypeNode",
    }
)


def is_sound(node: Node, there: Any, trusted: frozenset[str]) -> bool:
    """What a node has below it is what skops writes there, and what its class expects.

    The class or function is one that may be made. What the user trusts may stand anywhere.
    """
    loader = node["__loader__"]
    if loader == "JsonNode":  # anything else would be an object without a node that is judged
        return not isinstance(json.loads(node["content"]), list | dict)
    if loader == "DictNode":  # its keys are made by calling what stands there
        types = node["key_types"]
        return types["__loader__"] == "ListNode" and all(map(_is_key, types["content"]))
    if loader == "PartialNode":
        return _is_sound_partial(node["content"], trusted)
    return loader != "ObjectNode" or _is_sound_object(node, there, trusted)


def _is_key(node: Node) -> bool:
    return node["__loader__"] == "TypeNode" and isinstance(_there(node), type)


def _has_names(node: Node) -> bool:
    """It maps texts as they stand: another type of key might make another text of one."""
    return node["__loader__"] == "DictNode" and all(
        _there(key) is str for key in node["key_types"]["content"]
    )


def name_of(node: Node) -> str:
    """The name by which the user trusts a node's class."""
    own = f"{node['__module__']}.{node['__class__']}"
    return f"{own}.{node['content']['func']}" if node["__loader__"] == "MethodNode" else own


def _is_sound_object(node: Node, there: Any, trusted: frozenset[str]) -> bool:
    state = node.get("content")
    if state is None or _is_null(state):
        return True
    if state["__loader__"] == "TupleNode":  # in Python, pairs would become attributes
        taken_by = inspect.getattr_static(there, "__setstate__", None)
        return taken_by is not None and not inspect.isfunction(taken_by)
    if not _has_names(state):
        return False
    held = state["content"]
    if there.__name__ == "Booster":
        handles = [held[name] for name in ("_handle", "handle") if name in held]
        if not all(map(_is_sound_handle, handles)):
            return False
    return all(
        not _shadows(there, name) and _fits(name, value, held, trusted)
        for name, value in held.items()
    )


def _is_sound_handle(node: Node) -> bool:
    """LightGBM keeps a text, XGBoost bytes."""
    text = _text(node)
    return is_sound_booster(text) if isinstance(text, str) else node["__loader__"] in HANDLES


def _shadows(there: type, name: str) -> bool:
    """An attribute of this name would be found instead of a method."""
    if name in METHODS and is_estimator(there):  # where __getattr__ passes it on
        return True
    found = inspect.getattr_static(there, name, None)
    is_method = hasattr(type(found), "__get__") and not hasattr(type(found), "__set__")
    is_special = name.startswith("__") and name.endswith("__")
    return is_special or (is_method and not isinstance(found, cached_property))


def _fits(name: str, value: Node, held: Mapping[str, Node], trusted: frozenset[str]) -> bool:
    """An attribute holds what is expected there; `held` are all of its object."""
    if OF_METHODS.fullmatch(name):
        return all(_text(leaf) in ASKED | {"auto", None} for leaf in _leaves(value))
    if name == "input":  # a vectoriser would open what rows name
        return bool(_text(value) == "content")
    if name == "importance_getter" and isinstance(_text(value), str):
        return IMPORTANCE.fullmatch(_text(value)) is not None
    if OF_ESTIMATORS.fullmatch(name):
        return all(_is_estimator(leaf, trusted) for leaf in _estimators(name, value))
    if name in CALLED:
        return value["__loader__"] in FUNCTIONS or _is_left_to_the_user(value, trusted)
    if name in KEYWORDS:
        return _are_keywords(value, held.get(KEYWORDS[name]), trusted)
    return True


def _estimators(name: str, value: Node) -> Iterator[Node]:
    """What stands for an estimator in an attribute of one or of several."""
    if name.startswith("named_") and value["__loader__"] == "DictNode":
        value = {"__loader__": "ListNode", "content": list(value["content"].values())}
    if name not in WITH_COLUMNS or value["__loader__"] not in SEQUENCES:
        yield from _leaves(value)
        return
    for each in value["content"]:  # a name, an estimator, and columns
        is_triple = each["__loader__"] == "TupleNode"
        yield from _leaves({**each, "content": each["content"][:2]} if is_triple else each)


def _is_estimator(node: Node, trusted: frozenset[str]) -> bool:
    """It is one, or a text or nothing instead of one; or the user says so."""
    if node["__loader__"] == "ObjectNode" and is_estimator(_there(node)):
        return True
    return node["__loader__"] == "JsonNode" or _is_left_to_the_user(node, trusted)


def _is_left_to_the_user(node: Node, trusted: frozenset[str]) -> bool:
    """The user trusts it, or is asked to for what it is, wherever it stands."""
    may_be_made = MAY_BE_MADE.get(node["__loader__"], bool)
    return name_of(node) in trusted or not may_be_made(_there(node))


def _is_sound_partial(content: Mapping[str, Node], trusted: frozenset[str]) -> bool:
    func, args, namespace = content["func"], content["args"], content["namespace"]
    if func["__loader__"] != "FunctionNode":  # a scorer with a model and a text: any method of it
        return False
    if _is_left_to_the_user(func, trusted):
        return True
    there = _there(func)
    free = there.nin - 1 if isinstance(there, np.ufunc) else 0  # what comes later is 'out'
    return (
        args["__loader__"] == "TupleNode"
        and len(args["content"]) <= free
        and all(map(_is_plain, _leaves(args)))
        and (_is_null(namespace) or namespace["content"] == {})
        and _are_keywords(content["kwds"], func, trusted)
    )


def _are_keywords(value: Node, func: Node | None, trusted: frozenset[str]) -> bool:
    """A function may be called with these."""
    if func is not None and func["__loader__"] == "PartialNode":
        func = func["content"]["func"]
    is_by_name = func is None or func["__loader__"] == "JsonNode"
    if _is_null(value) or (func and not is_by_name and _is_left_to_the_user(func, trusted)):
        return True
    if not _has_names(value):
        return False
    names, values = value["content"].keys(), value["content"].values()
    is_numpy = func and not is_by_name and not is_of_sklearn(_there(func))
    is_known = names <= OF_NUMPY if is_numpy else names.isdisjoint(NEVER)
    return is_known and all(_is_plain(leaf) for each in values for leaf in _leaves(each))


def _is_plain(node: Node) -> bool:
    """A number, a text, an array of these, a type for them, or what draws numbers."""
    return node["__loader__"] in PLAIN


def _leaves(node: Node) -> Iterator[Node]:
    """What lists, tuples and arrays of objects hold, at any depth; or the node itself."""
    is_array = node["__loader__"] == "NdArrayNode" and node["type"] == "json"
    if is_array or node["__loader__"] in SEQUENCES:
        for each in node["content"]:
            yield from _leaves(each)
    else:
        yield node


def _there(node: Node) -> Any:
    return reached(node["__module__"], node["__class__"])


def _text(node: Node) -> Any:
    return json.loads(node["content"]) if node["__loader__"] == "JsonNode" else NOTHING


def _is_null(node: Node) -> bool:
    return _text(node) is None
