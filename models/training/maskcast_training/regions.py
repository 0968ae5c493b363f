"""Which boxes of a picture teach the mask branch, and their targets."""

import numpy as np
import torch
import torch.nn.functional as F

from .data import CROP, MARGIN
from .losses import box_iou

SIDE = 28


def choose(boxes, labels, crops, masked, found, rng, most):
    """Boxes [r,4], objects' places [r]: jittered annotated boxes and first-stage boxes that lie on an object (IoU ≥ 0.5)."""
    places = np.flatnonzero(masked)
    if len(places) == 0:
        return np.zeros((0, 4), np.float32), places
    if len(places) > most:
        places = rng.choice(places, most, replace=False)
    chosen = boxes[places].copy()
    iou = box_iou(torch.from_numpy(boxes[places]), torch.from_numpy(found[0])).numpy() if len(found[0]) else np.zeros((len(places), 0))
    for row, place in enumerate(places):
        good = np.flatnonzero((iou[row] >= 0.5) & (found[1] == labels[place])) if iou.shape[1] else []
        if len(good) and rng.random() < 0.6:
            chosen[row] = found[0][rng.choice(good)]
            continue
        x1, y1, x2, y2 = boxes[place]
        w, h = (x2 - x1) * np.exp(rng.uniform(-0.2, 0.2)), (y2 - y1) * np.exp(rng.uniform(-0.2, 0.2))
        cx, cy = (x1 + x2) / 2 + rng.uniform(-0.1, 0.1) * (x2 - x1), (y1 + y2) / 2 + rng.uniform(-0.1, 0.1) * (y2 - y1)
        chosen[row] = (cx - w / 2, cy - h / 2, cx + w / 2, cy + h / 2)
    return chosen, places


def targets(crops, owners, boxes):
    """Masks of objects seen through boxes: crops uint8 [r,CROP,CROP] of owners [r,4], boxes [r,4] → [r,28,28] 0…1, areas averaged 2×2."""
    if len(boxes) == 0:
        return torch.zeros(0, SIDE, SIDE)
    size = owners[:, 2:] - owners[:, :2]
    low, span = owners[:, :2] - MARGIN * size, size * (1 + 2 * MARGIN)
    steps = (torch.arange(2 * SIDE) + 0.5) / (2 * SIDE)
    at = lambda axis: ((boxes[:, axis, None] + steps * (boxes[:, axis + 2] - boxes[:, axis])[:, None] - low[:, axis, None])
                       / span[:, axis, None] * 2 - 1)
    x, y = at(0), at(1)
    grid = torch.stack([x[:, None, :].expand(-1, 2 * SIDE, -1), y[:, :, None].expand(-1, -1, 2 * SIDE)], -1)
    seen = F.grid_sample(crops[:, None].float() / 255, grid, align_corners=False)
    return F.avg_pool2d(seen, 2)[:, 0]


def batch_of(objects, rng, most=8):
    """Boxes per picture (list of [r,4]), labels [R], targets [R,28,28] of several (sample, found) pairs."""
    boxes, labels, crops, owners = [], [], [], []
    for (b, l, c, m), found in objects:
        chosen, places = choose(b, l, c, m, found, rng, most)
        boxes.append(torch.from_numpy(chosen))
        labels.append(torch.from_numpy(l[places]))
        crops.append(torch.from_numpy(c[places]))
        owners.append(torch.from_numpy(b[places]))
    return boxes, torch.cat(labels), targets(torch.cat(crops), torch.cat(owners), torch.cat(boxes))
