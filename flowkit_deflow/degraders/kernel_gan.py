"""KernelGAN: the blur kernel of an image, from the image alone."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.nn.utils.parametrizations import spectral_norm

from flowkit_deflow.images.resize import bicubic_downsample
from flowkit_deflow.settings.degraders import KernelEstimation
from flowkit_deflow.training.adversarial.discriminators import frozen

__all__ = ["SIDE", "centred", "compose", "estimate_kernel"]

SIDES = (7, 5, 3, 1, 1, 1)  # of the generator's convolutions
SIDE = sum(SIDES) - len(SIDES) + 1
"""The side of the estimated kernels (pixels)."""

# Weights of the losses. Bicubic downsampling is the start; as soon as the generator is like it, it counts less and
# less, and the kernel is to be central and sparse.
SUM_TO_ONE = BOUNDARY = 0.5
BICUBIC, BICUBIC_DECAY, LEAST_BICUBIC = 5.0, 100.0, 5e-6
CENTRAL, SPARSE = 1.0, 5.0
LIKE_BICUBIC = 2e-3  # mean squared difference, of values in [0, 1]
SPARSITY_POWER = 0.2
BOUNDARY_PENALTY = 30.0
# Parts of the steps after which weights and the learning rate change; of 3,000 steps, 200 and 750.
CHANGES, FALLS = 15, 4
# Values that are kept of the kernel, and the part of the next one that is taken off.
KEPT, TAKEN_OFF = 40, 0.75


class _Generator(nn.Module):
    """A row of convolutions without anything between them, which downsample by 2: one kernel."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        widths = [1, *[channels] * (len(SIDES) - 1), 1]
        convs = [
            nn.Conv2d(before, after, side, bias=False)
            for before, after, side in zip(widths[:-1], widths[1:], SIDES, strict=True)
        ]
        for conv in convs:
            nn.init.xavier_normal_(conv.weight, 0.1)
        self.convs = nn.ModuleList(convs)

    def forward(self, images: Tensor) -> Tensor:
        """``B x 3 x H x W`` to ``B x 3 x (H - 12) / 2 x (W - 12) / 2``: each channel by itself."""
        x = images.flatten(0, 1)[:, None]
        for conv in self.convs:
            x = conv(x)
        return x[..., ::2, ::2].unflatten(0, images.shape[:2])[:, :, 0]

    @property
    def kernel(self) -> Tensor:
        """The kernel that the row convolves with, 13 x 13: its response to an impulse."""
        x = torch.zeros(1, 1, 2 * SIDE - 1, 2 * SIDE - 1)
        x[..., SIDE - 1, SIDE - 1] = 1
        for conv in self.convs:
            x = conv(x)
        return x[0, 0]


def _discriminator(channels: int) -> nn.Module:
    """Judges patches of 7 x 7 pixels: one convolution of that side, six of single pixels."""
    layers: list[nn.Module] = [spectral_norm(nn.Conv2d(3, channels, 7))]
    for _ in range(5):
        layers += [spectral_norm(nn.Conv2d(channels, channels, 1)), nn.BatchNorm2d(channels), nn.ReLU()]
    return nn.Sequential(*layers, spectral_norm(nn.Conv2d(channels, 1, 1)), nn.Sigmoid())


def estimate_kernel(image: Tensor, settings: KernelEstimation, generator: torch.Generator) -> Tensor:
    """The kernel by which an image was blurred, found as the one whose downsampling changes its patches least.

    A linear generator downsamples crops of the image so that a discriminator takes them for crops of the image itself.

    Args:
        image: ``3 x H x W`` in [0, 1], both sides at least ``settings.crop``.
        settings: steps, sizes and scale.
        generator: source of randomness, of crops and weights.

    Returns:
        13 x 13 for scale 2; 37 x 37 for scale 4; of sum 1, its centre of mass in the middle.

    Raises:
        ValueError: the image is smaller than the crops.

    References:
        S. Bell-Kligler, A. Shocher, M. Irani, "Blind Super-Resolution Kernel Estimation using an Internal-GAN", NeurIPS
        2019.
    """
    if min(image.shape[-2:]) < settings.crop:
        raise ValueError(f"the image is {tuple(image.shape)}, smaller than crops of {settings.crop}")
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(int(torch.randint(2**31, (), generator=generator)))
        network, judge = _Generator(settings.channels), _discriminator(settings.channels)
    kernel = _trained(network, judge, image, settings, generator).kernel.detach()
    kernel = centred(kernel)
    return kernel if settings.scale == 2 else centred(compose(kernel))


def _trained(
    network: _Generator, judge: nn.Module, image: Tensor, settings: KernelEstimation, generator: torch.Generator
) -> _Generator:
    optimizers = [
        torch.optim.Adam(part.parameters(), settings.learning_rate, (0.5, 0.999)) for part in (network, judge)
    ]
    probabilities = _places(image, settings.crop)
    penalty, bicubic_weight, shaped = _boundary_penalty(), BICUBIC, False
    for step in range(settings.steps):
        if step and step % max(settings.steps // FALLS, 1) == 0:
            for optimizer in optimizers:
                optimizer.param_groups[0]["lr"] /= 10
        crop, other = (_crop(image, probabilities, settings.crop, generator) for _ in range(2))
        small = network(crop)
        real = other[..., : small.shape[-2], : small.shape[-1]]
        bicubic = F.mse_loss(small, bicubic_downsample(crop, 2)[..., 3 : 3 + small.shape[-2], 3 : 3 + small.shape[-1]])
        with frozen(judge):
            loss = (judge(small) - 1).abs().mean() + bicubic_weight * bicubic
        kernel = network.kernel
        loss = loss + SUM_TO_ONE * (1 - kernel.sum()).abs() + BOUNDARY * (kernel * penalty).abs().mean()
        if shaped:
            loss = loss + CENTRAL * _off_centre(kernel) + SPARSE * (kernel.abs() + 1e-12).pow(SPARSITY_POWER).mean()
        _step(optimizers[0], loss)
        _step(optimizers[1], ((judge(real) - 1).abs().mean() + judge(small.detach()).abs().mean()) / 2)
        if (
            step
            and step % max(settings.steps // CHANGES, 1) == 0
            and (shaped or float(bicubic.detach()) < LIKE_BICUBIC)
        ):
            bicubic_weight, shaped = max(bicubic_weight / BICUBIC_DECAY, LEAST_BICUBIC), True
    return network


def _step(optimizer: torch.optim.Optimizer, loss: Tensor) -> None:
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()


def _places(image: Tensor, side: int) -> Tensor:
    """How likely each corner of a crop is: as the image's gradients in it are strong."""
    grey = image.mean(0)
    down, across = torch.gradient(grey)
    strength = F.avg_pool2d((down.abs() + across.abs())[None, None], side, 1)[0, 0]
    return (strength + 1e-6).flatten()


def _crop(image: Tensor, probabilities: Tensor, side: int, generator: torch.Generator) -> Tensor:
    place = int(torch.multinomial(probabilities, 1, generator=generator))
    top, left = divmod(place, image.shape[-1] - side + 1)
    return image[None, :, top : top + side, left : left + side]


def _boundary_penalty() -> Tensor:
    """What a value costs at each place of the kernel: nothing within, more towards the corners."""
    offset = torch.arange(SIDE) - (SIDE - 1) / 2
    near = torch.exp(-(offset[:, None].square() + offset.square()) / (2 * SIDE**2))
    penalty = BOUNDARY_PENALTY * (1 - near)
    margin = (SIDE - (SIDE // 2 + 1)) // 2 - 1
    penalty[margin:-margin, margin:-margin] = 0
    return penalty


def _off_centre(kernel: Tensor) -> Tensor:
    """The mean squared distance of the centre of mass from where bicubic downsampling has it, in pixels."""
    # Half a pixel before the middle: the centre of two pixels that become one lies half a pixel behind it, and the
    # response to an impulse is turned round.
    return (_centre_of_mass(kernel) - (SIDE / 2 - 1)).square().mean()


def _centre_of_mass(kernel: Tensor) -> Tensor:
    positions = torch.arange(kernel.shape[-1], dtype=kernel.dtype)
    total = kernel.sum()
    return torch.stack([(kernel.sum(1) * positions).sum(), (kernel.sum(0) * positions).sum()]) / total


def centred(kernel: Tensor) -> Tensor:
    """A kernel without its smallest values, of sum 1, moved so that its centre of mass is in the middle.

    Args:
        kernel: ``K x K``.

    Returns:
        ``K x K``, nowhere negative.
    """
    largest = kernel.flatten().sort(descending=True).values
    cut = (kernel - TAKEN_OFF * largest[KEPT]).clamp(min=0)
    cut = cut / cut.sum()
    row, column = ((cut.shape[-1] - 1) / 2 - _centre_of_mass(cut)).tolist()
    # Moved bilinearly; `grid_sample` counts positions from -1 to 1.
    side = cut.shape[-1]
    shift = torch.tensor([[[1, 0, -2 * column / (side - 1)], [0, 1, -2 * row / (side - 1)]]])
    grid = F.affine_grid(shift, [1, 1, side, side], align_corners=True)
    moved = F.grid_sample(cut[None, None], grid, align_corners=True)[0, 0]
    return moved / moved.sum()


def compose(kernel: Tensor) -> Tensor:
    """The kernel of scale 4 of one of scale 2 that is applied twice, with a downsampling by 2 after each time.

    Args:
        kernel: ``K x K``.

    Returns:
        ``(3 K - 2) x (3 K - 2)``: k convolved with k of twice the spacing.

    Examples:
        >>> compose(torch.ones(2, 2) / 4)[0].tolist()  # a box of four
        [0.0625, 0.0625, 0.0625, 0.0625]
    """
    side = kernel.shape[-1]
    spaced = torch.zeros(2 * side - 1, 2 * side - 1)
    spaced[::2, ::2] = kernel
    return F.conv2d(spaced[None, None], kernel.flip(0, 1)[None, None], padding=side - 1)[0, 0]
