"""The graph of the builder against the network of the training code, on pictures: `python check.py --weights trained.safetensors
--body body.onnx --onnx net.onnx --annotations instances.json --images DIR [--count 100]`. Fails when a box differs by half a pixel of
the input, or an AP by 0.1."""

import argparse
import os
import sys

import numpy as np
import onnxruntime
import torch
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval
from pycocotools import mask as coco_mask

from maskcast_training.evaluate import pasted, pixels, quiet
from maskcast_training.network import Network


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    for name in ("weights", "body", "onnx", "annotations", "images"):
        parser.add_argument(f"--{name}", required=True)
    parser.add_argument("--count", type=int, default=100)
    a = parser.parse_args()
    network = Network(a.weights, a.body)
    session = onnxruntime.InferenceSession(a.onnx, providers=["CPUExecutionProvider"])
    network.resize(*session.get_inputs()[0].shape[1:3])  # The graph may be built for another size than the training's.
    names = [o.name for o in session.get_outputs()]
    coco = quiet(lambda: COCO(a.annotations))
    coco.dataset["images"] = coco.dataset["images"][: a.count]
    kept = {i["id"] for i in coco.dataset["images"]}
    coco.dataset["annotations"] = [x for x in coco.dataset["annotations"] if x["image_id"] in kept]
    quiet(coco.createIndex)
    ids = [coco.getCatIds(catNms=[c])[0] for c in network.card["classes"]]
    sides = {"PyTorch": [], "ONNX": []}
    boxes_off, masks_off, scores_off, unmatched, total = [], [], [], 0, 0
    for image in coco.dataset["images"]:
        x = pixels(os.path.join(a.images, image["file_name"]), network.height, network.width)
        with torch.no_grad():
            maps = network.maps(x)
            boxes, scores, labels = network.detections(*network.predictions(maps))[0]
            masks = network.mask_logits(network.features(maps), [boxes])[torch.arange(len(labels)), labels].sigmoid()
        got = dict(zip(names, session.run(names, {"images": x.permute(0, 2, 3, 1).numpy()})))
        total += len(labels)
        free = set(range(len(got["scores"])))
        for b, s, l, m in zip(boxes.numpy(), scores.numpy(), labels.numpy(), masks.numpy()):
            near = [j for j in free if got["labels"][j] == l and abs(got["scores"][j] - s) < 1e-3]
            if not near:
                unmatched += 1
                continue
            j = min(near, key=lambda j: np.abs(got["boxes"][j] - b).max())
            free.discard(j)
            boxes_off.append(np.abs(got["boxes"][j] - b).max())
            masks_off.append(np.abs(got["masks"][j] - m).max())
            scores_off.append(abs(got["scores"][j] - s))
        unmatched += len(free)
        h, w = image["height"], image["width"]
        scale = torch.tensor([w / network.width, h / network.height] * 2)
        torch_side = (boxes, scores, labels, masks)
        onnx_side = tuple(torch.from_numpy(got[k]) for k in ("boxes", "scores", "labels", "masks"))
        for side, (bs, ss, ls, ms) in zip(sides.values(), (torch_side, onnx_side)):
            for b, s, l, m in zip(bs * scale, ss, ls, ms):
                rle = coco_mask.encode(pasted(m, b, h, w))
                side.append({"image_id": image["id"], "category_id": ids[int(l)], "score": float(s),
                             "bbox": [float(v) for v in (b[0], b[1], b[2] - b[0], b[3] - b[1])],
                             "segmentation": {"size": rle["size"], "counts": rle["counts"].decode()}})
    print(f"{total} instances on {len(kept)} pictures; largest difference: boxes {max(boxes_off):.1e} px of the input, "
          f"scores {max(scores_off):.1e}, masks {max(masks_off):.1e}; {unmatched} without a partner")
    wrong = max(boxes_off) >= 0.5
    for kind in ("bbox", "segm"):
        ap = {}
        for side, found in sides.items():
            e = quiet(lambda: COCOeval(coco, coco.loadRes(found), kind))
            e.params.catIds = ids
            quiet(lambda: (e.evaluate(), e.accumulate(), e.summarize()))
            ap[side] = 100 * e.stats[0]
        print(kind, "AP", {k: round(v, 3) for k, v in ap.items()})
        wrong |= abs(ap["PyTorch"] - ap["ONNX"]) >= 0.1
    sys.exit(int(wrong))


if __name__ == "__main__":
    main()
