"""The list of faults that tests have to notice."""

from __future__ import annotations

from tests.conftest import ROOT
from tools.mutations.__main__ import mended, mutations


def test_each_fault_has_its_text_and_its_tests_where_the_list_says() -> None:
    listed = mutations()
    assert len(listed) > 60
    assert len({fault.name for fault in listed}) == len(listed)
    assert [mended(fault, ROOT) for fault in listed] == listed
