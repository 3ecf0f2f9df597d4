"""YAML from anywhere: read as OmegaConf reads it, or refused in one sentence that names file and line."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from omegaconf import OmegaConf

from wavegen.errors import UserError
from wavegen.untrusted.plain_yaml import LARGEST_BYTES, read_plain_yaml

SCALARS = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(allow_nan=False, allow_subnormal=False),
    st.text(max_size=8),
)
SCALARS = SCALARS.filter(lambda value: not (isinstance(value, str) and ("$" in value or value == "???")))
KEYS = st.text("abcdefgh_", min_size=1, max_size=5)
SETTINGS = st.dictionaries(
    KEYS,
    st.recursive(
        SCALARS, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=3)
    ),
)


@given(SETTINGS)
def test_what_a_run_writes_is_read_back(tmp_path_factory, settings):
    path = tmp_path_factory.mktemp("run") / "config.yaml"
    text = OmegaConf.to_yaml(OmegaConf.create(settings))
    path.write_text(text, encoding="utf-8", newline="")
    there = OmegaConf.to_container(OmegaConf.load(path), resolve=False)
    assert read_plain_yaml(path) == there
    assert list(read_plain_yaml(path)) == list(settings)


def test_numbers_are_those_of_omegaconf(tmp_path):
    path = tmp_path / "config.yaml"
    path.write_text("a: 1e-3\nb: 2.0e-3\nc: 32-true\nd: 1_000\ne: .inf\nf: 0o17\ng: 2020-01-01\nh: ${a}\n")
    assert read_plain_yaml(path) == OmegaConf.to_container(OmegaConf.load(path), resolve=False)
    assert read_plain_yaml(path)["a"] == 0.001


def laughs(depth):
    lines = ["a0: &a0 [lol, lol, lol, lol, lol, lol, lol, lol, lol]"]
    lines += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]" for n in range(1, depth)]
    return "\n".join(lines)


@pytest.mark.parametrize(
    "content, reason",
    [
        ("a: !!binary aGVsbG8=", "line 1: expected plain values, got the tag tag:yaml.org,2002:binary"),
        (
            "x: 1\na: !!python/object/apply:os.system [touch x]",
            "line 2: .*got the tag .*python/object/apply:os",
        ),
        ("a: !!python/object/apply:pathlib.PosixPath [a, b]", "got the tag .*pathlib.PosixPath"),
        ("a: !!python/name:os.system ''", "got the tag"),
        ("a: !!set {x, y}", "got the tag"),
        ("a: !!str 3", "got the tag"),
        ("a: ! 3", "got the tag !"),
        ("a: [{b: !own {c: 1}}]", "got the tag !own"),
        ("%TAG ! tag:yaml.org,2002:\n---\na: !binary eA==", "got the tag"),
        ("? !!binary eA==\n: 1", "got the tag"),
        ("!!map {a: 1}", "got the tag"),
        ("a: &x 1\nb: *x", r"line 2: expected plain values, got the alias \*x"),
        (laughs(9), "got the alias"),
        # OmegaConf reads a text as YAML once more, where tags and aliases would come to life.
        ("'a: !!binary eA=='", "contains no settings"),
        ("|\n  a: !!python/object/apply:pathlib.Path [x]\n", "contains no settings"),
        ("[1, 2]", "contains no settings, expected a mapping"),
        ("3", "contains no settings"),
        ("a: 1\n---\nb: 2", "cannot be read as YAML"),
        ("a: 1\na: 2", "cannot be read as YAML"),
        ("a: [", "cannot be read as YAML"),
        ("a: " + "[" * 100_000, "nested too deeply, expected at most 50 levels"),
        ("a: " + "{b: " * 60 + "1" + "}" * 60, "nested too deeply, expected at most 50 levels"),
        ("a: " + "9" * 5000, "cannot be read as YAML"),
        ("#" * (LARGEST_BYTES + 1), f"larger than {LARGEST_BYTES} bytes"),
        (b"a: \xff\xfe", "cannot be read as YAML"),
        ("a: \0", "cannot be read as YAML"),
        (None, "cannot be read as YAML"),
    ],
)
def test_anything_else_is_named(tmp_path, content, reason):
    path = tmp_path / "config.yaml"
    if content is not None:
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
    with pytest.raises(UserError, match=f"^{path}.*{reason}") as caught:
        read_plain_yaml(path)
    assert "\n" not in str(caught.value)


def test_an_empty_file_is_no_settings(tmp_path):
    (tmp_path / "config.yaml").write_text("# nothing\n")
    assert read_plain_yaml(tmp_path / "config.yaml") == {}
