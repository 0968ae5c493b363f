"""What several larger looks at the photographs find, for the network to learn from: `python teach.py settings/street-taught.json --work DIR`.

Each network of the settings' `teachers` sees every photograph at its size, as it is and mirrored; boxes of one class that overlap are
averaged by their scores (weighted boxes fusion, Solovyev et al. 2021), and a box that only some looks found scores less. Annotations play no part.
Writes DIR/taught.json: file → rows of x1 y1 x2 y2 (px of the picture), score, label."""

import argparse
import json
import os
from concurrent.futures import ProcessPoolExecutor

import torch
from torchvision.ops import box_iou

from maskcast_training.data import HERE, sets_of
from maskcast_training.evaluate import pixels
from maskcast_training.network import Network

LEAST = 0.02  # Score from which a look counts.
OVERLAP = 0.6  # IoU from which two boxes of a class are one.
MOST = 100  # Boxes of a picture.
networks = []


def open_networks(settings, work):
    torch.set_num_threads(1)
    body = os.path.join(HERE, settings["body"])
    networks[:] = [Network(os.path.join(work, t["weights"]), body).resize(*t["size"]) for t in settings["teachers"]]


@torch.no_grad()
def looks(file, width, height):
    """(boxes [k,4] px of the picture, scores [k], labels [k]) of each network, twice: as it is and mirrored."""
    found = []
    for network in networks:
        scale = torch.tensor([width / network.width, height / network.height] * 2)
        image = pixels(file, network.height, network.width)
        for mirrored in (False, True):
            boxes, scores, labels = network.detections(*network.predictions(network.maps(image.flip(3) if mirrored else image)), LEAST, 150)[0]
            if mirrored:
                boxes = torch.stack([network.width - boxes[:, 2], boxes[:, 1], network.width - boxes[:, 0], boxes[:, 3]], 1)
            found.append((boxes * scale, scores, labels))
    return found


def fused(found):
    """Looks → rows [k,6] of x1 y1 x2 y2 score label, best first. The score is the mean over all looks of the best box each has in a group."""
    boxes, scores, labels = (torch.cat([look[i] for look in found]) for i in range(3))
    look = torch.cat([torch.full((len(one[1]),), i) for i, one in enumerate(found)])
    order = scores.argsort(descending=True)
    boxes, scores, labels, look = boxes[order], scores[order], labels[order], look[order]
    same = (box_iou(boxes, boxes) >= OVERLAP) & (labels[:, None] == labels)
    free = torch.ones(len(scores), dtype=torch.bool)
    rows = []
    for i in range(len(scores)):
        if not free[i]:
            continue
        group = same[i] & free
        free &= ~group
        weight = scores[group]
        best = torch.zeros(len(found)).scatter_reduce(0, look[group], weight, "amax")
        rows.append([*((boxes[group] * weight[:, None]).sum(0) / weight.sum()).tolist(), float(best.mean()), int(labels[i])])
    rows.sort(key=lambda row: -row[4])
    return [[round(v, 4) for v in row] for row in rows[:MOST] if row[4] >= LEAST]


def taught(picture):
    return fused(looks(picture.file, picture.width, picture.height))


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("settings")
    parser.add_argument("--work", required=True, help="the work folder of train.py")
    a = parser.parse_args()
    with open(a.settings) as text:
        settings = json.load(text)
    open_networks(settings, a.work)
    pictures = [p for p in sets_of(settings, networks[0].card["classes"], a.work) if not p.drawn]
    out = {}
    with ProcessPoolExecutor(os.cpu_count(), initializer=open_networks, initargs=(settings, a.work)) as pool:
        for picture, rows in zip(pictures, pool.map(taught, pictures, chunksize=8)):
            out[picture.name] = rows
            if len(out) % 200 == 0:
                print(f"{len(out)} of {len(pictures)}", flush=True)
    file = os.path.join(a.work, settings["taught"])
    with open(file + ".new", "w") as text:
        json.dump(out, text)
    os.replace(file + ".new", file)
    print(f"wrote {file}: {sum(len(rows) for rows in out.values())} boxes of {len(out)} pictures")


if __name__ == "__main__":
    main()
