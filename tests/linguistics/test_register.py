import json
import math

import numpy as np
import pytest

from wavegen.errors import UserError
from wavegen.linguistics.register import VoiceRegister

REGISTER = VoiceRegister(5.3, 0.2, 0.1, 4.6, 0.1, 0.08)


def test_log_f0_is_shifted_and_scaled():
    np.testing.assert_allclose(REGISTER.map_log_f0(np.array([4.6, 4.7, 4.4])), [5.3, 5.5, 4.9])
    assert REGISTER.duration_ratio == pytest.approx(1.25)


def test_without_the_spoken_values_it_is_the_identity():
    register = VoiceRegister(5.3, 0.2)
    np.testing.assert_array_equal(register.map_log_f0(np.array([4.0, 5.0])), [4.0, 5.0])
    assert register.duration_ratio == 1


def test_dictionaries_go_there_and_back():
    assert VoiceRegister.from_dict(json.loads(json.dumps(REGISTER.to_dict()))) == REGISTER


@pytest.mark.parametrize(
    "data",
    [{}, {"log_f0_mean": 5.0}, {**REGISTER.to_dict(), "more": 1}, {**REGISTER.to_dict(), "log_f0_std": None}]
    + [{**REGISTER.to_dict(), "log_f0_mean": math.inf}, {**REGISTER.to_dict(), "log_f0_mean": "high"}, []],
)
def test_malformed_dictionaries_are_refused(data):
    with pytest.raises(UserError, match="malformed voice register"):
        VoiceRegister.from_dict(data)
