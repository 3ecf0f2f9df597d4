from wavegen.metrics.density_registry import DENSITY


def test_images_are_measured_in_bits_and_rows_in_nats():
    """A baseline has the unit of what it is compared with."""
    units = {metric.key: metric.unit for metric in DENSITY}
    assert units.pop("test/bits_per_dimension") == "bits per dimension"
    assert {unit for key, unit in units.items() if "nats" in key or "normal" in key} == {"nats per row"}
    assert {unit for key, unit in units.items() if "pixels" in key or "levels" in key} == {
        "bits per dimension"
    }
    assert all(metric.better == "lower" for metric in DENSITY)
