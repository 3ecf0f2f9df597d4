"""A stage is trained once and then read back; what is missing of it is named."""

import pytest
import torch
from torch import nn

from wavegen.errors import UserError
from wavegen.runs.manifest import read_manifest, write_manifest
from wavegen.runs.weights import build_model, load_model, save_weights
from wavegen.training.stage import run_stage


class Stage:
    """A stage whose fit adds one to every weight, and what happened in it, in order."""

    def __init__(self, run, **options):
        self.run, self.options, self.events = run, options, []

    def build(self):
        self.events.append("build")
        return nn.Linear(2, 1)

    def fit(self, *, module, data, run, stage, seed):
        self.events.append(("fit", data, stage, seed))
        with torch.no_grad():
            for parameter in module.parameters():
                parameter.add_(1)

    def __call__(self, seed=0):
        def finish(module):
            written = (self.run / "net.safetensors").exists()
            self.events.append(("finish", written))

        return run_stage(
            "net",
            self.build,
            lambda model: model,
            lambda model: f"data for {model.in_features}",
            run=self.run,
            seed=seed,
            fit=self.fit,
            finish=finish,
            **self.options,
        )


def test_a_stage_is_built_fitted_finished_and_then_kept(tmp_path):
    stage = Stage(tmp_path)
    torch.manual_seed(99)
    model = stage(seed=3)
    assert stage.events == ["build", ("fit", "data for 2", "net", 3), ("finish", False)]
    torch.manual_seed(3)
    torch.testing.assert_close(model.weight, nn.Linear(2, 1).weight + 1)
    assert not model.training and not (tmp_path / "manifest.json").exists()


def test_a_stage_that_is_done_is_read_back(tmp_path):
    model = Stage(tmp_path)()
    again = Stage(tmp_path)
    found = again(seed=1)
    assert again.events == ["build"] and torch.equal(found.weight, model.weight) and not found.training


def test_a_stage_that_fails_is_not_done(tmp_path):
    stage = Stage(tmp_path)
    stage.fit = lambda **_: (_ for _ in ()).throw(UserError("no"))
    with pytest.raises(UserError, match="^no$"):
        stage()
    assert list(tmp_path.iterdir()) == []


def test_with_a_configuration_the_run_tells_others_how_to_build_it(tmp_path):
    config = {"_target_": "wavegen.models.flows.maf.maf", "features": 2, "hidden": [3]}
    stage = Stage(tmp_path)
    model = run_stage(
        "net",
        lambda: build_model(config, "test"),
        lambda model: model,
        lambda model: None,
        run=tmp_path,
        seed=0,
        fit=stage.fit,
        model_config=config,
        facts={"sample_rate": 8000},
    )
    manifest = read_manifest(tmp_path)
    assert manifest["models"] == {"net": config} and manifest["sample_rate"] == 8000
    for name, value in load_model(tmp_path, "net").state_dict().items():
        assert torch.equal(value, model.state_dict()[name])


def test_weights_that_the_manifest_does_not_know_are_named(tmp_path):
    write_manifest(tmp_path, {}, {})
    save_weights(tmp_path, "flow", nn.Linear(1, 1))

    def untouched(*args, **kwargs):
        raise AssertionError("nothing is made or trained where there are weights")

    with pytest.raises(UserError, match=r"manifest\.json describes no flow, but .*flow\.safetensors"):
        run_stage(
            "flow", untouched, untouched, untouched, run=tmp_path, seed=0, fit=untouched, model_config={}
        )


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_weights_that_are_no_numbers_are_not_written(tmp_path, value):
    """Of the last step: no loss follows that would show them."""

    class Broken(Stage):
        def fit(self, *, module, **options):
            super().fit(module=module, **options)
            with torch.no_grad():
                module.bias.fill_(value)

    with pytest.raises(UserError, match="the net is not written: .* NaN or infinity of bias; train again"):
        Broken(tmp_path)()
    assert list(tmp_path.iterdir()) == []
