"""The registry of metrics of images and tables: key, title, unit, direction, and the meaning."""

from functools import partial

from wavegen.metrics.metric import Metric

per_dimension = partial(Metric, unit="bits per dimension", better="lower", digits=3)
per_row = partial(Metric, unit="nats per row", better="lower", digits=3)

DENSITY = (
    per_dimension(
        "test/bits_per_dimension",
        title="Test images",
        explanation="The cost of each value of an unseen image.",
    ),
    per_dimension(
        "test/bits_per_dimension_importance_weighted",
        title="Test images, tighter bound",
        explanation="The log-mean-exp of the same draws as importance weights.",
    ),
    per_dimension(
        "baseline/independent_pixels",
        title="Independent pixels",
        explanation="A histogram of levels for each position, from training images.",
    ),
    per_dimension(
        "baseline/equal_levels",
        title="Equally probable levels",
        explanation="log₂ of the number of levels.",
    ),
    per_row(
        "test/nats",
        title="Test rows",
        explanation="−log p of an unseen row; its columns are standardised with the training part.",
    ),
    per_row(
        "test/nats_importance_weighted",
        title="Test rows, tighter bound",
        explanation="The log-mean-exp of the same draws as importance weights.",
    ),
    per_row(
        "test/nats_original_units",
        title="Test rows, original units",
        explanation="The same without standardisation.",
    ),
    per_row(
        "baseline/one_normal",
        title="One normal distribution",
        explanation="With the training part's means and covariances.",
    ),
    per_row(
        "baseline/independent_normals",
        title="Independent normal columns",
        explanation="With the training part's means and standard deviations.",
    ),
)
