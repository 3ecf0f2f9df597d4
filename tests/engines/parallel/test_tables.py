import runpy
from pathlib import Path

import numpy as np
from numba import njit

from wavegen.engines.parallel.tables import COLUMNS, FLOW, LAYER, ROWS
from wavegen.engines.vector.tiles import SHAPES

one_utterance = runpy.run_path(str(Path(__file__).with_name("one_utterance.py")))
small_student, begin = one_utterance["small_student"], one_utterance["begin"]


@njit
def _read(flows, layers, out):
    for i in range(flows.shape[0]):
        out[i, 0], out[i, 1], out[i, 2] = flows[i].first_layer, flows[i].last, layers[i].output_bias


def test_compiled_code_reads_the_records_by_name():
    flows, layers, out = np.zeros(3, FLOW), np.zeros(3, LAYER), np.zeros((3, 3), np.int64)
    flows["first_layer"], flows["last"], layers["output_bias"] = [1, 2, 3], [4, 5, 6], [7, 8, 1 << 40]
    _read(flows, layers, out)
    assert out.T.tolist() == [[1, 2, 3], [4, 5, 6], [7, 8, 1 << 40]]


def test_records_are_whole_numbers_of_eight_bytes_without_gaps():
    for record in (FLOW, LAYER):
        assert record.itemsize == 8 * len(record.names)
        assert {record[name] for name in record.names} == {np.dtype(np.int64)}


def test_a_tile_is_the_pair_of_signal_and_gate():
    assert (ROWS, COLUMNS) == SHAPES.pair


def test_a_students_tables_lead_into_its_arrays():
    packed = begin(small_student()).packed
    net = packed.net
    assert net.flows["first_layer"].tolist() == [0, 2] and net.flows["end_layer"].tolist() == [2, 4]
    assert (net.flows["lift"] < net.fine.size).all() and (net.flows["last"] < net.fine.size).all()
    assert (net.flows["read"] < net.weights.size).all() and (net.layers["output"] < net.weights.size).all()
    assert (net.layers["inputs"] < packed.inputs_size).all() and len(set(net.layers["inputs"])) == 4
    assert net.layers["dilation"].tolist() == [1, 3, 1, 3] and net.layers["past"].tolist() == [2, 6, 2, 6]
