"""The figure of a density of rows: samples and test rows, in single columns and in pairs of columns."""

from collections.abc import Sequence
from pathlib import Path

from torch import Tensor

from wavegen.data.tables import TableSet
from wavegen.evaluation.density.subject import Subject
from wavegen.report.corner_plot import corner_plot
from wavegen.report.page import Shown

MAX_COLUMNS = 5
MAX_POINTS = 1000


def table_pictures(
    subject: Subject,
    x: Tensor,
    labels: Tensor | None,
    folder: Path,
    temperatures: Sequence[float],
    num_samples: int,
) -> list[Shown]:
    """A corner plot of the first columns, in their original units."""
    data = subject.data
    assert isinstance(data, TableSet)
    drawn = subject.sample(min(MAX_POINTS, max(num_samples, len(x))), None).cpu()
    points = {
        name: (rows.double() * data.scale + data.offset).numpy()
        for name, rows in (("test rows", x[:MAX_POINTS]), ("samples", drawn))
    }
    corner_plot(folder / "columns.png", points, data.columns[:MAX_COLUMNS])
    caption = "Test rows and samples: each column alone, and each pair of columns, in their original units."
    if data.num_features > MAX_COLUMNS:
        caption += f" The first {MAX_COLUMNS} of {data.num_features} columns."
    return [Shown(f"{folder.name}/columns.png", "Samples", caption)]
