"""Pictures with boxes and masks in COCO format, and what a camera does to them.

A training file may carry the lists `labeled` and `masks` (../shared/datasets/README.md): classes outside `labeled` are never taught as
background, and an object has a mask when it has a `segmentation`.
"""

import io
import json
import os
from dataclasses import dataclass

import numpy as np
from PIL import Image, ImageEnhance, ImageFilter
from pycocotools import mask as coco_mask

HERE = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))  # Paths in settings are relative to the recipe's folder.
CROP = 64  # Side of a stored mask crop.
MARGIN = 0.25  # It reaches this share of the box's side beyond the box.


@dataclass
class Picture:
    file: str
    width: int
    height: int
    boxes: np.ndarray  # [k,4] x1 y1 x2 y2, px
    labels: np.ndarray  # int64 [k], places in the card's classes
    segmentations: list  # Per object polygons, RLE, or None.
    ignored: np.ndarray  # [i,4] crowds: neither object nor background
    labelled: frozenset  # Labels of which every object is annotated.
    complete: bool  # Those are all of the card's classes.
    drawn: bool
    weight: float
    taught: np.ndarray | None = None  # [t,6] x1 y1 x2 y2 px, score, label: what teach.py found, or None

    @property
    def name(self):
        """Its file as taught.json knows it: the same whatever folder the recipe lies in."""
        return os.path.relpath(self.file, HERE)


def read(file, images, classes, drawn=False):
    """All pictures of one COCO file; crowds are no objects, and no background either."""
    with open(file) as text:
        data = json.load(text)
    place = {c["id"]: classes.index(c["name"]) for c in data["categories"] if c["name"] in classes}
    labelled = set(data.get("labeled", [c["name"] for c in data["categories"]]))
    objects = {}
    for a in data["annotations"]:
        if a["category_id"] in place:
            objects.setdefault(a["image_id"], []).append(a)
    pictures = []
    for image in data["images"]:
        mine = objects.get(image["id"], [])
        single = [a for a in mine if not a.get("iscrowd") and a["bbox"][2] > 1 and a["bbox"][3] > 1]
        boxes = corners([a["bbox"] for a in single])
        ignored = corners([a["bbox"] for a in mine if a not in single])
        labels = np.array([place[a["category_id"]] for a in single], np.int64)
        masks = [a.get("segmentation") for a in single]
        vehicles = [m for m, c in zip(masks, labels) if classes[c] != "person"]
        weight = (1.0 + bool(vehicles) + 1.5 * any(m is not None for m in vehicles)) if len(single) else 0.3
        pictures.append(
            Picture(
                os.path.join(images, image["file_name"]), image["width"], image["height"], boxes, labels, masks,
                ignored, frozenset(i for i, c in enumerate(classes) if c in labelled), labelled.issuperset(classes), drawn, weight,
            )
        )
    return pictures


def sets_of(settings, classes, work):
    """Pictures of all sets, in the order of the settings. Folders are relative to the recipe's, or to the work folder where `drawn`."""
    pictures = []
    for one in settings["sets"]:
        folder = os.path.join(work if one.get("drawn") else HERE, one["folder"])
        if one.get("drawn") and not os.path.isdir(folder):
            print(f"no {folder}: trained without drawings (README.md says how to make them)", flush=True)
            continue
        for name in one["files"]:
            pictures += read(os.path.join(folder, name), os.path.join(folder, "images"), classes, one.get("drawn", False))
    return pictures[:: settings.get("every", 1)]


def give_taught(pictures, file, annotations, least=0.05):
    """Gives every photograph the boxes that teach.py wrote, with annotations having a say of 0 (none) to 1 (see `corrected`), from a score
    of `least` on.

    Raises KeyError for one that the file does not know: it was made from other sets.
    """
    with open(file) as text:
        rows = json.load(text)
    for picture in pictures:
        if not picture.drawn:
            taught = corrected(np.array(rows[picture.name], np.float32).reshape(-1, 6), picture, annotations)
            picture.taught = taught[taught[:, 4] >= least]


def corrected(taught, picture, say):
    """Taught rows moved towards what people annotated, by `say`: a box on an annotated object takes that much of its place and of a full
    score, one on none loses that much of its score, and an object that was not found comes in with that score. Classes that the
    picture's annotators were not asked for stay as they are, and so do boxes in crowds.
    """
    if not say:
        return taught
    taught, missed = taught.copy(), []
    free = np.ones(len(taught), bool)
    for box, label in zip(picture.boxes, picture.labels):
        if label not in picture.labelled:
            continue
        iou = np.where(free & (taught[:, 5] == label), overlap(taught[:, :4], box), 0)
        if len(iou) and iou.max() >= 0.5:
            row = taught[iou.argmax()]
            row[:4] += say * (box - row[:4])
            row[4] += say * (1 - row[4])
            free[iou.argmax()] = False
        else:
            missed.append([*box, say, label])
    for i in np.flatnonzero(free & np.isin(taught[:, 5], list(picture.labelled))):
        x, y = (taught[i, :2] + taught[i, 2:4]) / 2
        if not any(b[0] <= x <= b[2] and b[1] <= y <= b[3] for b in picture.ignored):
            taught[i, 4] *= 1 - say
    return np.concatenate([taught, np.array(missed, np.float32).reshape(-1, 6)])


def overlap(boxes, box):
    """IoU of boxes [k,4] with one."""
    both = (np.minimum(boxes[:, 2:], box[2:]) - np.maximum(boxes[:, :2], box[:2])).clip(0).prod(1)
    return both / ((boxes[:, 2:] - boxes[:, :2]).prod(1) + (box[2:] - box[:2]).prod() - both).clip(1e-9)


def corners(boxes):
    """x y w h → float32 [k,4] x1 y1 x2 y2"""
    out = np.array(boxes, np.float32).reshape(-1, 4)
    out[:, 2:] += out[:, :2]
    return out


def bitmap(segmentation, height, width):
    if isinstance(segmentation, list):
        rle = coco_mask.merge(coco_mask.frPyObjects(segmentation, height, width))
    elif isinstance(segmentation["counts"], list):
        rle = coco_mask.frPyObjects(segmentation, height, width)
    else:
        rle = segmentation
    return coco_mask.decode(rle)


@dataclass
class Sample:
    """A picture as the network sees it."""

    image: np.ndarray  # uint8 [H,W,3]
    boxes: np.ndarray  # [k,4] px of the input
    labels: np.ndarray  # [k]
    crops: np.ndarray  # uint8 [k,CROP,CROP] 0…255, mask in the box with its margin; zero without one
    masked: np.ndarray  # bool [k]
    ignored: np.ndarray  # [i,4] px of the input
    taught: np.ndarray  # [t,6] px of the input, score, label
    complete: bool
    drawn: bool


def empty(height, width):
    return Sample(np.zeros((height, width, 3), np.uint8), np.zeros((0, 4), np.float32), np.zeros(0, np.int64),
                  np.zeros((0, CROP, CROP), np.uint8), np.zeros(0, bool), np.zeros((0, 4), np.float32),
                  np.zeros((0, 6), np.float32), True, False)


def placed(picture, window, flip, target, into):
    """Brings `window` (x1 y1 x2 y2 px of the picture) to `target` (x1 y1 x2 y2 px of the input) of a sample."""
    x1, y1, x2, y2 = window
    tx, ty, tw, th = int(target[0]), int(target[1]), int(target[2] - target[0]), int(target[3] - target[1])
    with Image.open(picture.file) as opened:
        image = opened.convert("RGB").resize((tw, th), Image.BILINEAR, box=(x1, y1, x2, y2))
    pixels = np.asarray(image)
    into.image[ty : ty + th, tx : tx + tw] = pixels[:, ::-1] if flip else pixels
    sx, sy = tw / (x2 - x1), th / (y2 - y1)

    def moved(box):
        b = np.array([(box[0] - x1) * sx, (box[1] - y1) * sy, (box[2] - x1) * sx, (box[3] - y1) * sy], np.float32)
        if flip:
            b[[0, 2]] = tw - b[[2, 0]]
        return np.clip(b, 0, [tw, th, tw, th]).astype(np.float32) + np.array([tx, ty, tx, ty], np.float32)

    def seen_of(box):
        """The part of a box in the window, the same in the input, and whether enough of it is left to be an object."""
        seen = np.array([max(box[0], x1), max(box[1], y1), min(box[2], x2), min(box[3], y2)], np.float32)
        if seen[2] - seen[0] < 1 or seen[3] - seen[1] < 1:
            return None
        area = (box[2] - box[0]) * (box[3] - box[1])
        b = moved(seen)
        return seen, b, (seen[2] - seen[0]) * (seen[3] - seen[1]) >= 0.3 * area and min(b[2] - b[0], b[3] - b[1]) >= 3

    boxes, labels, crops, masked = [], [], [], []
    ignored = [moved(b) for b in picture.ignored]
    for box, label, segmentation in zip(picture.boxes, picture.labels, picture.segmentations):
        part = seen_of(box)
        if part is None:
            continue
        seen, b, enough = part
        if not enough:
            ignored.append(b)
            continue
        crop = np.zeros((CROP, CROP), np.uint8)
        if segmentation is not None:
            bits = bitmap(segmentation, picture.height, picture.width)
            # What the window cuts off is not seen.
            bits[:, : int(x1)], bits[:, int(np.ceil(x2)) :] = 0, 0
            bits[: int(y1)], bits[int(np.ceil(y2)) :] = 0, 0
            crop = cut(bits, seen)
            if flip:
                crop = crop[:, ::-1]
        boxes.append(b)
        labels.append(label)
        crops.append(crop)
        masked.append(segmentation is not None and crop.max() > 127)
    taught = []
    for row in () if picture.taught is None else picture.taught:
        part = seen_of(row[:4])
        if part is not None and part[2]:
            taught.append([*part[1], *row[4:]])
    if boxes:
        into.boxes = np.concatenate([into.boxes, boxes])
        into.labels = np.concatenate([into.labels, labels])
        into.crops = np.concatenate([into.crops, crops])
        into.masked = np.concatenate([into.masked, masked])
    if ignored:
        into.ignored = np.concatenate([into.ignored, ignored])
    if taught:
        into.taught = np.concatenate([into.taught, np.array(taught, np.float32)])
    into.complete &= picture.complete
    into.drawn |= picture.drawn


def cut(bits, box):
    """[h,w] bits → CROP×CROP of the box with its margin, areas averaged."""
    w, h = box[2] - box[0], box[3] - box[1]
    x1, y1 = box[0] - MARGIN * w, box[1] - MARGIN * h
    x2, y2 = box[2] + MARGIN * w, box[3] + MARGIN * h
    left, top = int(max(0, np.ceil(-x1))), int(max(0, np.ceil(-y1)))
    right, bottom = int(max(0, np.ceil(x2 - bits.shape[1]))), int(max(0, np.ceil(y2 - bits.shape[0])))
    # Only the neighbourhood: large pictures hold many small objects.
    fx1, fy1 = int(max(0, np.floor(x1))), int(max(0, np.floor(y1)))
    part = bits[fy1 : int(np.ceil(y2)) + 1, fx1 : int(np.ceil(x2)) + 1]
    part = np.pad(part, ((top, bottom + 1), (left, right + 1)))
    ox, oy = fx1 - left, fy1 - top
    image = Image.fromarray(part * 255)
    x2, y2 = min(x2 - ox, image.width), min(y2 - oy, image.height)
    return np.asarray(image.resize((CROP, CROP), Image.BOX, box=(max(0, x1 - ox), max(0, y1 - oy), x2, y2)))


def whole(picture, height, width):
    sample = empty(height, width)
    placed(picture, (0, 0, picture.width, picture.height), False, (0, 0, width, height), sample)
    return sample


def augmented(picture, others, height, width, rng, mosaic=0.2):
    """Crop of a camera's shape, mirror, colours, blur, noise and compression; sometimes four pictures in one, so that things are small."""
    sample = empty(height, width)
    if rng.random() < mosaic:
        x, y = int(width * rng.uniform(0.35, 0.65)), int(height * rng.uniform(0.35, 0.65))
        tiles = ((0, 0, x, y), (x, 0, width, y), (0, y, x, height), (x, y, width, height))
        for one, tile in zip([picture, *(others[rng.integers(len(others))] for _ in range(3))], tiles):
            placed(one, window_of(one, rng, 0.7), rng.random() < 0.5, tile, sample)
    else:
        placed(picture, window_of(picture, rng, 0.45), rng.random() < 0.5, (0, 0, width, height), sample)
    sample.image = weathered(sample.image, rng)
    return sample


def window_of(picture, rng, least):
    """A window whose shape lies between the picture's own and 16:9, as cameras see."""
    w, h = picture.width, picture.height
    scale = rng.uniform(least, 1)
    shape = np.exp(rng.uniform(np.log(min(w / h, 1.2)), np.log(max(w / h, 1.9))))
    ww, wh = (w * scale, w * scale / shape) if w * scale / shape <= h else (h * scale * shape, h * scale)
    ww, wh = min(ww, w), min(wh, h)
    # Around an object rather than around nothing.
    cx, cy = rng.uniform(0, w), rng.uniform(0, h)
    if len(picture.boxes):
        b = picture.boxes[rng.integers(len(picture.boxes))]
        cx, cy = rng.uniform(b[0], b[2]), rng.uniform(b[1], b[3])
    x, y = np.clip(cx - ww * rng.uniform(0.2, 0.8), 0, w - ww), np.clip(cy - wh * rng.uniform(0.2, 0.8), 0, h - wh)
    return float(x), float(y), float(x + ww), float(y + wh)


def weathered(pixels, rng):
    image = Image.fromarray(pixels)
    if rng.random() < 0.6:
        image = ImageEnhance.Brightness(image).enhance(np.exp(rng.uniform(-0.5, 0.35)))
        image = ImageEnhance.Contrast(image).enhance(np.exp(rng.uniform(-0.35, 0.3)))
        image = ImageEnhance.Color(image).enhance(rng.uniform(0, 1.5) if rng.random() < 0.9 else 0)
    if rng.random() < 0.25:
        image = image.filter(ImageFilter.GaussianBlur(rng.uniform(0.3, 1.4)))
    if rng.random() < 0.3:
        noise = rng.normal(0, rng.uniform(2, 10), (image.height, image.width, 1))
        image = Image.fromarray(np.clip(np.asarray(image) + noise, 0, 255).astype(np.uint8))
    if rng.random() < 0.5:
        stored = io.BytesIO()
        image.save(stored, "JPEG", quality=int(rng.integers(25, 80)))
        image = Image.open(stored).convert("RGB")
    return np.asarray(image)
