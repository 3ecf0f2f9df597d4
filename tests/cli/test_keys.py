"""Keys of a composed configuration are looked up, and a mistyped one finds those it may mean."""

import pytest
from omegaconf import OmegaConf

from wavegen.cli.keys import ABSENT, find, is_foreign, nearest

BASE = OmegaConf.create(
    {
        "text": "a",
        "seed": 0,
        "must": "???",
        "teacher": {"_target_": "wavegen.x", "channels": 64, "bias": None},
        "student": {"channels": 32},
        "trainer": {"_target_": "lightning.Trainer", "max_steps": 3},
    }
)


def test_find_tells_a_missing_key_from_a_value_of_none():
    assert find("teacher.channels", BASE) == 64
    assert find("must", BASE) is None and find("teacher.bias", BASE) is None
    assert find("teacher.none", BASE) is ABSENT and find("text.a", BASE) is ABSENT


def test_arguments_of_others_classes_are_foreign():
    assert is_foreign("trainer.max_steps", BASE)
    assert not is_foreign("teacher.channels", BASE) and not is_foreign("trainer", BASE)


@pytest.mark.parametrize(
    ("key", "meant"),
    [
        ("txt", ["text"]),
        ("channels", ["teacher.channels", "student.channels"]),
        ("channel", ["teacher.channels", "student.channels"]),
        ("studnt.channels", ["student.channels", "teacher.channels"]),
        ("corpsu", ["corpus"]),
        ("teachr", ["teacher"]),
        ("_target_", []),
        ("zzzz", []),
    ],
)
def test_the_nearest_keys_are_the_recipe_s_own(key, meant):
    assert sorted(nearest(key, BASE, ["corpus", "teacher"])) == sorted(meant)
