import pytest
import torch
from matplotlib.image import imread
from torch.distributions import Independent, Normal

from wavegen.data.context import NoContext
from wavegen.data.tables import TableSet
from wavegen.evaluation.density import table_pictures as module
from wavegen.evaluation.density.subject import Subject
from wavegen.evaluation.density.table_pictures import table_pictures


class Ones(torch.nn.Module):
    """Draws rows next to 1 in every standardised column."""

    def __init__(self, features):
        super().__init__()
        self.features = features

    def forward(self, context=None):
        return Independent(Normal(torch.ones(self.features), 1e-3), 1)


def subject(features):
    rows = torch.randn(30, features)
    offset, scale = torch.arange(float(features)), torch.full((features,), 2.0)
    columns = tuple(f"c{index}" for index in range(features))
    data = TableSet(rows, rows, rows, columns, offset.double(), scale.double(), "rows")
    return Subject(Ones(features), data, NoContext(), torch.device("cpu"))


def test_rows_and_samples_are_shown_in_their_original_units(tmp_path, monkeypatch):
    seen = {}
    whole = module.corner_plot

    def corner_plot(path, points, columns):
        seen.update(points, columns=columns)
        whole(path, points, columns)

    monkeypatch.setattr(module, "corner_plot", corner_plot)
    given = subject(2)
    table_pictures(given, given.data.test, None, tmp_path, [1.0], 20)
    assert seen["test rows"] == pytest.approx(
        (2 * given.data.test + torch.tensor([0.0, 1.0])).numpy(), abs=1e-6
    )
    assert seen["samples"].mean(0) == pytest.approx([2.0, 3.0], abs=0.01) and len(seen["samples"]) == 30
    assert seen["columns"] == ("c0", "c1")


@pytest.mark.parametrize(
    ("features", "words"), [(2, "in their original units."), (7, "The first 5 of 7 columns.")]
)
def test_the_figure_is_there_and_says_what_it_leaves_out(tmp_path, features, words):
    given = subject(features)
    (shown,) = table_pictures(given, given.data.test, None, tmp_path, [1.0], 20)
    assert shown.file == f"{tmp_path.name}/columns.png" and shown.caption.endswith(words)
    assert imread(tmp_path / "columns.png").std() > 0
