"""Makes the goldens beside it from independent implementations; run from this folder:

    python -m venv v && v/bin/pip install pycocotools==2.0.11 torch numpy && v/bin/python make-goldens.py

cocotools.json: strings, areas, boxes and IoUs of pycocotools for polygons and for seeded bits.
paste.json: Detectron2's `_do_paste_mask` (`grid_sample`, whole picture) at threshold 0.5 and others, coded by pycocotools.
"""

import json

import numpy as np
import torch
from pycocotools import mask as coco

rng = np.random.default_rng(12)


def text(rle):
    return {"size": rle["size"], "counts": rle["counts"].decode()}


def round_list(values):
    return [round(float(v), 2) for v in values]


polygons = []
for i in range(40):
    h, w = int(rng.integers(5, 90)), int(rng.integers(5, 90))
    n = int(rng.integers(3, 12))
    angle = np.sort(rng.uniform(0, 2 * np.pi, n))
    radius = rng.uniform(0.1, 0.8, n) * max(h, w)
    xy = np.stack([w / 2 + radius * np.cos(angle), h / 2 + radius * np.sin(angle)], 1)
    if i % 4 == 0:  # crosses itself
        xy = rng.uniform(-10, 100, (n, 2))
    if i % 4 == 1:  # repeated corners, whole numbers
        xy = np.repeat(np.floor(xy), 2, 0)
    xy = round_list(xy.reshape(-1))
    rle = coco.frPyObjects([xy], h, w)[0]
    polygons.append({"xy": xy, **text(rle), "area": int(coco.area(rle)), "box": coco.toBbox(rle).tolist()})

bits = []
for i in range(12):
    h, w = int(rng.integers(1, 40)), int(rng.integers(1, 40))
    grid = rng.random((-(-h // (1 + i % 5)), -(-w // (1 + i % 5)))) < 0.5
    picture = np.kron(grid, np.ones((1 + i % 5, 1 + i % 5)))[:h, :w].astype(np.uint8)
    rle = coco.encode(np.asfortranarray(picture))
    bits.append({"bits": "".join(map(str, picture.reshape(-1))), **text(rle), "area": int(coco.area(rle))})

same = []
for i in range(8):
    h, w = 40, 50
    polys = [round_list(rng.uniform(-5, 55, 10)) for _ in range(3)]
    rles = [coco.frPyObjects([xy], h, w)[0] for xy in polys]
    same.append(
        {
            "masks": [text(r) for r in rles],
            "union": text(coco.merge(rles, intersect=False)),
            "intersection": text(coco.merge(rles, intersect=True)),
            "iou": coco.iou(rles, rles, [0, 0, 0]).tolist(),
            "iouCrowd": coco.iou(rles, rles, [1, 1, 1]).tolist(),
        }
    )
with open("cocotools.json", "w") as out:
    json.dump({"polygons": polygons, "bits": bits, "same": same}, out)


def paste(prob, box, h, w, threshold):
    """Detectron2's `_do_paste_mask` with `skip_empty=False`, in double precision."""
    x0, y0, x1, y1 = box
    y = (torch.arange(0, h, dtype=torch.float64) + 0.5 - y0) / (y1 - y0) * 2 - 1
    x = (torch.arange(0, w, dtype=torch.float64) + 0.5 - x0) / (x1 - x0) * 2 - 1
    grid = torch.stack([x[None, :].expand(h, w), y[:, None].expand(h, w)], 2)
    values = torch.nn.functional.grid_sample(prob[None, None], grid[None], align_corners=False)[0, 0]
    return coco.encode(np.asfortranarray((values >= threshold).numpy().astype(np.uint8)))


pastes = []
for i in range(36):
    h, w = int(rng.integers(10, 120)), int(rng.integers(10, 120))
    m = [7, 14, 28][i % 3]
    yy, xx = np.mgrid[0:m, 0:m] / (m - 1) - 0.5
    prob = 1 / (1 + np.exp(12 * (np.hypot(yy * rng.uniform(0.5, 2), xx * rng.uniform(0.5, 2)) - 0.45)))
    prob = np.clip(prob + rng.normal(0, 0.15, (m, m)), 0, 1)
    if i % 6 == 5:
        prob = np.ones((m, m))
    levels = (prob * 255).round().astype(int).reshape(-1).tolist()
    c = rng.uniform(-0.2, 1.2, 4) * [w, h, w, h]
    box = round_list([min(c[0], c[2]), min(c[1], c[3]), max(c[0], c[2]) + 1, max(c[1], c[3]) + 1])
    threshold = [0.5, 0.5, 0.3, 0.7][i % 4]
    # The map as a 32-bit float, as it comes out of a network.
    values = torch.tensor(np.float32(levels) / np.float32(255)).reshape(m, m).double()
    pastes.append(
        {"levels": bytes(levels).hex(), "m": m, "box": box, "threshold": threshold,
         **text(paste(values, box, h, w, threshold))}
    )  # fmt: skip
with open("paste.json", "w") as out:
    json.dump(pastes, out)
