"""16:9 centre crops of the landscape pictures of a COCO set, as a camera sees: `python wide_crops.py instances.json images OUT`.

OUT gets `images/` (PNG: no second compression) and `instances.json`; boxes and masks are cut with the picture.
"""

import json
import os
import sys

import numpy as np
from PIL import Image
from pycocotools import mask as coco_mask

from maskcast_training.data import bitmap


def main(annotations, images, out):
    with open(annotations) as text:
        data = json.load(text)
    os.makedirs(os.path.join(out, "images"), exist_ok=True)
    kept, objects = [], []
    for image in data["images"]:
        w, h = image["width"], image["height"]
        height = round(w * 9 / 16)
        if w <= h or height > h:
            continue
        top = (h - height) // 2
        name = os.path.splitext(image["file_name"])[0] + ".png"
        with Image.open(os.path.join(images, image["file_name"])) as opened:
            opened.convert("RGB").crop((0, top, w, top + height)).save(os.path.join(out, "images", name))
        kept.append({**image, "file_name": name, "height": height})
        for a in data["annotations"]:
            if a["image_id"] != image["id"]:
                continue
            bits = np.asfortranarray(bitmap(a["segmentation"], h, w)[top : top + height])
            if not bits.any():
                continue
            rle = coco_mask.encode(bits)
            x, y, bw, bh = coco_mask.toBbox(rle).tolist()
            objects.append({**a, "bbox": [x, y, bw, bh], "area": float(bits.sum()),
                            "segmentation": {"size": rle["size"], "counts": rle["counts"].decode()}})
    with open(os.path.join(out, "instances.json"), "w") as text:
        json.dump({**data, "images": kept, "annotations": objects}, text)
    print(f"{len(kept)} pictures, {len(objects)} objects")


if __name__ == "__main__":
    main(*sys.argv[1:4])
