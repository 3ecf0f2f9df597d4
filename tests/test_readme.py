"""What the README and docs/python.md show in Python runs as it stands, and does what it says.

The example that speaks needs a trained voice: it is run in ``tests/recipes/test_speaking_from_python.py``.
"""

import re
from pathlib import Path

import torch

ROOT = Path(__file__).parent.parent
PAGES = {"README.md": ["flow"], "docs/python.md": ["fit", "conditional", "named", "speak"]}
EXAMPLES = {
    (page, name): code
    for page, names in PAGES.items()
    for name, code in zip(
        names,
        re.findall(r"```python\n(.*?)```", (ROOT / page).read_text(encoding="utf-8"), re.DOTALL),
        strict=True,  # an example that nothing here checks is a mistake
    )
}


def run(page: str, name: str) -> dict:
    names: dict = {}
    exec(compile(EXAMPLES[page, name], f"{page}, {name}", "exec"), names)
    return names


def test_the_readme_s_flow_gives_samples_with_their_density():
    torch.manual_seed(0)
    names = run("README.md", "flow")
    density = names["flow"]().log_prob(names["x"])
    torch.testing.assert_close(density, names["log_prob"], rtol=1e-4, atol=1e-4)
    assert density.shape == (16,) and names["x"].std() > 0


def test_the_training_loop_comes_near_the_data():
    names = run("docs/python.md", "fit")
    untrained = torch.distributions.Normal(0.0, 1.0).log_prob(names["held_out"]).sum(-1)
    gap_untrained = (names["data"].log_density(names["held_out"]) - untrained).mean()
    assert 0 < names["gap"] < 0.5 * gap_untrained
    assert names["samples"].shape == (100, 2)


def test_the_conditional_flow_follows_its_context():
    names = run("docs/python.md", "conditional")
    times = names["times"]
    expected = torch.cat([times, times.square()], dim=-1)
    assert names["samples"].shape == (500, 2, 2)
    torch.testing.assert_close(names["samples"].mean(0), expected, rtol=0, atol=0.05)


def test_the_named_model_scores_and_draws_images():
    names = run("docs/python.md", "named")
    bits, images = names["bits_per_dimension"], names["new_images"]
    assert bits.shape == (64,) and 0 < bits.mean() < 20
    assert images.shape == (16, 1, 8, 8)
    assert torch.equal(images, images.round()) and 0 <= images.min() and images.max() <= 16


def test_the_readme_links_the_page():
    assert "](docs/python.md)" in (ROOT / "README.md").read_text(encoding="utf-8")
