import pytest
import torch

from wavegen.engines.torch_threads import one_torch_thread


@pytest.fixture(autouse=True)
def given_back():
    before = torch.get_num_threads()
    yield
    torch.set_num_threads(before)


@pytest.mark.parametrize("num_threads", [1, 3])
def test_torch_has_one_thread_inside_and_its_own_behind(num_threads):
    torch.set_num_threads(num_threads)
    with one_torch_thread():
        assert torch.get_num_threads() == 1
        with one_torch_thread():
            assert torch.get_num_threads() == 1
        assert torch.get_num_threads() == 1
    assert torch.get_num_threads() == num_threads


def test_a_failure_gives_the_threads_back():
    torch.set_num_threads(2)
    with pytest.raises(ZeroDivisionError), one_torch_thread():
        raise ZeroDivisionError
    assert torch.get_num_threads() == 2
