"""Files of TOML that users write: read whole, or refused with the line."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path
from typing import Any

from onnxlet.convert.tables.rows_file import no_rights
from onnxlet.function.errors import WrongUse

WHERE = re.compile(r" \(at (line \d+, column \d+|end of document)\)$")


def read_toml(path: Path, option: str, example: str, where_from: str = "") -> dict[str, Any]:
    """What a file of TOML holds, whatever that is.

    Args:
        path: of the file, in UTF-8 with or without a byte order mark.
        option: that named it, such as "--columns", for messages.
        example: what to write instead of what is no TOML.
        where_from: how to come by such a file, where there is none.

    Raises:
        WrongUse: there is no such file, it may not be read, or it is no TOML; with the line.
    """
    try:
        return tomllib.loads(path.read_text("utf-8-sig"))
    except FileNotFoundError as error:
        raise WrongUse(f"{option}: there is no file '{path}'", where_from) from error
    except IsADirectoryError as error:
        raise WrongUse(f"{option}: '{path}' is a folder", "Name a file of TOML in it.") from error
    except PermissionError as error:
        raise no_rights(path, option) from error
    except UnicodeDecodeError as error:
        raise WrongUse(f"{option}: '{path}' is not in UTF-8", "Save it in UTF-8.") from error
    except (tomllib.TOMLDecodeError, RecursionError) as error:
        said = str(error)
        where = WHERE.search(said)
        place = f"'{path}', {where[1]}" if where else f"'{path}'"
        raise WrongUse(f"{option}: {place}: no TOML: {WHERE.sub('', said)}", example) from error
