"""The network of models/nets once more, in PyTorch, to be trained: PicoDet-S body, its dense head as the first stage, separated
convolution, light head and mask branch. Weights keep the names of the builder's safetensors file.

Written from the paper and docs/network.md, not from the graph: `check.py` compares both on pictures.
"""

import json

import numpy as np
import onnx
import torch
import torch.nn.functional as F
from onnx import numpy_helper
from safetensors import safe_open
from safetensors.torch import save_file
from torch import nn
from torchvision.ops import batched_nms, roi_align

STRIDES = (8, 16, 32, 64)
MAPS = {8: "hardswish_38.tmp_0", 16: "hardswish_42.tmp_0", 32: "hardswish_46.tmp_0", 64: "hardswish_50.tmp_0"}
OUTLINES = {2: "batch_norm_0.tmp_4", 4: "pool2d_0.tmp_0"}
PREDICTORS = {8: "conv2d_131.w_0", 16: "conv2d_132.w_0", 32: "conv2d_133.w_0", 64: "conv2d_134.w_0"}
BINS = 8
COCO_80 = (
    "person,bicycle,car,motorcycle,airplane,bus,train,truck,boat,traffic light,fire hydrant,stop sign,parking meter,"
    "bench,bird,cat,dog,horse,sheep,cow,elephant,bear,zebra,giraffe,backpack,umbrella,handbag,tie,suitcase,frisbee,skis,"
    "snowboard,sports ball,kite,baseball bat,baseball glove,skateboard,surfboard,tennis racket,bottle,wine glass,cup,"
    "fork,knife,spoon,bowl,banana,apple,sandwich,orange,broccoli,carrot,hot dog,pizza,donut,cake,chair,couch,"
    "potted plant,bed,dining table,toilet,tv,laptop,mouse,remote,keyboard,cell phone,microwave,oven,toaster,sink,"
    "refrigerator,book,clock,vase,scissors,teddy bear,hair drier,toothbrush"
).split(",")


def plain(name):
    """A parameter's key: PyTorch allows no dot."""
    return name.replace(".", "/")


class Graph:
    """Nodes of the body's own file, its weights left out; hard-swish written as four nodes becomes one."""

    def __init__(self, file, wanted):
        model = onnx.load(file)
        self.constants = {i.name: numpy_helper.to_array(i) for i in model.graph.initializer}
        nodes = [n for n in model.graph.node if n.op_type != "Constant"]
        for node in model.graph.node:
            if node.op_type == "Constant":
                self.constants[node.output[0]] = numpy_helper.to_array(node.attribute[0].t)
        self.input = next(i.name for i in model.graph.input if i.name not in self.constants)
        need, kept = set(wanted), []
        for node in reversed(nodes):
            if need & set(node.output):
                need |= set(node.input)
                kept.append(node)
        kept.reverse()
        self.predictors = {}
        for node in nodes:
            if node.op_type == "Conv" and node.input[1] in PREDICTORS.values():
                self.predictors[node.input[1]] = node.input[2]
        self.steps = self._fuse(kept)
        self.weights = [name for n in kept if n.op_type == "Conv" for name in n.input[1:]]
        self.weights += [name for pair in self.predictors.items() for name in pair]

    def _fuse(self, nodes):
        by_output = {n.output[0]: n for n in nodes}
        steps, skip = [], set()
        for node in nodes:
            if node.op_type == "Div":
                mul = by_output.get(node.input[0])
                clip = by_output.get(mul.input[1]) if mul is not None and mul.op_type == "Mul" else None
                plus = by_output.get(clip.input[0]) if clip is not None and clip.op_type == "Clip" else None
                if plus is not None and plus.op_type == "Add" and plus.input[0] == mul.input[0]:
                    skip |= {mul.output[0], clip.output[0], plus.output[0]}
                    steps.append(("HardSwish", [mul.input[0]], list(node.output), {}))
                    continue
            attributes = {a.name: onnx.helper.get_attribute_value(a) for a in node.attribute}
            steps.append((node.op_type, list(node.input), list(node.output), attributes))
        return [s for s in steps if s[2][0] not in skip]


class Network(nn.Module):
    """Built from a safetensors file with a model card (`maskcast model build --save-weights`) and the body's file."""

    def __init__(self, weights, body):
        super().__init__()
        with safe_open(weights, "pt") as tensors:
            self.metadata = tensors.metadata()
            values = {name: tensors.get_tensor(name) for name in tensors.keys()}
        self.card = json.loads(self.metadata["maskcast"])
        self.net = self.card["network"]
        self.graph = Graph(body, [*OUTLINES.values(), *MAPS.values()])
        size = self.card["input"]
        self.columns = [COCO_80.index(name) for name in self.card["classes"]]
        # Statistics that standardise the body's maps are measured, not learned.
        self.fixed = {name for name in values if name.endswith((".mean", ".std")) and not name.startswith("body.")}
        self.w = nn.ParameterDict({plain(n): nn.Parameter(v, requires_grad=n not in self.fixed) for n, v in values.items()})
        self.register_buffer("mean", torch.tensor(size["mean"]).view(1, 3, 1, 1), persistent=False)
        self.register_buffer("std", torch.tensor(size["std"]).view(1, 3, 1, 1), persistent=False)
        self.resize(size["height"], size["width"])

    def resize(self, height, width):
        """Takes pictures of another size from now on (multiples of 32); the weights stay."""
        self.height, self.width = height, width
        self.card["input"] = {**self.card["input"], "height": height, "width": width}
        places, scales = [], []
        for stride in STRIDES:
            y, x = torch.meshgrid(torch.arange(-(-height // stride)), torch.arange(-(-width // stride)), indexing="ij")
            places.append(torch.stack([(x + 0.5) * stride, (y + 0.5) * stride], -1).view(-1, 2))
            scales.append(torch.full((len(places[-1]),), float(stride)))
        self.register_buffer("places", torch.cat(places), persistent=False)
        self.register_buffer("scales", torch.cat(scales), persistent=False)
        return self

    def get(self, name):
        return self.w[plain(name)]

    def tensors(self):
        return {name.replace("/", "."): value.detach().clone().contiguous() for name, value in self.w.items()}

    def save(self, file, card=None):
        metadata = {**self.metadata, "maskcast": json.dumps(card or self.card)}
        save_file(self.tensors(), file, metadata)

    def body_parameters(self):
        return [p for n, p in self.w.items() if n.startswith("body/") and p.requires_grad]

    def top_parameters(self):
        return [p for n, p in self.w.items() if not n.startswith("body/") and p.requires_grad]

    # Body -------------------------------------------------------------------------------------------------------------------

    def maps(self, images):
        """uint8 or float [N,3,H,W], red first, 0…255 → maps by stride: 2, 4 (24 channels), 8, 16, 32, 64 (96)."""
        return self._maps(images, {**OUTLINES, **MAPS})

    def outline_maps(self, images):
        """The maps of stride 2 and 4 alone, which the stem makes."""
        return self._maps(images, OUTLINES)

    def _maps(self, images, names):
        x = (images.float() - self.mean) / self.std
        values = {self.graph.input: x.contiguous(memory_format=torch.channels_last)}
        for op, inputs, outputs, a in self.graph.steps:
            if all(name in values for name in names.values()):
                break
            values.update(zip(outputs, self._step(op, inputs, a, values)))
        return {stride: values[name] for stride, name in names.items()}

    def _step(self, op, inputs, a, values):
        x = values.get(inputs[0])
        c = self.graph.constants
        if op == "Conv":
            bias = self.get(f"body.{inputs[2]}") if len(inputs) > 2 else None
            top, left, bottom, right = a.get("pads", [0] * 4)
            if (top, left) != (bottom, right):
                x, top, left = F.pad(x, (left, right, top, bottom)), 0, 0
            return [F.conv2d(x, self.get(f"body.{inputs[1]}"), bias, a.get("strides", [1, 1]), (top, left), groups=a.get("group", 1))]
        if op == "HardSwish":
            return [F.hardswish(x)]
        if op in ("Add", "Mul", "Div"):
            y = values[inputs[1]] if inputs[1] in values else torch.from_numpy(c[inputs[1]].copy())
            return [x + y if op == "Add" else x * y if op == "Mul" else x / y]
        if op == "Relu":
            return [F.relu(x)]
        if op == "HardSigmoid":
            return [(x * a.get("alpha", 0.2) + a.get("beta", 0.5)).clamp(0, 1)]
        if op == "Clip":
            return [x.clamp(float(c[inputs[1]]), float(c[inputs[2]]))]
        if op == "GlobalAveragePool":
            return [x.mean((2, 3), keepdim=True)]
        if op == "Concat":
            return [torch.cat([values[i] for i in inputs], a["axis"])]
        if op == "Split":
            sizes = a.get("split") or c[inputs[1]].tolist()
            return list(x.split(list(sizes), a.get("axis", 0)))
        if op == "MaxPool":
            return [F.max_pool2d(x, a["kernel_shape"], a["strides"], a["pads"][:2])]
        if op == "Resize":
            return [F.interpolate(x, scale_factor=2, mode="nearest")]
        if op == "Transpose":
            return [x.permute(a["perm"])]
        if op == "Reshape":
            shape = [int(v) for v in c[inputs[1]]]
            shape[0] = x.shape[0]
            shape[-2:] = x.shape[-2:]  # Height and width of a channel shuffle are the map's own.
            return [x.reshape(shape)]
        raise ValueError(f"the body's file has a node of type {op}, which is not known here")

    # Dense first stage --------------------------------------------------------------------------------------------------------

    def predictions(self, maps):
        """Class logits [N,cells,80] and bin logits [N,cells,4,8] of every cell."""
        rows = []
        for stride in STRIDES:
            weight = PREDICTORS[stride]
            y = F.conv2d(maps[stride], self.get(f"body.{weight}"), self.get(f"body.{self.graph.predictors[weight]}"))
            rows.append(y.flatten(2).transpose(1, 2))
        rows = torch.cat(rows, 1)
        return rows[..., :80], rows[..., 80:].unflatten(-1, (4, BINS))

    def boxes(self, bins):
        """Bin logits [...,cells,4,8] → boxes [...,cells,4], px, not clipped."""
        sides = (bins.softmax(-1) * torch.arange(BINS, dtype=bins.dtype)).sum(-1) * self.scales[:, None]
        return torch.cat([self.places - sides[..., :2], self.places + sides[..., 2:]], -1)

    @torch.no_grad()
    def detections(self, logits, bins, least=None, most=None):
        """Per picture boxes [k,4], scores [k], labels [k] (places in the card's classes)."""
        options = self.net["detections"]
        found = []
        limit = torch.tensor([self.width, self.height] * 2)
        for scores, boxes in zip(logits[..., self.columns].sigmoid(), self.boxes(bins)):
            classes = scores.shape[1]
            best, pair = scores.flatten().topk(min(options["candidates"], scores.numel()))
            keep = best > (options["minScore"] if least is None else least)
            best, pair = best[keep], pair[keep]
            box = torch.minimum(boxes[pair // classes].clamp(min=0), limit)
            kept = batched_nms(box, best, pair % classes, options["maxIou"])[: most or options["most"]]
            found.append((box[kept], best[kept], (pair % classes)[kept]))
        return found

    # What this project adds -----------------------------------------------------------------------------------------------------

    def conv(self, x, name):
        weight = self.get(f"{name}.weight")
        return F.conv2d(x, weight, self.get(f"{name}.bias"), padding=[k // 2 for k in weight.shape[2:]])

    def standard(self, x, name, statistics):
        mean, std = (self.get(f"{statistics}.{part}").view(1, -1, 1, 1) for part in ("mean", "std"))
        return self.conv((x - mean) / std, name)

    def features(self, maps):
        """The map that RoIAlign reads, its stride, the outline map of stride 4 and the body's of stride 2 (None without)."""
        options = self.net["body"]["top"]
        stride = options["stride"]
        x = 0
        for level in options["from"]:
            y = maps[level]
            if level < stride:
                y = F.avg_pool2d(y, stride // level)
            y = self.standard(y, f"top.{level}", f"top.{level}")
            x = x + (F.interpolate(y, scale_factor=level // stride, mode="bilinear", align_corners=False) if level > stride else y)
        if self.net["separated"]:
            x = self.conv(self.conv(x, "separated.wide.0"), "separated.wide.1") + self.conv(
                self.conv(x, "separated.tall.0"), "separated.tall.1")
            if self.net["separated"]["relu"]:
                x = F.relu(x)
        if options.get("skip"):
            x = F.interpolate(x, scale_factor=stride // 8, mode="bilinear", align_corners=False) + self.standard(maps[8], "skip", "skip")
            stride = 8
        mask = self.net["mask"]
        outline = F.relu(self.conv(maps[4], "outline")) if mask["refined"] else None
        return x, stride, outline, maps[2] if mask.get("fine") else None

    def mask_logits(self, features, boxes):
        """boxes: [r,4] per picture, px → logits [R,classes,28,28]."""
        x, stride, outline, fine = features
        x = roi_align(x, boxes, 14, 1 / stride, self.net["samples"], aligned=True)
        x = F.relu(self.conv(F.relu(self.conv(x, "head.0")), "head.1"))
        x = F.conv_transpose2d(x, self.get("mask.deconv.weight"), self.get("mask.deconv.bias"), stride=2)
        if outline is not None:
            x = x + roi_align(outline, boxes, 28, 1 / 4, 1, aligned=True)
            if fine is not None:
                x = x + self.standard(roi_align(fine, boxes, 28, 1 / 2, 1, aligned=True), "mask.fine", "mask.fine")
            x = self.conv(F.relu(x), "mask.refine")
        x = F.relu(x)
        if fine is not None:
            x = F.relu(x + self.conv(x, "mask.sharpen"))
        return self.conv(x, "mask.predict")

    @torch.no_grad()
    def measure_statistics(self, batches, only=None):
        """Mean and deviation per channel of the maps, over batches of maps; written into the `.mean` and `.std` tensors of all layers
        that have them, or of those named.

        The outline convolution has no such tensors (its zero padding would not be exact): its fresh weights are made to suit instead.
        """
        names = {f"top.{level}": level for level in self.net["body"]["top"]["from"]}
        if self.net["body"]["top"].get("skip"):
            names["skip"] = 8
        if self.net["mask"].get("fine"):
            names["mask.fine"] = 2
        outlined = {4} if self.net["mask"]["refined"] and only is None else set()
        names = {name: level for name, level in names.items() if only is None or name in only}
        sums = {level: [0.0, 0.0, 0] for level in outlined | set(names.values())}
        for maps in batches:
            for level, s in sums.items():
                x = maps[level].float()
                s[0] = s[0] + x.sum((0, 2, 3))
                s[1] = s[1] + (x * x).sum((0, 2, 3))
                s[2] += x.numel() // x.shape[1]
        for name, level in names.items():
            total, squares, count = sums[level]
            mean = total / count
            self.get(f"{name}.mean").copy_(mean)
            self.get(f"{name}.std").copy_((squares / count - mean * mean).clamp(min=1e-6).sqrt())
        if outlined:
            _, squares, count = sums[4]
            self.get("outline.weight").div_((squares / count).clamp(min=1e-6).sqrt().view(1, -1, 1, 1))
