"""Weights of others as safetensors with the names that maskcast reads.

    python convert.py resnet50.pth out.safetensors                       torchvision's ResNet (ImageNet)
    python convert.py R-50.pkl out.safetensors                           Detectron2's ImageNet ResNet (MSRA or torchvision form)
    python convert.py model_final.pkl out.safetensors                    Detectron2's Mask R-CNN R50-C4, whole (preset mask-rcnn-r50-c4)

The file's note says where its bottlenecks halve the size and how its pictures are normalised; `maskcast model build` reads it.
A classifier (`fc.*`) is left out. For torchvision's ResNet-50 the stride is on the 3x3, for Detectron2's on the 1x1; --stride-on
overrides. Needs torch, safetensors, numpy. A .pth or .pkl file can run code when it is opened: torch's weights_only mode guards the
first; open .pkl files only from people you trust.
"""

import argparse
import json
import pickle
import re

import numpy as np
import torch
from safetensors.numpy import save_file

IMAGENET = {"channels": "rgb", "mean": [123.675, 116.28, 103.53], "std": [58.395, 57.12, 57.375]}
# Detectron2's C4 models subtract Caffe's mean and do not divide; planes are blue first.
CAFFE = {"channels": "bgr", "mean": [123.675, 116.28, 103.53], "std": [1.0, 1.0, 1.0]}

# Detectron2 -> torchvision: res2.0.conv1.norm.weight -> layer1.0.bn1.weight
DETECTRON = [
    (r"^backbone\.(bottom_up\.)?", ""),
    (r"^roi_heads\.res5\.", "res5."),
    (r"^stem\.conv1\.norm\.", "bn1."),
    (r"^stem\.conv1\.", "conv1."),
    (r"^res(\d)\.(\d+)\.shortcut\.norm\.", lambda m: f"layer{int(m[1]) - 1}.{m[2]}.downsample.1."),
    (r"^res(\d)\.(\d+)\.shortcut\.", lambda m: f"layer{int(m[1]) - 1}.{m[2]}.downsample.0."),
    (r"^res(\d)\.(\d+)\.conv(\d)\.norm\.", lambda m: f"layer{int(m[1]) - 1}.{m[2]}.bn{m[3]}."),
    (r"^res(\d)\.(\d+)\.conv(\d)\.", lambda m: f"layer{int(m[1]) - 1}.{m[2]}.conv{m[3]}."),
    (r"^proposal_generator\.rpn_head\.conv\.", "rpn.conv."),
    (r"^proposal_generator\.rpn_head\.objectness_logits\.", "rpn.objectness."),
    (r"^proposal_generator\.rpn_head\.anchor_deltas\.", "rpn.deltas."),
    (r"^roi_heads\.box_predictor\.cls_score\.", "box.classes."),
    (r"^roi_heads\.box_predictor\.bbox_pred\.", "box.deltas."),
    (r"^roi_heads\.mask_head\.deconv\.", "mask.deconv."),
    (r"^roi_heads\.mask_head\.predictor\.", "mask.predict."),
]
DROPPED = re.compile(r"num_batches_tracked$|^(stem\.)?fc\.|cell_anchors|^pixel_(mean|std)$|anchor_generator")


def load(file):
    if file.endswith(".pkl"):
        with open(file, "rb") as stream:
            state = pickle.load(stream, encoding="latin1")
    else:
        state = torch.load(file, map_location="cpu", weights_only=True)
    for key in ("model", "state_dict"):
        if isinstance(state.get(key), dict):
            state = state[key]
    return {name: np.asarray(value) for name, value in state.items() if hasattr(value, "shape")}


def convert(state):
    """Tensors under our names, and whether they came from Detectron2."""
    detectron = any(re.match(r"^(backbone\.)?(res2|stem)\.", name) for name in state)
    tensors = {}
    for name, value in state.items():
        name = re.sub(r"^module\.", "", name)
        if detectron:
            for pattern, replacement in DETECTRON:
                name = re.sub(pattern, replacement, name)
        if not DROPPED.search(name):
            tensors[name] = np.ascontiguousarray(value, np.float32)
    for name in [n for n in tensors if n.endswith(".running_mean")]:
        # Detectron2 freezes batch norm and may leave out what is trivial.
        stem = name[: -len("running_mean")]
        tensors.setdefault(f"{stem}weight", np.ones_like(tensors[name]))
        tensors.setdefault(f"{stem}bias", np.zeros_like(tensors[name]))
    return tensors, detectron


def depth_of(tensors):
    blocks = [len({n.split(".")[1] for n in tensors if n.startswith(f"layer{i}.")}) for i in (1, 2, 3)]
    known = {(2, 2, 2): 18, (3, 4, 23): 101, (3, 4, 6): 50 if "layer1.0.conv3.weight" in tensors else 34}
    if tuple(blocks) not in known:
        raise SystemExit(f"this is no ResNet-18, 34, 50 or 101: its stages have {blocks} blocks")
    return known[tuple(blocks)]


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("source")
    parser.add_argument("out")
    parser.add_argument("--stride-on", choices=["1x1", "3x3"])
    arguments = parser.parse_args()
    tensors, detectron = convert(load(arguments.source))
    note = {
        "depth": depth_of(tensors),
        "strideOn": arguments.stride_on or ("1x1" if detectron else "3x3"),
        **(CAFFE if detectron else IMAGENET),
    }
    save_file(tensors, arguments.out, {"maskcast-body": json.dumps(note)})
    print(f"{arguments.out}: {len(tensors)} tensors, {json.dumps(note)}")


if __name__ == "__main__":
    main()
