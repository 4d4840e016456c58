"""docs/how-to/unusual.md: its request is answered as shown, its numbers are the code's."""

from __future__ import annotations

import json
import re

from onnxlet.convert.directory import unusual as built
from onnxlet.function.monitoring import compared, unusual
from tests.conftest import ROOT, Client
from tests.function.protocols.test_protocols import close

TEXT = (ROOT / "docs" / "how-to" / "unusual.md").read_text()
RAW = (ROOT / "docs" / "reference" / "benchmarks" / "unusual.md").read_text()
[PAIR] = re.findall(r"^```http\n(.*?)^```\n\n```json\n(.*?)^```", TEXT, re.M | re.S)


def test_a_request_is_answered_as_shown(client: Client) -> None:
    head, _, body = PAIR[0].partition("\n\n")
    answer = client.post(head.split()[1], body.encode())
    assert (answer.status, answer.json()) == (200, close(json.loads(PAIR[1]), 1e-5))


def test_the_numbers_in_the_text() -> None:
    assert f"of at most {built.MOST_BYTES // 1000} kB" in TEXT
    assert f"pass in {built.CHANCE:.1%} of cases".replace("%", " %") in TEXT
    assert f"come in {built.NEW:.1%} of rows".replace("%", " %") in TEXT
    assert f"from the {built.TAIL} outermost numbers" in TEXT
    assert f"more than {built.MOST_SEEN} categories" in TEXT
    assert f"a hash of {4 * unusual.HASH_DIGITS} bits" in TEXT
    assert f"at most {compared.RARE:.1%} of the training rows".replace("%", " %") in TEXT
    assert f"of at most {unusual.MOST_LISTED} columns" in TEXT
    assert unusual.MOST_USUAL == 5


def test_the_figures_are_those_of_the_raw_table() -> None:
    lines = [line.strip("| ").split(" | ") for line in RAW.splitlines() if "%" in line]
    by_kind = [[float(each.rstrip("%")) for each in column] for column in zip(*lines, strict=True)
               if column[0].endswith("%")]  # fmt: skip
    own, segment, tenth, unknown, shifted, impossible = by_kind
    assert max(own) <= 2
    assert f"| {min(own)} to {max(own)} % |" in TEXT
    assert min(segment) == 100
    for found, more in ((tenth, "; mean"), (shifted, "; mean"), (impossible, "")):
        mean = f"; mean {sum(found) / len(found):.0f} %" if more else ""
        assert f"| {min(found):.0f} to {max(found):.0f} %{mean} |" in TEXT
    assert f"| {min(unknown)} to {max(unknown):.0f} %; mean" in TEXT
