"""Linear layers, residual and continuous flows, images, transformers, surjections, base distributions."""

from tests.docs.feature_table.cells import Row, lacks, partly, ran, read

__all__ = ["ROWS"]

TFB = "tensorflow_probability/python/bijectors"
IMAGES = "glow|multi_?scale|space_?to"
SURVAE = "surject|survae|augment"

ROWS = (
    Row(
        "linear layers: LU, QR, Householder",
        ran("flowkit.LULinear(3), flowkit.QRLinear(3), flowkit.Householder(3, 2)"),
        ran("nt.LULinear(3), nt.QRLinear(3, 2), nt.HouseholderSequence(3, 2)"),
        partly(ran("nf.flows.LULinearPermute(3)"), "LU"),
        partly(ran("zuko.transforms.LULinearTransform, zuko.transforms.RotationTransform"), "LU and rotations"),
        partly(ran("Fm.HouseholderPerm([(3,)], n_reflections=2)"), "Householder and orthogonal"),
        partly(read("flowjax/bijections/orthogonal.py", "class Householder"), "triangular and Householder"),
        partly(read(f"{TFB}/scale_matvec_lu.py", "class ScaleMatvecLU"), "LU and Householder"),
    ),
    Row(
        "the discrete cosine transform",
        lacks("cosine|dct"),
        lacks("cosine|dct"),
        lacks("cosine|dct"),
        lacks("cosine|dct"),
        lacks("cosine|dct"),
        read("flowjax/bijections/orthogonal.py", "class DiscreteCosine"),
        read(f"{TFB}/discrete_cosine_transform.py", "class DiscreteCosineTransform"),
    ),
    Row(
        "planar and radial flows",
        ran("flowkit.Planar(2), flowkit.Radial(2)"),
        lacks("planar|radial"),
        ran("nf.flows.Planar((2,)), nf.flows.Radial((2,))"),
        lacks("planar|radial"),
        lacks("planar|radial"),
        partly(read("flowjax/bijections/planar.py", "class Planar"), "planar"),
        lacks("planar|radial", "bijectors"),
    ),
    Row(
        "Sylvester flows",
        ran("fb.Sylvester(3, 2)"),
        *[lacks("sylvester")] * 6,
    ),
    Row(
        "residual flows",
        ran("flowkit.residual(2)"),
        lacks("invertible_?res|i_?res|lipschitz"),
        ran("nf.flows.Residual(nf.nets.LipschitzMLP([2, 8, 2]))"),
        lacks("invertible_?res|i_?res|lipschitz"),
        ran("Fm.IResNetLayer([(2,)])"),
        lacks("invertible_?res|i_?res|lipschitz"),
        lacks("invertible_?res|i_?res|lipschitz", "bijectors"),
    ),
    Row(
        "continuous flows (FFJORD)",
        ran("flowkit.ffjord(2)"),
        lacks("ode|ffj|cnf|continuous"),
        lacks("ffj|cnf|continuous|neural_?ode"),
        ran("zuko.flows.CNF(2)"),
        lacks("ffj|cnf|continuous|neural_?ode"),
        lacks("ffj|cnf|continuous|neural_?ode"),
        read(f"{TFB}/ffjord.py", "class FFJORD"),
    ),
    Row(
        "flow matching, with optimal transport",
        ran("losses.conditional_flow_matching(flowkit.flow_matching(2), x, transport=losses.ExactTransport())"),
        *[lacks("flow_?matching|sinkhorn")] * 6,
    ),
    Row(
        "image flows of several scales (Glow)",
        ran("flowkit.glow((2, 4, 4), levels=2, steps=1).event_shape"),
        partly(
            ran("nt.MultiscaleCompositeTransform(2), nt.OneByOneConvolution(4), nt.SqueezeTransform()"), "the layers"
        ),
        ran("nf.MultiscaleFlow, nf.flows.GlowBlock(4, 8)"),
        lacks(IMAGES),
        partly(ran("Fm.AllInOneBlock, Fm.IRevNetDownsampling, Fm.Split"), "the layers"),
        lacks(IMAGES),
        read(f"{TFB}/glow.py", "class Glow"),
    ),
    Row(
        "Haar wavelets",
        ran("flowkit.HaarWavelet()(image)"),
        lacks("haar|wavelet"),
        lacks("haar|wavelet"),
        lacks("haar|wavelet"),
        ran("Fm.HaarDownsampling([(2, 4, 4)])"),
        lacks("haar|wavelet"),
        lacks("haar|wavelet"),
    ),
    Row(
        "emerging and periodic convolutions",
        ran("fb.EmergingConv2d(2)(image), fb.PeriodicConv2d(2)(image)"),
        *[lacks("emerging|periodic_?conv")] * 6,
    ),
    Row(
        "transformer flows (TarFlow, Jet)",
        ran("flowkit.tarflow((2, 4, 4)), flowkit.jet((2, 4, 4))"),
        *[lacks("tar_?flow|vision_?transformer|self_?attention|^jet$")] * 6,
    ),
    Row(
        "InvAuto layers, made invertible by a loss",
        lacks("inv_?auto"),
        lacks("inv_?auto"),
        lacks("inv_?auto"),
        lacks("inv_?auto"),
        ran("Fm.InvAutoFC, Fm.InvAutoConv2D"),
        lacks("inv_?auto"),
        lacks("inv_?auto"),
    ),
    Row(
        "surjections, and augmented flows (SurVAE)",
        ran("surjections.AbsoluteValue, surjections.Maximum, surjections.Slice, surjections.Augment"),
        *[lacks(SURVAE)] * 5,
        partly(read(f"{TFB}/absolute_value.py", "class AbsoluteValue"), "the absolute value"),
    ),
    Row(
        "stochastic layers: Metropolis, Langevin",
        ran("surjections.Metropolis, surjections.Langevin"),
        lacks("metropolis|langevin"),
        partly(ran("nf.flows.MetropolisHastings"), "Metropolis"),
        lacks("metropolis|langevin"),
        lacks("metropolis|langevin"),
        lacks("metropolis|langevin"),
        lacks("metropolis|langevin", "bijectors"),
    ),
    Row(
        "stochastic layers: Hamiltonian Monte Carlo",
        lacks("hamiltonian|hmc"),
        lacks("hamiltonian|hmc"),
        ran("nf.flows.HamiltonianMonteCarlo"),
        lacks("hamiltonian|hmc"),
        lacks("hamiltonian|hmc"),
        lacks("hamiltonian|hmc"),
        lacks("hamiltonian|hmc", "bijectors"),
    ),
    Row(
        "base distributions: mixtures",
        ran("flowkit.Mixture([StandardNormal(), StandardNormal()])"),
        ran("nd.MADEMoG(2, 8, 0)"),
        ran("nf.distributions.GaussianMixture(3, 2)"),
        ran("zuko.flows.GMM(2)"),
        ran("Fm.GaussianMixtureModel"),
        read("flowjax/distributions.py", "class VmapMixture"),
        read("distrax/_src/distributions/mixture_same_family.py", "class MixtureSameFamily"),
    ),
    Row(
        "base distributions: resampled (LARS)",
        ran("flowkit.Resampled"),
        *[lacks("resampled|lars$")] * 6,
    ),
)
