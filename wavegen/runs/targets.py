"""What a configuration that somebody was handed may call: the classes and functions that ``configs/`` names.

Hydra calls whatever a ``_target_`` names, with whatever arguments stand beside it. What was typed on the
command line is the user's own; ``config.yaml`` and ``voice.json`` of a run may be anybody's. Those may call
what stands in ``TARGETS`` and nothing else, with arguments that fit (``calls.py``). A test holds the table to
be what the files below ``configs/`` name, in settings and in comments: neither grows without the other.
"""

from collections.abc import Mapping
from typing import Any

from wavegen.errors import UserError

TARGET, PARTIAL = "_target_", "_partial_"

TARGETS = {
    "lightning": ("Trainer",),
    "torch.optim": ("Adam",),
    "wavegen.audio.pitch": ("PraatPitch", "PyinPitch"),
    "wavegen.data.images.bundled": ("digits", "photo_crops"),
    "wavegen.data.context": ("LabelContext", "NoContext"),
    "wavegen.data.speech.sources.sentences": ("EspeakCorpus",),
    "wavegen.data.images.idx": ("idx", "mnist"),
    "wavegen.data.images.folder": ("image_folder",),
    "wavegen.data.speech.sources.ljspeech": ("LjspeechCorpus",),
    "wavegen.data.plane": ("Checkerboard", "EightGaussians", "Moons", "Pinwheel", "Rings", "TwoSpirals"),
    "wavegen.data.images.published": ("cifar10", "downsampled_imagenet"),
    "wavegen.data.tables": ("table",),
    "wavegen.distributions.energies": ("TwoCrescents", "forked_wave", "split_wave", "wave"),
    "wavegen.distributions.heads": ("LogisticMixtureHead", "MuLawHead", "NormalHead"),
    "wavegen.distributions.logistic": ("Logistic",),
    "wavegen.distributions.normal": ("Normal",),
    "wavegen.flows": ("Additive", "Affine", "BoundedLogScale"),
    "wavegen.flows.dequantization": ("UniformDequantization", "VariationalDequantization"),
    "wavegen.linguistics.frontends.espeak.voice": ("EspeakVoice",),
    "wavegen.models.flows.dequantized": ("scaled_logit", "variational_noise"),
    "wavegen.models.flows.flow_plus_plus": ("flow_plus_plus", "mixture_then_affine"),
    "wavegen.models.flows.glow": ("glow", "invertible_1x1", "lu_1x1", "reverse", "shuffle"),
    "wavegen.models.flows.maf": ("iaf", "maf"),
    "wavegen.models.flows.neural_spline_flow": ("neural_spline_coupling",),
    "wavegen.models.flows.nice": ("nice_image",),
    "wavegen.models.flows.priors": ("learned_prior", "standard_prior"),
    "wavegen.models.flows.real_nvp": ("bounded_affine", "real_nvp", "real_nvp_image"),
    "wavegen.models.flows.planar_radial_sylvester": ("planar_flow", "radial_flow", "sylvester_flow"),
    "wavegen.models.speech.student": ("WaveNetStudent",),
    "wavegen.models.speech.teacher": ("WaveNetTeacher",),
    "wavegen.nets.conditioning": (
        "FrameConditioning",
        "GlottalPhase",
        "LearnedUpsampling",
        "SharedUpsampling",
    ),
    "wavegen.nets.wavenet": ("WaveNet", "dilation_cycles"),
    "wavegen.objectives.draws": ("IndependentDraws", "StratifiedDraws"),
    "wavegen.objectives.gaussian_kl": ("RegularisedGaussianKL",),
    "wavegen.objectives.monte_carlo_kl": ("MonteCarloKL",),
    "wavegen.objectives.power": ("PowerLoss",),
    "wavegen.training.plane": ("DensityObjective", "SamplesObjective"),
    "wavegen.training.schedule": ("OneCycle",),
}
ALLOWED = frozenset(f"{module}.{name}" for module, names in TARGETS.items() for name in names)
MODEL_ROOMS = ("wavegen.distributions.", "wavegen.flows.", "wavegen.nets.", "wavegen.models.")
MODEL_PARTS = frozenset(name for name in ALLOWED if name.startswith(MODEL_ROOMS))
# Arguments of classes that are not ours and may be text; text might name a place to write to.
FOREIGN_TEXTS = {"lightning.Trainer": ("accelerator", "devices", "strategy")}


def refuse_foreign_targets(
    node: Any, source: object, *, allowed: frozenset[str] = ALLOWED, advice: str = "", key: str = ""
) -> None:
    """Raises UserError unless ``node`` is plain values, and every call in it one of ``allowed``.

    Nothing is imported or called. An interpolation is refused because resolvers can make nodes, and so
    targets, out of a string; of Hydra's own keys only ``_target_`` and ``_partial_`` may occur.

    Args:
        node: any part of a configuration, of lists, mappings and scalars.
        source: its file, for the message.
        advice: what the message ends with where a target is refused.
        key: where the node stands, dotted.
    """
    place = f"{source}: {key}" if key else f"{source}"
    if isinstance(node, Mapping):
        for name in node:
            if not isinstance(name, str):
                raise UserError(f"{place} has the key {name!r}, expected text")
            if name.startswith("_") and name.endswith("_") and name not in (TARGET, PARTIAL):
                raise UserError(
                    f"{place} has the key '{name}', expected settings, {TARGET} and {PARTIAL} only"
                )
        if TARGET in node:
            target = node[TARGET]
            if not (isinstance(target, str) and target in allowed):
                raise UserError(
                    f"{place} names the target {target!r}, which is none of those that wavegen's own "
                    f"configurations name{advice}"
                )
        if PARTIAL in node and not (TARGET in node and isinstance(node[PARTIAL], bool)):
            raise UserError(f"{place}.{PARTIAL} must be true or false, beside a {TARGET}")
        for name, value in node.items():
            inner = f"{key}.{name}" if key else name
            refuse_foreign_targets(value, source, allowed=allowed, advice=advice, key=inner)
    elif isinstance(node, list):
        for index, value in enumerate(node):
            refuse_foreign_targets(value, source, allowed=allowed, advice=advice, key=f"{key}[{index}]")
    elif isinstance(node, str):
        if "${" in node:
            raise UserError(f"{place} holds the interpolation {node!r}, expected plain values")
    elif not (node is None or isinstance(node, bool | int | float)):
        raise UserError(f"{place} holds a {type(node).__name__}, expected plain values")
