"""Run by an interpreter of the target's version: compiles the sources named on standard input.

Arguments are the folder that they are below, and the folder that they will be below. Prints the
path of each file that was made. Only the standard library, and nothing newer than Python 3.11.
"""

import importlib.util
import py_compile
import sys
from pathlib import Path

folder, there = Path(sys.argv[1]), sys.argv[2]
for source in sys.stdin.read().splitlines():
    made = importlib.util.cache_from_source(source, optimization="")
    py_compile.compile(
        str(folder / source),
        str(folder / made),
        f"{there}/{source}",
        doraise=True,
        invalidation_mode=py_compile.PycInvalidationMode.UNCHECKED_HASH,
    )
    print(made)
