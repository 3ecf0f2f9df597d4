import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wavegen.data.speech.names import file_names, printable

PLAIN = [
    "LJ001-0001",
    "utt 1",
    "schön_01",
    "a.b-c",
    "x" * 120,
    "中文",
    "550e8400-e29b-41d4-a716-446655440000",
]
ODD = [
    "x" * 121,
    "é" * 61,
    "a/b",
    "..",
    ".",
    ".hidden",
    "a.",
    "a ",
    " a",
    "a\x00b",
    "a\x1b[2J",
    "CON:",
    "a\\b",
    "",
]
ODD += ["a\u2028b", "a\u202eb", "a?", "x~0123456789ab"]


@pytest.mark.parametrize("name", PLAIN)
def test_plain_names_stay(name):
    assert file_names([name]) == {name: name}


@pytest.mark.parametrize("name", ODD)
def test_other_names_get_plain_ones(name):
    [plain] = file_names([name]).values()
    assert plain != name and plain.isascii() and plain.isprintable() and len(plain) <= 73
    assert not set(plain) & set('/\\:*?"<>|. ')
    assert file_names([plain]) != {plain: plain}  # so that nobody else can have it


def test_names_that_some_file_system_takes_for_one_are_told_apart():
    names = ["Utt", "utt", "UTT-2", "é", "e\u0301", "straße", "STRASSE"]
    found = file_names(names)
    assert found["UTT-2"] == "UTT-2"
    assert len({name.casefold() for name in found.values()}) == len(names)
    assert [name for name in names if found[name] == name] == ["UTT-2"]


@given(st.lists(st.text(max_size=200) | st.sampled_from(PLAIN + ODD), unique=True, max_size=20))
def test_no_two_names_become_one_in_any_order(names):
    found = file_names(names)
    assert found == file_names(names[::-1])
    folded = {unicodedata.normalize("NFC", name).casefold() for name in found.values()}
    assert list(found) == names and len(folded) == len(names)
    for name in found.values():
        assert name.isprintable() and 0 < len(name.encode()) <= 120 and "/" not in name
        assert name not in (".", "..") and "\0" not in name
    assert {**found, **file_names(found.values())}.keys() >= set(names)


@given(st.text(max_size=3000))
def test_what_is_printed_can_be_printed(text):
    shown = printable(text, most=100)
    assert shown.isprintable() and (len(text) > 100 or len(shown) >= len(text))
    assert not text.isprintable() or len(text) > 100 or shown == text


def test_escape_sequences_are_spelled_out():
    assert printable("a\x1b[2J\n\u202e") == r"a\x1b[2J\n\u202e"
