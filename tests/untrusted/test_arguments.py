"""Arguments of a configuration are held to the annotations of what they are handed to."""

import math
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from wavegen.calls import build
from wavegen.errors import UserError
from wavegen.flows import Bijection
from wavegen.linguistics.frontends.espeak.front_end import EspeakFrontEnd
from wavegen.untrusted.arguments import LARGEST, check_calls, fits, in_words

NUMBERS = st.integers(-LARGEST, LARGEST)
REALS = st.one_of(st.integers(-1000, 1000), st.floats(-1e200, 1e200, allow_subnormal=False))
REALS = REALS.filter(lambda value: abs(value) < 1e300)
KINDS = {
    int: NUMBERS,
    float: REALS,
    bool: st.booleans(),
    str: st.text(),
    str | Path: st.text(),
    int | None: st.one_of(st.none(), NUMBERS),
    Sequence[int]: st.lists(NUMBERS),
    float | list[float]: st.one_of(REALS, st.lists(REALS)),
    tuple[int, float]: st.tuples(NUMBERS, REALS).map(list),
    Sequence[tuple[int, int, int]]: st.lists(st.tuples(NUMBERS, NUMBERS, NUMBERS).map(list)),
    Literal["cos", "linear"]: st.sampled_from(["cos", "linear"]),
}
PLAIN = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.floats(allow_subnormal=False), st.text()),
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(st.text(), inner, max_size=2)),
    max_leaves=4,
)


@given(st.data())
def test_a_value_of_an_annotations_kind_fits(data):
    hint = data.draw(st.sampled_from([*KINDS]))
    assert fits(data.draw(KINDS[hint]), hint)


@given(PLAIN)
def test_what_fits_is_what_the_annotation_says(value):
    whole = type(value) is int and abs(value) <= LARGEST
    number = type(value) in (int, float) and math.isfinite(value) and abs(value) < 1e300
    assert fits(value, int) == whole
    assert fits(value, float) == number
    assert fits(value, bool) == isinstance(value, bool)
    assert fits(value, str) == isinstance(value, str)
    assert fits(value, int | None) == (whole or value is None)
    assert fits(value, Sequence[str]) == (
        isinstance(value, list) and all(isinstance(item, str) for item in value)
    )
    assert fits(value, tuple[str, str]) == (fits(value, list[str]) and len(value) == 2)
    for hint in (nn.Module, Callable[..., nn.Module], None, EspeakFrontEnd):
        assert not fits(value, hint)


def call(target, partial=False, **arguments):
    return {"_target_": target, **({"_partial_": True} if partial else {}), **arguments}


WAVENET = call("wavegen.nets.wavenet.WaveNet", partial=True)
REVERSE = "wavegen.models.flows.glow.reverse"
STANDARD_PRIOR = "wavegen.models.flows.priors.standard_prior"


@pytest.mark.parametrize(
    "node, hint, expected",
    [
        (call("wavegen.flows.Affine"), nn.Module, True),
        (call("wavegen.flows.Affine"), nn.Module | None, True),
        (call("wavegen.flows.Affine"), Bijection, False),
        (call("wavegen.flows.Affine", partial=True), nn.Module, False),
        (call("wavegen.flows.Affine"), int, False),
        (call("wavegen.models.flows.dequantized.scaled_logit"), Bijection | None, True),
        (call("wavegen.models.flows.maf.maf"), Bijection, False),
        (WAVENET, Callable[..., nn.Module], True),
        ([WAVENET, WAVENET], Sequence[Callable[..., nn.Module]], True),
        ([WAVENET, 1], Sequence[Callable[..., nn.Module]], False),
        (WAVENET, nn.Module, False),
        (WAVENET, Callable[[int], Bijection], False),
        (call(REVERSE, partial=True), Callable[[int, int], Bijection], True),
        (
            call("wavegen.models.flows.priors.standard_prior", partial=True),
            Callable[..., Bijection | None],
            True,
        ),
        (call("wavegen.models.flows.priors.standard_prior", partial=True), Callable[..., Bijection], False),
        (call("wavegen.models.flows.dequantized.variational_noise"), Callable[[int], object], True),
        (call("wavegen.data.tables.table"), Callable[..., nn.Module], False),
        (call("wavegen.nets.wavenet.dilation_cycles"), Sequence[int], True),
        (call("wavegen.nets.wavenet.dilation_cycles"), Sequence[str], False),
        (call("wavegen.nets.wavenet.dilation_cycles"), int, False),
    ],
)
def test_a_call_fits_where_what_it_gives_does(node, hint, expected):
    assert fits(node, hint) == expected


TRAINER = "lightning.Trainer"
FRONT_END = "wavegen.linguistics.frontends.espeak.front_end.EspeakFrontEnd"
ESPEAK = "wavegen.data.speech.sources.sentences.SpokenSentences"


@pytest.mark.parametrize(
    "node, reason",
    [
        (call("wavegen.audio.pitch.PraatPitch", min_hz="60"), "a.b.min_hz is '60', expected a number"),
        (call("wavegen.audio.pitch.PraatPitch", min_hz=True), "a.b.min_hz is True, expected a number"),
        (call("wavegen.audio.pitch.PraatPitch", min_hz=float("nan")), "a.b.min_hz is nan, expected a number"),
        (call("wavegen.audio.pitch.PraatPitch", low=1), "a.b has the argument 'low', which wavegen.audio"),
        (call("wavegen.flows.Additive", anything=1), "a.b has the argument 'anything', which"),
        (call("wavegen.flows.Additive", args=[1]), "a.b has the argument 'args', which"),
        (call("wavegen.nets.wavenet.dilation_cycles", num_layers=3), "a.b has no 'cycle_length', which"),
        (call("wavegen.flows.BoundedLogScale", bound=[1]), "a.b.bound is [1], expected a number"),
        (
            call("wavegen.models.flows.maf.maf", features=2, hidden=[64, "x"]),
            "expected a list (a whole number up to",
        ),
        (call("wavegen.models.flows.maf.maf", features=2**16 + 1), "expected a whole number up to 65536"),
        (
            call("wavegen.models.flows.maf.maf", features=2, transform=3),
            "a.b.transform is 3, expected an object of Module",
        ),
        (
            call(ESPEAK, front_end={"voice": "en-us"}),
            "a.b.front_end is a mapping, expected an object of FrontEnd",
        ),
        (call(ESPEAK, front_end=call("wavegen.flows.Affine")), "a.b.front_end is a wavegen.flows.Affine"),
        (
            call(ESPEAK, front_end=call(FRONT_END), sentences=["x"]),
            "a.b.sentences is ['x'], expected text or null",
        ),
        (call("wavegen.data.tables.table", path=3), "a.b.path is 3, expected text"),
        (call("torch.optim.Adam", partial=True, lr="0.1"), "a.b.lr is '0.1', expected a number"),
        (call("torch.optim.Adam", partial=True, params=[1]), "a.b.params is [1], expected"),
        (call(TRAINER, partial=True, default_root_dir="/tmp/x"), "a.b.default_root_dir is '/tmp/x'"),
        (call(TRAINER, partial=True, profiler="pytorch"), "a.b.profiler is 'pytorch', expected"),
        (call(TRAINER, partial=True, model_registry="name"), "a.b.model_registry is 'name', expected null"),
        (call(TRAINER, partial=True, logger="x"), "a.b.logger is 'x', expected"),
        (call(TRAINER, partial=True, callbacks=[call("wavegen.flows.Affine")]), "a.b.callbacks is ["),
        (call(TRAINER, partial=True, plugins=call("wavegen.flows.Affine")), "a.b.plugins is a wavegen.flows"),
        (
            call(TRAINER, partial=True, strategy=call("wavegen.flows.Affine")),
            "a.b.strategy is a wavegen.flows",
        ),
        (call(TRAINER, partial=True, max_time={"days": 1}), "a.b.max_time is a mapping"),
        (call(TRAINER, partial=True, enable_dark_mode=True), "a.b has the argument 'enable_dark_mode'"),
    ],
)
def test_arguments_that_do_not_fit_are_named(node, reason):
    with pytest.raises(UserError) as caught:
        check_calls({"a": {"b": node}}, "config.yaml")
    assert str(caught.value).startswith("config.yaml: ") and reason in str(caught.value)
    with pytest.raises(UserError, match=r"config.yaml: \[1\]\.c"):
        check_calls([0, {"c": node}], "config.yaml")


def test_a_trainer_takes_numbers_and_switches():
    arguments = {
        "accelerator": "cpu",
        "strategy": "ddp",
        "devices": "auto",
        "num_nodes": 1,
        "precision": "64",
    }
    check_calls(call(TRAINER, partial=True, deterministic=True, **arguments), "config.yaml")
    check_calls(call(TRAINER, partial=True, devices=[0, 1]), "config.yaml")


@pytest.mark.parametrize("hint", [*KINDS, Callable[..., nn.Module], nn.Module | None])
def test_every_annotation_has_words(hint):
    assert not {"typing", "class", "<", "~", "NoneType"} & set(in_words(hint).split())


def test_what_a_constructor_tells_the_user_is_not_wrapped():
    with pytest.raises(UserError, match="the espeak voice '../x' is not a valid name"):
        build(call("wavegen.linguistics.frontends.espeak.front_end.EspeakFrontEnd", voice="../x"))


PARTS = """
from collections.abc import Sequence
from typing import Any, List

class Part:
    def __init__(self, *, free=0, whatever: Any = 0, bare: list = (), pair: tuple = (), old: List = (),
                 rows: Sequence[list] = (), names: dict[str, str] = (), maybe: dict | None = None,
                 empty: list | None = None, fine: list[int] | None = None):
        pass

class Undefined:
    def __init__(self, x: "Nowhere"):
        pass
"""


@pytest.fixture
def parts(tmp_path, monkeypatch):
    (tmp_path / "parts_to_annotate.py").write_text(PARTS)
    monkeypatch.syspath_prepend(tmp_path)
    return "parts_to_annotate"


@pytest.mark.parametrize(
    ("name", "value", "reason"),
    [
        ("free", 0, "does not annotate its argument 'free': expected int, float, bool, str, list[int], …"),
        (
            "whatever",
            0,
            "annotates its argument 'whatever' as Any, expected int, float, bool, str, list[int], …",
        ),
        ("bare", [1], "annotates its argument 'bare' as list, expected the type of its entries too, such as"),
        (
            "pair",
            [1],
            "annotates its argument 'pair' as tuple, expected the type of its entries too, such as",
        ),
        ("old", [1], "annotates its argument 'old' as typing.List, expected the type of its entries too"),
        ("rows", [[1]], "annotates its argument 'rows' as collections.abc.Sequence[list], expected the type"),
        (
            "names",
            {"a": "b"},
            "annotates its argument 'names' as dict[str, str], but mappings cannot be stored",
        ),
        ("maybe", {"a": "b"}, "annotates its argument 'maybe' as dict | None, but mappings cannot be stored"),
        ("empty", [], "annotates its argument 'empty' as list | None, expected the type of its entries too"),
    ],
)
def test_an_annotation_that_says_too_little_is_explained(parts, name, value, reason):
    with pytest.raises(UserError) as caught:
        check_calls(call(f"{parts}.Part", **{name: value}), "flow_model")
    assert str(caught.value).startswith(f"flow_model: {parts}.Part {reason}")
    assert "object of" not in str(caught.value)


def test_an_annotation_of_which_a_part_fits_is_enough(parts):
    check_calls(call(f"{parts}.Part", maybe=None, empty=None, fine=[1]), "flow_model")
    with pytest.raises(
        UserError, match=r"^flow_model: fine is \['x'\], expected a list \(a whole number each\)"
    ):
        check_calls(call(f"{parts}.Part", fine=["x"]), "flow_model")


def test_an_annotation_that_names_nothing_is_named(parts):
    with pytest.raises(UserError, match=f"annotation of {parts}.Undefined cannot be read: name 'Nowhere' is"):
        check_calls(call(f"{parts}.Undefined", x=1), "flow_model")


@pytest.mark.parametrize("name", ["Nope", "Part.nope"])
def test_a_target_that_is_not_there_is_named(parts, name):
    with pytest.raises(UserError, match=f"flow_model: x names {parts}.{name}, which cannot be imported: "):
        check_calls(call(f"{parts}.Part", x=call(f"{parts}.{name}")), "flow_model")
