"""espeak's names of phones become those of the inventory."""

import pytest

from wavegen.linguistics.frontends.espeak.phones import normalise_phone


@pytest.mark.parametrize(
    ("espeak_name", "phone"),
    [("_:", "_"), ("_", "_"), ("I2", "ɪ"), ("t#", "ɾ"), ("o@", "ɔːɹ"), ("?", "ʔ"), ("E7", "ɛ"), ("Q^", "?")],
)
def test_names_of_espeak(espeak_name, phone):
    assert normalise_phone(espeak_name) == phone


@pytest.mark.parametrize("marker", ["", ";", "(en-us)"])
def test_markers_are_no_phones(marker):
    assert normalise_phone(marker) is None
