r"""
Writing a plugin
================

A package of your own can offer models and bijectors to everyone who has flowkit: they are built by name, saved and
loaded like flowkit's own, and checked by its contract. The package is a small one, and lies in the repository under
``docs/plugin_example``, to be copied and changed::

    pip install ./docs/plugin_example

It brings the sinh-arcsinh transform (Jones and Pewsey, 2009), which flowkit lacks: a smooth curve of two parameters
that takes skewed numbers with heavy tails to normal ones.
"""

# %%
# The transform
# -------------
#
# A :class:`~flowkit.transforms.Transform` is an invertible function of one number. It says how many parameters an
# element has, makes valid ones out of unbounded ones, and gives value and log-derivative both ways. Coupling,
# autoregressive and elementwise layers can then all use it.
#
# .. literalinclude:: ../plugin_example/flowkit_sinh_arcsinh/transform.py
#    :lines: 3-
#    :caption: flowkit_sinh_arcsinh/transform.py
#
# The model
# ---------
#
# Any function that returns a module will do. This one builds a :class:`~flowkit.Flow` of flowkit's parts and the new
# transform.
#
# .. literalinclude:: ../plugin_example/flowkit_sinh_arcsinh/model.py
#    :pyobject: sinh_arcsinh_flow
#    :caption: flowkit_sinh_arcsinh/model.py
#
# The plugin
# ----------
#
# A :class:`~flowkit.Plugin` names them. The bijectors are given as cases, with the shapes on which they are to be
# checked.
#
# .. literalinclude:: ../plugin_example/flowkit_sinh_arcsinh/plugin.py
#    :lines: 3-
#    :caption: flowkit_sinh_arcsinh/plugin.py
#
# One line of ``pyproject.toml`` lets flowkit find it:
#
# .. literalinclude:: ../plugin_example/pyproject.toml
#    :language: toml
#    :start-at: # The one line
#    :end-before: [tool
#    :caption: pyproject.toml
#
# Installed, it is there
# ----------------------

import flowkit

from textwrap import fill

print("plugins:", ", ".join(flowkit.plugins()))
print(fill("models: " + ", ".join(flowkit.list_models()), 80))

# %%
# It is checked like everything else
# ----------------------------------
#
# In the package's own tests, three lines make a test of every property of :doc:`the contract </explanation/contract>`:
#
# .. literalinclude:: ../plugin_example/tests/test_contract.py
#    :lines: 3-
#    :caption: tests/test_contract.py
#
# ``python -m flowkit.testing`` checks the bijectors of all installed plugins, and from Python it is
# :func:`~flowkit.testing.check_bijector`:

from flowkit.testing import check_bijector

print(
    check_bijector(
        flowkit.plugins()["sinh-arcsinh"].bijectors["sinh-arcsinh"], seeds=[0]
    )
)

# %%
# What it is good for
# -------------------
#
# Measurements of tumours, from scikit-learn: two that are skewed and have heavy tails. The plugin's model is built by
# name. Beside it stands the same flow without the transform, which is a Gaussian.

import matplotlib.pyplot as plt
import torch
from sklearn.datasets import load_breast_cancer

cancer = load_breast_cancer()
columns = [
    list(cancer.feature_names).index(name)
    for name in ("area error", "concavity error")
]
values = torch.from_numpy(cancer.data[:, columns]).float()
values = (values - values.median(0).values) / values.std(0)
order = torch.randperm(len(values))
train, test = values[order[:400]], values[order[400:]]

torch.manual_seed(0)
models = {
    "sinh-arcsinh flow": flowkit.create_model("sinh-arcsinh", features=2, layers=3),
    "Gaussian": flowkit.Flow(
        flowkit.Chain(
            [flowkit.LULinear(2), flowkit.Elementwise(flowkit.Affine(), (2,))]
        ),
        flowkit.StandardNormal(),
        event_shape=(2,),
    ),
}
for flow in models.values():
    optimizer = torch.optim.Adam(flow.parameters(), lr=0.02)
    for _ in range(400):
        loss = -flow.log_prob(train).mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()

x, y = torch.meshgrid(
    torch.linspace(-1, 4, 160), torch.linspace(-1.5, 4, 160), indexing="xy"
)
grid = torch.stack([x, y], dim=-1)
figure, axes = plt.subplots(
    1, 2, figsize=(10, 4.4), layout="constrained", sharey=True
)
for axis, (name, flow) in zip(axes, models.items(), strict=True):
    with torch.no_grad():
        log_density = flow.log_prob(
            grid
        )  # a batch of 160 x 160 points: any number of batch dimensions
        held_out = flow.log_prob(test).mean()
    axis.contourf(
        x,
        y,
        log_density,
        levels=torch.linspace(-9, 1.5, 22).tolist(),
        cmap="Blues",
        extend="both",
    )
    axis.scatter(*test.T, s=8, color="tab:red", label="held-out measurements")
    axis.set(
        xlim=(-1, 4),
        ylim=(-1.5, 4),
        xlabel="area error",
        title=f"{name}: held out {held_out:.2f} nats",
    )
axes[0].set_ylabel("concavity error")
axes[0].legend(loc="upper right")
print(
    {
        name: round(flow.log_prob(test).mean().item(), 2)
        for name, flow in models.items()
    }
)
