"""Renders worlds as seen by cameras. Plain torch here, the reference; on CUDA one Triton kernel.

Rays are cast (no rasterisation): nearest primitive or ground, one shadow ray to the sun, procedural
surfaces, fog, and a sky with clouds, hills and the sun's disc. Colours are computed and averaged
directly in display space. Axes: x right, y DOWN, z forward, metres, ground at y = 1.6.

Suffixes: B worlds, F frames, P rays of a frame, N rows, C columns (``tables.py``), 3 coordinates or
colour channels.
"""

import torch
from einops import rearrange, reduce
from torch import Tensor

from model.training import tables as look
from model.training.intersect import nearest_hit
from model.training.shading import Hit, fog, sky_colour, sun_glow, surface_colour, surface_normal
from model.training.tables import EYE_HEIGHT, MISS
from model.training.worlds import Worlds


def render(
    worlds: Worlds,
    c2w_BF44: Tensor,
    height: int,
    width: int,
    *,
    focal: float = 0.64,
    supersample: int = 2,
) -> Tensor:
    """Pictures uint8 ``[B, F, 3, height, width]`` of the cameras ``c2w_BF44``, on their device.

    The lens is a pinhole with fx = fy = ``focal`` * ``width`` pixels and the principal point in
    the centre; the centre of the first pixel is (0.5, 0.5). Each pixel averages ``supersample``
    squared rays. ``F`` is at most the number of frames ``worlds`` have light for.
    """
    if c2w_BF44.is_cuda:
        from model.training import renderer_triton  # CPU installations of torch bring no triton

        return renderer_triton.render(
            worlds, c2w_BF44, (height, width), focal=focal, supersample=supersample
        )
    rays_P3 = _pixel_rays(height * supersample, width * supersample, focal)
    frames = []
    for frame, c2w_B44 in enumerate(c2w_BF44.float().unbind(dim=1)):
        colour_BP3 = _trace(worlds, worlds.light_BFC[:, frame], c2w_B44, rays_P3, focal * width)
        picture = reduce(
            colour_BP3,
            "b (h sub_y w sub_x) c -> b c h w",
            "mean",
            h=height,
            w=width,
            sub_y=supersample,
            sub_x=supersample,
        )
        frames.append((picture * 255 + 0.5).to(torch.uint8))
    return torch.stack(frames, dim=1)


def _pixel_rays(rows: int, columns: int, focal: float) -> Tensor:
    """Unnormalised directions in camera axes through a grid of (sub-)pixel centres, ``[P, 3]``."""
    u = (torch.arange(columns) + 0.5 - columns / 2) / (focal * columns)
    v = (torch.arange(rows) + 0.5 - rows / 2) / (focal * columns)
    v_HW, u_HW = torch.meshgrid(v, u, indexing="ij")
    return rearrange(torch.stack([u_HW, v_HW, torch.ones_like(u_HW)], dim=-1), "h w c -> (h w) c")


def _trace(
    worlds: Worlds, light_BC: Tensor, c2w_B44: Tensor, rays_P3: Tensor, focal_px: float
) -> Tensor:
    """Colours ``[B, P, 3]`` in 0..1 of one frame's rays."""
    ray_BP3 = rays_P3 @ c2w_B44[:, :3, :3].mT
    ray_BP3 = ray_BP3 / ray_BP3.norm(dim=-1, keepdim=True)
    eye_B13 = c2w_B44[:, None, :3, 3]
    distance_BP, row_BP = nearest_hit(worlds.things_BNC, eye_B13, ray_BP3)
    descent_BP = ray_BP3[..., 1]
    falls_BP = descent_BP > 1e-4
    ground_BP = torch.where(
        falls_BP, (EYE_HEIGHT - eye_B13[..., 1]) / torch.where(falls_BP, descent_BP, 1.0), MISS
    )
    on_ground_BP = ground_BP < distance_BP
    distance_BP = torch.minimum(distance_BP, ground_BP)
    hit_BP = distance_BP < look.FAR_GROUND
    distance_BP = torch.where(hit_BP, distance_BP, 1.0)
    hit = Hit(
        eye_B13 + distance_BP[..., None] * ray_BP3, row_BP, on_ground_BP, distance_BP / focal_px
    )
    glow_BP3 = sun_glow(light_BC, ray_BP3)
    haze_BP3 = light_BC[:, None, 3:6] + look.GLOW_IN_FOG * glow_BP3
    surface_BP3 = torch.lerp(
        _lit(worlds, light_BC, hit), haze_BP3, fog(distance_BP, light_BC)[..., None]
    )
    sky_BP3 = sky_colour(worlds.ground_BC, light_BC, ray_BP3, glow_BP3)
    return torch.where(hit_BP[..., None], surface_BP3, sky_BP3).clamp(0, 1)


def _lit(worlds: Worlds, light_BC: Tensor, hit: Hit) -> Tensor:
    """Colours of surfaces in the sun, in shadow and in the light of windows."""
    normal_BP3 = surface_normal(worlds.things_BNC, hit)
    to_sun_B13 = light_BC[:, None, 12:15]
    facing_BP = (normal_BP3 * to_sun_B13).sum(dim=-1).clamp(min=0)
    start_BP3 = hit.point_BP3 + look.SHADOW_BIAS * normal_BP3
    blocker_BP, _ = nearest_hit(worlds.things_BNC, start_BP3, to_sun_B13)
    sunlit_BP = torch.where(blocker_BP < MISS, 0.0, facing_BP)
    return surface_colour(
        worlds.things_BNC, worlds.ground_BC, light_BC, hit, sunlit_BP, -normal_BP3[..., 1]
    )
