import pytest

from wavegen.benchmark.children import ask_child
from wavegen.errors import UserError


def test_a_child_that_fails_is_an_error():
    with pytest.raises(UserError, match=r"\(wavegen.no_such_module\) ended with status 1"):
        ask_child("wavegen.no_such_module", {})
