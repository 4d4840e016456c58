"""A booster of LightGBM's, as text: it indexes what is in there as soon as it reads it."""

from __future__ import annotations

import re
from collections import Counter
from typing import Any

import numpy as np

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
