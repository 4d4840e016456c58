"""The answers of a whole file on the page: how good they were; sorted, sifted, saved."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sklearn.metrics import accuracy_score, confusion_matrix, mean_absolute_error, r2_score

from onnxlet.convert.examples import house_prices, loan_default
from tests.page.conftest import Open, keep_screenshot, predict
from tests.page.sites import MARKUP
from tests.page.test_accessibility import violations
from tests.page.test_answers import opened
from tests.page.test_opening import BROKEN, PHONE
from tests.page.test_page import ask, until
from tests.page.test_table import answered, rows_of, text_of

pytestmark = pytest.mark.page

CELLS = "all => all.map(r => [...r.children].map(c => c.title || c.textContent))"
NUMBER = {"name": "a", "type": "float64", "nullable": True, "shape": [-1, 1]}
OUTPUT = {"name": "prediction", "type": "float64", "shape": [-1]}
SIGNATURE = {"inputs": [NUMBER], "outputs": [OUTPUT]}
MODEL = {"task": "regression", "target": "y", "signature": SIGNATURE}
LABEL = {"inputs": [NUMBER], "outputs": [{**OUTPUT, "type": "string"}]}


def held_out(example: Any, count: int) -> tuple[list[dict[str, Any]], list[Any], str]:
    """Rows, what is right of them, and the file of both."""
    _, X, y, _ = example.build()
    X, y = X.iloc[:count], y.iloc[:count]
    rows = [{k: None if v != v else v for k, v in row.items()} for row in X.to_dict("records")]
    return rows, y.tolist(), X.assign(**{y.name: y}).to_csv(index=False)


def shown(page: Any) -> list[list[str]]:
    found: list[list[str]] = page.eval_on_selector_all(".answers tbody tr", CELLS)
    return found


def made(open_page: Open, site: str, answers: list[Any], **model: Any) -> Any:
    """A page of a model that answers each row with the next of these, whatever it is asked."""
    page, _ = opened(open_page, site, MODEL | model, {"prediction": answers[:1]})
    left = iter(answers)

    def some(route: Any) -> None:
        rows = route.request.post_data_buffer.decode().splitlines()[1:]
        found = [next(left) for _ in rows]
        failed = [number for number, value in enumerate(found) if value is None]
        errors = [{"row": number, "column": "a", "detail": "no"} for number in failed]
        route.fulfill(json={"model": "made", "version": 1, "prediction": found, "errors": errors})

    page.route("**/models/made/predict?on_error=null", some)
    page.evaluate("state.limits = { rows: 10000, body_bytes: 6e6 }")
    return page


def saved(page: Any) -> list[list[str]]:
    with page.expect_download() as download:
        page.click("#save")
    return rows_of(Path(download.value.path()).read_bytes())


@pytest.mark.parametrize("size", [{}, PHONE], ids=["wide", "narrow"])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_how_good_numbers_were(open_page: Open, site: str, size: Any, scheme: str) -> None:
    rows, right, content = held_out(house_prices, 400)
    page = open_page(site, "house-prices", color_scheme=scheme, **size)
    answered(page, content)
    keep_screenshot(page, f"results-numbers-{'narrow' if size else 'wide'}-{scheme}")

    got = ask(site, "models/house-prices/predict", {"instances": rows})["prediction"]
    said = page.inner_text(".how-good").replace("\u202f", "").replace("\u2212", "-")
    built = page.evaluate("state.model.metrics")
    each = r"(\S+) \((\S+) at build\)"
    pattern = f"Mean absolute error: {each}; R²: {each}, on 400 rows with Sale_Price"
    found = re.fullmatch(pattern, said)
    assert found, said
    assert [float(each) for each in found.groups()] == pytest.approx(
        [mean_absolute_error(right, got), built["mean_absolute_error"]["model"],
         r2_score(right, got), built["r2"]["model"]], rel=2e-3)  # fmt: skip
    assert violations(page) == []
    assert page.evaluate(BROKEN) == []
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")


def test_how_good_labels_were_and_which_were_taken_for_which(open_page: Open, site: str) -> None:
    rows, right, content = held_out(loan_default, 500)
    page = open_page(site, "loan-default")
    answered(page, content)
    keep_screenshot(page, "results-labels")

    got = ask(site, "models/loan-default/predict", {"instances": rows})["prediction"]
    said = page.inner_text(".how-good").replace("\u202f", "")
    assert said.startswith(f"Accuracy: {100 * accuracy_score(right, got):.1f}% (")
    assert said.endswith(" at build), on 500 rows with Status")
    table = page.eval_on_selector_all(".confusion tr", CELLS)
    assert table[0] == ["true \\ answered", "bad", "good"]
    counts = confusion_matrix(right, got, labels=["bad", "good"]).tolist()
    assert [[int(cell) for cell in line[1:]] for line in table[1:]] == counts


def test_each_of_several_outputs_is_measured(open_page: Open, site: str) -> None:
    answers = [[1.0, 10.0], [2.0, 30.0], [4.0, 20.0]]
    page = made(open_page, site, answers, target=None, output_names=["u", "v"])
    lines = rows_of(answered(page, text_of([["a", "v", "u"], [1, 10, 1], [2, 20, 3], [3, 30, 5]])))

    assert lines[0][3:] == ["prediction u", "prediction v"]
    assert page.eval_on_selector_all(".how-good", "all => all.map(p => p.innerText)") == [
        "Mean absolute error: 0.6667; R²: 0.75, on 3 rows with u",
        "Mean absolute error: 6.667; R²: 0, on 3 rows with v",
    ]


def test_rows_without_a_number_to_compare_with(open_page: Open, site: str) -> None:
    page = made(open_page, site, [1.0, 2.0, None, 1e22])
    answered(page, text_of([["a", "y"], [1, 1.5], [2, "none"], [3, 3], [4, ""]]))
    assert page.inner_text(".how-good") == "Mean absolute error: 0.5, on 1 row with y"
    page = made(open_page, site, [1.0, 2.0])
    answered(page, text_of([["a", "z"], [1, 1.5], [2, 3]]))
    assert page.query_selector(".how-good, .confusion") is None


def test_many_labels_have_no_table(open_page: Open, site: str) -> None:
    about = {"task": "classification", "classes": ["a"], "signature": LABEL}
    labels = [f"k{number}" for number in range(11)]
    page = made(open_page, site, labels, **about)
    answered(page, text_of([["a", "y"], *[[1, label] for label in labels[:-1]], [1, "k0"]]))
    assert page.inner_text(".how-good").startswith("Accuracy: 90.9")
    assert page.query_selector(".confusion") is None


def test_rows_are_sorted_and_what_is_missing_is_last(open_page: Open, site: str) -> None:
    page = made(open_page, site, [3.0, None, 1e22, -1e-12, 20.0])
    answered(page, text_of([["a", "note"], *[[k, f"n{k}"] for k in range(5)]]))
    heads = page.eval_on_selector_all(".answers th", "all => all.map(h => h.innerText)")
    assert heads == ["row", "prediction", "problem", "a", "note"]
    assert [line[0] for line in shown(page)] == ["2", "3", "4", "5", "6"]
    assert page.inner_text("#save") == "Save the file"

    order = {"ascending": "52643", "descending": "46253", "none": "23456"}
    for kind, rows in order.items():
        page.focus(".answers th >> nth=1 >> button")
        page.keyboard.press("Enter")
        until(page, f"document.querySelectorAll('.answers th')[1].ariaSort === '{kind}'")
        assert "".join(line[0] for line in shown(page)) == rows
        assert page.evaluate("document.activeElement.innerText") == "prediction"
    assert [line[1] for line in shown(page)] == ["3", "\u2013", "1e+22", "-1e-12", "20"]
    page.click(".answers th >> nth=1 >> button")
    assert page.inner_text("#save") == "Save in this order"
    assert [line[1] for line in saved(page)] == ["note", "n3", "n0", "n4", "n2", "n1"]


def test_rows_are_sifted_and_those_that_fit_are_saved(open_page: Open, site: str) -> None:
    page = made(open_page, site, [3.0, None, 1e22, -1e-12, 20.0])
    answered(page, text_of([["a", "note"], *[[k, f"Note {k}"] for k in range(5)]]))

    def fits(rows: str, text: str, column: str = "any column") -> None:
        page.select_option(".answers select", label=column)
        page.fill("#sift", text)
        found = "[...document.querySelectorAll('.answers tbody tr')].map(r => r.cells[0].title)"
        until(page, f"{found}.join('') === '{rows}'")

    fits("46", "> 3")
    fits("246", ">=3")
    fits("5", "< 0")
    fits("56", ">2", "a")
    fits("6", "nOTE 4")
    fits("4", "2", "note")
    fits("3", "no", "problem")
    assert page.inner_text("#save") == "Save this row"
    assert saved(page) == [["a", "note", "prediction", "problem"], ["1", "Note 1", "", "a: no"]]
    fits("", "nothing")
    assert page.inner_text(".answers [role=status]") == "0 of 0 rows that fit, of 5"
    assert page.is_disabled("#save")
    fits("23456", "")
    assert page.inner_text("#save") == "Save the file"


def test_what_the_model_takes_for_no_number_stays_as_it_is_written(
    open_page: Open, site: str
) -> None:
    page = made(open_page, site, [3.5, 4.0])
    head = "a;y;id;sold;postcode;amount"
    rows = ["1.234,5;2,5;000001;16.10.2024;04109;1.000,5", "7;3;000010;01.11.2024;50667;20"]
    answered(page, "\r\n".join([head, *rows]).encode())

    assert shown(page)[0] == ["2", "3.5", "2.5", "1234.5", *rows[0].split(";")[2:]]
    assert page.inner_text(".answers td >> nth=5") == "16.10.2024"
    page.click(".answers th >> nth=6 >> button")  # a postcode is sorted as a number, none the less
    assert [line[6] for line in shown(page)] == ["04109", "50667"]
    assert page.inner_text(".answers th.number >> nth=1") == "prediction"
    page.select_option(".answers select", label="postcode")
    page.fill("#sift", "> 5000")
    until(page, "document.querySelectorAll('.answers tbody tr').length === 1")
    assert shown(page)[0][6] == "50667"


def test_a_date_that_the_model_takes_stays_as_it_is_written(open_page: Open, site: str) -> None:
    page = made(open_page, site, [1, 2])
    page.evaluate("state.model.signature.inputs.push({ name: 'sold', type: 'date' })")
    answered(page, b"a;sold\n1,5;16.10.2024\n2;01.11.2024\n")
    assert [line[-1] for line in shown(page)] == ["16.10.2024", "01.11.2024"]


def test_a_threshold_of_its_own_is_said_at_the_answer(open_page: Open, site: str) -> None:
    made_of = {"task": "classification", "classes": ["no", "yes"], "signature": LABEL}
    answer = {"prediction": ["yes"], "probabilities": [[0.572, 0.428]], "classes": ["no", "yes"]}
    about = MODEL | made_of | {"threshold": {"label": "yes", "share": 0.363}}
    page, _ = opened(open_page, site, about, answer)
    predict(page)
    assert page.inner_text("#reply .exact") == "yes is answered from 36.3\u202f% on."


def test_hostile_cells_are_text(open_page: Open, site: str) -> None:
    label = '=HYPERLINK("http://x","y")<script>window.hacked=1</script>'
    about = {"task": "classification", "classes": [label], "signature": LABEL}
    target = "\u05e9\u05dd " + MARKUP + "x" * 60
    page = made(open_page, site, [label, label], target=target, **about)
    answered(page, text_of([["a", target, MARKUP], [1, MARKUP, "\u05d0" * 500], [2, label, "\0"]]))

    assert page.evaluate("window.hacked") is None
    assert page.query_selector("main img, main script") is None
    assert shown(page)[0][1:3] == [label, MARKUP]
    assert page.inner_text(".how-good").endswith(target)
    direction = "cell => getComputedStyle(cell).direction"
    assert page.eval_on_selector(".answers td >> nth=4", direction) == "rtl"
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    assert violations(page) == []


def test_a_hundred_thousand_rows_are_sorted_and_sifted_at_once(open_page: Open, site: str) -> None:
    numbers = np.random.default_rng(0).permutation(100_000)
    page = made(open_page, site, numbers.astype(float).tolist())
    lines = rows_of(answered(page, text_of([["a"], *[[k] for k in range(100_000)]])))
    assert len(lines) == 100_001
    assert len(shown(page)) == 50
    spent = page.evaluate(
        """() => {
        const start = performance.now();
        document.querySelectorAll(".answers th button")[1].click();
        return performance.now() - start;
    }"""
    )
    assert spent < 3000  # milliseconds; some 200 where nothing else runs
    assert [line[1] for line in shown(page)] == [str(k) for k in range(50)]
    page.click("text=Show more")
    assert [line[1] for line in shown(page)] == [str(k) for k in range(100)]
    page.fill("#sift", ">= 99990")
    until(page, "document.querySelectorAll('.answers tbody tr').length === 10")
    assert page.inner_text("#save") == "Save these 10 rows"
    assert [line[1] for line in saved(page)[1:]] == [str(k) for k in range(99_990, 100_000)]
    assert page.locator("#whole *").count() < 1000
