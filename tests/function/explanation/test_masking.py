"""Mixed rows against the plain way of choosing cell by cell, and the function that they make."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from onnxlet.function.arrays import Array
from onnxlet.function.errors import InvalidRows, Problem
from onnxlet.function.explanation.texts import Pieces
from onnxlet.function.explanation.value_function import (
    NOT_ANSWERED,
    BitMasker,
    LookupMasker,
    TableValueFunction,
    TextMasker,
    distinct,
)
from onnxlet.function.inputs.validation import CheckedBatch

DTYPES = {
    "float64": st.floats(allow_nan=True, allow_infinity=True, width=64),
    "int64": st.integers(-(2**63), 2**63 - 1),
    "bool": st.booleans(),
    "object": st.text(max_size=3),
}


@st.composite
def mixtures(draw: st.DrawFn) -> tuple[Array, Array, Array]:
    """A background, an instance and masks."""
    dtype = draw(st.sampled_from(sorted(DTYPES)))
    slots, width, count = (draw(st.integers(1, 4)) for _ in range(3))
    cells = draw(arrays.arrays(dtype, (slots + 1, width), elements=DTYPES[dtype]))
    shared = draw(st.booleans())
    masks = draw(arrays.arrays(bool, (count, 1 if shared else slots, width)))
    return cells[1:], cells[0], masks


@settings(max_examples=200, deadline=None)
@given(mixtures())
def test_cells_inside_are_the_instances_and_those_outside_the_backgrounds(
    mixture: tuple[Array, Array, Array],
) -> None:
    background, instance, masks = mixture
    kind: Any = LookupMasker if background.dtype.kind in "bO" else BitMasker
    masker = kind(background, len(masks) + 1)
    for row in (background[0], instance):  # nothing of the first may be left in the second
        masker.prepare(masks)
        masked = masker.mask(row)
        expected = np.concatenate(
            [np.where(masks, row, background), np.where(masks, background, row)]
        ).reshape(-1, background.shape[1])
        assert masked.dtype == background.dtype
        np.testing.assert_array_equal(masked, expected)


def test_masking_leaves_numpys_buffers_as_they_were() -> None:
    """Thousands of cells at once, or casts would take many times as long from then on."""
    before = np.getbufsize()
    masker = BitMasker(np.zeros((2, 3)), 1)
    masker.prepare(np.ones((1, 1, 3), dtype=bool))
    masker.mask(np.ones(3))
    assert np.getbufsize() == before >= 1000


@settings(max_examples=200, deadline=None)
@given(
    arrays.arrays(bool, st.tuples(st.integers(1, 40), st.just(1), st.integers(1, 6))),
    st.integers(0, 26),
)
def test_each_coalition_and_its_complement_are_found_among_those_that_differ(
    masks: Array, further: int
) -> None:
    """Some players more are in half of them, so that there are up to 32."""
    masks = np.concatenate([masks, np.repeat(masks[..., :1], further, axis=2)], axis=2)
    found, sides, which = distinct(masks)

    both = np.stack([found, ~found])
    np.testing.assert_array_equal(both[sides, which], np.stack([masks, ~masks]))
    every = [tuple(mask) for mask in both[..., 0, :].reshape(-1, masks.shape[2]).tolist()]
    assert len(set(every)) == len(every)


def test_texts_are_made_of_the_pieces_that_are_there() -> None:
    masker = TextMasker(Pieces(["a ", "b ", "c"], [(0, 1), (2, 3), (4, 5)]), 2)
    masker.prepare(np.array([[[True, False, True]], [[True, True, True]]]))
    assert masker.mask(np.array(["a b c"])).tolist() == [
        *[["a c"], ["a c"], ["a b c"], ["a b c"]],
        *[["b "], ["b "], [""], [""]],
    ]


# The function

BLOCKS = [
    np.array([[1.0, np.nan], [3.0, 4.0]]),
    np.array([["", "u"], ["", "v"]], dtype=object),
    np.array([[True], [False]]),
]
INSTANCE = [np.array([[5.0, 6.0]]), np.array([["x y", "w"]], dtype=object), np.array([[True]])]


def lengths(table: CheckedBatch, tensors: Any = None) -> Array:
    """A number made of every cell, which identifies the row."""
    numbers, texts, flags = table.arrays
    said = [sum(map(ord, text + label)) for text, label in texts.tolist()]
    told: Array = (np.nan_to_num(numbers, nan=100.0).sum(axis=1) + said + 7 * flags[:, 0])[:, None]
    return told


def function_of(evaluate: Any = lengths, wide: int = 1) -> TableValueFunction:
    background, instance = CheckedBatch(2, BLOCKS), CheckedBatch(1, INSTANCE)
    return TableValueFunction(
        background,
        lengths(background),
        instance,
        lengths(instance),
        [4],
        {(1, 0): Pieces(["x ", "y"], [(0, 1), (2, 3)])},
        {},
        evaluate,
        wide,
    )


def test_players_are_columns_in_the_blocks_order_then_the_pieces_of_texts() -> None:
    function = function_of()
    assert function.players == 6
    assert function.spans == [(4, 6)]
    assert function.columns == {(0, 0): 0, (0, 1): 1, (1, 1): 2, (2, 0): 3, (1, 0): 6}


@pytest.mark.parametrize("shared", [True, False])
def test_a_coalition_is_worth_what_its_masked_rows_are_answered(shared: bool) -> None:
    function = function_of()
    masks = np.random.default_rng(0).random((5, 1 if shared else 2, 6)) < 0.5
    inside, outside = function.pairs(masks)

    assert inside.shape == outside.shape == (1, 5, 2, 1)
    assert function.evaluations == 2 * 5 * 2
    for got, chosen in ((inside, masks), (outside, ~masks)):
        wide = np.broadcast_to(chosen, (5, 2, 6))
        for number in range(5):
            for slot in range(2):
                mask = wide[number, slot]
                numbers = np.where(mask[:2], INSTANCE[0][0], BLOCKS[0][slot])
                text = "".join(p for p, there in zip(["x ", "y"], mask[4:], strict=True) if there)
                label = "w" if mask[2] else BLOCKS[1][slot, 1]
                flag = np.where(mask[3], INSTANCE[2][0], BLOCKS[2][slot])
                texts = np.array([[text, label]], dtype=object)
                row = CheckedBatch(1, [numbers[None], texts, flag[None]])
                assert got[0, number, slot] == lengths(row)[0]


WEIGHTS = np.array([[1.0, 0.5], [10.0, 0.0], [100.0, -7.0]])


def slotted(rows: int, slots: int, asked: list[Array]) -> TableValueFunction:
    """Three numbers, two instances, and so many background rows in so many slots."""
    random = np.random.default_rng(6)
    background, instances = random.normal(size=(rows, 3)), random.normal(size=(2, 3))

    def evaluate(table: CheckedBatch, tensors: Any = None) -> Array:
        asked.append(table.arrays[0].copy())
        answers: Array = table.arrays[0] @ WEIGHTS
        return answers

    tables = [CheckedBatch(len(each), [each]) for each in (background, instances)]
    start, end = (evaluate(table) for table in tables)
    starts = np.concatenate([start] * (slots // rows))
    function = TableValueFunction(tables[0], starts, tables[1], end, [0, 1], {}, {}, evaluate, 2)
    asked.clear()
    return function


@pytest.mark.parametrize(("rows", "slots"), [(1, 6), (2, 6), (3, 6), (6, 6), (1, 1)])
def test_background_rows_in_several_slots_have_coalitions_of_their_own_in_each(
    rows: int, slots: int
) -> None:
    function = slotted(rows, slots, [])
    most = function.at_once
    masks = np.random.default_rng(1).random((most, slots, 3)) < 0.5
    inside, outside = function.pairs(masks)

    cells = np.random.default_rng(6).normal(size=(rows + 2, 3))
    background, instances = cells[:rows], cells[rows:]
    wide = np.concatenate([background] * (slots // rows))
    for got, chosen in ((inside, masks), (outside, ~masks)):
        mixed = np.where(chosen, instances[:, None, None], wide)
        expected = mixed @ WEIGHTS
        assert got.shape == (2, most, slots, 2)
        np.testing.assert_allclose(got, expected, rtol=1e-12)
    assert function.evaluations == 2 * 2 * most * slots


def test_equal_rows_are_asked_for_once() -> None:
    asked: list[Array] = []
    slotted(1, 6, asked).pairs(np.random.default_rng(1).random((9, 6, 3)) < 0.5)
    for rows in asked:  # of each instance
        assert len(np.unique(rows, axis=0)) == len(rows) == 2**3


def test_many_players_are_told_apart() -> None:
    """Sixty bits have more digits than a float64."""

    def evaluate(table: CheckedBatch, tensors: Any = None) -> Array:
        answers: Array = table.arrays[0] @ np.arange(60.0)[:, None]
        return answers

    none, every = (CheckedBatch(1, [np.full((1, 60), number)]) for number in (0.0, 1.0))
    starts = np.zeros((4, 1))
    function = TableValueFunction(
        none, starts, every, evaluate(every), [0], {}, {}, evaluate, wide=1
    )
    masks = ~np.eye(60, dtype=bool)[None, 1:5]
    inside, outside = function.pairs(masks)
    assert outside.ravel().tolist() == [1.0, 2.0, 3.0, 4.0]
    assert (inside + outside == evaluate(every)).all()


def test_slots_of_the_same_row_are_asked_for_once_where_they_have_the_same_mask() -> None:
    asked: list[Array] = []
    masks = np.eye(3, dtype=bool)[:, None]
    inside, outside = slotted(2, 6, asked).pairs(masks)
    assert [len(rows) for rows in asked] == [2 * 3 * 2] * 2
    assert inside.shape == outside.shape == (2, 3, 2, 2)


def test_fewer_coalitions_are_asked_for_together_where_their_answers_are_wide() -> None:
    assert function_of().at_once == 4000
    assert function_of(wide=50_000).at_once == 10
    assert function_of(wide=10**7).at_once == 1


def test_a_masked_row_that_is_not_answered_is_named() -> None:
    def raising(table: CheckedBatch, tensors: Any) -> Array:
        raise InvalidRows([Problem(11, None, "raises")])

    function = function_of(raising)
    with pytest.raises(InvalidRows) as refused:
        function.pairs(np.ones((1, 1, 6), dtype=bool))
    assert refused.value.problems == [Problem(4, None, NOT_ANSWERED)]


@pytest.mark.parametrize("odd", [np.nan, np.inf, -np.inf])
def test_values_that_are_not_finite_name_the_row(odd: float) -> None:
    function = function_of()
    function.check(np.zeros((1, 6, 1)))
    with pytest.raises(InvalidRows) as refused:
        function.check(np.array([[[0.0], [odd]]]))
    assert refused.value.problems == [Problem(4, None, NOT_ANSWERED)]
