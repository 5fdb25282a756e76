"""Layers of one's own, checked; saving; other libraries' layers and samplers."""

from tests.docs.feature_table.cells import Row, fails, lacks, partly, ran, read

__all__ = ["ROWS"]

CHECKS = "check_(bijector|bijection|transform|flow|property)|assert_bijective"
SAVING = "^(save|load)|from_pretrained|seriali[sz]"
STATE_DICT = "the state dict, which every module of torch has"
FROM = "from_?(nflows|torch|tfp|numpyro|zuko)"

ROWS = (
    Row(
        "checks of a layer of one's own, against its Jacobian and more",
        ran(
            "from flowkit.testing import check_bijector\n"
            "from flowkit.testing.properties import log_det\n"
            "check_bijector(lambda: flowkit.LULinear(3), event=(3,), properties=log_det.PROPERTIES)"
        ),
        lacks(CHECKS),
        lacks(CHECKS),
        lacks(CHECKS),
        lacks(CHECKS),
        lacks(CHECKS),
        lacks(CHECKS, "bijectors"),
    ),
    Row(
        "one-number functions and networks of one's own, inverted by a solver with gradients",
        ran("ft.MonotoneTransform"),
        lacks("monoton|root|bisect|numerical"),
        lacks("monoton|root|bisect|numerical"),
        ran("zuko.transforms.MonotonicTransform(lambda x: x**3 + x).inv(x)"),
        lacks("monoton|root|bisect|numerical_?inv"),
        read("flowjax/bijections/utils.py", "class NumericalInverse"),
        read(
            "tensorflow_probability/python/experimental/bijectors/scalar_function_with_inferred_inverse.py",
            "class ScalarFunctionWithInferredInverse",
        ),
    ),
    Row(
        "graphs of layers with several inputs and outputs",
        lacks("GraphINN|OutputNode"),
        lacks("Graph|OutputNode"),
        lacks("Graph|OutputNode"),
        lacks("Graph|OutputNode"),
        ran(
            "first = Ff.InputNode(2)\n"
            "second = Ff.Node(first, Fm.PermuteRandom, {})\n"
            "Ff.GraphINN([first, second, Ff.OutputNode(second)])(x)"
        ),
        lacks("Graph|OutputNode"),
        partly(
            read("tensorflow_probability/python/bijectors/joint_map.py", "class JointMap"),
            "structures of inputs, each with its bijector",
        ),
    ),
    Row(
        "a model saved with its architecture, and nothing unpickled",
        ran(
            "import tempfile\n"
            "folder = tempfile.mkdtemp()\n"
            "flowkit.save_model(flow, folder + '/model')\n"
            "flowkit.load_model(folder + '/model')"
        ),
        partly(ran("flow.state_dict()"), STATE_DICT),
        partly(ran("flow.state_dict()"), STATE_DICT),
        partly(ran("flow.state_dict()"), STATE_DICT),
        partly(ran("inn.state_dict()"), STATE_DICT),
        lacks(SAVING),
        partly(
            read("tensorflow_probability/python/bijectors/bijector.py", "class AutoCompositeTensorBijector"),
            "in a SavedModel of TensorFlow",
        ),
    ),
    Row(
        "in a probabilistic program (Pyro, NumPyro, TFP's own)",
        ran("import pyro\nfrom flowkit.interop.pyro import FlowDistribution\npyro.sample('x', FlowDistribution(flow))"),
        fails("import pyro\npyro.sample('x', flow)", "Error"),
        fails("import pyro\npyro.sample('x', flow)", "Error"),
        partly(
            ran("import pyro\nfrom pyro.contrib.zuko import ZukoToPyro\npyro.sample('x', ZukoToPyro(flow()))"),
            "by `pyro.contrib.zuko`",
        ),
        fails("import pyro\npyro.sample('x', inn)", "Error"),
        read("flowjax/experimental/numpyro.py", "def distribution_to_numpyro"),
        read(
            "tensorflow_probability/python/distributions/transformed_distribution.py", "class TransformedDistribution"
        ),
    ),
    Row(
        "transforms of another library as layers",
        ran(
            "from flowkit.interop.torch_distributions import FromTorchTransform\n"
            "FromTorchTransform(torch.distributions.ExpTransform())(x)"
        ),
        lacks(FROM),
        lacks(FROM),
        ran("onto(torch.distributions.ExpTransform())().log_prob(x.exp())"),
        lacks(FROM),
        lacks(FROM),
        read("distrax/_src/bijectors/bijector_from_tfp.py", "class BijectorFromTFP"),
    ),
    Row(
        "models that other packages add by name (entry points)",
        ran("flowkit.plugins()"),
        lacks("plugin|entry_point"),
        lacks("plugin|entry_point"),
        lacks("plugin|entry_point"),
        lacks("plugin|entry_point"),
        lacks("plugin|entry_point"),
        lacks("plugin|entry_point"),
    ),
)
