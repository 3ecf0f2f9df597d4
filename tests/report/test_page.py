"""Pages stand alone: files are embedded byte by byte, text is escaped, what is missing is named."""

import base64
import re

import jinja2
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from wavegen.errors import UserError
from wavegen.report.page import Shown, counted, data_uri, number, read_json, render

TEMPLATE = "density_page.html.jinja"


def values(**changed):
    empty = dict(findings=[], figures=[], rows=[], curves=None, setup={}, config=None)
    return {"title": "a title", "subtitle": "a subtitle", **empty, **changed}


@pytest.mark.parametrize(("suffix", "kind"), [(".wav", "audio/wav"), (".png", "image/png")])
@given(content=st.binary(max_size=200))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=30)
def test_a_data_uri_decodes_to_the_files_bytes(tmp_path, suffix, kind, content):
    path = tmp_path / f"file{suffix}"
    path.write_bytes(content)
    head, _, encoded = data_uri(path).partition(",")
    assert head == f"data:{kind};base64"
    assert base64.b64decode(encoded, validate=True) == content


def test_files_below_the_folder_are_embedded_and_nothing_is_fetched(tmp_path):
    (tmp_path / "figures").mkdir()
    (tmp_path / "figures" / "one.png").write_bytes(b"\x89PNG one")
    (tmp_path / "curves.png").write_bytes(b"\x89PNG curves")
    shown = Shown("figures/one.png", "One", "A caption.")
    page = render(TEMPLATE, tmp_path, **values(figures=[shown], curves="curves.png"))
    embedded = re.findall(r'src="data:image/png;base64,([^"]*)"', page)
    assert [base64.b64decode(content) for content in embedded] == [b"\x89PNG one", b"\x89PNG curves"]
    assert "<h2>One</h2>" in page and "<p>A caption.</p>" in page
    links = re.findall(r'(?:src|href)="([^"]*)"', page)
    assert all(link.startswith(("data:", "#")) for link in links), links
    assert not re.search(r"https?:|url\(|@import|<script", page)


def test_text_is_escaped(tmp_path):
    page = render(TEMPLATE, tmp_path, **values(title="<b>&", setup={"<i>": "<script>alert(1)</script>"}))
    assert "&lt;b&gt;&amp;" in page and "&lt;script&gt;alert(1)" in page and "<dt>&lt;i&gt;</dt>" in page
    assert "<b>" not in page and "<script" not in page


def test_a_value_that_a_template_asks_for_and_nobody_gives_is_an_error(tmp_path):
    given = values()
    del given["subtitle"]
    with pytest.raises(jinja2.UndefinedError, match="subtitle"):
        render(TEMPLATE, tmp_path, **given)


def test_numbers_have_a_true_minus_sign():
    assert number(-1.256, 2) == "−1.26"
    assert number(3.0, 1) == "3.0"
    assert number(-12.0, 0) == "−12"


def test_an_object_is_read_as_it_was_written(tmp_path):
    (tmp_path / "metrics.json").write_text('{"a": 1.5, "ü": null}', encoding="utf-8")
    assert read_json(tmp_path / "metrics.json") == {"a": 1.5, "ü": None}


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"[1]", "must contain a JSON object, got list"),
        (b"3", "must contain a JSON object, got int"),
        (b"{", "cannot be read as JSON"),
        (b"\xff\xfe", "cannot be read as JSON"),
        (b"[" * 100_000, "cannot be read as JSON"),
    ],
)
def test_what_is_no_object_is_named(tmp_path, content, said):
    (tmp_path / "metrics.json").write_bytes(content)
    with pytest.raises(UserError, match=f"^report: .*metrics.json {said}"):
        read_json(tmp_path / "metrics.json")


def test_a_missing_file_and_a_folder_are_named(tmp_path):
    with pytest.raises(UserError, match="metrics.json is missing: run `wavegen evaluate`"):
        read_json(tmp_path / "metrics.json")
    with pytest.raises(UserError, match="cannot be read as JSON"):
        read_json(tmp_path)


@pytest.mark.parametrize(
    ("number", "text"), [(0, "0 threads"), (1, "1 thread"), (2, "2 threads"), (2000, "2,000 threads")]
)
def test_one_thing_is_not_several(number, text):
    assert counted(number, "thread") == text
