"""The order of callbacks is asserted: whatever is put into the list, wherever it stands."""

import lightning
import pytest
from lightning.pytorch.callbacks import ModelCheckpoint

from wavegen.training.averaging import PolyakAverage
from wavegen.training.callback_order import check_order
from wavegen.training.selection import BestOnDev
from wavegen.training.stop import StopOnSignal


class Early(lightning.Callback):
    before = (PolyakAverage,)


class Late(lightning.Callback):
    behind = (PolyakAverage, ModelCheckpoint)


def test_order_and_absence_are_accepted():
    average = PolyakAverage(0.5)
    check_order([Early(), average, Late()])
    check_order([Late(), Early()])
    check_order([])


@pytest.mark.parametrize("wrong", [Early, BestOnDev])
def test_what_must_come_before_the_average_is_refused_behind_it(wrong):
    with pytest.raises(RuntimeError, match=f"{wrong.__name__} must come before PolyakAverage"):
        check_order([PolyakAverage(0.5), wrong.__new__(wrong)])


@pytest.mark.parametrize("wrong", [Late, StopOnSignal])
def test_what_must_come_behind_the_average_is_refused_before_it(wrong):
    with pytest.raises(RuntimeError, match=f"{wrong.__name__} must come after PolyakAverage"):
        check_order([wrong.__new__(wrong), PolyakAverage(0.5)])
