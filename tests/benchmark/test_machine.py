import json

import torch

from wavegen.benchmark.machine import describe_machine, fastest_product, machine_peak
from wavegen.benchmark.precisions import of_torch
from wavegen.processor import features


def test_a_machine_is_described_for_json():
    described = json.loads(json.dumps(describe_machine(2)))
    assert described["threads"] == 2 and described["cores"] >= 1
    assert described["processor"] and described["versions"]["torch"]
    assert set(described["features"]) <= features() and described["compiled_for"]
    assert described["torch_capability"] == torch.backends.cpu.get_cpu_capability()


def test_the_fastest_product_comes_first_and_is_run_again():
    peak = machine_peak([16, 64], 1, repeats=1, duration_s=0.0)
    assert tuple(peak) == of_torch()
    for precision, sizes in peak.items():
        assert {m.labels["matrix_size"] for m in sizes} == {16, 64}
        assert sizes[0].median >= sizes[1].median
        again = fastest_product(peak, precision)
        assert again.labels == sizes[0].labels and again.threads == 1
        assert again.items == 2 * sizes[0].labels["matrix_size"] ** 3
