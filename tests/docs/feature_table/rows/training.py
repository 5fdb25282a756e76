"""Memory, and what torch offers to modules: on a RealNVP of each library, on a CPU."""

from tests.docs.feature_table.cells import Blank, Row, fails, lacks, partly, ran, read

__all__ = ["ROWS"]

COMPILED = (
    "torch.compiler.reset()\n"
    "compiled = torch.compile(log_prob, fullgraph=True, backend='eager')\n"
    "torch.testing.assert_close(compiled(x), log_prob(x))"
)
EXPORTED = (
    "class Density(nn.Module):\n"
    "    def __init__(self):\n"
    "        super().__init__()\n"
    "        self.model = {model}\n"
    "    def forward(self, x):\n"
    "        return log_prob(x)\n"
    "program = torch.export.export(Density(), (x,), dynamic_shapes=({{0: torch.export.Dim('batch')}},), strict=False)\n"
    "torch.testing.assert_close(program.module()(x[:5]), log_prob(x[:5]))"
)
MAPPED = "torch.testing.assert_close(torch.func.vmap(lambda one: log_prob(one[None])[0])(x), log_prob(x))"
HALF = (
    "density = log_prob(x)\n"
    "{model}.bfloat16()\n"
    "half = log_prob(x.bfloat16())\n"
    "assert half.dtype == torch.float32\n"
    "torch.testing.assert_close(half, density, rtol=0.05, atol=0.05)"
)
RECOMPUTES = "recompute|reversible_?(train|back)|invertible_?(check|func)"
BOUND = "log_prob = flow().log_prob\n"

ROWS = (
    Row(
        "training without stored activations, by inverting in the backward pass",
        ran("flowkit.use_activations(flow, flowkit.Reversible())\nflow.log_prob(x).sum().backward()"),
        lacks(RECOMPUTES),
        lacks(RECOMPUTES),
        lacks(RECOMPUTES),
        lacks(RECOMPUTES),
        lacks(RECOMPUTES),
        lacks(RECOMPUTES, "bijectors"),
    ),
    Row(
        "training with activations recomputed, layer by layer",
        ran("flowkit.use_activations(flow, flowkit.Checkpointed())\nflow.log_prob(x).sum().backward()"),
        lacks("checkpoint|memory_?eff"),
        partly(ran("nf.flows.residual.MemoryEfficientLogDetEstimator"), "the log-determinant of residual flows"),
        partly(ran("zuko.utils.AdaptiveCheckpointAdjoint"), "continuous flows, by the adjoint equation"),
        lacks("checkpoint|memory_?eff"),
        lacks("checkpoint|memory_?eff"),
        lacks("checkpoint|memory_?eff", "bijectors"),
    ),
    Row(
        "a start from data that all processes of DDP share",
        read("flowkit/bijectors/actnorm.py", "Of a ``DistributedDataParallel`` module every process calls this"),
        *[lacks("distributed_?data|rank_?0|from_rank")] * 4,
        Blank(),
        Blank(),
    ),
    Row(
        "compiled as one graph (`torch.compile`, `jax.jit`, `tf.function`)",
        ran(COMPILED),
        ran(COMPILED),
        ran(COMPILED),
        partly(ran(BOUND + COMPILED), "the distribution that a context gives; giving it breaks the graph"),
        ran(COMPILED),
        read("flowjax/train/losses.py", "@eqx.filter_jit"),
        read("distrax/_src/bijectors/bijector.py", "class Bijector(jittable.Jittable"),
    ),
    Row(
        "mapped over samples (`torch.func.vmap`, `jax.vmap`)",
        ran(MAPPED),
        ran(MAPPED),
        fails(MAPPED, "doesn't match the broadcast shape"),
        ran(MAPPED),
        ran(MAPPED),
        read("flowjax/bijections/jax_transforms.py", "class Vmap"),
        read("distrax/_src/utils/jittable.py", "`jax.vmap`"),
    ),
    Row(
        "exported for batches of any size (`torch.export`)",
        ran(EXPORTED.format(model="flow")),
        ran(EXPORTED.format(model="flow"), since="2.8"),
        fails(EXPORTED.format(model="flow"), "Constraints violated"),
        ran(EXPORTED.format(model="flow")),
        ran(EXPORTED.format(model="inn"), since="2.8"),
        Blank(),
        Blank(),
    ),
    Row(
        "weights in bfloat16, densities in float32",
        ran(HALF.format(model="flow")),
        fails(HALF.format(model="flow"), "AssertionError"),
        fails(HALF.format(model="flow"), "AssertionError"),
        fails(HALF.format(model="flow"), "AssertionError"),
        fails(HALF.format(model="inn"), "AssertionError"),
        Blank(),
        Blank(),
    ),
)
