"""What the feature generators of an AutoGluon predictor make of its columns, as plain values.

This file is loaded by its path into the Python of the predictor, 3.10 or newer. Generators are
followed by their classes, with what their fits have left: each feature that comes out has an entry,
which names the column that goes in and says what is done to it (`features.py` has the kinds).
Source: `autogluon/features/generators/`.
"""

from __future__ import annotations

from typing import Any

import numpy as np

Entry = dict[str, Any]
Entries = dict[str, Entry]  # by the name of the feature, in their order
# Of CountVectorizer, what its answers depend on.
SETTINGS = (
    "analyzer", "binary", "lowercase", "ngram_range", "stop_words", "strip_accents",
    "token_pattern",
)  # fmt: skip
SPECIAL = (
    "char_count", "word_count", "capital_ratio", "lower_ratio", "digit_ratio", "special_ratio",
)  # fmt: skip
TOTAL = "_total_"  # how many terms of a vectorizer a text has


class NotDescribed(ValueError):
    """A feature generator, or a setting of it, that nothing is known of."""


def described(predictor: Any) -> dict[str, Any]:
    """The features that a predictor gives its models. Raises NotDescribed as `features_of` does."""
    return features_of(predictor._learner.feature_generator)


def features_of(generator: Any) -> dict[str, Any]:
    """The features that a fitted generator makes: pairs of names and entries, and vectorizers.

    `types` are what AutoGluon calls the dtypes of the columns that it was fitted on.

    Raises:
        NotDescribed: something in it is not known; the message names it.
    """
    vectorizers: list[dict[str, Any]] = []
    given = {name: {"is": "raw", "column": name} for name in generator.features_in}
    made = _made(generator, given, vectorizers)
    if raw := [name for name, entry in made.items() if entry["is"] == "raw"]:
        raise NotDescribed(f"column {raw[0]!r} reaches the models as it comes in")
    if set(made) != set(generator.features_out):
        raise NotDescribed(f"{type(generator).__name__} has made other features than are known")
    return {
        "features": [list(pair) for pair in made.items()],
        "vectorizers": vectorizers,
        "types": dict(generator.feature_metadata_in.type_map_raw),
    }


def _made(generator: Any, given: Entries, vectorizers: list[dict[str, Any]]) -> Entries:
    kind = type(generator)
    write = WRITERS.get(kind.__name__)
    if write is None or not kind.__module__.startswith("autogluon.features."):
        raise NotDescribed(f"the feature generator {kind.__name__} is not known")
    if getattr(generator, "passthrough", False):
        raise NotDescribed(f"{kind.__name__} passes columns through beside its features")
    given = {name: given[name] for name in generator.features_in}
    if generator._pre_astype_generator:
        given = _made(generator._pre_astype_generator, given, vectorizers)
    made: Entries = write(generator, given, vectorizers)
    for after in generator._post_generators:
        made = _made(after, made, vectorizers)
    return made


def _stages(generator: Any, given: Entries, vectorizers: list[dict[str, Any]]) -> Entries:
    for group in generator.generators:
        made: Entries = {}
        for one in group:
            made.update(_made(one, given, vectorizers))
        given = made
    return given


def _same(generator: Any, given: Entries, _: Any) -> Entries:
    return given


def _typed(generator: Any, given: Entries, _: Any) -> Entries:
    made: Entries = {}
    for name, entry in given.items():
        dtype = generator._type_map_real_opt[name]
        if name in generator._bool_features:
            true = _plain(generator._bool_features[name], name)
            made[name] = {**entry, "is": "flag", "true": true}
        elif isinstance(dtype, np.dtype) and dtype.kind in "fiu":
            what = "number" if dtype.kind == "f" else "whole"
            made[name] = {**entry, "is": what, "dtype": dtype.name}
        else:
            made[name] = entry
    return made


def _filled(generator: Any, given: Entries, _: Any) -> Entries:
    made = dict(given)
    for name, value in generator._fillna_feature_map.items():
        if given[name]["is"] != "raw" or value != "":
            raise NotDescribed(f"gaps of column {name!r} are filled by {value!r}")
        made[name] = {**given[name], "filled": True}
    return made


def _categories(generator: Any, given: Entries, _: Any) -> Entries:
    after = [type(one).__name__ for one in generator._post_generators]
    if not generator.category_map or "CategoryMemoryMinimizeFeatureGenerator" not in after:
        raise NotDescribed("categories are kept as they come in (minimize_memory=False)")
    made: Entries = {}
    for name, known in generator.category_map.items():
        values = [_plain(value, name) for value in known]
        instead = (generator._fillna_map or {}).get(name)
        made[name] = {
            **_raw(given, name), "is": "category", "categories": values,
            "instead": None if instead is None else values.index(instead),
        }  # fmt: skip
    return made


def _dates(generator: Any, given: Entries, _: Any) -> Entries:
    made: Entries = {}
    for name in given:
        fill = int(generator._fillna_map[name].value)
        made[name] = {**_raw(given, name), "is": "date", "part": "nanoseconds", "fill": fill}
        for part in generator.features:
            made[f"{name}.{part}"] = {**made[name], "part": part}
    return made


def _measures(generator: Any, given: Entries, _: Any) -> Entries:
    made: Entries = {}
    for name in given:
        entry = {**_raw(given, name), "is": "measure", "bins": None}
        for measure in SPECIAL:
            made[f"{name}.{measure}"] = {**entry, "measure": measure, "symbol": ""}
        for symbol in map(str, generator._symbols_per_feature[name]):
            for measure in ("symbol_count", "symbol_ratio"):
                made[f"{name}.{measure}.{symbol}"] = {**entry, "measure": measure, "symbol": symbol}
    return made


def _binned(generator: Any, given: Entries, _: Any) -> Entries:
    made: Entries = {}
    for name, bins in generator._bin_map.items():
        if given[name]["is"] != "measure":
            raise NotDescribed(f"column {name!r} is put into bins")
        made[name] = {**given[name], "bins": [float(edge) for edge in bins]}
    return made


def _counts(generator: Any, given: Entries, vectorizers: list[dict[str, Any]]) -> Entries:
    made: Entries = {}
    features = generator.vectorizer_features or []
    for feature, vectorizer in zip(features, generator.vectorizers, strict=True):
        columns = list(given) if feature == "__nlp__" else [feature]
        number, terms = len(vectorizers), _terms(vectorizer)
        vectorizers.append({
            **{name: _setting(getattr(vectorizer, name)) for name in SETTINGS},
            "columns": [_raw(given, name)["column"] for name in columns],
            "vocabulary": terms,
            "dtype": np.dtype(vectorizer.dtype).name,
        })  # fmt: skip
        for index, term in enumerate([*terms, TOTAL]):
            made[f"{feature}.{term}"] = {"is": "count", "vectorizer": number, "index": index}
    if getattr(generator, "prefilter_tokens", False):
        kept = zip(made, generator.token_mask.tolist(), strict=True)
        made = {name: made[name] for name, is_kept in kept if is_kept}
    return made


def _terms(vectorizer: Any) -> list[str]:
    kind = type(vectorizer)
    if kind.__name__ != "CountVectorizer" or not kind.__module__.startswith("sklearn."):
        raise NotDescribed(f"text is counted by {kind.__name__}, which is not known")
    if any(callable(getattr(vectorizer, n)) for n in ("analyzer", "preprocessor", "tokenizer")):
        raise NotDescribed("text is cut by a function")
    return [str(term) for term in vectorizer.get_feature_names_out()]


def _setting(value: Any) -> Any:
    """Words in a frozenset have no order: sorted they are the same each time."""
    return sorted(value) if isinstance(value, (set, frozenset)) else value


def _renamed(generator: Any, given: Entries, _: Any) -> Entries:
    return dict(zip(generator.features_out, given.values(), strict=True))


def _raw(given: Entries, name: str) -> Entry:
    """A column as it comes in, whose gaps may be filled."""
    if given[name]["is"] != "raw":
        raise NotDescribed(f"column {name!r} is changed by several generators")
    return {"column": given[name]["column"], "filled": bool(given[name].get("filled"))}


def _plain(value: Any, name: str) -> Any:
    plain = value.item() if isinstance(value, np.generic) else value
    if type(plain) not in (bool, int, float, str):
        raise NotDescribed(f"column {name!r} has {type(plain).__name__} as a category")
    return plain


WRITERS: dict[str, Any] = {
    "AsTypeFeatureGenerator": _typed,
    "AutoMLInterpretablePipelineFeatureGenerator": _stages,
    "AutoMLPipelineFeatureGenerator": _stages,
    "BinnedFeatureGenerator": _binned,
    "BulkFeatureGenerator": _stages,
    "CategoryFeatureGenerator": _categories,
    "CategoryMemoryMinimizeFeatureGenerator": _same,
    "DatetimeFeatureGenerator": _dates,
    "DropDuplicatesFeatureGenerator": _same,
    "DropUniqueFeatureGenerator": _same,
    "FillNaFeatureGenerator": _filled,
    "IdentityFeatureGenerator": _same,
    "PipelineFeatureGenerator": _stages,
    "RenameFeatureGenerator": _renamed,
    "TextNgramFeatureGenerator": _counts,
    "TextSpecialFeatureGenerator": _measures,
}
