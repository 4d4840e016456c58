"""Write `files/` again: one known table, exported by programs that people have.

Needs LibreOffice, R, Miller, SQLite (Debian: libreoffice-calc, r-base-core, miller, sqlite3). What
they write is committed, so that tests need none of them: python -m tests.function.csv.write_files
"""

from __future__ import annotations

import csv
import shutil
import subprocess
import tempfile
from pathlib import Path

from tests.function.csv.known import FLAT, ROWS

FILES = Path(__file__).with_name("files")
LOCALE = """<?xml version="1.0" encoding="UTF-8"?>
<oor:items xmlns:oor="http://openoffice.org/2001/registry">
<item oor:path="/org.openoffice.Setup/L10N">
<prop oor:name="ooSetupSystemLocale" oor:op="fuse"><value>{}</value></prop></item>
</oor:items>
"""
SEPARATORS = {"commas": ",", "semicolons": ";", "tabs": "\t", "bars": "|"}
CHARSETS = {"utf8": 76, "cp1252": 1, "utf16": 65535}
# Text is column type 2, a date as year, month, day 5, a number 1.
COLUMNS = "1/2/2/1/3/1/4/5/5/2/6/2"
R_OF = {
    "csv": "write.csv(t, f, row.names=FALSE)",
    "csv-row-names": "write.csv(t, f)",
    "csv2": "write.csv2(t, f, row.names=FALSE)",
    "csv2-row-names": "write.csv2(t, f)",
    "csv2-cp1252": "write.csv2(t, f, row.names=FALSE, fileEncoding='windows-1252')",
    "csv2-crlf": "write.csv2(t, f, row.names=FALSE, eol='\\r\\n')",
    "table-escaped": "write.table(t, f, sep=',', row.names=FALSE)",
    "table-tabs": "write.table(t, f, sep='\\t', row.names=FALSE)",
    "table-tabs-decimal-commas": "write.table(t, f, sep='\\t', dec=',', row.names=FALSE)",
    "table-semicolons-row-names": "write.table(t, f, sep=';', dec=',', qmethod='double')",
    "table-bars": "write.table(t, f, sep='|', row.names=FALSE, qmethod='double')",
    "table-spaces": "write.table(t, f, row.names=FALSE, qmethod='double')",
}
MILLER = {
    "csv": ["--ocsv"],
    "csv-quoted": ["--ocsv", "--quote-all"],
    "semicolons": ["--ocsv", "--ofs", ";"],
    "bars-quoted": ["--ocsv", "--ofs", "|", "--quote-all"],
}
SQLITE = {
    "csv": ".mode csv",
    "semicolons": '.mode csv\n.separator ";" "\\n"',
    "bars": '.mode csv\n.separator "|" "\\r\\n"',
    "tabs": '.mode csv\n.separator "\\t" "\\n"',
}


def main() -> None:
    """Write all of them."""
    shutil.rmtree(FILES, ignore_errors=True)
    FILES.mkdir()
    with tempfile.TemporaryDirectory() as scratch:
        for known, ending in ((ROWS, ""), (FLAT, "-flat")):
            given = Path(scratch, f"known{ending}.csv")
            with given.open("w", newline="", encoding="utf-8") as file:
                csv.writer(file, quoting=csv.QUOTE_NONNUMERIC, lineterminator="\n").writerows(known)
        by_libreoffice(Path(scratch))
        by_r(Path(scratch))
        by_miller(Path(scratch, "known.csv"))
        by_sqlite(Path(scratch, "known.csv"))


def by_libreoffice(scratch: Path) -> None:
    for locale in ("en-US", "de-DE"):
        profile = scratch / locale
        (profile / "user").mkdir(parents=True)
        (profile / "user" / "registrymodifications.xcu").write_text(LOCALE.format(locale))
    read = f"Text - txt - csv (StarCalc):44,34,76,1,{COLUMNS},1033,true,true"
    _soffice(scratch, "en-US", "ods", scratch / "known.csv", f"--infilter={read}")
    for locale, language in (("en-US", 1033), ("de-DE", 1031)):
        for named, separator in SEPARATORS.items():
            for charset, number in CHARSETS.items():
                quoted = charset == "utf8" and named in ("semicolons", "commas")
                options = f"{ord(separator)},34,{number},1,,{language},{str(quoted).lower()},true"
                wanted = f"csv:Text - txt - csv (StarCalc):{options},false"
                _soffice(scratch, locale, wanted, scratch / "out" / "known.ods")
                name = f"libreoffice-{locale[:2]}-{named}-{charset}{'-quoted' * quoted}.csv"
                (scratch / "out" / "known.csv").replace(FILES / name)


def _soffice(scratch: Path, locale: str, wanted: str, file: Path, *options: str) -> None:
    profile = f"-env:UserInstallation={(scratch / locale).as_uri()}"
    command = ["soffice", profile, "--headless", *options, "--convert-to", wanted]
    subprocess.run([*command, "--outdir", scratch / "out", file], check=True, capture_output=True)


def by_r(scratch: Path) -> None:
    for name, how in R_OF.items():
        known = scratch / ("known-flat.csv" if name == "table-spaces" else "known.csv")
        read = f"t <- read.csv('{known}', check.names=FALSE, colClasses=c(Code='character'))"
        code = f"{read}; f <- '{FILES}/r-{name}.csv'; {how}"
        subprocess.run(["Rscript", "--vanilla", "-e", code], check=True)


def by_miller(known: Path) -> None:
    for name, options in MILLER.items():
        command = ["mlr", "--icsv", *options, "cat", str(known)]
        done = subprocess.run(command, check=True, capture_output=True)
        (FILES / f"miller-{name}.csv").write_bytes(done.stdout)


def by_sqlite(known: Path) -> None:
    for name, mode in SQLITE.items():
        commands = f".import --csv '{known}' t\n.headers on\n{mode}\nSELECT * FROM t;\n"
        done = subprocess.run(["sqlite3"], input=commands.encode(), check=True, capture_output=True)
        (FILES / f"sqlite-{name}.csv").write_bytes(done.stdout)


if __name__ == "__main__":
    main()
