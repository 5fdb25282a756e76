"""The comparison of inference: exact references, the same flows in every library, true verdicts and tables."""

import math
import pickle
from pathlib import Path
from typing import Any

import pyro
import pytest
import torch
from torch import Tensor

from benchmarks import record as records
from benchmarks.__main__ import main
from benchmarks.density.architectures import Masked, Spline
from benchmarks.inference import cells, table
from benchmarks.inference.c2st import c2st
from benchmarks.inference.comparison import FIGURES, Figure, summarise, verdict
from benchmarks.inference.job import module_of
from benchmarks.inference.neutra import NO_FLOW
from benchmarks.inference.posterior import SIMULATORS, Posterior
from benchmarks.inference.probabilistic import MODELS, joined
from benchmarks.inference.rejection import accepted
from benchmarks.inference.reverse_kl import Descent, ReverseKL, built, descend
from benchmarks.inference.slcp import SLCP, log_likelihood
from benchmarks.inference.suite import CONTESTS, QUICK, RECORD, jobs, timed
from benchmarks.inference.targets import TARGETS
from benchmarks.inference.two_moons import TWO_MOONS

pytestmark = pytest.mark.filterwarnings("ignore::UserWarning", "ignore::FutureWarning", "ignore::DeprecationWarning")

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs/benchmarks/inference.md"
BUILT = [
    (library, model)
    for contest in RECORD
    if contest.job is not Posterior
    for library in contest.libraries
    for model in contest.models
    if library != NO_FLOW
]


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


class TestTargets:
    @pytest.mark.parametrize("name", TARGETS)
    def test_the_map_to_normal_numbers_is_inverted_and_its_log_determinant_right(self, name: str) -> None:
        target = TARGETS[name]
        x = target.sample(5, generator()).double()
        u, log_det = target.to_normal(x)
        assert torch.allclose(target.from_normal(u), x, rtol=1e-12)
        for point, expected in zip(x, log_det, strict=True):
            jacobian = torch.autograd.functional.jacobian(lambda x: target.to_normal(x)[0], point)
            assert torch.linalg.slogdet(jacobian)[1] == pytest.approx(float(expected), rel=1e-12)

    @pytest.mark.parametrize("name", TARGETS)
    def test_the_density_is_that_of_the_probabilistic_model(self, name: str) -> None:
        torch.set_default_dtype(torch.float64)
        try:
            trace = pyro.poutine.trace(MODELS[name]).get_trace()
        finally:
            torch.set_default_dtype(torch.float32)
        drawn = {site: node["value"][None] for site, node in trace.nodes.items() if node["type"] == "sample"}
        density = TARGETS[name].log_density(joined(drawn))
        assert float(density) == pytest.approx(float(trace.log_prob_sum()), rel=1e-12)


class TestSimulators:
    def test_two_moons_posterior_puts_the_data_back_on_the_crescent(self) -> None:
        _, data = TWO_MOONS.draw(1, generator(3))
        drawn = TWO_MOONS.posterior(data[0], 500, generator())
        assert (drawn.abs() <= 1).all()
        # What is left of the data without the parameters' shift is a point of the crescent.
        shift = torch.stack([-(drawn.sum(-1)).abs(), drawn[:, 1] - drawn[:, 0]], -1) / math.sqrt(2)
        point = data[0] - shift - torch.tensor([0.25, 0.0])
        radius = point.norm(dim=-1)
        assert (point[:, 0] > -1e-9).all()
        assert radius.mean() == pytest.approx(0.1, abs=0.002)
        assert radius.std() == pytest.approx(0.01, rel=0.2)
        # Both crescents, one half each.
        assert (drawn.sum(-1) > 0).double().mean() == pytest.approx(0.5, abs=0.1)

    def test_slcp_data_have_the_mean_and_covariance_that_parameters_tell(self) -> None:
        theta = torch.tensor([0.5, -1.0, 1.2, -0.8, 0.6], dtype=torch.float64)
        points = SLCP.simulate(theta.expand(20_000, 5), generator()).reshape(-1, 2)
        s1, s2, rho = 1.2**2, 0.8**2, math.tanh(0.6)
        expected = torch.tensor([[s1**2, rho * s1 * s2], [rho * s1 * s2, s2**2]], dtype=torch.float64)
        # Of 80,000 points: within four standard errors, the largest of which is 1.44² / 200.
        assert torch.allclose(torch.cov(points.T), expected, atol=0.05)
        assert torch.allclose(points.mean(0), theta[:2], atol=0.03)

    def test_slcp_likelihood_is_that_of_a_normal_distribution(self) -> None:
        theta, x = SLCP.draw(4, generator(1))
        s1, s2, rho = theta[:, 2] ** 2, theta[:, 3] ** 2, theta[:, 4].tanh()
        covariance = torch.stack([s1**2, rho * s1 * s2, rho * s1 * s2, s2**2], -1).reshape(4, 2, 2)
        normal = torch.distributions.MultivariateNormal(theta[:, :2], covariance)
        expected = normal.log_prob(x[0].reshape(4, 1, 2)).sum(0)
        assert torch.allclose(log_likelihood(theta, x[0]), expected, rtol=1e-8)

    def test_slcp_posterior_has_the_moments_of_weighted_draws_of_the_prior(self) -> None:
        theta, data = SLCP.draw(2, generator(5))
        # The widest likelihood of the two, so that the prior's draws are enough.
        x = data[theta[:, 2:4].abs().prod(-1).argmax()]
        drawn = SLCP.posterior(x, 2000, generator())
        prior, _ = SLCP.draw(1_000_000, generator(1))
        weights = log_likelihood(prior, x).softmax(0)
        effective = float(1 / weights.square().sum())
        assert effective > 500
        # The signs of the third and the fourth parameter are free: their sizes are compared.
        for function in (lambda t: t[:, :2], lambda t: t[:, 2:4].abs(), lambda t: t[:, 4:], lambda t: t.square()):
            mean = weights @ function(prior)
            deviation = (weights @ (function(prior) - mean).square()).sqrt()
            error = deviation * math.sqrt(1 / effective + 1 / len(drawn))
            assert ((function(drawn).mean(0) - mean).abs() < 4.5 * error).all()

    @pytest.mark.parametrize("name", SIMULATORS)
    def test_two_sets_of_reference_draws_cannot_be_told_apart(self, name: str) -> None:
        simulator = SIMULATORS[name]
        _, (x, other) = simulator.draw(2, generator(8))
        first, second = (simulator.posterior(x, 200, generator(seed)) for seed in (0, 1))
        # A standard error of 0.025.
        assert c2st(first, second) == pytest.approx(0.5, abs=0.1)
        assert c2st(first, simulator.posterior(other, 200, generator(2))) > 0.8

    def test_parameters_are_unbounded_and_back(self) -> None:
        theta, _ = SLCP.draw(10, generator())
        assert torch.allclose(SLCP.bounded(SLCP.unbounded(theta)), theta)
        assert (SLCP.bounded(torch.tensor([-50.0, 50.0])).abs() <= 3).all()

    def test_hopeless_proposals_are_told(self) -> None:
        with pytest.raises(RuntimeError, match="0 of 2000000000 proposals were accepted; 3 are wanted"):
            accepted(lambda number: torch.zeros(0, 2), 3, at_once=1_000_000_000)


class TestSamplers:
    @pytest.mark.parametrize(("library", "model"), sorted(set(BUILT)))
    def test_draws_score_as_the_transform_says(self, library: str, model: str) -> None:
        """One density by three ways: of the draws, of their transform, and (flowkit) of its own divergence."""
        settings = {"iaf": Masked(2, (16, 16)), "nsf": Spline(2, (16, 16))}[model]
        sampler = built(TARGETS["funnel"], model, library, settings, seed=0)
        with torch.no_grad():
            for parameter in sampler.module.parameters():
                parameter.add_(0.1 * torch.randn(parameter.shape, generator=generator(parameter.numel())))
        transform = sampler.transform()
        torch.manual_seed(4)
        x, log_prob = sampler.draw(20)
        torch.manual_seed(4)
        z = torch.randn(20, 10)
        assert torch.allclose(transform(z), x, atol=1e-5)
        log_det = transform.log_abs_det_jacobian(z, transform(z))
        base = -0.5 * (z.square() + math.log(2 * math.pi)).sum(-1)
        assert torch.allclose(base - log_det, log_prob, atol=1e-4)
        torch.manual_seed(4)
        divergence = sampler.reverse_kl(TARGETS["funnel"].log_density, 20)
        assert torch.allclose(divergence, (log_prob - TARGETS["funnel"].log_density(x)).mean(), rtol=1e-4)

    @pytest.mark.parametrize("model", ["iaf", "nsf"])
    def test_flows_are_of_the_same_size(self, model: str) -> None:
        (settings,) = {contest.models[model] for contest in RECORD if model in contest.models}
        sizes = [
            sum(p.numel() for p in getattr(module_of(library), model)(10, settings).module.parameters())
            for library in sorted({library for library, other in BUILT if other == model})
        ]
        # Matrices in LU form have an offset or not.
        assert max(sizes) <= 1.01 * min(sizes)

    def test_training_comes_near_the_target(self) -> None:
        target = TARGETS["banana"]
        sampler = built(target, "iaf", "flowkit", Masked(3, (32, 32)), seed=0)
        before = float(sampler.reverse_kl(target.log_density, 500))
        assert descend(sampler, target, Descent(100, batch=64, learning_rate=2e-2)) > 0
        assert float(sampler.reverse_kl(target.log_density, 500)) < 0.3 * before


def row(**libraries: list[float]) -> dict[str, dict[str, list[float]]]:
    return {library.replace("_", " "): {"KL": numbers} for library, numbers in libraries.items()}


class TestVerdicts:
    LESS, MORE = Figure("KL", "nats", -1), Figure("KL", "nats", 1)

    def test_the_best_peer_counts_and_what_is_no_library_does_not(self) -> None:
        found = row(flowkit=[1.0, 1.1, 0.9], zuko=[2.0, 2.1, 1.9], pyro=[0.5, 0.51, 0.49], no_flow=[0.1, 0.1, 0.1])
        assert verdict(self.LESS, found) == ("behind", "pyro")
        assert verdict(self.MORE, found) == ("behind", "zuko")

    def test_within_the_spread_over_the_seeds(self) -> None:
        assert verdict(self.LESS, row(flowkit=[1.0, 1.4, 1.2], zuko=[1.1, 0.9, 1.0])) == ("within", "zuko")
        assert verdict(self.LESS, row(flowkit=[1.0, 1.01, 1.02], zuko=[1.2, 1.21, 1.19])) == ("ahead", "zuko")

    def test_seeds_are_gathered(self) -> None:
        made = [
            {"job": {"kind": "NeuTra", "problem": "funnel", "model": "iaf", "library": "zuko"}, "figures": {"ESS": ess}}
            for ess in (10.0, 20.123456)
        ]
        (entry,) = summarise(made)
        assert entry["libraries"] == {"zuko": {"ESS": [10.0, 20.12]}}


def test_jobs_of_one_cell_take_turns() -> None:
    first, second, *_ = jobs(RECORD)
    assert (first.library, second.library) == ("flowkit", "zuko")
    assert first.seed == second.seed
    assert len(jobs(RECORD)) == (2 * 2 * 2 + 2 * 2 * 2 + 2 * 4) * 3
    assert pickle.loads(pickle.dumps(first)) == first


def test_what_is_timed_has_a_peer_and_no_seed_but_the_first() -> None:
    for works in timed(RECORD).values():
        assert next(iter(works)) == "flowkit"
        assert len(works) > 1
        assert {job.seed for job in works.values()} == {0}
        assert NO_FLOW not in works


def test_results_are_computed_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[ReverseKL] = []

    def measure(self: ReverseKL) -> dict[str, float]:
        asked.append(self)
        return {"KL": float(len(asked))}

    monkeypatch.setattr(ReverseKL, "measure", measure)
    job, other = (
        ReverseKL("banana", "nsf", "flowkit", Spline(2), seed, Descent(steps)) for seed, steps in ((0, 10), (0, 11))
    )
    assert cells.measured(job, tmp_path) == cells.measured(job, tmp_path)
    assert cells.measured(other, tmp_path)["figures"] == {"KL": 2.0}
    assert asked == [job, other]


@pytest.fixture(scope="module")
def quick(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What a quick run leaves in a folder, its page beside it; all in this process, which has torch already."""
    folder = tmp_path_factory.mktemp("quick")
    (folder / "page.md").write_text(PAGE.read_text(encoding="utf-8"), encoding="utf-8")
    for job in jobs(QUICK):
        cells.measured(job, folder / "work")
    command = ["inference", "--quick", "--rounds", "1", "--workers", "1", "--work", str(folder / "work")]
    assert main([*command, "--out", str(folder), "--page", str(folder / "page.md")]) == 0
    return folder


def test_a_quick_run_leaves_a_record_and_a_page(quick: Path) -> None:
    record = records.read(quick / "inference.json")
    assert {"python", "torch", "flowkit", "zuko", "pyro-ppl", "scikit-learn"} <= record["versions"].keys()
    found = {(row["kind"], row["problem"], row["model"]): row["libraries"] for row in record["results"]}
    assert len(found) == len(QUICK)
    for contest in CONTESTS["quick"]:
        for model in contest.models:
            libraries = found[contest.job.kind, contest.problems[0], model]
            assert tuple(libraries) == contest.libraries
            for figures in libraries.values():
                assert all(len(figures[figure.name]) == 2 for figure in FIGURES[contest.job.kind])
                assert all(math.isfinite(number) for numbers in figures.values() for number in numbers)
    assert {timing["group"] for timing in record["timings"]} == timed(QUICK).keys()
    text = (quick / "page.md").read_text(encoding="utf-8")
    assert "Not measured yet" not in text
    for part in table.sections(record).values():
        assert part in text


def test_tables_are_made_again_of_the_record_alone(quick: Path) -> None:
    page = quick / "page.md"
    before = page.read_text(encoding="utf-8")
    page.write_text(PAGE.read_text(encoding="utf-8"), encoding="utf-8")
    assert main(["inference", "--tables-only", "--out", str(quick), "--page", str(page)]) == 0
    assert page.read_text(encoding="utf-8") == before


RECORDED: dict[str, Any] = {
    "results": [
        {
            "kind": "reverse KL",
            "problem": "funnel",
            "model": "iaf",
            "libraries": {
                "flowkit": {"KL": [0.5, 0.7], "ESS": [0.1, 0.1], "seconds": [3.0, 5.0]},
                "zuko": {"KL": [0.1, 0.1], "ESS": [0.1, 0.1], "seconds": [4.0, 4.0]},
            },
        }
    ],
    "timings": [
        {"group": "reverse KL: funnel, iaf, training step", "name": name, "median": median, "spread": 0.02}
        for name, median in (("zuko", 0.002), ("flowkit", 0.003))
    ],
}


def rows_of(text: str) -> list[dict[str, str]]:
    """A Markdown table's rows by its header."""
    header, _, *rows = ([cell.strip() for cell in line.strip("|").split("|")] for line in text.splitlines())
    return [dict(zip(header, row, strict=True)) for row in rows]


def test_what_is_behind_or_too_slow_is_marked() -> None:
    quality, share = rows_of(table.quality(RECORDED, "reverse KL"))
    assert quality["flowkit"] == "0.600 ± 0.141"
    assert quality["flowkit beside best peer"] == "▼ behind (zuko)"
    assert share["flowkit beside best peer"] == "within (zuko)"
    (times,) = rows_of(table.times(RECORDED))
    assert times["zuko"] == "2.00 ms ± 2 %"
    assert times["fastest peer / flowkit"] == "▼ 0.67 (zuko)"


def test_samples_are_joined_in_the_models_order() -> None:
    neck, others = torch.rand(5), torch.rand(5, 9)
    both: Tensor = joined({"neck": neck, "others": others})
    assert torch.equal(both, torch.cat([neck[:, None], others], -1))
