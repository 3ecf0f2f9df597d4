import re

from wavegen.audio.world import has_world
from wavegen.report.systems import BESIDE_TEACHER, SYSTEM_COLOURS, SYSTEM_NOTES, SYSTEM_TITLES


def test_every_system_has_a_title_a_note_and_a_colour_of_its_own():
    assert SYSTEM_TITLES.keys() == SYSTEM_NOTES.keys() == SYSTEM_COLOURS.keys()
    for named in (SYSTEM_TITLES, SYSTEM_NOTES, SYSTEM_COLOURS):
        assert len(set(named.values())) == len(named)
    assert all(re.fullmatch("#[0-9a-f]{6}", colour) for colour in SYSTEM_COLOURS.values())


def test_the_systems_are_those_that_an_evaluation_speaks(evaluation):
    systems = {key.split("/")[0] for key in evaluation.metrics if key.endswith("/measured_s")}
    absent = {"source_filter"} if has_world() else {"source_filter", "world"}  # the voice has none
    assert {name.removesuffix(BESIDE_TEACHER) for name in systems} == SYSTEM_TITLES.keys() - absent
