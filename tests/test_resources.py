"""Where configurations and recipes are found."""

from pathlib import Path

import pytest

from wavegen.errors import UserError
from wavegen.resources import resource_directory


def test_resources_of_a_wheel_come_before_what_lies_beside_it(tmp_path: Path) -> None:
    package = tmp_path / "site-packages" / "wavegen"
    (tmp_path / "site-packages" / "configs").mkdir(parents=True)
    assert resource_directory("configs", package_directory=package) == tmp_path / "site-packages" / "configs"
    (package / "_share" / "configs").mkdir(parents=True)
    assert resource_directory("configs", package_directory=package) == package / "_share" / "configs"
    with pytest.raises(UserError, match="no recipes/: expected .*_share/recipes or .*install wavegen again"):
        resource_directory("recipes", package_directory=package)


def test_a_checkout_has_its_own_configs_and_recipes():
    root = Path(__file__).resolve().parent.parent
    for name in ("configs", "recipes"):
        assert resource_directory(name) == root / name
