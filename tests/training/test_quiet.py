import logging

import pytest
import torch

from wavegen.training.quiet import one_thread, quiet_lightning


def test_torch_has_one_thread_in_the_block_and_its_own_behind_it():
    before = torch.get_num_threads()
    torch.set_num_threads(3)
    try:
        with one_thread():
            assert torch.get_num_threads() == 1
        assert torch.get_num_threads() == 3
        with pytest.raises(ZeroDivisionError), one_thread():
            raise ZeroDivisionError
        assert torch.get_num_threads() == 3
    finally:
        torch.set_num_threads(before)


def test_lightning_warns_but_does_not_inform_in_the_block():
    logger = logging.getLogger("lightning.pytorch")
    before = logger.level
    with pytest.raises(ZeroDivisionError), quiet_lightning():
        assert not logger.isEnabledFor(logging.INFO) and logger.isEnabledFor(logging.WARNING)
        raise ZeroDivisionError
    assert logger.level == before
