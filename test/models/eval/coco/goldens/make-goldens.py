"""Makes truth.json, results.json and expected.json; run from this folder:

    python -m venv v && v/bin/pip install pycocotools==2.0.11 && v/bin/python make-goldens.py

Made-up pictures with what evaluators get wrong: crowds, equal scores, more than 100 results in a picture, objects at the
bounds of the area ranges, a class without objects, one without results, results in a picture without objects, run-length
ground truth in both forms, objects of more than one polygon.
"""

import contextlib
import io
import json

import numpy as np
from pycocotools import mask as coco
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval

rng = np.random.default_rng(2026)
SIZES = [(120, 160), (200, 150), (240, 320), (90, 90), (300, 200), (128, 128)]
CLASSES = {1: "person", 3: "car", 7: "train", 18: "dog", 90: "toothbrush"}


def blob(cx, cy, rx, ry, n=10):
    angle = np.linspace(0, 2 * np.pi, n, endpoint=False) + rng.uniform(0, 0.5)
    radius = rng.uniform(0.8, 1.1, n)
    xy = np.stack([cx + rx * radius * np.cos(angle), cy + ry * radius * np.sin(angle)], 1)
    return [round(float(v), 1) for v in xy.reshape(-1)]


def coded(polygons, h, w):
    return coco.merge(coco.frPyObjects(polygons, h, w))


images, annotations, results = [], [], []
for number, (h, w) in enumerate(SIZES):
    image = 500 - 7 * number  # ids fall: the evaluator must sort them
    images.append({"id": image, "width": w, "height": h, "file_name": f"{image}.jpg"})
    for k in range(0 if number == 3 else int(rng.integers(4, 8))):
        category = int(rng.choice([1, 1, 1, 3, 18]))
        rx, ry = rng.uniform(4, 0.4 * w), rng.uniform(4, 0.4 * h)
        if k == 0:
            rx = ry = 15.5  # around 32 x 32
        cx, cy = rng.uniform(0, w), rng.uniform(0, h)
        polygons = [np.clip(np.reshape(blob(cx, cy, rx, ry), (-1, 2)), 0, [w, h]).reshape(-1).tolist()]
        if k == 1:
            polygons.append(np.clip(np.reshape(blob(cx / 2, cy, rx / 2, ry), (-1, 2)), 0, [w, h]).reshape(-1).tolist())
        rle = coded(polygons, h, w)
        if coco.area(rle) < 4:
            continue
        crowd = k == 2
        segmentation = polygons
        if crowd or k == 3:
            bits = coco.decode(rle).reshape(-1, order="F")
            edges = np.flatnonzero(np.diff(np.concatenate([[0], bits])))
            segmentation = {"size": [h, w], "counts": np.diff(np.concatenate([[0], edges, [h * w]])).tolist()}
        if k == 4:
            segmentation = {"size": [h, w], "counts": rle["counts"].decode()}
        area = 1024 if k == 0 else 9216 if k == 1 else int(coco.area(rle))
        annotations.append(
            {"id": len(annotations) + 1, "image_id": image, "category_id": category, "iscrowd": int(crowd),
             "area": area, "bbox": coco.toBbox(rle).tolist(), "segmentation": segmentation}
        )  # fmt: skip
        for _ in range(int(rng.integers(1, 4))):
            s = rng.uniform(0.75, 1.2)
            guess = coded([blob(cx + rng.normal(0, 2), cy + rng.normal(0, 2), rx * s, ry * s)], h, w)
            if coco.area(guess) == 0:
                continue
            label = category if rng.random() < 0.85 else 3
            results.append((image, label, guess, round(float(rng.uniform(0.1, 1)), 1)))  # one decimal: many ties
    for _ in range(3):
        x, y = rng.uniform(0, w - 20), rng.uniform(0, h - 20)
        label = int(rng.choice([1, 3, 90]))
        results.append((image, label, coded([blob(x + 9, y + 9, 9, 9)], h, w), round(float(rng.uniform(0, 0.9)), 1)))
for i in range(125):  # more than anybody may give
    h, w = SIZES[0]
    guess = coded([blob(w * (i + 1) / 127, h / 2, 6, 30, 5)], h, w)
    results.append((500, 1, guess, round(0.4 + i / 1000, 3)))

truth = {
    "images": images,
    "annotations": annotations,
    "categories": [{"id": i, "name": name} for i, name in CLASSES.items()],
}
found = [
    {"image_id": i, "category_id": c, "score": s, "bbox": coco.toBbox(rle).tolist(),
     "segmentation": {"size": rle["size"], "counts": rle["counts"].decode()}}
    for i, c, rle, s in results
]  # fmt: skip
with open("truth.json", "w") as out:
    json.dump(truth, out)
with open("results.json", "w") as out:
    json.dump(found, out)

NAMES = ["AP", "AP50", "AP75", "APs", "APm", "APl", "AR1", "AR10", "AR100", "ARs", "ARm", "ARl"]
expected = {}
with contextlib.redirect_stdout(io.StringIO()):
    gt = COCO("truth.json")
    for kind in ["bbox", "segm"]:
        # Without their boxes, or the area of a found mask would be that of its box.
        own = [{k: v for k, v in one.items() if kind == "bbox" or k != "bbox"} for one in found]
        run = COCOeval(gt, gt.loadRes(own), kind)
        run.evaluate()
        run.accumulate()
        run.summarize()
        figures = {name: None if v == -1 else float(v) for name, v in zip(NAMES, run.stats)}
        precision = run.eval["precision"]  # T, R, K, A, M
        per = {}
        for k, category in enumerate(run.params.catIds):
            of = precision[:, :, k, 0, 2]
            none = (of == -1).all()
            per[CLASSES[int(category)]] = {
                "id": int(category),
                "AP": None if none else float(of.mean()),
                "AP50": None if none else float(of[0].mean()),
            }
        expected[kind] = {**figures, "perClass": per}
with open("expected.json", "w") as out:
    json.dump(expected, out, indent=1)
