"""`onnxlet key`: one key, shown once; its digest where the server or the device reads it."""

from __future__ import annotations

import hashlib
import os
import stat
import sys
import threading
from pathlib import Path
from typing import Any
from zipfile import ZipFile

import pytest
from click.testing import CliRunner, Result

from onnxlet.convert.bundle.contents import choose_models
from onnxlet.convert.bundle.package import write_models
from onnxlet.edge import command_line
from onnxlet.edge.install.units import ENVIRONMENT
from onnxlet.edge.settings.device import KEYS
from onnxlet.edge.settings.environment_file import parse
from onnxlet.edge.settings.keys import PREDICTS, READS, make_key, with_kept_keys
from onnxlet.function.errors import SettingsError, WrongUse
from onnxlet.function.settings import Settings
from tests.conftest import ROOT, Client, ran, running_server, through_socket
from tests.edge.service.test_serve import CLEAN


def digest(key: str) -> bytes:
    return hashlib.sha256(key.encode()).digest()


def kept(file: Path) -> dict[str, str]:
    return parse(file.read_bytes(), file)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / KEYS


def test_the_digest_is_kept_for_the_owner_and_no_key(file: Path) -> None:
    before = os.umask(0)
    try:
        key = make_key("me", file)
    finally:
        os.umask(before)

    assert len(key) == 43
    assert kept(file) == {PREDICTS: f"me:{digest(key).hex()}"}
    assert key not in file.read_text()
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert [path.name for path in file.parent.iterdir()] == [KEYS]  # nothing half-written beside


def test_keys_come_beside_those_that_are_there(file: Path) -> None:
    keys = {name: make_key(name, file) for name in ("a", "b.c", "d-e_f")}
    reader = make_key("reader", file, READS)

    settings = with_kept_keys(file, Settings())
    assert settings.api_keys == {name: digest(key) for name, key in keys.items()}
    assert settings.reader_keys == {"reader": digest(reader)}
    assert len(file.read_text().splitlines()) == 2


def test_a_name_that_has_a_key_keeps_it_unless_it_is_replaced(file: Path) -> None:
    first, other = make_key("me", file), make_key("other", file)
    content = file.read_bytes()
    taken = r"^NAME: 'me' has a key already, in ONNXLET_API_KEYS of /"

    for variable, hint in ((PREDICTS, "--replace"), (READS, "another name")):
        with pytest.raises(WrongUse, match=taken) as refused:
            make_key("me", file, variable)
        assert hint in refused.value.hint
        assert file.read_bytes() == content
    again = make_key("me", file, replace=True)

    assert first != again
    keys = with_kept_keys(file, Settings()).api_keys
    assert keys == {"me": digest(again), "other": digest(other)}


def test_a_key_for_predictions_does_not_become_one_for_reading(file: Path) -> None:
    make_key("me", file)  # the last one: without it everybody could ask
    for replace in (False, True):
        with pytest.raises(WrongUse, match="'me' has a key already, in ONNXLET_API_KEYS of "):
            make_key("me", file, READS, replace)


def test_a_name_that_others_begin_or_end_with_is_another(file: Path) -> None:
    for name in ("me-too", "not.me", "me", "m", "e"):
        make_key(name, file)
    make_key("me", file, replace=True)
    assert set(with_kept_keys(file, Settings()).api_keys) == {"me-too", "not.me", "me", "m", "e"}


@pytest.mark.parametrize(
    "name", ["", "a b", "a\nb", "a:b", "a,b", "ä", "-a", ".a", "a" * 101, "a\n"]
)
def test_a_name_is_a_word_that_a_log_may_have(file: Path, name: str) -> None:
    with pytest.raises(WrongUse, match=r"^NAME: expected letters"):
        make_key(name, file)
    assert not file.exists()


@pytest.mark.parametrize(
    ("before", "lines"),
    [
        (ENVIRONMENT, len(ENVIRONMENT.splitlines()) + 1),
        ("ONNXLET_DEVICE_HOST=0.0.0.0", 2),  # no end of the line
        ("ONNXLET_API_KEYS=\nONNXLET_LOG=all\n", 2),
        (f"ONNXLET_API_KEYS=old:{'0' * 64}\r\nONNXLET_LOG=all\n", 2),
        (f"ONNXLET_API_KEYS=\n ONNXLET_API_KEYS = 'old:{'0' * 64}'\nONNXLET_LOG=all\n", 3),
        (f'ONNXLET_API_KEYS="old:{"0" * 64}"\n# it\'s mine\n', 3),
        (f"ONNXLET_API_KEYS=old:\\\n{'0' * 64}\n", 3),
    ],
)  # fmt: skip
def test_an_environment_file_keeps_all_else(tmp_path: Path, before: str, lines: int) -> None:
    file = tmp_path / "environment"
    file.write_bytes(before.encode())
    file.chmod(0o640)
    was = kept(file)

    key = make_key("me", file)

    now = kept(file)
    old = [was[PREDICTS]] if was.get(PREDICTS) else []
    assert now.pop(PREDICTS) == ",".join([*old, f"me:{digest(key).hex()}"])
    assert {**now, PREDICTS: ""} == {**was, PREDICTS: ""}
    assert stat.S_IMODE(file.stat().st_mode) == 0o640
    if "old" not in before or "\r" in before:
        assert len(file.read_text().splitlines()) == lines


@pytest.mark.parametrize(
    "before", ["ONNXLET_LOG='all\n", "ONNXLET_LOG=all\\", "ONNXLET_API_KEYS=x\n"]
)
def test_a_file_that_cannot_be_used_is_left_as_it_is(file: Path, before: str) -> None:
    file.write_text(before)
    with pytest.raises(SettingsError) as refused:
        make_key("me", file)
    assert str(file) in refused.value.message
    assert file.read_text() == before


def test_a_link_is_not_followed(tmp_path: Path, file: Path) -> None:
    """By root in somebody else's folder it would write wherever that leads."""
    other = tmp_path / "elsewhere"
    other.write_text("theirs\n")
    file.symlink_to(other)
    with pytest.raises(WrongUse, match="expected a file, got a link"):
        make_key("me", file)
    assert (file.is_symlink(), other.read_text()) == (True, "theirs\n")


def test_a_pipe_is_not_waited_for(file: Path) -> None:
    os.mkfifo(file)
    with pytest.raises(WrongUse, match=r"expected a file, it is no regular file"):
        make_key("me", file)


def test_a_mount_s_own_links_lead_to_keys(file: Path) -> None:
    """As Kubernetes mounts a volume: `.keys` leads to `..data`, and that to a folder beside it."""
    make_key("me", file)
    folder = file.parent / "..2026"
    folder.mkdir()
    file.rename(folder / file.name)
    (file.parent / "..data").symlink_to(folder.name)
    file.symlink_to(f"..data/{file.name}")
    assert set(with_kept_keys(file, Settings()).api_keys) == {"me"}


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root")
def test_what_root_writes_is_the_folder_s_owner_s_or_the_file_s(file: Path) -> None:
    os.chown(file.parent, 1234, 2345)
    make_key("me", file)
    assert (file.stat().st_uid, file.stat().st_gid) == (1234, 2345)
    os.chown(file, 4321, 5432)
    make_key("other", file)
    assert (file.stat().st_uid, file.stat().st_gid) == (4321, 5432)
    assert stat.S_IMODE(file.stat().st_mode) == 0o600


def test_of_keys_that_are_made_at_once_none_is_lost(file: Path) -> None:
    threads = [threading.Thread(target=make_key, args=(f"n{n}", file)) for n in range(12)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert set(with_kept_keys(file, Settings()).api_keys) == {f"n{n}" for n in range(12)}


@pytest.mark.parametrize(
    "spoil",
    ["a folder", "no file behind a link", "a link elsewhere", "a pipe", "no keys", "the same name"],
)
def test_a_server_does_not_start_open_for_a_file_that_cannot_be_read(
    file: Path, spoil: str
) -> None:
    settings = Settings(api_keys={"me": b"x" * 32})
    if spoil == "a folder":
        file.mkdir()
    elif spoil == "no file behind a link":
        file.symlink_to("nowhere")
    elif spoil == "a link elsewhere":
        make_key("you", file)
        file.rename(file.parent.parent / f"{file.parent.name}-elsewhere")
        file.symlink_to(file.parent.parent / f"{file.parent.name}-elsewhere")
    elif spoil == "a pipe":
        os.mkfifo(file)
    elif spoil == "no keys":
        file.write_text("ONNXLET_API_KEYS=secret\n")
    else:
        make_key("me", file)
    with pytest.raises(SettingsError) as refused:
        with_kept_keys(file, settings)
    assert KEYS in refused.value.message
    assert "secret" not in str(refused.value)


def called(*arguments: object) -> Result:
    return CliRunner().invoke(command_line.main, ["key", *map(str, arguments)])


def test_the_command_prints_the_key_once_and_by_itself(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "models").mkdir()
    end = called("me")

    [key] = end.stdout.splitlines()
    assert end.exit_code == 0
    assert key not in end.stderr
    assert f"ONNXLET_API_KEYS=me:{digest(key).hex()}" in end.stderr
    assert kept(tmp_path / "models" / KEYS) == {PREDICTS: f"me:{digest(key).hex()}"}
    again = called("me")
    assert (again.exit_code, again.stdout) == (2, "")
    assert called("look", "--reads").exit_code == 0
    assert set(kept(tmp_path / "models" / KEYS)) == {PREDICTS, READS}
    nowhere = called("me", "--models", "none")
    assert (nowhere.exit_code, nowhere.stdout) == (2, "")
    assert "there is no folder" in nowhere.stderr


def test_on_a_device_its_environment_file_has_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "bundle.json").touch()
    monkeypatch.setattr(command_line, "ROOT", tmp_path)
    file = tmp_path / "etc" / "onnxlet" / "environment"
    file.parent.mkdir(parents=True)
    file.write_text(ENVIRONMENT)
    end = called("me", "--root", tmp_path)

    assert kept(file) == {PREDICTS: f"me:{digest(end.stdout.strip()).hex()}"}
    assert "sudo onnxlet install" in end.stderr

    def denied(*_: Any) -> str:
        raise PermissionError(13, "Permission denied", str(file))

    monkeypatch.setattr("onnxlet.edge.settings.keys.make_key", denied)
    refused = called("me", "--root", tmp_path)
    assert refused.exit_code == 2
    assert "sudo onnxlet key" in refused.stderr


def test_a_file_that_can_t_be_written_is_named(file: Path, tmp_path: Path) -> None:
    file.mkdir()
    refused = called("me", "--models", tmp_path)
    assert refused.exit_code == 2
    assert f"error: {file}: Is a directory\n" in refused.stderr
    assert (
        "hint: Name another folder (--models DIR), or set ONNXLET_API_KEYS where" in refused.stderr
    )


def test_a_server_takes_it_when_it_starts(own: Path, tmp_path: Path) -> None:
    environ = {**CLEAN, "ONNXLET_MODELS": str(own)}
    made = ran([sys.executable, "-m", "edge", "key", "display"], cwd=ROOT, env=environ)
    assert made.returncode == 0, made.stderr
    key = made.stdout.strip()

    for workers in ("1", "2"):
        log = tmp_path / f"log {workers}"
        with running_server(own, {**CLEAN, "ONNXLET_DEVICE_WORKERS": workers}, log) as server:
            client = Client(through_socket(server.port))
            assert client.get("/models").status == 401
            assert client.get("/models", {"X-API-Key": key}).status == 200
            assert client.get("/v2/health/ready").status == 200
        written = log.read_text()
        assert key not in written
        assert '"key":"display"' in written


def test_what_packages_models_leaves_keys_where_they_are(own: Path, tmp_path: Path) -> None:
    make_key("me", own / KEYS)
    chosen = choose_models(own, ["iris"], [])
    assert [each.name for each in chosen] == ["iris"]
    write_models(chosen, tmp_path / "models.zip", 1)
    with ZipFile(tmp_path / "models.zip") as archive:
        assert archive.namelist()
        assert not [name for name in archive.namelist() if KEYS in name]


@pytest.mark.parametrize(
    "content",
    ["", "# none\n", f"export {PREDICTS}=me:{64 * 'a'}\n", f"ONNXLET_API_KEY=me:{64 * 'a'}\n",
     f"me:{64 * 'a'}\n", f"{PREDICTS}=\n", f"{PREDICTS}=me:{64 * 'a'}\nother\n",
     f"{PREDICTS}=\x01me:{64 * 'a'}\n"],
)  # fmt: skip
def test_a_file_without_a_key_leaves_no_server_open(content: str, file: Path) -> None:
    file.write_text(content)
    with pytest.raises(SettingsError, match=r"expected ONNXLET_API_KEYS|there is no key in it"):
        with_kept_keys(file, Settings.from_environ({}))


def test_the_environment_may_have_the_same_key_and_no_other_of_its_name(file: Path) -> None:
    make_key("me", file)
    environ = {PREDICTS: kept(file)[PREDICTS]}
    same = with_kept_keys(file, Settings.from_environ(environ))
    assert same == Settings.from_environ(environ)
    for others in ({PREDICTS: f"me:{64 * 'a'}"}, {READS: f"me:{64 * 'a'}"}):
        with pytest.raises(SettingsError, match="'me' has another key in the environment"):
            with_kept_keys(file, Settings.from_environ(others))
