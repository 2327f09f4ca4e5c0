"""From camera deltas to the network's control map.

Shape suffixes: B = batch, F = latents, H W = pixels, h w = latent cells, 6 = ray origin and
direction, D = channels of the control map.
"""

import torch
from einops import rearrange
from torch import Tensor

from model.camera.intrinsics import Intrinsics
from model.camera.pose import Poses


def plucker_rays(
    deltas: Poses | Tensor, intrinsics: Intrinsics, device: torch.device | str | None = None
) -> Tensor:
    """The rays through all pixel centres: deltas ``[..., 4, 4]`` to float32 ``[..., H, W, 6]``.

    A ray is (origin xyz, unit direction xyz) in the coordinates of the pose before, H and W are
    the lens's. It is called a Plücker embedding after its ancestors, but holds the origin in place
    of the moment (origin x direction), as in LingBot-World's ``wan/utils/cam_utils.py``.
    """
    c2w = torch.as_tensor(deltas, dtype=torch.float32, device=device)
    columns = torch.arange(intrinsics.width, dtype=torch.float32, device=c2w.device) + 0.5
    rows = torch.arange(intrinsics.height, dtype=torch.float32, device=c2w.device) + 0.5
    y, x = torch.meshgrid(
        (rows - intrinsics.cy) / intrinsics.fy,
        (columns - intrinsics.cx) / intrinsics.fx,
        indexing="ij",
    )
    local_HW3 = torch.nn.functional.normalize(torch.stack([x, y, torch.ones_like(x)], -1), dim=-1)
    # Sums of products, not a matmul: neither TF32 nor autocast may round a direction.
    axes = c2w[..., None, None, :3, :3].unbind(-1)
    parts = local_HW3[..., None].unbind(-2)
    direction = parts[0] * axes[0] + parts[1] * axes[1] + parts[2] * axes[2]
    origin = c2w[..., None, None, :3, 3].expand_as(direction)
    return torch.cat([origin, direction], dim=-1)


def camera_embedding(rays_BFHW6: Tensor, cell: int = 8) -> Tensor:
    """Fold each ``cell`` x ``cell`` square of rays into channels: ``[B, 6*cell*cell, F, h, w]``.

    Channel ``c*cell*cell + dy*cell + dx`` is coordinate c of the ray at (dy, dx) of the cell.
    """
    return rearrange(
        rays_BFHW6, "B F (h dy) (w dx) c -> B (c dy dx) F h w", dy=cell, dx=cell
    ).contiguous()
