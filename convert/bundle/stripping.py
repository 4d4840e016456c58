"""What is left out of a bundle, since nothing loads it there; docs/how-to/packaging.md lists it.

Licences stay with everything that stays. What is left out here is found out by measurement: the
tests run every protocol, explanations and the page on a stripped bundle.
"""

from __future__ import annotations

from collections.abc import Iterable
from fnmatch import fnmatchcase
from typing import NamedTuple


class Rule(NamedTuple):
    """One kind of file that is left out."""

    patterns: tuple[str, ...]  # of paths below the bundle's root; `*` stands for slashes, too
    reason: str  # why nothing misses it

    def names(self, path: str) -> bool:
        """Whether a path is one of them."""
        return any(fnmatchcase(path, pattern) for pattern in self.patterns)


def _package(name: str) -> tuple[str, ...]:
    return f"{name}/*", f"{name}-*.dist-info/*"


LAZY = (
    "ma/*", "fft/*", "polynomial/*", "ctypeslib/*", "doc/*", "matlib.py", "_configtool.py",
    "lib/recfunctions.py", "lib/*user_array*.py", "linalg/lapack_lite.*",
)  # fmt: skip
PILLOW = tuple(f"PIL/{part}" for part in (
    "ImageCms.py", "ImageDraw*", "ImageEnhance.py", "ImageFont.py", "ImageGrab.py", "ImageMath.py",
    "ImageMorph.py", "ImageQt.py", "ImageShow.py", "ImageStat.py", "ImageText.py", "ImageTk.py",
    "ImageWin.py", "PSDraw.py", "*FontFile.py", "__main__.py", "_imagingcms.*", "_imagingft.*",
    "_imagingm*", "_imagingtk.*", "_tkinter_finder.py", "features.py", "report.py",
))  # fmt: skip
# The function takes PNG, JPEG (Mpo is several of them), WebP, GIF, BMP and TIFF.
PLUGINS = tuple(f"PIL/{part}" for part in (
    "[!BGJMPTW]*ImagePlugin.py", "B[!m]*ImagePlugin.py", "G[!i]*ImagePlugin.py", "Jpeg2K*",
    "M[!p]*ImagePlugin.py", "Mpeg*", "P[!n]*ImagePlugin.py", "Tga*", "Wmf*", "GdImageFile.py",
    "PdfParser.py", "TarIO.py", "WalImageFile.py", "_avif.*",
))  # fmt: skip
# What none of the compiled modules that stay is linked with, on either architecture.
NOT_LINKED = ("avif", "brotli", "freetype", "harfbuzz", "lcms2", "png16")
SOURCES_IN_C = ("*.pxd", "*.pyx", "*.h", "*.c", "*.a", "*/include/*")
RECORDS = ("RECORD", "WHEEL", "INSTALLER", "REQUESTED", "entry_points.txt", "top_level.txt")
RULES = (
    Rule(
        ("onnxruntime/*.py", "onnxruntime/capi/onnxruntime_pybind11_state.*"),
        "ONNX Runtime's Python package, which holds the runtime a second time: the library is "
        "called by its C interface (function/runtime)",
    ),
    Rule(
        tuple(
            f"onnxruntime/{part}/*"
            for part in ("transformers", "quantization", "tools", "datasets", "backend")
        ),
        "tools for making and changing models, sample models, and an interface of onnx",
    ),
    Rule(
        ("google/*", "protobuf-*.dist-info/*", *_package("flatbuffers"), *_package("packaging")),
        "ONNX Runtime asks for them; only its tools import them",
    ),
    Rule(
        _package("jinja2"),
        "Flask's templates: the page is one file (function/http/slim_flask.py)",
    ),
    Rule(
        _package("click"),
        "Flask's command line (function/http/slim_flask.py); on a device, the commands' own",
    ),
    Rule(
        (*_package("pycparser"), "cffi/*"),
        "a compiler of C declarations: cryptography needs cffi's one compiled module",
    ),
    Rule(
        ("flask/testing.py", "werkzeug/testapp.py"),
        "clients for tests",
    ),
    Rule(
        ("flask/cli.py", "werkzeug/serving.py", "werkzeug/debug/*", "werkzeug/_reloader.py"),
        "a development server and its commands (function/http/slim_flask.py)",
    ),
    Rule(("werkzeug/middleware/*",), "WSGI apps around others, which Werkzeug itself never uses"),
    Rule(("numpy/f2py/*",), "a compiler of Fortran"),
    Rule(
        ("numpy/_core/_simd.*", "numpy/testing/*", "numpy/_pyinstaller/*", "numpy/conftest.py"),
        "what NumPy is tested and frozen with",
    ),
    Rule(
        ("numpy/_core/_*_tests.*", "*/tests/*", "numpy/random/_examples/*"),
        "the packages' own tests and examples",
    ),
    Rule(
        tuple(f"numpy/{part}" for part in LAZY),
        "NumPy loads these when they are asked for, and nothing asks",
    ),
    Rule(PLUGINS, "Pillow's plugins for forms of files that the function does not take"),
    Rule(PILLOW, "what Pillow draws, shows and computes with"),
    Rule(
        tuple(f"pillow.libs/lib{name}*" for name in NOT_LINKED),
        "libraries of the compiled modules of these",
    ),
    Rule(
        ("*.pyi", "*/py.typed", "*/mypy_plugin.py", *SOURCES_IN_C),
        "for type checkers and compilers",
    ),
    Rule(
        tuple(f"*.dist-info/{name}" for name in RECORDS),
        "records of the installation; what is installed is in bundle.json and bom.json",
    ),
    Rule(("bin/*", "*/__pycache__/*", ".lock"), "scripts, and what installing leaves"),
)


def kept(paths: Iterable[str], needs: tuple[str, ...] = ()) -> list[str]:
    """The paths that stay, sorted: those that no rule names, but for the rule of what is needed."""
    rules = [rule for rule in RULES if rule.patterns != needs]
    return sorted(path for path in paths if not any(rule.names(path) for rule in rules))
