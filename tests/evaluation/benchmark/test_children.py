import pytest

from wavegen.errors import UserError
from wavegen.evaluation.benchmark.children import ask_child


def test_a_child_that_fails_is_an_error():
    with pytest.raises(UserError, match=r"\(wavegen.no_such_module\) ended with status 1"):
        ask_child("wavegen.no_such_module", {})
