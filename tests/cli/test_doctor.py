"""``shopfloor doctor``: the shape, and what it says of things that are wrong."""

import json
import socket
import sys
from pathlib import Path

import pytest

from shopfloor.cli import main
from shopfloor.cli.doctor import check_database, check_gemini, check_model, check_owner, check_port, check_runtime
from shopfloor.settings import Settings


def settings(data: Path, **changes: object) -> Settings:
    return Settings(_env_file=None, data=data, **changes)  # type: ignore[arg-type]


def test_json_has_the_promised_shape(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["doctor", "--json", "--data", str(tmp_path)])
    report = json.loads(capsys.readouterr().out)
    assert report["ok"] == (ended.value.code in {0, None})
    names = {check["name"] for check in report["checks"]}
    assert {"python", "packages", "model file", "disk", "memory", "port", "gemini key", "ollama"} <= names
    for check in report["checks"]:
        assert check.keys() == {"name", "ok", "detail", "fix"}
        assert check["ok"] or check["fix"], check


def test_keys_without_an_owners_are_warned_of(tmp_path: Path) -> None:
    (open_here,) = check_owner(settings(tmp_path))
    (warned,) = check_owner(settings(tmp_path, api_keys="one,two"))
    (fine,) = check_owner(settings(tmp_path, api_keys="one,two", owner_key="three"))
    assert (open_here.fix, fine.fix) == ("", "") and "SHOPFLOOR_OWNER_KEY" in warned.fix
    assert "every API key opens the dashboard" in warned.detail and "three" not in fine.detail


def test_a_missing_model_names_the_command(tmp_path: Path) -> None:
    (check,) = check_model(settings(tmp_path, model=tmp_path / "none.gguf"))
    assert not check.ok
    assert check.fix.startswith("shopfloor models get")


def test_a_damaged_model_is_found(tmp_path: Path) -> None:
    broken = tmp_path / "broken.gguf"
    broken.write_bytes(b"GGUF and then nothing")
    (check,) = check_model(settings(tmp_path, model=broken))
    assert not check.ok


def test_a_damaged_database_is_found(tmp_path: Path) -> None:
    (tmp_path / "state.db").write_bytes(b"not a database" * 100)
    checks = {check.name: check for check in check_database(settings(tmp_path))}
    assert not checks["state"].ok
    assert checks["catalogue"].ok


def test_a_taken_port_names_another(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        (check,) = check_port(settings(tmp_path, port=port))
    assert not check.ok
    assert str(port + 1) in check.fix


def test_the_key_is_never_shown(tmp_path: Path) -> None:
    (check,) = check_gemini(settings(tmp_path, google_api_key="sk-very-secret"))
    assert check.ok
    assert "secret" not in check.detail + check.fix


def test_a_missing_system_library_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    package = tmp_path / "xllamacpp"
    package.mkdir()
    (package / "__init__.py").write_text('raise ImportError("libgomp.so.1: cannot open shared object file")')
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.delitem(sys.modules, "xllamacpp", raising=False)
    (check,) = check_runtime(settings(tmp_path))
    assert not check.ok
    assert check.fix == "apt install libgomp1"
