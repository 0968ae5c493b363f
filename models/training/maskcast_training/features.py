"""The frozen body's maps of every picture, kept as float16 on disk, so that the top can be trained without running the body.

Maps of stride 2 and 4 are larger than the picture and one convolution away from it: the picture is kept in their place."""

import json
import os
import pickle

import numpy as np
import torch

from .data import augmented, whole

LEVELS = (8, 16, 32)


class Cache:
    """One row a view (a picture as it is, or one augmented version of it); maps are memory-mapped."""

    def __init__(self, folder):
        self.folder = folder
        with open(os.path.join(folder, "about.json")) as text:
            about = json.load(text)
        self.count = about["count"]
        self.images = np.memmap(os.path.join(folder, "images.u8"), np.uint8, "r", shape=tuple(about["images"]))
        self.maps = {s: np.memmap(os.path.join(folder, f"map{s}.f16"), np.float16, "r", shape=tuple(shape)) for s, shape in
                     ((int(k), v) for k, v in about["shapes"].items())}
        with open(os.path.join(folder, "objects.pickle"), "rb") as file:
            self.objects = pickle.load(file)

    def batch(self, rows, network):
        """Maps of some rows; `network` makes the finest."""
        with torch.no_grad():
            fine = network.outline_maps(torch.from_numpy(np.stack([self.images[r] for r in rows])).permute(0, 3, 1, 2))
        return {**fine, **{s: torch.from_numpy(np.stack([m[r] for r in rows])).float() for s, m in self.maps.items()}}


def fill(folder, network, pictures, views, seed, batch=8, say=print):
    """Writes the cache: view 0 of every picture is the picture as it is, the others are augmented. Pictures without masks teach
    the top nothing and are left out. Resumes nothing: minutes."""
    os.makedirs(folder, exist_ok=True)
    masked = [i for i, p in enumerate(pictures) if any(m is not None for m in p.segmentations)]
    rows = [(i, v) for v in range(views) for i in masked]
    shapes = {s: (96, network.height // s, network.width // s) for s in LEVELS}
    shape = (len(rows), network.height, network.width, 3)
    stored = np.memmap(os.path.join(folder, "images.u8"), np.uint8, "w+", shape=shape)
    files = {s: np.memmap(os.path.join(folder, f"map{s}.f16"), np.float16, "w+", shape=(len(rows), *shape)) for s, shape in shapes.items()}
    objects = []
    with torch.no_grad():
        for start in range(0, len(rows), batch):
            part = rows[start : start + batch]
            samples = [view(pictures, i, v, seed, network) for i, v in part]
            images = np.stack([s.image for s in samples])
            stored[start : start + len(part)] = images
            images = torch.from_numpy(images).permute(0, 3, 1, 2)
            maps = network.maps(images)
            for s, file in files.items():
                file[start : start + len(part)] = maps[s].half().numpy()
            found = network.detections(*network.predictions(maps), 0.15, 60)
            for (i, _), sample, (boxes, _, labels) in zip(part, samples, found):
                objects.append({"picture": i, "sample": (sample.boxes, sample.labels, sample.crops, sample.masked),
                                "found": (boxes.numpy(), labels.numpy())})
            if start // batch % 50 == 0:
                say(f"cache: {start} of {len(rows)}")
    for file in (stored, *files.values()):
        file.flush()
    with open(os.path.join(folder, "objects.pickle"), "wb") as file:
        pickle.dump(objects, file)
    with open(os.path.join(folder, "about.json"), "w") as text:
        json.dump({"count": len(rows), "images": shape, "shapes": {s: (len(rows), *shape) for s, shape in shapes.items()}}, text)


def view(pictures, i, v, seed, network):
    if v == 0:
        return whole(pictures[i], network.height, network.width)
    return augmented(pictures[i], pictures, network.height, network.width, np.random.default_rng([seed, i, v]))
