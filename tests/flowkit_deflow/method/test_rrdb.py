import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from flowkit import Checkpointed, Reversible, Stored, use_activations
from flowkit.bijectors import Activations
from flowkit_deflow.method.rrdb import RRDBEncoder
from tests.flowkit_deflow.networks import dense


def encoder_of(scale: int, levels: int = 3, stack_blocks: tuple[int, ...] = (0, 2)) -> RRDBEncoder:
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return RRDBEncoder(scale, levels, features=6, growth=4, blocks=3, stack_blocks=stack_blocks).double()


def h_of(height: int = 4, width: int = 8) -> Tensor:
    return torch.rand(2, 3, height, width, generator=torch.Generator().manual_seed(0), dtype=torch.float64)


def conv(encoder: RRDBEncoder, name: str, x: Tensor) -> Tensor:
    layer = encoder.get_submodule(name)
    assert isinstance(layer, torch.nn.Conv2d)
    return F.conv2d(x, layer.weight, layer.bias, padding=1)


def residual_dense(encoder: RRDBEncoder, name: str, x: Tensor) -> Tensor:
    """Wang et al. 2018, fig. 4: each convolution sees all before it; a fifth of the last is added."""
    x1 = F.leaky_relu(conv(encoder, f"{name}.conv1", x), 0.2)
    x2 = F.leaky_relu(conv(encoder, f"{name}.conv2", torch.cat([x, x1], 1)), 0.2)
    x3 = F.leaky_relu(conv(encoder, f"{name}.conv3", torch.cat([x, x1, x2], 1)), 0.2)
    x4 = F.leaky_relu(conv(encoder, f"{name}.conv4", torch.cat([x, x1, x2, x3], 1)), 0.2)
    return x + 0.2 * conv(encoder, f"{name}.conv5", torch.cat([x, x1, x2, x3, x4], 1))


def doubled(x: Tensor) -> Tensor:
    return x.repeat_interleave(2, -1).repeat_interleave(2, -2)


def by_hand(encoder: RRDBEncoder, h: Tensor) -> tuple[list[Tensor], dict[float, Tensor]]:
    """The outputs of the blocks, and the network's own maps by resolution."""
    x = conv(encoder, "conv_first", h)
    blocks = []
    for i in range(3):
        inner = x
        for j in (1, 2, 3):
            inner = residual_dense(encoder, f"RRDB_trunk.{i}.RDB{j}", inner)
        x = x + 0.2 * inner
        blocks.append(x)
    x = x + conv(encoder, "trunk_conv", x)
    # Bilinear halving of an even size takes the mean of each 2x2 block.
    maps = {1: x, 0.5: F.avg_pool2d(x, 2)}
    for number in range(1, 4):
        if hasattr(encoder, f"upconv{number}"):
            x = F.leaky_relu(conv(encoder, f"upconv{number}", doubled(x)), 0.2)
            maps[2**number] = x
    return blocks, maps


class TestMaps:
    @pytest.mark.parametrize(
        ("scale", "levels", "resolutions"),
        [
            (4, 3, [2, 1, 0.5]),
            (8, 3, [4, 2, 1]),
            (16, 3, [8, 4, 2]),
            (4, 1, [2]),
            (16, 2, [8, 4]),
            (8, 4, [4, 2, 1, 0.5]),
        ],
    )
    def test_the_networks_own_by_hand(self, scale: int, levels: int, resolutions: list[float]) -> None:
        encoder, h = encoder_of(scale, levels), h_of()
        maps = dense(encoder(h))
        _, expected = by_hand(encoder, h)
        assert len(maps) == levels
        for got, resolution in zip(maps, resolutions, strict=True):
            assert got.shape == (2, encoder.out_channels, int(4 * resolution), int(8 * resolution))
            torch.testing.assert_close(got[:, :6], expected[resolution], atol=1e-12, rtol=1e-12)

    def test_stacked_blocks_by_hand(self) -> None:
        encoder, h = encoder_of(4), h_of()
        blocks, _ = by_hand(encoder, h)
        fine, same, coarse = dense(encoder(h))
        for place, block in ((6, blocks[0]), (12, blocks[2])):
            channels = slice(place, place + 6)
            torch.testing.assert_close(fine[:, channels], doubled(block), atol=1e-12, rtol=1e-12)
            torch.testing.assert_close(same[:, channels], block, atol=1e-12, rtol=1e-12)
            torch.testing.assert_close(coarse[:, channels], block[..., ::2, ::2], atol=1e-12, rtol=1e-12)

    def test_without_stacked_blocks(self) -> None:
        encoder = encoder_of(4, stack_blocks=())
        assert encoder.out_channels == 6
        assert [m.shape[1] for m in encoder(h_of())] == [6, 6, 6]


class TestTraining:
    @pytest.mark.parametrize("scale", [4, 8, 16])
    def test_what_is_not_run_is_not_trained_and_all_else_is(self, scale: int) -> None:
        # Several devices wait for the gradient of every parameter that can be trained.
        encoder = encoder_of(scale)
        sum(m.square().sum() for m in dense(encoder(h_of()))).backward()
        for name, parameter in encoder.named_parameters():
            unused = name.startswith(("HRconv.", "conv_last.", f"upconv{scale.bit_length() - 1}."))
            assert parameter.requires_grad != unused, name
            assert (parameter.grad is None) == unused, name

    @pytest.mark.parametrize("activations", [Checkpointed(), Reversible()], ids=["checkpointed", "reversible"])
    def test_where_less_is_stored_gradients_are_the_same_and_a_blocks_input_is_kept_of_it(
        self, activations: Activations
    ) -> None:
        def run(activations: Activations) -> tuple[list[Tensor | None], int]:
            encoder, kept = encoder_of(4).double(), dict[int, int]()
            use_activations(encoder, activations)

            def pack(tensor: Tensor) -> Tensor:
                kept[tensor.untyped_storage().data_ptr()] = tensor.untyped_storage().nbytes()
                return tensor

            with torch.autograd.graph.saved_tensors_hooks(pack, lambda tensor: tensor):
                maps = encoder(h_of().double())
            weights = sum(p.untyped_storage().nbytes() for p in encoder.parameters())
            sum(m.square().sum() for m in dense(maps)).backward()
            return [p.grad for p in encoder.parameters()], sum(kept.values()) - weights

        expected, all_bytes = run(Stored())
        got, few_bytes = run(activations)
        # The same operations again, but that gradients pass between blocks in another order in memory.
        torch.testing.assert_close(got, expected)
        # 3 blocks of 3 dense blocks of 5 convolutions store some 50 maps; of these three are left.
        assert few_bytes < 0.3 * all_bytes


def test_another_scale_is_refused() -> None:
    with pytest.raises(ValueError, match="scale is 2"):
        encoder_of(2)
