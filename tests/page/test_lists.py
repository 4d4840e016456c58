"""The page of a model whose rows are nested lists."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from onnxlet.convert.imported.import_onnx import import_onnx
from tests.conftest import quiet
from tests.convert.imported import onnx_files
from tests.convert.imported.sequences import detector, encoder
from tests.page.conftest import Open, keep_screenshot, serving

pytestmark = pytest.mark.page


@pytest.fixture(scope="module")
def lists_site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    folder = tmp_path_factory.mktemp("lists")
    for name, proto in {"encoder": encoder(), "detector": detector()}.items():
        import_onnx(onnx_files.save(folder, proto), name, folder / "models", quiet)
    with serving(folder / "models", folder / "stderr") as address:
        yield address


def test_a_list_is_written_as_json_and_its_answer_listed(open_page: Open, lists_site: str) -> None:
    page = open_page(lists_site, "encoder", refused=True)  # it has no background
    fields = page.locator(".field textarea")
    assert [field.input_value() for field in fields.all()] == ["[0,0,0]", "[0,0,0]"]
    assert "lists of 1 to 512" in page.inner_text(".field .hint >> nth=0")

    fields.nth(0).fill("[3, 1, 4, 1]")
    fields.nth(1).fill("[1, 1, 1, 0]")
    page.click("button.main")
    page.wait_for_selector("#answer:not([aria-busy]) #prediction")
    assert '"ids": [3, 1, 4, 1]' in page.inner_text("#snippet")
    assert page.inner_text("#prediction") == "4 values"
    keep_screenshot(page, "lists")


def test_a_wrong_list_is_refused_in_the_servers_words(open_page: Open, lists_site: str) -> None:
    page = open_page(lists_site, "encoder", refused=True)
    fields = page.locator(".field textarea")
    fields.nth(0).fill("[3, 1")
    page.click("button.main")
    page.wait_for_selector(".hint.wrong")
    assert "Expected lists of 1 to 512 values, got text" in page.inner_text(".hint.wrong")


def test_an_image_is_one_field(open_page: Open, lists_site: str) -> None:
    page = open_page(lists_site, "detector", refused=True)
    assert page.locator(".field textarea").count() == 1
    assert "lists of 3 by 40 by 40" in page.inner_text(".field .hint >> nth=0")
    page.click("button.main")
    page.wait_for_selector("#answer:not([aria-busy]) #prediction")
    assert page.inner_text("#prediction") == "800 by 4 values"
    assert page.locator("ol.values li").count() == 2000
