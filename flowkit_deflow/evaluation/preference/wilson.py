"""Wilson's interval of a share."""

import math

__all__ = ["wilson_interval"]

# The standard normal's quantile of 97.5 %.
Z = 1.959963984540054


def wilson_interval(hits: int, trials: int) -> tuple[float, float]:
    r"""The 95 % score interval of a probability, of which so many trials of so many were hits.

    .. math:: \frac{\hat p + z^2 / 2n \pm z \sqrt{\hat p (1 - \hat p) / n + z^2 / 4 n^2}}{1 + z^2 / n}

    Args:
        hits: number of hits.
        trials: number n of trials.

    Returns:
        The interval's ends, from 0 to 1.

    Raises:
        ValueError: there are no trials, or more hits than trials.

    References:
        E. B. Wilson, "Probable Inference, the Law of Succession, and Statistical Inference", JASA 1927.

    Examples:
        >>> low, high = wilson_interval(60, 100)
        >>> round(low, 4), round(high, 4)
        (0.502, 0.6906)
    """
    if not 0 <= hits <= trials or not trials:
        raise ValueError(f"{hits} hits of {trials} trials; expected at least one trial and no more hits than trials")
    share = hits / trials
    widening = Z**2 / trials
    middle = share + widening / 2
    half = Z * math.sqrt(share * (1 - share) / trials + widening / (4 * trials))
    # Rounding must not lead past the ends.
    return max((middle - half) / (1 + widening), 0.0), min((middle + half) / (1 + widening), 1.0)
