"""Trains the shipped model: `python train.py settings/street.json --work DIR`. Stops and goes on at any time; see README.md."""

import argparse
import copy
import itertools
import json
import math
import os
import shutil
import signal
import sys
import time

import numpy as np
import torch

from maskcast_training.data import HERE, augmented, give_taught, sets_of, whole
from maskcast_training.evaluate import figures, line
from maskcast_training.features import Cache, fill
from maskcast_training.losses import detection_loss, distillation, kin_of, mask_loss, taught_targets
from maskcast_training.network import Network
from maskcast_training.regions import batch_of


def say(text):
    print(f"{time.strftime('%H:%M:%S')} {text}", flush=True)


class Average:
    """Exponential moving average of the weights; shorter at the beginning."""

    def __init__(self, network, decay):
        self.decay, self.steps = decay, 0
        self.values = {n: p.detach().clone() for n, p in network.w.items()}

    def update(self, network):
        self.steps += 1
        decay = min(self.decay, (1 + self.steps) / (10 + self.steps))
        with torch.no_grad():
            for n, p in network.w.items():
                self.values[n].lerp_(p, 1 - decay) if p.requires_grad else self.values[n].copy_(p)

    def into(self, network):
        twin = copy.deepcopy(network)
        with torch.no_grad():
            for n, p in twin.w.items():
                p.copy_(self.values[n])
        return twin


class Phase:
    """One run of the optimiser with its checkpoint. The random numbers of an iteration depend on its number only: a run that was
    stopped goes on as if it had not been."""

    def __init__(self, name, settings, network, groups, work):
        self.name, self.settings, self.network = name, settings, network
        self.file = os.path.join(work, f"{name}.checkpoint")
        self.optimizer = torch.optim.AdamW(groups, weight_decay=settings["decay"])
        self.rates = [g["lr"] for g in self.optimizer.param_groups]
        self.average = Average(network, settings["average"])
        self.done = 0
        if os.path.exists(self.file):
            state = torch.load(self.file, weights_only=True)
            self.optimizer.load_state_dict(state["optimizer"])
            with torch.no_grad():
                for n, value in state["weights"].items():
                    network.w[n].copy_(value)
            self.average.values, self.average.steps, self.done = state["average"], state["steps"], state["done"]
            say(f"{name}: goes on at iteration {self.done}")

    def save(self, last=False):
        """Writes the checkpoint beside the old one, which stays whole until the new one is. A disk that is full is said and tried again with
        the next; only the last one ends the run."""
        state = {"optimizer": self.optimizer.state_dict(), "weights": {n: p.detach() for n, p in self.network.w.items()},
                 "average": self.average.values, "steps": self.average.steps, "done": self.done}
        try:
            torch.save(state, self.file + ".new")
            os.replace(self.file + ".new", self.file)
        except (OSError, RuntimeError) as failure:  # PyTorch's writer raises the latter.
            if os.path.exists(self.file + ".new"):
                os.remove(self.file + ".new")
            free = shutil.disk_usage(os.path.dirname(self.file)).free >> 20
            text = f"{self.file} could not be written at iteration {self.done} ({free} MB free); one written before is whole: make room"
            if last:
                raise SystemExit(text + " and run the same command") from failure
            say(text)

    def run(self, loss_of, evaluate):
        s = self.settings
        total, stop = s["iterations"], []
        signal.signal(signal.SIGTERM, lambda *_: stop.append(True))
        seen, since = {}, time.time()
        while self.done < total:
            i = self.done
            warm = min(1.0, (i + 1) / s["warmUp"])
            rate = warm * (0.02 + 0.98 * 0.5 * (1 + math.cos(math.pi * i / total)))
            for group, lr in zip(self.optimizer.param_groups, self.rates):
                group["lr"] = lr * rate
            losses = loss_of(np.random.default_rng([s["seed"], i, 1]))
            self.optimizer.zero_grad(set_to_none=True)
            sum(losses.values()).backward()
            norm = torch.nn.utils.clip_grad_norm_([p for g in self.optimizer.param_groups for p in g["params"]], s["clip"])
            if torch.isfinite(norm):
                self.optimizer.step()
            self.average.update(self.network)
            self.done += 1
            for k, v in {**losses, "norm": norm}.items():
                seen.setdefault(k, []).append(float(v.detach()))
            if self.done % 100 == 0:
                means = ", ".join(f"{k} {np.mean(v):.4f}" for k, v in seen.items())
                say(f"{self.name} {self.done}/{total}: {means}; {(time.time() - since) / 100:.2f} s an iteration")
                seen, since = {}, time.time()
            if self.done % s["save"] == 0 or self.done == total:
                self.save(last=self.done == total)
            if self.done % s["evaluate"] == 0 or self.done == total:
                evaluate(self.average.into(self.network), f"{self.name} {self.done}")
                since = time.time()
            if stop:
                self.save(last=True)
                say(f"{self.name}: stopped at iteration {self.done}; run the same command to go on")
                sys.exit(0)


def weights_of(pictures, drawn_share):
    """Chance of each picture; drawings together get a fixed share."""
    w = np.array([p.weight for p in pictures])
    drawn = np.array([p.drawn for p in pictures])
    if drawn.any():
        w[drawn] *= drawn_share / (1 - drawn_share) * w[~drawn].sum() / w[drawn].sum()
    return w / w.sum()


def train_top(settings, network, pictures, work, evaluate):
    """Phase 1: everything above the frozen body, from stored maps."""
    s = settings["top"]
    folder = os.path.join(work, "cache")
    if not os.path.exists(os.path.join(folder, "about.json")):
        fill(folder, network, pictures, s["views"], s["seed"], say=say)
    cache = Cache(folder)
    first = (cache.batch(range(r, r + 8), network) for r in range(0, min(cache.count, 800) - 7, 8))
    network.measure_statistics(first, settings.get("added"))
    kin = kin_of(network.card["classes"])
    useful = [r for r, o in enumerate(cache.objects) if o["sample"][3].any()]
    chance = weights_of(pictures, settings["drawnShare"])[[cache.objects[r]["picture"] for r in useful]]
    chance /= chance.sum()
    for parameter in network.body_parameters():
        parameter.requires_grad_(False)
    phase = Phase("top", s, network, [{"params": network.top_parameters(), "lr": s["rate"]}], work)
    person = network.card["classes"].index("person")

    def loss_of(rng):
        rows = [useful[k] for k in rng.choice(len(useful), s["batch"], p=chance)]
        boxes, labels, wanted = batch_of([(cache.objects[r]["sample"], cache.objects[r]["found"]) for r in rows], rng)
        logits = network.mask_logits(network.features(cache.batch(rows, network)), boxes)
        weights = torch.where(labels == person, 1.0, 1.5)
        return {"mask": mask_loss(logits, wanted, labels, weights, kin)}

    phase.run(loss_of, evaluate)
    phase.average.into(network).save(os.path.join(work, "top.safetensors"))
    return phase.average.into(network)


class Batches(torch.utils.data.Dataset):
    """Samples of iteration i, which depend on nothing else; a worker makes them while the network learns."""

    def __init__(self, settings, pictures, chance, height, width):
        self.settings, self.pictures, self.chance, self.size = settings, pictures, chance, (height, width)

    def __len__(self):
        return self.settings["iterations"]

    def __getitem__(self, i):
        rng = np.random.default_rng([self.settings["seed"], i])
        chosen = rng.choice(len(self.pictures), self.settings["batch"], p=self.chance)
        return [whole(self.pictures[k], *self.size) if rng.random() < self.settings["plain"] else
                augmented(self.pictures[k], self.pictures, *self.size, rng, self.settings.get("mosaic", 0.2)) for k in chosen]


def train_whole(settings, network, teacher, pictures, work, evaluate):
    """Phase 2: everything, gently: masks reach into the body, the first stage is held to the frozen one, drawings teach it too."""
    s = settings["whole"]
    for n, p in network.w.items():
        p.requires_grad_(n.replace("/", ".") not in network.fixed)
    kin = kin_of(network.card["classes"])
    chance = weights_of(pictures, settings["drawnShare"])
    body = network.body_parameters()
    phase = Phase("whole", s, network, [{"params": body, "lr": s["bodyRate"], "weight_decay": 0.0},
                                        {"params": network.top_parameters(), "lr": s["rate"]}], work)
    person = network.card["classes"].index("person")
    batches = Batches(s, pictures, chance, network.height, network.width)
    batches = iter(torch.utils.data.DataLoader(batches, None, sampler=range(phase.done, len(batches)), num_workers=1))

    def keep(images, taught, logits, bins):
        with torch.no_grad():
            seen, theirs = teacher.predictions(teacher.maps(images))
            scores, places = seen.sigmoid(), None
            if "taught" in settings:
                pairs = [taught_targets(score, boxes, torch.from_numpy(rows), network.columns)
                         for score, boxes, rows in zip(scores, teacher.boxes(theirs), taught)]
                scores, places = (torch.stack(part) for part in zip(*pairs))
        return distillation(logits, bins, scores, theirs, network.boxes(bins), places)

    def loss_of(rng):
        samples = next(batches)
        images = torch.from_numpy(np.stack([x.image for x in samples])).permute(0, 3, 1, 2)
        maps = network.maps(images)
        logits, bins = network.predictions(maps)
        found = network.detections(logits.detach(), bins.detach(), 0.15, 60)
        losses = {}
        photographs = [k for k, x in enumerate(samples) if not x.drawn]
        if photographs:
            losses["keep"] = s.get("keepLoss", 1) * keep(images[photographs], [samples[k].taught for k in photographs], logits[photographs], bins[photographs])
        drawn = [k for k, x in enumerate(samples) if x.drawn and x.complete]
        if drawn:
            truth = [tuple(torch.from_numpy(v) for v in (samples[k].boxes, samples[k].labels, samples[k].ignored)) for k in drawn]
            losses["drawn"] = s["drawnLoss"] * detection_loss(network, logits[drawn], bins[drawn], truth)
        boxes, labels, wanted = batch_of(
            [((x.boxes, x.labels, x.crops, x.masked), (f[0].numpy(), f[2].numpy())) for x, f in zip(samples, found)], rng)
        if len(labels):
            masks = network.mask_logits(network.features(maps), boxes)
            losses["mask"] = s["maskLoss"] * mask_loss(masks, wanted, labels, torch.where(labels == person, 1.0, 1.5), kin)
        return losses

    phase.run(loss_of, evaluate)
    return phase.average.into(network)


def export(network, start, settings, file, found):
    """Writes the trained tensors with their card; refuses if a tensor is still the starting point's or the original body's."""
    original = {f"body.{n}": torch.from_numpy(v.copy()) for n, v in network.graph.constants.items()}
    same = [n for n, v in network.tensors().items() if n not in network.fixed and
            any(n in of and of[n].shape == v.shape and torch.equal(v, of[n]) for of in (start, original))]
    if same:
        raise SystemExit(f"{len(same)} tensors equal the starting point's, such as {same[0]}: the whole phase has not reached them")
    net = {**network.net, "detections": {**network.net["detections"], **settings.get("detections", {})}}
    card = {**network.card, "network": net, "licence": settings["licence"], "data": settings["data"], "figures": found}
    network.save(file, card)
    say(f"wrote {file}")


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("settings")
    parser.add_argument("--work", required=True, help="folder for cache, checkpoints and results, outside the repository")
    parser.add_argument("--until", choices=["top", "whole"], default="whole")
    parser.add_argument("--out", help="safetensors file to write; left out: WORK/trained.safetensors")
    arguments = parser.parse_args()
    with open(arguments.settings) as text:
        settings = json.load(text)
    torch.manual_seed(settings["seed"])
    torch.set_num_threads(settings.get("threads", os.cpu_count()))
    work = arguments.work
    os.makedirs(work, exist_ok=True)
    near = lambda path: path if os.path.isabs(path) else os.path.join(HERE, path)
    network = Network(os.path.join(work, settings["start"]), near(settings["body"]))
    network.net.update(settings.get("network", {}))
    if "size" in settings:
        network.resize(*settings["size"])
    with torch.no_grad():
        # Layers that the start did not have begin at zero: the network begins as what it was.
        for name, part in itertools.product(settings.get("added", []), ("weight", "bias")):
            network.get(f"{name}.{part}").zero_()
    # What the first stage is held to on photographs: what it was at the start, or the untouched body.
    teacher = Network(os.path.join(work, settings["teacher"]), near(settings["body"])) if "teacher" in settings else copy.deepcopy(network)
    teacher.resize(network.height, network.width)
    # What the result is blended with: another run's, read now so that a missing file is not found after hours; or the start of `whole`.
    other = Network(os.path.join(work, settings["blendWith"]), near(settings["body"])).tensors() if "blendWith" in settings else None
    start = network.tensors()
    pictures = sets_of(settings, network.card["classes"], work)
    if "taught" in settings:
        if not os.path.exists(os.path.join(work, settings["taught"])):
            raise SystemExit(f"no {settings['taught']} in {work}: first run teach.py with the same settings and --work")
        give_taught(pictures, os.path.join(work, settings["taught"]), settings.get("annotations", 0))
    say(f"{len(pictures)} pictures, {sum(m is not None for p in pictures for m in p.segmentations)} masks")
    check = settings["evaluate"]
    # A set that was made for the run, such as wide_crops.py's, lies in the work folder.
    made = lambda path: os.path.join(work, path) if os.path.exists(os.path.join(work, path)) else near(path)
    history = []

    def evaluate(current, name):
        found = figures(current, made(check["annotations"]), made(check["images"]))
        history.append({"at": name, **found})
        with open(os.path.join(work, "history.jsonl"), "a") as log:
            log.write(json.dumps(history[-1]) + "\n")
        say(f"{name}: {line(found)}")

    if "top" in settings:
        network = train_top(settings, network, pictures, work, evaluate)
    if arguments.until == "top":
        return
    other = other or network.tensors()
    network = train_whole(settings, network, teacher, pictures, work, evaluate)
    # Between the two phases (boxes of the first, masks and drawings of the second), or two runs from one start (Wortsman et al. 2022).
    with torch.no_grad():
        for n, p in network.w.items():
            p.copy_(other[n.replace("/", ".")].lerp(p, settings["blend"]))
    # A loss per pixel makes 0.5 the place where a pixel is as likely in as out; whole masks overlap most a little further out (Nowozin 2014).
    with torch.no_grad():
        network.get("mask.predict.bias").add_(settings.get("maskShift", 0))
    evaluate(network, "blended")
    last = history[-1]
    flat = {"box AP": last["bbox"]["AP"], "box AP50": last["bbox"]["AP50"], "mask AP": last["segm"]["AP"], "mask AP50": last["segm"]["AP50"],
            "person mask AP50": last["segm"]["perClass"]["person"]["AP50"], "on": check["name"]}
    export(network, start, settings, arguments.out or os.path.join(work, "trained.safetensors"), flat)


if __name__ == "__main__":
    main()
