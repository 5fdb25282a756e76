"""Densities, samples, contexts, losses."""

from tests.docs.feature_table.cells import Row, fails, lacks, partly, ran, read

__all__ = ["ROWS"]

DISTRIBUTION = "flowjax/distributions.py"
TFP_DISTRIBUTIONS = "tensorflow_probability/python/distributions"

ROWS = (
    Row(
        "samples with their log-densities, in one pass",
        ran("flow.sample_and_log_prob(5)"),
        ran("flow.sample_and_log_prob(5)"),
        ran("flow.sample(5)"),
        ran("flow().rsample_and_log_prob((5,))"),
        partly(
            ran("inn(torch.randn(5, 2), rev=True)"),
            "there is no base distribution: latents are drawn and scored by the user",
        ),
        read(DISTRIBUTION, "def sample_and_log_prob"),
        read("distrax/_src/distributions/distribution.py", "def sample_and_log_prob"),
    ),
    Row(
        "samples with gradients",
        ran("flow.rsample(5).sum().backward()"),
        ran("flow.sample(5).sum().backward()"),
        ran("flow.sample(5)[0].sum().backward()"),
        ran("flow().rsample((5,)).sum().backward()"),
        ran("inn(torch.randn(5, 2), rev=True)[0].sum().backward()"),
        read("flowjax/train/losses.py", "class ElboLoss"),
        read(f"{TFP_DISTRIBUTIONS}/transformed_distribution.py", "reparameterization_type"),
    ),
    Row(
        "densities given a context",
        ran("conditional.log_prob(x, c)"),
        ran(
            "layer = nt.MaskedAffineAutoregressiveTransform(2, 8, context_features=3)\n"
            "nfl.Flow(layer, nd.StandardNormal([2])).log_prob(x, c)"
        ),
        ran(
            "layer = nf.flows.MaskedAffineAutoregressive(2, 8, context_features=3)\n"
            "nf.ConditionalNormalizingFlow(nf.distributions.DiagGaussian(2), [layer]).log_prob(x, c)"
        ),
        ran("zuko.flows.MAF(2, 3)(c).log_prob(x)"),
        ran(
            "given = Ff.SequenceINN(2)\n"
            "given.append(Fm.GLOWCouplingBlock, cond=0, cond_shape=(3,), subnet_constructor=subnet)\n"
            "given(x, [c])"
        ),
        read(DISTRIBUTION, "condition: ArrayLike"),
        read("tensorflow_probability/python/bijectors/masked_autoregressive.py", "conditional_input"),
    ),
    Row(
        "a context's part computed once, for many calls",
        ran("conditional.bijector.bind(c)(x)"),
        lacks("bind|lazy"),
        lacks("bind|lazy"),
        ran("zuko.flows.MAF(2, 3)(c).transform(x)"),
        lacks("bind|lazy"),
        lacks("bind|lazy"),
        lacks("bind|lazy", "bijectors"),
    ),
    Row(
        "batches of any number of dimensions",
        ran("flow.log_prob(torch.randn(4, 5, 2))"),
        fails("flow.log_prob(torch.randn(4, 5, 2))", "Error"),
        fails("assert flow.log_prob(torch.randn(4, 5, 2)).shape == (4, 5)", "Error"),
        ran("flow().log_prob(torch.randn(4, 5, 2))"),
        fails("assert inn(torch.randn(4, 5, 2))[1].shape == (4, 5)", "Error"),
        read(DISTRIBUTION, "vectorize"),
        read(f"{TFP_DISTRIBUTIONS}/distribution.py", "batch_shape"),
    ),
    Row(
        "whole flows by name",
        ran("flowkit.nsf(2).log_prob(x)"),
        partly(ran("nfl.MaskedAutoregressiveFlow(2, 8, 1, 1)"), "RealNVP and MAF"),
        lacks("^(real_?nvp|nsf|maf)$"),
        ran("zuko.flows.NSF(2)().log_prob(x)"),
        lacks("^(real_?nvp|nsf|maf)$"),
        read("flowjax/flows.py", "def coupling_flow"),
        partly(read("tensorflow_probability/python/bijectors/glow.py", "class Glow"), "RealNVP and Glow, as bijectors"),
    ),
    Row(
        "data in any units (standardisation built in)",
        ran("flowkit.nsf(2, standardize=torch.randn(50, 2))"),
        lacks("standardi[sz]e"),
        lacks("standardi[sz]e"),
        lacks("standardi[sz]e"),
        lacks("standardi[sz]e"),
        lacks("standardi[sz]e"),
        lacks("standardi[sz]e", "bijectors"),
    ),
    Row(
        "a training loop with early stopping",
        ran("flowkit.fit(flow, torch.randn(50, 2), epochs=1)"),
        lacks("^fit(_|$)|^train(ing)?_|early"),
        lacks("^fit(_|$)|^train(ing)?_|early"),
        lacks("^fit(_|$)|^train(ing)?_|early"),
        lacks("^fit(_|$)|^train(ing)?_|early"),
        read("flowjax/train/loops.py", "def fit_to_data"),
        partly(
            read("tensorflow_probability/python/vi/optimization.py", "def fit_surrogate_posterior"),
            "for variational inference",
        ),
    ),
    Row(
        "losses of variational inference",
        ran("losses.reverse_kl(flow, target, 8).backward()"),
        lacks("reverse_?kl|kld|elbo"),
        ran("flow.reverse_kld(8).backward()"),
        lacks("reverse_?kl|kld|elbo"),
        lacks("reverse_?kl|kld|elbo"),
        read("flowjax/train/losses.py", "class ElboLoss"),
        read("tensorflow_probability/python/vi/optimization.py", "def fit_surrogate_posterior"),
    ),
    Row(
        "a contrastive loss, of sequential posterior estimation",
        lacks("contrastive"),
        lacks("contrastive"),
        lacks("contrastive"),
        lacks("contrastive"),
        lacks("contrastive"),
        read("flowjax/train/losses.py", "class ContrastiveLoss"),
        lacks("contrastive"),
    ),
    Row(
        "annealed importance sampling",
        lacks("anneal|hais"),
        lacks("anneal|hais"),
        ran("nf.sampling.HAIS"),
        lacks("anneal|hais"),
        lacks("anneal|hais"),
        lacks("anneal|hais"),
        read(
            "tensorflow_probability/python/mcmc/sample_annealed_importance.py", "def sample_annealed_importance_chain"
        ),
    ),
    Row(
        "a variational autoencoder around a flow",
        lacks("vae"),
        lacks("vae"),
        ran("nf.NormalizingFlowVAE"),
        lacks("vae"),
        lacks("vae"),
        lacks("vae"),
        lacks("vae"),
    ),
    Row(
        "distributions over a flow's weights",
        lacks("bayes"),
        lacks("bayes"),
        lacks("bayes"),
        ran("from zuko.bayesian import BayesianModel\nBayesianModel(flow)"),
        lacks("bayes"),
        lacks("bayes"),
        read("tensorflow_probability/python/layers/dense_variational_v2.py", "class DenseVariational"),
    ),
)
