"""The report: complete, self-contained, escaped."""

import base64
import json
import re
import shutil
from html.parser import HTMLParser

import pytest

from wavegen.errors import UserError
from wavegen.report import speech_page
from wavegen.report.speech_page import write_report


class Page(HTMLParser):
    """Collects tags, sources and text."""

    def __init__(self, text: str):
        super().__init__()
        self.tags, self.sources, self.text = [], [], ""
        self.feed(text)

    def handle_starttag(self, tag, attributes):
        self.tags.append(tag)
        self.sources += [v for k, v in attributes if k in ("src", "href", "srcset", "data", "poster")]

    def handle_data(self, data):
        self.text += data


@pytest.fixture(scope="module")
def source(evaluation) -> str:
    return (evaluation.output / "report.html").read_text(encoding="utf-8")


def test_every_system_of_every_utterance_has_a_player_with_its_sound(source, evaluation):
    page = Page(source)
    sounds = [s for s in page.sources if s.startswith("data:audio/wav;base64,")]
    files = [name for u in evaluation.index["utterances"] for name in u["samples"].values()]
    assert page.tags.count("audio") == len(sounds) == len(files) == 2 * len(evaluation.index["systems"]) - 1
    assert {base64.b64decode(s.partition(",")[2]) for s in sounds} == {
        (evaluation.output / name).read_bytes() for name in files
    }


def test_nothing_is_fetched_from_anywhere(source):
    page = Page(source)
    assert all(s.startswith(("data:", "#")) for s in page.sources)
    without_data = re.sub(r"base64,[A-Za-z0-9+/=]+", "", source)
    assert "http" not in without_data and "url(" not in without_data and "@import" not in without_data
    assert "script" not in page.tags and "iframe" not in page.tags and "link" in page.tags


def test_text_of_utterances_and_config_is_escaped(source, evaluation):
    texts = [utterance["text"] for utterance in evaluation.index["utterances"]]
    page = Page(source)
    assert all(text in page.text for text in texts)
    assert "<script>alert" not in source and "&lt;script&gt;alert(1)" in source
    assert "details" in page.tags


def test_metrics_are_explained_and_shown(source, evaluation):
    text = Page(source).text
    bits = evaluation.metrics["teacher/bits_per_sample"]
    assert f"{bits:.3f}" in text and "Mel-cepstral distortion" in text and "lower is better" in text
    assert "White noise" in text and "Griffin-Lim" in text and "nan" not in text.lower().split()


@pytest.mark.parametrize(
    ("number", "text"), [(1, "on the test utterance in full"), (2, "on all 2 test utterances in full")]
)
def test_one_utterance_is_not_several(evaluation, tmp_path, number, text):
    shutil.copytree(evaluation.output, tmp_path / "copy")
    path = tmp_path / "copy" / "samples" / "index.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"num_utterances": number}))
    page = Page(write_report(tmp_path / "copy").read_text(encoding="utf-8")).text
    assert text in page and f"{number} unseen test utterance{'s' * (number > 1)} of" in page


def test_a_folder_without_an_evaluation_is_refused_and_left_alone(tmp_path, evaluation):
    with pytest.raises(UserError, match="metrics.json is missing"):
        write_report(tmp_path)
    shutil.copy(evaluation.output / "metrics.json", tmp_path / "metrics.json")
    (tmp_path / "samples").mkdir()
    (tmp_path / "samples" / "index.json").write_text("{", encoding="utf-8")
    with pytest.raises(UserError, match="index.json"):
        write_report(tmp_path)
    assert not (tmp_path / "report.html").exists()


def test_what_the_teacher_speaks_has_a_table_of_its_own(source, evaluation):
    text = Page(source).text
    assert "Teacher (the beginning)" in text and "On what the teacher speaks" in text
    assert "on 0.6 s of speech" in text
    assert f"on {evaluation.metrics['recording/measured_s']:.1f} s of speech" in text
    assert source.count('<thead><tr><th scope="col">Metric') == 2


def test_a_recording_has_what_it_is_by_definition(evaluation):
    """Zero of a distance, one of a correlation, 100 % of a share of its own."""
    table = speech_page._table(evaluation.metrics, evaluation.index["tables"][0])
    cells = {row["metric"].key: row["cells"][0] for row in table["rows"]}
    assert cells["log_spectral_distance_db"]["text"] == "0" and cells["extended_stoi"]["text"] == "1"
    assert cells["phone_accuracy_relative"]["text"] == "100"
    own = evaluation.metrics["recording/pause_level_dbfs"]
    assert cells["pause_level_dbfs"]["text"] == f"{own:.1f}".replace("-", "−")
