"""Examples to build, and to copy: docs/gallery.md shows each of them.

An example is a module with one of two functions, and perhaps a third:

- `build()` returns (estimator, X_test, y_test, X_train), as `convert build` takes it;
- `model(folder)` returns what `import_onnx` takes of an ONNX file beside its name (`path`, and
  perhaps `sample`, `expected`, `shapes`), and may write to the folder. What it fetches comes by a
  package's own tool, of a version and a hash that are written down;
- `scores(answer, …)` returns the scores that a manifest has not, by name: the model's and a
  baseline's. `answer` takes rows and returns what an endpoint answers; behind it come X_test and
  y_test of `build`.

Of a `build`, KEEP_BACKGROUND is how many training rows explanations start from, where columns go
together too closely for made-up rows; SENSITIVE names columns whose groups a report compares.
"""
