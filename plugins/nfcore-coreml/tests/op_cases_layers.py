"""Cases of layers and of resizing."""

import torch
import torch.nn.functional as F
from op_inputs import BIAS, MATRIX, ROWS, WEIGHT, Case, mb
from torch import Tensor

CASES: dict[str, Case] = {
    "batch_norm": (
        "batch_norm",
        lambda x, y: mb.batch_norm(
            x=x,
            mean=BIAS.numpy(),
            variance=BIAS.abs().numpy(),
            gamma=BIAS.numpy(),
            beta=BIAS.numpy(),
            epsilon=1e-3,
        ),
        lambda x, y: F.batch_norm(x, BIAS, BIAS.abs(), BIAS, BIAS, eps=1e-3),
    ),
    "conv": (
        "conv",
        lambda x, y: mb.conv(
            x=x,
            weight=WEIGHT.numpy(),
            bias=BIAS.numpy(),
            strides=[1, 2],
            dilations=[1, 2],
            groups=2,
            pad_type="custom",
            pad=[1, 1, 2, 2],
        ),
        lambda x, y: F.conv2d(x, WEIGHT, BIAS, (1, 2), (1, 2), (1, 2), 2),
    ),
    "conv without options": (
        "conv",
        lambda x, y: mb.conv(x=x, weight=WEIGHT[:, :, :1, :1].repeat(1, 2, 1, 1).numpy()),
        lambda x, y: F.conv2d(x, WEIGHT[:, :, :1, :1].repeat(1, 2, 1, 1)),
    ),
    "conv padded unevenly": (
        "conv",
        lambda x, y: mb.conv(x=x, weight=WEIGHT.numpy(), groups=2, pad_type="custom", pad=[0, 2, 1, 0]),
        lambda x, y: F.conv2d(F.pad(x, (1, 0, 0, 2)), WEIGHT, groups=2),
    ),
    "conv along one axis": (
        "conv",
        lambda x, y: mb.conv(
            x=mb.squeeze(x=mb.slice_by_size(x=x, begin=[0] * 4, size=[2, 8, 1, 6]), axes=[2]),
            weight=WEIGHT[:, :, 0].repeat(1, 2, 1).numpy(),
        ),
        lambda x, y: F.conv1d(x[:, :, 0], WEIGHT[:, :, 0].repeat(1, 2, 1)),
    ),
    "conv_transpose": (
        "conv_transpose",
        lambda x, y: mb.conv_transpose(
            x=x, weight=WEIGHT.numpy(), bias=BIAS[:4].numpy(), strides=[2, 2], pad_type="custom", pad=[1, 1, 1, 1]
        ),
        lambda x, y: F.conv_transpose2d(x, WEIGHT, BIAS[:4], 2, 1),
    ),
    "conv_transpose with an output shape": (
        "conv_transpose",
        lambda x, y: mb.conv_transpose(
            x=x,
            weight=WEIGHT.numpy(),
            bias=BIAS[:4].numpy(),
            strides=[3, 3],
            pad_type="custom",
            pad=[0, 0, 0, 0],
            output_shape=[2, 4, 14, 20],
        ),
        lambda x, y: F.conv_transpose2d(x, WEIGHT, BIAS[:4], 3, 0, output_padding=2),
    ),
    "conv_transpose without options": (
        "conv_transpose",
        lambda x, y: mb.conv_transpose(x=x, weight=WEIGHT.numpy()),
        lambda x, y: F.conv_transpose2d(x, WEIGHT),
    ),
    "linear": (
        "linear",
        lambda x, y: mb.linear(x=x, weight=MATRIX.numpy(), bias=BIAS[:5].numpy()),
        lambda x, y: torch.einsum("bchw,dw->bchd", x, MATRIX) + BIAS[:5],
    ),
    "matmul": (
        "matmul",
        lambda x, y: mb.matmul(x=x, y=y, transpose_y=True),
        lambda x, y: torch.einsum("bcik,bcjk->bcij", x, y),
    ),
    "matmul, first transposed": (
        "matmul",
        lambda x, y: mb.matmul(x=x, y=y, transpose_x=True),
        lambda x, y: torch.einsum("bcki,bckj->bcij", x, y),
    ),
    "resample": (
        "resample",
        lambda x, y: mb.resample(
            x=x,
            coordinates=mb.transpose(x=mb.slice_by_size(x=y, begin=[0] * 4, size=[2, 2, 4, 6]), perm=[0, 2, 3, 1]),
            sampling_mode="bilinear",
            padding_mode="border",
            padding_value=0.0,
            coordinates_mode="normalized_minus_one_to_one",
            align_corners=True,
        ),
        lambda x, y: bilinear(x, *y[:, :2].unbind(1)),
    ),
    "avg_pool": (
        "avg_pool",
        lambda x, y: mb.avg_pool(x=x, kernel_sizes=[2, 3], strides=[2, 1], pad_type="custom", pad=[0, 0, 1, 1]),
        lambda x, y: F.pad(x, (1, 1)).unfold(2, 2, 2).unfold(3, 3, 1).mean((-2, -1)),
    ),
    "avg_pool, borders excluded": (
        "avg_pool",
        lambda x, y: mb.avg_pool(
            x=x, kernel_sizes=[1, 3], pad_type="custom", pad=[0, 0, 1, 1], exclude_padding_from_average=True
        ),
        lambda x, y: (
            F.pad(x, (1, 1)).unfold(3, 3, 1).sum(-1) / F.pad(torch.ones_like(x), (1, 1)).unfold(3, 3, 1).sum(-1)
        ),
    ),
    "einsum": (
        "einsum",
        lambda x, y: mb.einsum(values=[x, mb.transpose(x=y, perm=[0, 3, 2, 1])], equation="nchw,nwhu->nchu"),
        lambda x, y: torch.stack([(x * y[:, u, None]).sum(-1) for u in range(8)], -1),
    ),
    "instance_norm": (
        "instance_norm",
        lambda x, y: mb.instance_norm(x=x, gamma=BIAS.numpy(), beta=BIAS.numpy(), epsilon=1e-3),
        lambda x, y: (
            (x - x.mean((2, 3), keepdim=True))
            / (x.var((2, 3), correction=0, keepdim=True) + 1e-3).sqrt()
            * BIAS[:, None, None]
            + BIAS[:, None, None]
        ),
    ),
    "l2_norm": (
        "l2_norm",
        lambda x, y: mb.l2_norm(x=x, epsilon=0.5),
        lambda x, y: x / (x.square().sum((1, 2, 3), keepdim=True) + 0.5).sqrt(),
    ),
    "layer_norm": (
        "layer_norm",
        lambda x, y: mb.layer_norm(x=x, axes=[-1, 2], gamma=ROWS.numpy(), beta=ROWS.exp().numpy(), epsilon=1e-3),
        lambda x, y: F.layer_norm(x, (4, 6), ROWS, ROWS.exp(), 1e-3),
    ),
    "layer_norm over the channels": (
        "layer_norm",
        lambda x, y: mb.layer_norm(x=x, axes=[1], gamma=BIAS.numpy(), epsilon=1e-3),
        lambda x, y: F.layer_norm(x.movedim(1, -1), (8,), BIAS, None, 1e-3).movedim(-1, 1),
    ),
    "max_pool": (
        "max_pool",
        lambda x, y: mb.max_pool(x=x, kernel_sizes=[2, 3], strides=[2, 1], pad_type="custom", pad=[0, 0, 1, 1]),
        lambda x, y: F.pad(x, (1, 1), value=-1e9).unfold(2, 2, 2).unfold(3, 3, 1).amax((-2, -1)),
    ),
    "resize_bilinear": (
        "resize_bilinear",
        lambda x, y: mb.resize_bilinear(
            x=x, target_size_height=7, target_size_width=9, sampling_mode="STRICT_ALIGN_CORNERS"
        ),
        lambda x, y: resized(x, torch.arange(7) * 3 / 6, torch.arange(9) * 5 / 8),
    ),
    "resize_bilinear, unaligned": (
        "resize_bilinear",
        lambda x, y: mb.resize_bilinear(
            x=x, target_size_height=7, target_size_width=9, sampling_mode="UNALIGN_CORNERS"
        ),
        lambda x, y: resized(x, (torch.arange(7) + 0.5) * 4 / 7 - 0.5, (torch.arange(9) + 0.5) * 6 / 9 - 0.5),
    ),
    "upsample_bilinear": (
        "upsample_bilinear",
        lambda x, y: mb.upsample_bilinear(x=x, scale_factor_height=2, scale_factor_width=3, align_corners=False),
        lambda x, y: resized(x, (torch.arange(8) + 0.5) / 2 - 0.5, (torch.arange(18) + 0.5) / 3 - 0.5),
    ),
    "upsample_bilinear, aligned": (
        "upsample_bilinear",
        lambda x, y: mb.upsample_bilinear(x=x, scale_factor_height=2.0, scale_factor_width=1.5),
        lambda x, y: resized(x, torch.arange(8) * 3 / 7, torch.arange(9) * 5 / 8),
    ),
    "upsample_nearest_neighbor": (
        "upsample_nearest_neighbor",
        lambda x, y: mb.upsample_nearest_neighbor(x=x, scale_factor_height=2, scale_factor_width=3),
        lambda x, y: x[:, :, torch.arange(8) // 2][..., torch.arange(18) // 3],
    ),
}


def resized(image: Tensor, rows: Tensor, columns: Tensor) -> Tensor:
    """Return the image (b, c, h, w) at whole and broken rows and columns, which are moved to the border."""
    return interpolated(interpolated(image, rows, 2), columns, 3)


def interpolated(image: Tensor, places: Tensor, axis: int) -> Tensor:
    places = places.clamp(0, image.shape[axis] - 1)
    first = places.floor().long()
    second = (first + 1).clamp(max=image.shape[axis] - 1)
    share = (places - first).reshape([-1 if i == axis else 1 for i in range(4)])
    return image.index_select(axis, first) * (1 - share) + image.index_select(axis, second) * share


def bilinear(image: Tensor, x: Tensor, y: Tensor) -> Tensor:
    """Weigh the four texels around each place (b, h, w) in [-1, 1]; places beyond are moved to the border."""
    height, width = image.shape[2:]
    column, row = ((x.clamp(-1, 1) + 1) / 2 * (width - 1)), ((y.clamp(-1, 1) + 1) / 2 * (height - 1))
    total = torch.zeros(())
    batch = torch.arange(len(image))[:, None, None]
    for i in (0, 1):
        for j in (0, 1):
            at_row, at_column = row.floor() + i, column.floor() + j
            weight = (1 - (row - at_row).abs()) * (1 - (column - at_column).abs())
            texel = image[batch, :, at_row.long().clamp(max=height - 1), at_column.long().clamp(max=width - 1)]
            total = total + weight[:, None] * texel.permute(0, 3, 1, 2)
    return total
