"""`onnxlet.js`: the models in Node, and in a page of one's own."""

from __future__ import annotations

import gzip
import json
import re
import shutil
from pathlib import Path
from typing import Any

import pytest

from tests.browser.conftest import Launch, until
from tests.browser.releases import MODELS, files_of, members, release_of
from tests.browser.servers import web_server
from tests.conftest import ROOT, Client, ran

pytestmark = pytest.mark.browser

# Both run it: what comes of it is printed, or shown.
PROGRAM = """
import { load, Refused } from "%s";
const found = {};
const rent = await load("models/rent");
found.about = [rent.name, rent.version, rent.rows > 0, rent.signature.inputs.length];
found.rent = await rent.predict([{ area: 50, floor: 2 }, [70, 1]]);
try { await rent.predict([{ area: "big" }]); } catch (error) {
  found.refused = [error instanceof Refused, error.status, error.problem];
}
try { await load("models/gone"); } catch (error) { found.gone = error.message; }
const reviews = await load("reviews");
found.reviews = await reviews.predict([{ review: "superb 电影 and good" }]);
"""


def holds(found: Any, native: Client) -> None:
    """What the function itself answers."""
    rows = {"instances": [{"area": 50, "floor": 2}, [70, 1]]}
    texts = {"instances": [{"review": "superb 电影 and good"}]}
    assert found["about"][:3] == ["rent", 1, True]
    assert found["rent"] == native.post("/models/rent/predict", rows).json()
    expected = native.post("/models/reviews/predict", texts).json()
    assert found["reviews"]["prediction"] == expected["prediction"]
    wrong = native.post("/models/rent/predict", {"instances": [{"area": "big"}]}).json()
    assert found["refused"] == [True, 422, wrong]
    assert {each["column"] for each in wrong["errors"]} == {"area", "floor"}
    assert found["gone"] == f"no model 'gone': there are {', '.join(MODELS)}"


def test_in_node(first: Path, native: Client, tmp_path: Path) -> None:
    program = tmp_path / "program.mjs"
    at = (first / "onnxlet.js").as_uri()
    program.write_text(PROGRAM % at + "console.log(JSON.stringify(found));")
    done = ran(["node", program])
    assert done.returncode == 0, done.stderr[-500:]
    holds(json.loads(done.stdout), native)


def test_in_node_an_altered_file_is_refused(first: Path, tmp_path: Path) -> None:
    shutil.copytree(first, tmp_path / "site")
    [model] = (tmp_path / "site" / "files").glob("rent-*")
    model.write_bytes(model.read_bytes()[:-1] + b"?")
    program = tmp_path / "program.mjs"
    program.write_text(PROGRAM % (tmp_path / "site" / "onnxlet.js").as_uri())
    done = ran(["node", program])
    assert done.returncode == 1
    assert f"files/{model.name} was altered" in done.stderr


def test_in_a_page_of_another_folder(
    launch: Launch, first: Path, native: Client, tmp_path: Path
) -> None:
    root = tmp_path / "root"
    shutil.copytree(first, root / "models")
    (root / "app").mkdir()
    script = PROGRAM % "../models/onnxlet.js" + "window.found = found;"
    page_text = f'<!doctype html><title>app</title><script type="module">{script}</script>'
    (root / "app" / "index.html").write_text(page_text)
    complaints: list[str] = []
    with web_server(root) as server:
        page = launch().new_page()
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.goto(f"{server.address}app/")
        until(page, lambda: complaints or page.evaluate("window.found"), lambda: "found")
        assert complaints == []
        holds(page.evaluate("window.found"), native)
        # Nobody's other pages are answered by a worker for it.
        assert page.evaluate("navigator.serviceWorker.controller") is None


TYPED = """
import { load, Refused } from "./onnxlet.js";
const churn = await load("models/churn");
const answer = await churn.predict([{ plan: "basic", months: 3 }]);
const label: string = answer.prediction[0];
const share: number = answer.probabilities[0][0];
try { await churn.predict([["basic", 3]]); } catch (error) {
  if (error instanceof Refused) console.log(error.status, error.problem.errors?.[0].row);
  console.log(label, share);
}
// @ts-expect-error there is no such model
await load("gone");
// @ts-expect-error there is no such type
await churn.predict([{ plan: 3, months: "three" }]);
"""


def test_types_are_those_of_the_models(first: Path, tmp_path: Path) -> None:
    text = (first / "onnxlet.d.ts").read_text()
    models = text[: text.index("export interface Model<")]
    assert re.findall(r'^  "(\w+)": \{ row: ', models, re.M) == MODELS
    assert '"rent": { row: { "area": number; "floor": number; }; answer: ' in models
    churn = next(line for line in models.splitlines() if '"churn"' in line)
    assert '"plan": string | null; "months": number; ' in churn
    assert '"prediction": string[]; "probabilities": number[][]; ' in churn
    compiler = ROOT / "node_modules" / ".bin" / "tsc"
    if not compiler.exists():  # nothing of ours needs it
        return
    for name in ("onnxlet.d.ts", "onnxlet.js"):
        shutil.copyfile(first / name, tmp_path / name)
    (tmp_path / "program.ts").write_text(TYPED)
    flags = ["--noEmit", "--strict", "--module", "esnext", "--target", "esnext"]
    done = ran([compiler, *flags, "program.ts"], cwd=tmp_path)
    assert done.returncode == 0, done.stdout


def test_a_release_of_the_same_has_the_same_bytes(first: Path, second: Path) -> None:
    """The second was packaged anew; only one model of it, and what names that, is another."""
    one, other = files_of(first), files_of(second)
    differing = {path for path in one.keys() | other.keys() if one.get(path) != other.get(path)}
    names = {re.sub(r"-[0-9a-f]{16}", "", path) for path in differing}
    assert names - {"licences/bom.json"} == {  # which names the models' graphs
        "files/rent-1.tar.pack", "files/rent-2.tar.pack", "files/release.js", "onnxlet.js",
        "service-worker.js",
    }  # fmt: skip
    assert len(one) > 30


def test_the_function_in_it_is_the_files_of_the_checkout(first: Path) -> None:
    files = files_of(first)
    packed = files[release_of(files)["packed"]["function.tar"]["path"]]
    found = members(gzip.decompress(packed))
    sources = {
        path for path in found if path.startswith("onnxlet/function/") and path[-3:] == ".py"
    }
    assert len(sources) > 60
    for path in sources:
        assert found[path] == (ROOT / path.removeprefix("onnxlet/")).read_bytes(), path
