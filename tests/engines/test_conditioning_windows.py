import functools

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from wavegen.engines.conditioning_windows import (
    WINDOW_FRAMES,
    ConditioningWindows,
    Unsupported,
)
from wavegen.errors import UserError
from wavegen.linguistics.context import SpeechContext
from wavegen.nets.conditioning import (
    Conditioning,
    ConditioningPart,
    FrameConditioning,
    GlobalConditioning,
    GlottalPhase,
    LearnedUpsampling,
    SharedUpsampling,
)


def part_of(kind, hop):
    frames = functools.partial(
        FrameConditioning, in_channels=3, channels=4, hidden_channels=5, hop_samples=hop
    )
    return {
        "shared": lambda: frames(upsampling=SharedUpsampling),
        "learned": lambda: frames(upsampling=LearnedUpsampling),
        "phase": lambda: GlottalPhase(hop_samples=hop),
        "speaker": lambda: GlobalConditioning(num_classes=3, channels=2),
    }[kind]()


def conditioning_of(kinds, hop):
    conditioning = Conditioning([part_of(kind, hop) for kind in kinds]).requires_grad_(False)
    for parameter in conditioning.parameters():
        parameter.add_(0.3 * torch.randn_like(parameter))
    return conditioning


def context_of(batch, frames):
    return SpeechContext(
        features=torch.randn(batch, 3, frames),
        cycles=(0.4 * torch.rand(batch, frames)).cumsum(-1),
        voiced=(torch.rand(batch, frames) > 0.3).float(),
        speaker=torch.randint(3, (batch,)),
    )


def put_together(windows, context, num_samples, batch):
    """What an engine makes of the windows, ``(batch, channels, num_samples)``."""
    columns = windows.sample_columns + windows.frame_columns + windows.constant_columns
    whole = torch.zeros(batch, len(columns), num_samples)
    whole[:, windows.constant_columns] = windows.constants(context, batch)[..., None].expand(
        -1, -1, num_samples
    )
    end = 0
    for index in range(windows.num_windows(num_samples)):
        window = windows.window(context, index, num_samples, batch)
        assert window.start == end and window.stop - window.start <= windows.window_samples
        end, here = window.stop, slice(window.start, window.stop)
        whole[:, windows.sample_columns, here] = window.samples.transpose(1, 2)
        for t in range(window.start, window.stop) if windows.frame_columns else ():
            frame, phase = divmod(t - window.start, windows.hop_samples)
            neighbours = window.frames[:, frame : frame + 3]
            whole[:, windows.frame_columns, t] = torch.einsum(
                "bjc,j->bc", neighbours, windows.kernel[:, phase]
            )
    assert end == num_samples
    return whole


@settings(max_examples=40)
@given(
    kinds=st.lists(st.sampled_from(["shared", "learned", "phase", "speaker"]), min_size=1, max_size=4),
    hop=st.integers(1, 5),
    num_samples=st.integers(1, 400),
    spare_frames=st.integers(0, 3),
    batch=st.integers(1, 2),
)
def test_windows_put_together_are_the_nets_own_conditioning(kinds, hop, num_samples, spare_frames, batch):
    torch.manual_seed(num_samples)
    conditioning = conditioning_of(kinds, hop)
    context = context_of(batch, -(-num_samples // hop) + spare_frames)
    whole = put_together(ConditioningWindows(conditioning), context, num_samples, batch)
    # The phase differs in its last digits: few cycles are held more precisely than many.
    torch.testing.assert_close(whole, conditioning(context, num_samples), rtol=0, atol=3e-4)


def test_what_commutes_is_kept_at_frame_rate():
    windows = ConditioningWindows(conditioning_of(["phase", "shared", "speaker", "shared", "learned"], 4))
    assert windows.frame_columns == list(
        range(5, 9)
    )  # the first shared upsampling; a second has its own kernel
    assert windows.constant_columns == [9, 10]
    assert windows.sample_columns == [*range(5), *range(11, 19)]
    assert windows.hop_samples == 4 and windows.window_samples == 4 * WINDOW_FRAMES


def test_no_conditioning_has_windows_too():
    windows = ConditioningWindows(None)
    window = windows.window(None, 1, 3000, 2)
    assert (window.start, window.stop) == (2048, 3000) and windows.num_windows(3000) == 2
    assert window.samples.shape == (2, 952, 0) and window.frames.numel() == 0
    assert windows.constants(None, 2).shape == (2, 0)


def test_a_short_context_is_refused():
    windows = ConditioningWindows(conditioning_of(["shared"], 4))
    with pytest.raises(UserError, match=r"covers 20 samples \(5 frames\), expected at least 21"):
        windows.window(context_of(1, 5), 0, 21, 1)


class Undeclared(nn.Module):
    channels = 4

    def forward(self, context, num_samples):
        return torch.zeros(1, 4, num_samples)


class Energy(ConditioningPart):
    """A part that nobody foresaw: voicing, held for a frame. What it declares is enough."""

    rate, channels, hop_samples = "sample", 1, 4

    def forward(self, context, num_samples):
        return context["voiced"].repeat_interleave(4, -1)[:, None, :num_samples]


def test_a_part_is_known_by_what_it_declares():
    conditioning, context = Conditioning([part_of("shared", 4), Energy()]), context_of(2, 40)
    windows = ConditioningWindows(conditioning)
    assert windows.sample_columns == [windows.frame_columns[-1] + 1]
    window = windows.window(context, 0, 160, 2)
    expected = Energy()(context, 160).transpose(1, 2)
    assert torch.equal(window.samples, expected[:, : window.stop])


def test_unknown_parts_and_hops_that_differ_are_named():
    with pytest.raises(Unsupported, match=r"conditioning\.parts\.1 is a Undeclared of unknown rate"):
        ConditioningWindows(Conditioning([part_of("phase", 4), Undeclared()]))
    with pytest.raises(Unsupported, match=r"conditioning\.parts\.1 has 5 samples per frame, another .* 4"):
        ConditioningWindows(Conditioning([part_of("phase", 4), part_of("shared", 5)]))
