import pytest
import torch
from torch.distributions.transforms import AffineTransform

from flowkit import nsf
from flowkit.bijectors.fixed_affine import FixedAffine


def test_it_is_the_inverse_of_torch_s() -> None:
    loc, scale = torch.tensor([1.0, -2.0]).double(), torch.tensor([0.5, -3.0]).double()
    x = torch.randn(4, 2, dtype=torch.float64)
    z, log_det = FixedAffine(loc, scale)(x)
    theirs = AffineTransform(loc, scale)
    torch.testing.assert_close(theirs(z), x)
    torch.testing.assert_close(-theirs.log_abs_det_jacobian(z, x).sum(1), log_det)


def test_data_far_from_zero_are_standardised_in_float32() -> None:
    torch.manual_seed(0)
    data = torch.randn(2000, 2) * torch.tensor([300.0, 0.01]) + torch.tensor([1000.0, 5.0])
    z, _ = FixedAffine.standardizing(data)(data)
    # Means of 1000 in float32 are known to 6e-5, 2e-7 of a deviation of 300; 5 to 5e-7, 5e-5 of 0.01.
    assert z.mean(0).abs().max() < 1e-4
    torch.testing.assert_close(z.std(0, correction=0), torch.ones(2), atol=1e-3, rtol=0)


def test_channels_of_images_share_their_numbers() -> None:
    images = torch.randn(8, 3, 4, 5) * 2 + torch.arange(3.0).view(3, 1, 1)
    layer = FixedAffine.standardizing(images, 3, (3, 1, 1))
    assert layer.loc.shape == (3, 1, 1)
    z, log_det = layer(images)
    torch.testing.assert_close(z.mean((0, 2, 3)), torch.zeros(3), atol=1e-5, rtol=0)
    torch.testing.assert_close(log_det, -20 * layer.scale.log().sum().expand(8))


def test_it_has_state_and_nothing_to_train() -> None:
    layer = FixedAffine(1.0, 2.0)
    assert set(layer.state_dict()) == {"loc", "scale"}
    assert not list(layer.parameters())


def test_an_element_that_is_constant_is_shifted_alone() -> None:
    data = torch.stack([torch.full((5,), 7.0), torch.arange(5.0)], 1)
    layer = FixedAffine.standardizing(data)
    assert layer.loc[0] == 7
    assert layer.scale[0] == 1


@pytest.mark.parametrize(
    ("data", "error", "message"),
    [
        (torch.zeros(0, 2), ValueError, "two samples"),
        (torch.zeros(2), ValueError, "two samples"),
        (torch.tensor([[0.0], [torch.nan]]), ValueError, "1 of 2 values to standardise by are NaN"),
        (torch.zeros(3, 2, dtype=torch.int64), TypeError, r"got a torch\.int64 tensor"),
        ([[1.0]], TypeError, "got list"),
    ],
)
def test_data_that_have_no_deviation_are_refused(data: object, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        FixedAffine.standardizing(data)  # type: ignore[arg-type]


def test_numbers_that_cannot_be_undone_are_refused() -> None:
    for loc, scale in ((0.0, 0.0), (torch.inf, 1.0), (0.0, torch.nan)):
        with pytest.raises(ValueError, match="both must be finite, and no scale 0"):
            FixedAffine(loc, scale)
    with pytest.raises(ValueError, match="more dimensions than events of 1"):
        FixedAffine(torch.zeros(2, 2), 1.0)
    with pytest.raises(ValueError, match=r"a loc of shape \(3,\), got the event shape \(2,\)"):
        FixedAffine(torch.zeros(3), 1.0)(torch.zeros(4, 2))


def test_a_layer_of_more_digits_than_the_data_gives_the_type_of_the_data() -> None:
    layer = FixedAffine.standardizing(5 + torch.randn(50, 2, dtype=torch.float64))
    z, log_det = layer(torch.randn(3, 2))
    assert (z.dtype, log_det.dtype) == (torch.float32, torch.float32)
    flow = nsf(2, layers=1, standardize=layer)
    assert flow.log_prob(torch.randn(3, 2)).dtype == torch.float32
    assert flow.sample(3).dtype == torch.float32
