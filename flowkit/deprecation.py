"""Names that stood at ``flowkit`` in version 0.1: where they are now, or what takes their place.

Names that moved can be used where they were until version 0.3.
"""

import warnings

from flowkit import bijectors, distributions, models, nn, ops, transforms

__all__ = ["GONE", "MOVED", "find"]

MOVED = {
    "Activations": bijectors,
    "AdjointDormandPrince": bijectors,
    "BoundBijector": bijectors,
    "BoundedLogScale": transforms,
    "ChannelBijector": bijectors,
    "ChannelDistribution": distributions,
    "ChannelMixing": bijectors,
    "ContextParameters": nn,
    "Distribution": distributions,
    "DormandPrince": bijectors,
    "ExactLogDet": bijectors,
    "ExactTrace": bijectors,
    "FixedTransform": transforms,
    "HutchinsonTrace": bijectors,
    "Interval": bijectors,
    "InverseTransform": transforms,
    "LipSwish": nn,
    "LipschitzLinear": nn,
    "LipschitzMLP": nn,
    "LogDetEstimate": bijectors,
    "MixedResolution": nn,
    "Normaliser": distributions,
    "ODESolver": bijectors,
    "PowerSeriesLogDet": bijectors,
    "REAL_LINE": bijectors,
    "Recipe": models,
    "ResidualLogDet": bijectors,
    "RungeKutta4": bijectors,
    "RussianRouletteLogDet": bijectors,
    "Shape": bijectors,
    "SigmoidScale": transforms,
    "TimeMLP": nn,
    "Trace": bijectors,
    "Transform": transforms,
    "Wrapper": bijectors,
    "gaussian_log_prob": distributions,
    "nearest_conv2d": ops,
    "normal_like": distributions,
    "pick": distributions,
    "split_parameters": transforms,
    "value_and_pullback": bijectors,
}

_PLAIN_CONVOLUTION = "use torch.nn.Conv2d, whose weights have the same names and shapes"
_PLAIN_FEATURES = "pass the feature map itself, a tensor"

GONE = {
    "ConvKernel": _PLAIN_CONVOLUTION,
    "PackableConv2d": _PLAIN_CONVOLUTION,
    "PackedConvs": _PLAIN_CONVOLUTION,
    "TiledFeatures": _PLAIN_FEATURES,
    "dense_convolutions": "apply each torch.nn.Conv2d to torch.cat of the maps that it reads",
    "tile_features": _PLAIN_FEATURES,
}


def find(name: str) -> object:
    """An attribute of ``flowkit`` that is not there: that of the module which it moved to, with a warning.

    Args:
        name: the attribute.

    Returns:
        The object in its new place.

    Raises:
        AttributeError: the name was removed, or never was.

    Examples:
        >>> import flowkit
        >>> with warnings.catch_warnings(action="ignore"):
        ...     flowkit.Transform is flowkit.transforms.Transform
        True
    """
    if name in MOVED:
        home = MOVED[name]
        warnings.warn(
            f"flowkit.{name} has moved: import it from {home.__name__}. flowkit 0.3 has it there alone",
            DeprecationWarning,
            stacklevel=2,
        )
        return getattr(home, name)
    if name in GONE:
        raise AttributeError(f"flowkit.{name} was removed in version 0.2: {GONE[name]}")
    raise AttributeError(f"module 'flowkit' has no attribute {name!r}")
