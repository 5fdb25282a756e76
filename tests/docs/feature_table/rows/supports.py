"""Flows over data that do not fill a vector space."""

from tests.docs.feature_table.cells import Row, lacks, partly, ran, read

__all__ = ["ROWS"]

TFB = "tensorflow_probability/python/bijectors"
BY_TORCH = "by a transform of torch"
SPHERE = "sphere|moebius|mobius"
BLOCKS = "concat|blockwise|joint"

ROWS = (
    Row(
        "positive numbers and boxes",
        ran("flowkit.nsf(2, support=fb.Box(-1.0, 3.0)).log_prob(torch.rand(8, 2))"),
        partly(ran("nt.InverseTransform(nt.Sigmoid())(torch.rand(8, 2))"), "numbers between 0 and 1"),
        partly(ran("nf.transforms.Logit()"), "numbers between 0 and 1"),
        partly(ran("onto(torch.distributions.ExpTransform())().log_prob(x.exp())"), BY_TORCH),
        partly(ran("Fm.InvertibleSigmoid([(2,)])"), "numbers between 0 and 1"),
        read("flowjax/bijections/sigmoid.py", "class Sigmoid"),
        read(f"{TFB}/sigmoid.py", "class Sigmoid"),
    ),
    Row(
        "ordered vectors",
        ran("flowkit.nsf(3, support=fb.Ordered()).log_prob(torch.rand(8, 3).cumsum(-1))"),
        lacks("order(ed|ing)|ascending"),
        lacks("order(ed|ing)|ascending"),
        lacks("ordered|ascending"),
        lacks("order(ed|ing)|ascending"),
        lacks("order(ed|ing)|ascending"),
        read(f"{TFB}/ascending.py", "class Ascending"),
    ),
    Row(
        "the simplex",
        ran("flowkit.nsf(3, support=fb.StickBreaking()).log_prob(torch.rand(8, 3).softmax(-1))"),
        lacks("simplex|stick|softmax"),
        lacks("simplex|stick|softmax"),
        partly(
            ran(
                "simplex = torch.distributions.StickBreakingTransform()\n"
                "torch.distributions.TransformedDistribution(flow(), simplex).log_prob(torch.rand(8, 3).softmax(-1))"
            ),
            BY_TORCH,
        ),
        lacks("simplex|stick|softmax"),
        lacks("simplex|stick|softmax"),
        read(f"{TFB}/iterated_sigmoid_centered.py", "class IteratedSigmoidCentered"),
    ),
    Row(
        "correlation matrices",
        ran("fb.CorrelationCholesky().inverse(torch.randn(8, 3))"),
        lacks("correlation|corr_?chol"),
        lacks("correlation|corr_?chol"),
        partly(
            ran(
                "factors = torch.distributions.CorrCholeskyTransform()\n"
                "torch.distributions.TransformedDistribution(zuko.flows.MAF(3)(), factors).log_prob(torch.eye(3))"
            ),
            BY_TORCH,
        ),
        lacks("correlation|corr_?chol"),
        lacks("correlation|corr_?chol"),
        read(f"{TFB}/correlation_cholesky.py", "class CorrelationCholesky"),
    ),
    Row(
        "circles and tori",
        ran("flowkit.ncsf(2).log_prob(x.clamp(-3, 3))"),
        lacks("circ|period|torus"),
        ran("nf.flows.CircularCoupledRationalQuadraticSpline(2, 1, 8, [0, 1])"),
        ran("zuko.flows.NCSF(2)().log_prob(x.clamp(-3, 3))"),
        lacks("circ|period|torus"),
        lacks("circ|period|torus"),
        partly(read("distrax/_src/bijectors/rational_quadratic_spline.py", "'circular'"), "splines, no whole flow"),
    ),
    Row(
        "spheres: recursive, Moebius, exponential map",
        ran(
            "directions = nn.functional.normalize(torch.randn(8, 3), dim=-1)\n"
            "flowkit.spherical_nsf(3).log_prob(directions)\n"
            "fb.Moebius(3)(directions)\n"
            "fb.ExponentialMap(3)(directions)"
        ),
        lacks(SPHERE),
        lacks(SPHERE),
        lacks(SPHERE),
        lacks(SPHERE),
        lacks(SPHERE),
        lacks(SPHERE, "bijectors"),
    ),
    Row(
        "several of these side by side",
        ran(
            "fb.Concatenate([fb.Positive(), fb.StickBreaking()], [1, 3])\n"
            "flowkit.cylindrical_nsf(1, 1).log_prob(x.clamp(-3, 3))"
        ),
        lacks(BLOCKS),
        partly(
            ran(
                "bounds = torch.tensor([3.1416, 5.0])\n"
                "layer = nf.flows.CircularCoupledRationalQuadraticSpline(2, 1, 8, [0], tail_bound=bounds)\n"
                "layer.forward(x)"
            ),
            "angles beside real numbers",
        ),
        lacks(BLOCKS + "(?<!Joint)"),
        partly(ran("Fm.Concat([(2,), (3,)])"), "by a graph"),
        read("flowjax/bijections/concatenate.py", "class Concatenate"),
        read(f"{TFB}/blockwise.py", "class Blockwise"),
    ),
    Row(
        "discrete data: uniform, variational and argmax dequantisation",
        ran("flowkit.UniformDequantization, flowkit.VariationalDequantization, flowkit.ArgmaxDequantization"),
        lacks("quanti[sz]|jitter"),
        partly(ran("nf.utils.Jitter()"), "uniform"),
        lacks("quanti[sz]|jitter"),
        lacks("quanti[sz]|jitter"),
        lacks("quanti[sz]|jitter"),
        partly(
            read(
                "tensorflow_probability/python/distributions/quantized_distribution.py", "class QuantizedDistribution"
            ),
            "by distribution functions, of one number",
        ),
    ),
)
