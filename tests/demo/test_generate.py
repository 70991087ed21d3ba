"""The committed files are what the generator makes, byte for byte."""

import ast
import json
import subprocess
import sys
from pathlib import Path

import pytest
from pydantic import ValidationError

from shopfloor.demo.catalogue import SHOP, load_catalogue
from shopfloor.demo.chance import pick, poisson, stream
from shopfloor.demo.generate import GENERATED, make_tables, write_tables
from shopfloor.demo.params import TASTES, load_params


def test_command_reproduces_the_committed_files(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "shopfloor.demo.generate", "--out", str(tmp_path)],
        capture_output=True,
        text=True,
        timeout=120,
        check=True,
    )
    assert {p.name for p in tmp_path.iterdir()} == set(GENERATED)
    for name in GENERATED:
        assert (tmp_path / name).read_bytes() == (SHOP / name).read_bytes(), (
            f"{name}: run python -m shopfloor.demo.generate"
        )
        assert name in done.stdout


def test_another_seed_makes_another_history(tmp_path: Path) -> None:
    catalogue = load_catalogue()
    params = load_params().model_copy(update={"seed": 7, "shoppers": 60})
    write_tables(make_tables(params, catalogue), tmp_path)
    assert (tmp_path / "variants.csv").read_bytes() == (SHOP / "variants.csv").read_bytes()
    assert (tmp_path / "orders.csv").read_bytes() != (SHOP / "orders.csv").read_bytes()


def test_parameters_agree_with_the_catalogue() -> None:
    params, catalogue = load_params(), load_catalogue()
    skus = {p.sku for p in catalogue.products}
    kinds = {p.kind for p in catalogue.products}
    slots = [slot for mission in params.missions.values() for slot in mission.slots]
    named = {sku for slot in slots for sku in slot.skus}
    named |= {*params.appeal, *params.trends, *params.launches, *params.fit, *params.quality}
    named |= {sku for always in params.always_carried.values() for sku in always}
    assert named <= skus
    assert {kind for slot in slots for kind in slot.kinds} <= kinds
    assert all(slot.skus or slot.kinds for slot in slots)
    assert all(len(mission.months) == 12 for mission in params.missions.values())
    assert {m for persona in params.personas.values() for m in persona.missions} == set(params.missions)
    assert {s.city for s in catalogue.stores if s.city} <= set(params.cities)
    assert sum(p.share for p in params.personas.values()) == pytest.approx(1.0)
    assert sum(c.share for c in params.cities.values()) == pytest.approx(1.0, abs=0.02)


def test_a_misspelt_parameter_is_refused(tmp_path: Path) -> None:
    wrong = json.loads(TASTES.read_text(encoding="utf-8")) | {"shopers": 3}
    path = tmp_path / "tastes.json"
    path.write_text(json.dumps(wrong), encoding="utf-8")
    with pytest.raises(ValidationError, match="shopers"):
        load_params(path)


def test_an_exception_for_a_variant_that_is_not_there_is_refused(tmp_path: Path) -> None:
    for name in ("products.csv", "stores.csv"):
        (tmp_path / name).write_bytes((SHOP / name).read_bytes())
    (tmp_path / "source").mkdir()
    header = "sku,size,colour,available,price_difference,reason\n"
    (tmp_path / "source" / "variant_exceptions.csv").write_text(header + "SKU_JCK_01,,purple,true,1.00,wrong\n")
    with pytest.raises(ValueError, match="SKU_JCK_01"):
        load_catalogue(tmp_path)


def test_draws_follow_their_weights() -> None:
    rng = stream(1, "test")
    drawn = [pick(rng, ("a", "b", "c"), (1.0, 3.0, 0.0)) for _ in range(4000)]
    assert 0.70 < drawn.count("b") / len(drawn) < 0.80
    assert "c" not in drawn
    assert pick(rng, ("a",), (0.0,)) is None
    counts = [poisson(rng, 1.5) for _ in range(4000)]
    assert 1.4 < sum(counts) / len(counts) < 1.6


def test_only_the_demo_package_imports_the_hidden_tastes() -> None:
    """The assistant must learn what shoppers like; it may not look it up."""
    root = SHOP.parents[1]
    folders = [root / name for name in ("graph", "tools", "local_models", "shopfloor/store", "shopfloor/http")]
    for path in [p for folder in folders for p in folder.rglob("*.py")] + [root / "server.py"]:
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            names = [a.name for a in node.names] if isinstance(node, ast.Import) else []
            names += [node.module or ""] if isinstance(node, ast.ImportFrom) else []
            assert not any(n.startswith(("shopfloor.demo.params", "shopfloor.demo.taste")) for n in names), path
