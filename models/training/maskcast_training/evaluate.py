"""COCO figures of a network on a folder of pictures, and mean mask IoU on the annotated boxes."""

import contextlib
import io
import json
import os

import numpy as np
import torch
import torch.nn.functional as F
from PIL import Image
from pycocotools import mask as coco_mask
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval

SMALLEST = 32 * 32


def pixels(file, height, width):
    """uint8 [1,3,H,W]: the picture stretched to the input."""
    with Image.open(file) as opened:
        image = opened.convert("RGB").resize((width, height), Image.BILINEAR)
    return torch.from_numpy(np.array(image)).permute(2, 0, 1)[None]


def pasted(mask, box, height, width):
    """28×28 probabilities pasted over a box (px of the picture), aligned to pixel centres as Detectron2 does → bool [height,width]."""
    x1, y1, x2, y2 = (float(v) for v in box)
    left, top = max(int(np.floor(x1)) - 1, 0), max(int(np.floor(y1)) - 1, 0)
    right, bottom = min(int(np.ceil(x2)) + 1, width), min(int(np.ceil(y2)) + 1, height)
    out = np.zeros((height, width), np.uint8, order="F")
    if right <= left or bottom <= top:
        return out
    x = (torch.arange(left, right) + 0.5 - x1) / max(x2 - x1, 1e-6) * 2 - 1
    y = (torch.arange(top, bottom) + 0.5 - y1) / max(y2 - y1, 1e-6) * 2 - 1
    grid = torch.stack(torch.meshgrid(y, x, indexing="ij")[::-1], -1)[None].float()
    out[top:bottom, left:right] = (F.grid_sample(mask[None, None], grid, align_corners=False)[0, 0] >= 0.5).numpy()
    return out


@torch.no_grad()
def results(network, coco, folder, maps_of=None, least=0.02, most=100):
    """COCO results and, per class, the mask IoUs on annotated boxes."""
    classes = network.card["classes"]
    ids = [coco.getCatIds(catNms=[c])[0] for c in classes]
    found, overlaps = [], {c: [] for c in classes}
    for image in coco.dataset["images"]:
        h, w = image["height"], image["width"]
        maps = maps_of(image) if maps_of else network.maps(pixels(os.path.join(folder, image["file_name"]), network.height, network.width))
        features = network.features(maps)
        boxes, scores, labels = network.detections(*network.predictions(maps), least, most)[0]
        truth = [a for a in coco.loadAnns(coco.getAnnIds(imgIds=[image["id"]], catIds=ids, iscrowd=0)) if "segmentation" in a]
        scale = torch.tensor([w / network.width, h / network.height] * 2)
        exact = torch.tensor([[a["bbox"][0], a["bbox"][1], a["bbox"][0] + a["bbox"][2], a["bbox"][1] + a["bbox"][3]] for a in truth]).reshape(-1, 4)
        every = torch.cat([boxes, exact / scale])
        of = torch.cat([labels, torch.tensor([ids.index(a["category_id"]) for a in truth], dtype=torch.long)])
        if len(every) == 0:
            continue
        masks = network.mask_logits(features, [every])[torch.arange(len(of)), of].sigmoid()
        for box, score, label, mask in zip(boxes * scale, scores, labels, masks):
            rle = coco_mask.encode(pasted(mask, box, h, w))
            found.append({
                "image_id": image["id"], "category_id": ids[label], "score": round(float(score), 5),
                "bbox": [round(float(v), 2) for v in (box[0], box[1], box[2] - box[0], box[3] - box[1])],
                "segmentation": {"size": rle["size"], "counts": rle["counts"].decode()},
            })
        for a, box, mask in zip(truth, exact, masks[len(boxes) :]):
            iou = coco_mask.iou([coco_mask.encode(pasted(mask, box, h, w))], [coco.annToRLE(a)], [0])[0, 0]
            overlaps[classes[ids.index(a["category_id"])]].append(float(iou))
    return found, overlaps


def quiet(call):
    with contextlib.redirect_stdout(io.StringIO()):
        return call()


def figures(network, annotations, folder, maps_of=None):
    """{"bbox": {...}, "segm": {...}, "maskIou": {...}} with percentages."""
    coco = quiet(lambda: COCO(annotations))
    found, overlaps = results(network, coco, folder, maps_of)
    classes = network.card["classes"]
    ids = [coco.getCatIds(catNms=[c])[0] for c in classes]
    out = {"maskIou": {c: round(100 * float(np.mean(v)), 1) if v else None for c, v in overlaps.items()}}
    for kind in ("bbox", "segm"):
        def run():
            e = COCOeval(coco, coco.loadRes(json.loads(json.dumps(found))), kind)
            e.params.catIds = ids
            e.evaluate(), e.accumulate()
            return e
        precision = quiet(run).eval["precision"]  # [iou, recall, class, area, most]
        at = lambda p: round(100 * float(p[p > -1].mean()), 1) if (p > -1).any() else None
        out[kind] = {
            "AP": at(precision[:, :, :, 0, -1]), "AP50": at(precision[0, :, :, 0, -1]), "AP75": at(precision[5, :, :, 0, -1]),
            "perClass": {c: {"AP": at(precision[:, :, i, 0, -1]), "AP50": at(precision[0, :, i, 0, -1])} for i, c in enumerate(classes)},
        }
    return out


def line(f):
    """One line for a log."""
    p = f["segm"]["perClass"]["person"]
    b = f["bbox"]["perClass"]
    return (f"box AP {f['bbox']['AP']} AP50 {f['bbox']['AP50']} (person {b['person']['AP50']}, car {b['car']['AP50']}); "
            f"mask AP {f['segm']['AP']} AP75 {f['segm']['AP75']}, person AP50 {p['AP50']} AP {p['AP']}; mask IoU {f['maskIou']}")
