"""One word of a command line is read, and what is wrong with it is said in one sentence."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wavegen.cli.groups import Group
from wavegen.cli.overrides import check_choice, is_none, key_of, parse_override
from wavegen.errors import UserError


@pytest.mark.parametrize(
    ("word", "key"),
    [
        ("seed=1", "seed"),
        ("+a.b=1", "a.b"),
        ("~teacher", "teacher"),
        ("optimisation@teacher_training=teacher", "optimisation@teacher_training"),
    ],
)
def test_a_word_s_key_is_without_its_sign_and_with_its_package(word, key):
    assert key_of(parse_override(word)) == key


@given(st.text(max_size=20))
def test_any_word_is_read_or_refused_in_one_sentence(value):
    try:
        override = parse_override(f"key={value}")
    except UserError as error:
        assert "key=" in str(error)
    else:
        assert key_of(override) == "key" and not override.is_sweep_override()


def test_no_choice_is_null_or_a_deletion():
    assert is_none(parse_override("student=null")) and is_none(parse_override("~student"))
    assert not is_none(parse_override("student=tiny"))


def test_a_choice_of_another_recipe_names_it(tmp_path):
    path = tmp_path / "b.yaml"
    path.write_text("# B.\n# wavegen flow experiment=b\n# wavegen gallery experiment=b\n", encoding="utf-8")
    group = Group("experiment", None, {"a": tmp_path / "a.yaml"}, {"b": path})
    check_choice(parse_override("experiment=a"), group, "distill")
    with pytest.raises(UserError, match="^experiment=b is for the recipe flow and gallery, not distill: exp"):
        check_choice(parse_override("experiment=b"), group, "distill")
    with pytest.raises(UserError, match="^experiment=c: no such choice, expected a$"):
        check_choice(parse_override("experiment=c"), group, "distill")


@pytest.mark.parametrize("value", ["{a: 1}", "[[a]]", "[{a: 1}]", "3", "true"])
def test_a_choice_that_is_not_a_name_is_refused(value, tmp_path):
    group = Group("teacher", "a", {"a": tmp_path / "a.yaml"}, {})
    with pytest.raises(UserError, match=r"^teacher=.*: no such choice, expected a$"):
        check_choice(parse_override(f"teacher={value}"), group, "distill")
