"""The classifier two-sample test: how well two sets of samples can be told apart."""

import numpy as np
import torch
from sklearn.model_selection import StratifiedKFold, cross_val_score
from sklearn.neural_network import MLPClassifier
from torch import Tensor

__all__ = ["c2st"]

FOLDS = 5


def c2st(reference: Tensor, samples: Tensor, seed: int = 0) -> float:
    """Accuracy of a small network that tells one set from the other, cross-validated: 0.5 if they are the same, to 1.

    As in Lueckmann et al. 2021, sec. A.1: two hidden layers of ten units per feature, data in the reference's scale.

    Args:
        reference: ``number x features``.
        samples: as many.
        seed: of the network and the folds.
    """
    both = torch.cat([reference, samples])
    scaled = ((both - reference.mean(0)) / reference.std(0)).double().numpy()
    labels = np.repeat([0, 1], [len(reference), len(samples)])
    units = 10 * reference.shape[1]
    network = MLPClassifier((units, units), max_iter=1000, random_state=seed)
    folds = StratifiedKFold(FOLDS, shuffle=True, random_state=seed)
    return float(cross_val_score(network, scaled, labels, cv=folds).mean())
