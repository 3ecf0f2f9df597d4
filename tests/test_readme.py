"""What the README shows in Python runs as it stands."""

import re
from pathlib import Path

import pytest
import torch

README = Path(__file__).parent.parent / "README.md"
EXAMPLES = re.findall(r"```python\n(.*?)```", README.read_text(encoding="utf-8"), re.DOTALL)


@pytest.mark.parametrize("code", EXAMPLES)
def test_an_example_runs(code):
    torch.manual_seed(0)
    names = {}
    exec(compile(code, str(README), "exec"), names)
    density = names["flow"]().log_prob(names["x"])
    torch.testing.assert_close(density, names["log_prob"], rtol=1e-4, atol=1e-4)
    assert density.shape == (16,) and names["x"].std() > 0
