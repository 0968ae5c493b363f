"""Figures of pycocotools in the form of `maskcast eval coco --json`, to compare by hand (docs/evaluation.md):

    python pycocotools-figures.py GROUND_TRUTH.json RESULTS.json [OURS.json]

With a third file (our command's output) it prints the largest difference to it.
"""

import contextlib
import io
import json
import sys

from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval

NAMES = ["AP", "AP50", "AP75", "APs", "APm", "APl", "AR1", "AR10", "AR100", "ARs", "ARm", "ARl"]


def none(value):
    return None if value == -1 else float(value)


def figures(truth, found, kind):
    # Without their boxes, or pycocotools would take the area of a found mask from its box.
    own = [{k: v for k, v in one.items() if kind == "bbox" or k != "bbox"} for one in found]
    run = COCOeval(truth, truth.loadRes(own), kind)
    run.evaluate()
    run.accumulate()
    run.summarize()
    per = {}
    for k, category in enumerate(run.params.catIds):
        of = run.eval["precision"][:, :, k, 0, 2]
        per[truth.cats[category]["name"]] = {"id": category, "AP": none(of.mean()), "AP50": none(of[0].mean())}
    return {**{name: none(value) for name, value in zip(NAMES, run.stats)}, "perClass": per}


truth_file, results_file, *ours_file = sys.argv[1:]
with open(results_file) as text:
    results = json.load(text)
with contextlib.redirect_stdout(io.StringIO()):
    truth = COCO(truth_file)
    kinds = ["bbox", "segm"] if "segmentation" in results[0] else ["bbox"]
    theirs = {kind: figures(truth, results, kind) for kind in kinds}
if not ours_file:
    print(json.dumps(theirs, default=int))
    sys.exit()

with open(ours_file[0]) as text:
    ours = json.load(text)
worst = 0.0
for kind, of in theirs.items():
    mine = ours[kind]
    pairs = [(of[name], mine[name]) for name in NAMES]
    pairs += [(one[f], mine["perClass"][name][f]) for name, one in of["perClass"].items() for f in ["AP", "AP50"]]
    for a, b in pairs:
        assert (a is None) == (b is None), (kind, a, b)
        worst = max(worst, abs((a or 0) - (b or 0)))
    print(kind, len(pairs), "figures", " ".join(f"{name} {of[name]:.4f}" for name in NAMES[:3]))
print(f"largest difference {worst:.1e}")
