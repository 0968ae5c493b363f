"""The network once more, in PyTorch: an independent implementation to compare the ONNX graphs with.

    python reference.py --weights net.safetensors --golden golden.safetensors
    python reference.py --weights net.safetensors --onnx net.onnx

The first writes every stage's values for fixed pictures; the second compares them with what ONNX Runtime gives for the graph
built from the same weights, and fails when a relative error (largest difference over largest value) reaches 1e-4.
`net.safetensors` comes from `maskcast model build --save-weights`. Needs torch, torchvision, safetensors, numpy; --onnx also onnx
and onnxruntime. Only ResNet bodies: mobile bodies are compared with the files they come from (test/models/nets).
"""

import argparse
import json
import sys

import numpy as np
import torch
import torch.nn.functional as F
from safetensors import safe_open
from safetensors.numpy import save_file
from torchvision.ops import nms, roi_align

BLOCKS = {18: [2, 2, 2, 2], 34: [3, 4, 6, 3], 50: [3, 4, 6, 3], 101: [3, 4, 23, 3]}


def pictures(count, height, width):
    """uint8 [count, height, width, 3]; the same formula stands in test/models/nets/tiny-networks.ts."""
    n, y, x, c = np.ogrid[:count, :height, :width, :3]
    return ((x * 7 + y * 13 + c * 29 + ((x // 5) * (y // 7)) % 31 * 5 + n * 101) % 256).astype(np.uint8)


class Network:
    def __init__(self, file):
        with safe_open(file, "pt") as tensors:
            self.card = json.loads(tensors.metadata()["maskcast"])
            self.w = {name: tensors.get_tensor(name) for name in tensors.keys()}
        self.net = self.card["network"]
        self.body = self.net["body"]
        self.size = (self.card["input"]["height"], self.card["input"]["width"])
        self.classes = len(self.card["classes"])

    # Layers -----------------------------------------------------------------------------------------------------------------

    def conv(self, x, name, padding=None):
        weight = self.w[f"{name}.weight"]
        pad = [k // 2 for k in weight.shape[2:]] if padding is None else padding
        return F.conv2d(x, weight, self.w.get(f"{name}.bias"), padding=pad)

    def conv_bn(self, x, conv, bn, stride=1):
        weight = self.w[f"{conv}.weight"]
        y = F.conv2d(x, weight, stride=stride, padding=weight.shape[2] // 2)
        p = [self.w[f"{bn}.{part}"] for part in ("running_mean", "running_var", "weight", "bias")]
        return F.batch_norm(y, *p, training=False, eps=1e-5)

    def stage(self, x, number):
        for i in range(BLOCKS[self.body["depth"]][number - 1]):
            x = self.block(x, f"layer{number}.{i}", 2 if i == 0 and number > 1 else 1)
        return x

    def block(self, x, name, stride):
        basic = self.body["depth"] < 50
        on_3x3 = basic or self.body["strideOn"] == "3x3"
        if basic:
            y = F.relu(self.conv_bn(x, f"{name}.conv1", f"{name}.bn1", stride))
            y = self.conv_bn(y, f"{name}.conv2", f"{name}.bn2")
        else:
            y = F.relu(self.conv_bn(x, f"{name}.conv1", f"{name}.bn1", 1 if on_3x3 else stride))
            y = F.relu(self.conv_bn(y, f"{name}.conv2", f"{name}.bn2", stride if on_3x3 else 1))
            y = self.conv_bn(y, f"{name}.conv3", f"{name}.bn3")
        down = f"{name}.downsample.0"
        short = self.conv_bn(x, down, f"{name}.downsample.1", stride) if f"{down}.weight" in self.w else x
        return F.relu(y + short)

    # Stages -----------------------------------------------------------------------------------------------------------------

    def c4(self, images):
        form = self.card["input"]
        x = torch.from_numpy(images).permute(0, 3, 1, 2).float()
        x = (x - torch.tensor(form["mean"])[:, None, None]) / torch.tensor(form["std"])[:, None, None]
        if form["channels"] == "bgr":
            x = x.flip(1)
        x = F.relu(self.conv_bn(x, "conv1", "bn1", 2))
        x = F.max_pool2d(x, 3, 2, 1)
        for number in (1, 2, 3):
            x = self.stage(x, number)
        return x

    def separated(self, x):
        if not self.net["separated"]:
            return x
        wide = self.conv(self.conv(x, "separated.wide.0"), "separated.wide.1")
        tall = self.conv(self.conv(x, "separated.tall.0"), "separated.tall.1")
        return F.relu(wide + tall) if self.net["separated"]["relu"] else wide + tall

    def anchors(self, rows, columns, stride=16):
        shapes = [(s / r**0.5, s * r**0.5) for s in self.net["first"]["sizes"] for r in self.net["first"]["ratios"]]
        w, h = torch.tensor(shapes).T
        y, x = torch.meshgrid(torch.arange(rows) * stride, torch.arange(columns) * stride, indexing="ij")
        x, y = x[..., None], y[..., None]
        return torch.stack([x - w / 2, y - h / 2, x + w / 2, y + h / 2], -1).reshape(-1, 4)

    def decode(self, boxes, deltas, move, scale):
        size = boxes[:, 2:] - boxes[:, :2]
        centre = boxes[:, :2] + size / 2 + deltas[:, :2] / move * size
        size = size * torch.exp((deltas[:, 2:] / scale).clamp(max=np.log(1000 / 16)))
        boxes = torch.cat([centre - size / 2, centre + size / 2], 1)
        limit = torch.tensor([self.size[1], self.size[0]] * 2)
        return torch.minimum(boxes.clamp(min=0), limit)

    def proposals(self, features):
        first = self.net["first"]
        hidden = F.relu(self.conv(features, "rpn.conv"))
        logits = self.conv(hidden, "rpn.objectness").permute(0, 2, 3, 1).flatten(1)
        deltas = self.conv(hidden, "rpn.deltas").permute(0, 2, 3, 1).reshape(len(features), -1, 4)
        anchors = self.anchors(*features.shape[2:])
        found = []
        for score, delta in zip(logits, deltas):
            best = score.argsort(descending=True, stable=True)[: first["before"]]
            boxes = self.decode(anchors[best], delta[best], 1, 1)
            found.append(boxes[nms(boxes, score[best], first["maxIou"])[: first["proposals"]]])
        return found

    def regions(self, features, boxes):
        regions = roi_align(features, boxes, 14, 1 / 16, self.net["samples"], aligned=True)
        if self.net["head"]["kind"] == "c5":
            return self.stage(regions, 4)
        return F.relu(self.conv(F.relu(self.conv(regions, "head.0")), "head.1"))

    def detections(self, features, proposals):
        """Boxes, scores, labels of each frame, best first."""
        options = self.net["detections"]
        window = self.net["head"].get("pool", 7)
        found = []
        for frame, boxes in enumerate(proposals):
            pooled = F.avg_pool2d(self.regions(features[frame : frame + 1], [boxes]), window, window).flatten(1)
            scores = F.linear(pooled, self.w["box.classes.weight"], self.w["box.classes.bias"]).softmax(1)[:, :-1]
            deltas = F.linear(pooled, self.w["box.deltas.weight"], self.w["box.deltas.bias"]).reshape(-1, 4)
            best = scores.flatten().argsort(descending=True, stable=True)[: options["candidates"]]
            best = best[scores.flatten()[best] > options["minScore"]]
            score, label = scores.flatten()[best], best % self.classes
            moved = self.decode(boxes[best // self.classes], deltas[best], 10, 5)
            keep = torch.zeros(len(best), dtype=torch.bool)
            for c in label.unique():
                of = (label == c).nonzero()[:, 0]
                keep[of[nms(moved[of], score[of], options["maxIou"])]] = True
            keep = keep.nonzero()[: options["most"], 0]
            found.append((moved[keep], score[keep], label[keep]))
        return found

    def masks(self, features, boxes, labels):
        x = self.regions(features, boxes)
        x = F.relu(F.conv_transpose2d(x, self.w["mask.deconv.weight"], self.w["mask.deconv.bias"], stride=2))
        return self.conv(x, "mask.predict")[torch.arange(len(labels)), labels].sigmoid()

    @torch.inference_mode()
    def run(self, images):
        """Values of every stage by the names that a traced graph gives them."""
        c4 = self.c4(images)
        features = self.separated(c4)
        proposals = self.proposals(features)
        found = self.detections(features, proposals)
        boxes, scores, labels = (torch.cat(part) for part in zip(*found))
        stages = {"c4": c4, "boxes": boxes, "scores": scores, "labels": labels.float()}
        stages["frames"] = torch.cat([torch.full((len(f[1]),), float(i)) for i, f in enumerate(found)])
        # A frame may have fewer proposals than places: then the graph fills up with others, which take no part.
        stages["proposals"] = torch.stack([F.pad(p, (0, 0, 0, self.net["first"]["proposals"] - len(p))) for p in proposals])
        stages["proposalCounts"] = torch.tensor([float(len(p)) for p in proposals])
        if self.net["separated"]:
            stages["separated"] = features
        if self.net["mask"]:
            stages["masks"] = self.masks(features, [f[0] for f in found], labels)
        return {name: np.ascontiguousarray(value.numpy(), np.float32) for name, value in stages.items()}


def run_onnx(file, images):
    """The graph's outputs, and the values between its stages as further outputs."""
    import onnx
    import onnxruntime

    model = onnx.load(file)
    last = lambda start: [n.output[0] for n in model.graph.node if n.name.startswith(start)][-1]
    inner = {"c4": last("body/"), "proposals": last("rpn/GatherND")}
    if any(n.name.startswith("separated/") for n in model.graph.node):
        inner["separated"] = last("separated/")
    known = {value.name: value for value in model.graph.value_info}
    model.graph.output.extend(known[name] for name in inner.values())
    session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    names = [o.name for o in session.get_outputs()]
    values = dict(zip(names, session.run(names, {"images": images})))
    return {**values, **{stage: values[name] for stage, name in inner.items()}}


def in_order_of(expected, got):
    """The graph's instances in PyTorch's order: scores closer than rounding may stand in either order, nothing else may move."""
    order, free = [], set(range(len(got["scores"])))
    for i, box in enumerate(expected["boxes"]):
        same = [j for j in free if got["frames"][j] == expected["frames"][i] and abs(got["scores"][j] - expected["scores"][i]) < 1e-4]
        if not same:
            return got
        order.append(min(same, key=lambda j: np.abs(got["boxes"][j] - box).max()))
        free.remove(order[-1])
    return {name: value[order] if name in ("boxes", "scores", "labels", "frames", "masks") else value for name, value in got.items()}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--weights", required=True)
    parser.add_argument("--golden", help="file to write the values to")
    parser.add_argument("--onnx", help="graph to compare with")
    parser.add_argument("--frames", type=int, default=2)
    arguments = parser.parse_args()
    network = Network(arguments.weights)
    images = pictures(arguments.frames, *network.size)
    stages = network.run(images)
    print({name: list(value.shape) for name, value in stages.items()})
    if arguments.golden:
        save_file(stages, arguments.golden)
    if arguments.onnx:
        values = in_order_of(stages, run_onnx(arguments.onnx, images))
        worst = 0.0
        for name, expected in stages.items():
            if name == "proposalCounts":
                continue
            got = values[name]
            if name == "proposals":
                for frame, count in enumerate(stages["proposalCounts"].astype(int)):
                    got[frame, count:] = 0
            same = got.shape == expected.shape
            error = np.abs(got - expected).max() / max(np.abs(expected).max(), 1e-30) if same and got.size else float(not same)
            worst = max(worst, error)
            print(f"{name:12} {str(list(got.shape)):24} relative error {error:.2e}")
        sys.exit(int(worst >= 1e-4))


if __name__ == "__main__":
    main()
