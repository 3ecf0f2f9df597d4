import threading

import pytest

from wavegen.engines.computed_ahead import computed_ahead


@pytest.mark.parametrize("in_thread", [False, True])
@pytest.mark.parametrize("count", [1, 5])
def test_values_come_in_order(in_thread, count):
    assert list(computed_ahead(lambda index: index**2, count, in_thread=in_thread)) == [
        index**2 for index in range(count)
    ]


def test_the_next_value_is_computed_while_one_is_in_use():
    begun = [threading.Event() for _ in range(3)]

    def compute(index):
        begun[index].set()
        return threading.current_thread()

    values = computed_ahead(compute, 3, in_thread=True)
    assert next(values) is not threading.current_thread()
    assert begun[1].wait(10) and not begun[2].is_set()
    values.close()
    assert not any(thread.name.startswith("wavegen-ahead") for thread in threading.enumerate())


def test_without_a_thread_a_value_is_computed_when_it_is_asked_for():
    computed = []
    values = computed_ahead(computed.append, 3, in_thread=False)
    next(values)
    assert computed == [0]


def test_an_error_reaches_the_caller():
    values = computed_ahead(lambda index: 1 // (1 - index), 3, in_thread=True)
    assert next(values) == 1
    with pytest.raises(ZeroDivisionError):
        next(values)
