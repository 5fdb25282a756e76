"""The classifier two-sample test: how well two sets of samples can be told apart."""

import warnings

import numpy as np
import torch
from sklearn.exceptions import ConvergenceWarning
from sklearn.model_selection import StratifiedKFold, cross_val_score
from sklearn.neural_network import MLPClassifier
from torch import Tensor

__all__ = ["c2st"]

FOLDS, PASSES = 5, 200


def c2st(reference: Tensor, samples: Tensor, seed: int = 0) -> float:
    """Accuracy of a small network that tells one set from the other, cross-validated: 0.5 if they are the same, to 1.

    As in Lueckmann et al. 2021, sec. A.1: two hidden layers of ten units per feature, data in the reference's scale.
    Here they are trained for 200 passes at most, not 1000, after which they only learn by heart.

    Args:
        reference: ``number x features``.
        samples: as many.
        seed: of the network and the folds.
    """
    both = torch.cat([reference, samples])
    scaled = ((both - reference.mean(0)) / reference.std(0)).double().numpy()
    labels = np.repeat([0, 1], [len(reference), len(samples)])
    units = 10 * reference.shape[1]
    network = MLPClassifier((units, units), max_iter=PASSES, random_state=seed)
    folds = StratifiedKFold(FOLDS, shuffle=True, random_state=seed)
    with warnings.catch_warnings():
        # That it has not converged after so many passes is known.
        warnings.simplefilter("ignore", ConvergenceWarning)
        return float(cross_val_score(network, scaled, labels, cv=folds).mean())
