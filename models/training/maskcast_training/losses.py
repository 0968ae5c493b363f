"""Losses. Shapes as in network.py; every loss is a scalar, already divided by what it counts."""

import torch
import torch.nn.functional as F

# Rarely drawn vehicles share what few masks they have: a mask of one also teaches the others' channel, at half the weight.
KIN = (("car", "bus", "truck"), ("bicycle", "motorcycle"))


def kin_of(classes):
    """[classes, classes] weight that a mask of class i has for channel j."""
    table = torch.eye(len(classes))
    for group in KIN:
        for a in group:
            for b in group:
                if a != b and a in classes and b in classes:
                    table[classes.index(a), classes.index(b)] = 0.5
    return table


def mask_loss(logits, targets, labels, weights, kin):
    """Binary cross-entropy (double at the outline) + 0.5 dice (Milletari et al. 2016), on the right class's channel and its kin's.

    logits [R,C,28,28]; targets [R,28,28] 0…1; labels int64 [R]; weights [R]; kin [C,C].
    """
    share = kin[labels] * weights[:, None]  # [R,C]
    t = targets[:, None].expand_as(logits)
    # Cells whose target is neither all in nor all out, or whose neighbours differ, lie on the outline.
    spread = F.max_pool2d(targets[:, None], 3, 1, 1) + F.max_pool2d(-targets[:, None], 3, 1, 1)
    bce = (F.binary_cross_entropy_with_logits(logits, t, reduction="none") * (1 + spread)).mean((2, 3))
    p = logits.sigmoid()
    dice = 1 - (2 * (p * t).sum((2, 3)) + 1) / ((p * p).sum((2, 3)) + (t * t).sum((2, 3)) + 1)
    return ((bce + 0.5 * dice) * share).sum() / share.sum().clamp(min=1e-6)


def distillation(logits, bins, target, teacher_bins, boxes=None, places=None):
    """Holds the first stage to class scores of every cell, and to box distributions where something is seen; with `places`, also to boxes.

    Quality focal form for scores (Li et al. 2020: cross-entropy against the wanted score, weighted by the squared difference). target
    [N,cells,80] 0…1; boxes [N,cells,4] the network's; places [N,cells,4], NaN where none is wanted.
    """
    score = target.amax(-1)
    count = score[score > 0.05].sum().clamp(min=1)
    difference = (logits.sigmoid() - target).abs()
    classes = (F.binary_cross_entropy_with_logits(logits, target, reduction="none") * difference**2).sum() / count
    kl = F.kl_div(bins.log_softmax(-1), teacher_bins.softmax(-1), reduction="none").sum(-1).mean(-1)
    loss = classes + 0.5 * (kl * score).sum() / count
    if places is not None:
        at = (score > 0.05) & places.isfinite().all(-1)
        loss = loss + 0.5 * (giou_loss(boxes[at], places[at]) * score[at]).sum() / count
    return loss


def taught_targets(score, boxes, rows, columns, least=0.5):
    """What a teacher says of each cell, brought to what several larger looks say of the objects: the cells of a class whose box lies on a
    row's (IoU ≥ `least`) keep their order and shares, and the best of them scores what the row does (within a factor of three).

    One picture. score [cells,80] and boxes [cells,4] of the teacher, rows [t,6] x1 y1 x2 y2 score label → target [cells,80], places [cells,4]:
    the row's box for each cell, by the class that it scores best; NaN without one.
    """
    target, places = score.clone(), torch.full_like(boxes, torch.nan)
    most = torch.zeros(len(boxes))
    iou = box_iou(rows[:, :4], boxes)
    for label, column in enumerate(columns):
        mine = rows[:, 5] == label
        if not mine.any():
            continue
        best, row = iou[mine].max(0)
        on = best >= least
        peak = torch.zeros(int(mine.sum())).scatter_reduce(0, row[on], score[on, column], "amax")
        factor = (rows[mine, 4] / peak.clamp(min=1e-3)).clamp(1 / 3, 3)
        target[on, column] = (score[on, column] * factor[row[on]]).clamp(max=0.97)
        better = on & (target[:, column] > most)
        most[better] = target[better, column]
        places[better] = rows[mine, :4][row[better]]
    return target, places


def task_aligned(logits, boxes, truth, labels, places, columns, top=9):
    """Cells for objects (Feng et al. 2021): score · IoU^6 ranks the cells whose centre lies in a box; each takes its best `top`.

    One picture. logits [cells,80], boxes [cells,4], truth [k,4], labels [k] → object of each cell (−1: none) and its target score.
    """
    cells = len(boxes)
    owner = torch.full((cells,), -1, dtype=torch.long)
    quality = torch.zeros(cells)
    if len(truth) == 0:
        return owner, quality
    iou = box_iou(truth, boxes)
    inside = ((places > truth[:, None, :2]) & (places < truth[:, None, 2:])).all(-1)
    score = logits.sigmoid()[:, [columns[i] for i in labels.tolist()]].T
    metric = torch.where(inside, score.clamp(min=1e-4) * iou**6, torch.zeros(()))
    best, place = metric.topk(min(top, cells), 1)
    chosen = torch.zeros_like(metric).scatter_(1, place, (best > 0).float()).bool()
    metric = torch.where(chosen, metric, torch.zeros(()))
    value, index = metric.max(0)
    taken = value > 0
    owner[taken] = index[taken]
    peak = metric.amax(1).clamp(min=1e-12)
    peak_iou = torch.where(chosen, iou, torch.zeros(())).amax(1)
    quality[taken] = (value / peak[index] * peak_iou[index])[taken]
    return owner, quality


def box_iou(a, b):
    low = torch.maximum(a[:, None, :2], b[None, :, :2])
    high = torch.minimum(a[:, None, 2:], b[None, :, 2:])
    both = (high - low).clamp(min=0).prod(-1)
    area = lambda x: (x[:, 2:] - x[:, :2]).prod(-1)
    return both / (area(a)[:, None] + area(b)[None] - both).clamp(min=1e-9)


def giou_loss(a, b):
    """Rezatofighi et al. 2019, paired [k,4] and [k,4] → [k]."""
    low, high = torch.maximum(a[:, :2], b[:, :2]), torch.minimum(a[:, 2:], b[:, 2:])
    both = (high - low).clamp(min=0).prod(-1)
    union = (a[:, 2:] - a[:, :2]).prod(-1) + (b[:, 2:] - b[:, :2]).prod(-1) - both
    hull = (torch.maximum(a[:, 2:], b[:, 2:]) - torch.minimum(a[:, :2], b[:, :2])).prod(-1)
    return 1 - both / union.clamp(min=1e-9) + (hull - union) / hull.clamp(min=1e-9)


def detection_loss(network, logits, bins, objects):
    """Varifocal class loss (Zhang et al. 2021) and GIoU of the first stage against annotated boxes, for pictures in which every object
    of the card's classes is annotated. objects: per picture (boxes [k,4], labels [k], ignored [i,4]: cells in there are no background). Other classes' scores are left alone.
    """
    boxes = network.boxes(bins)
    classes, places = 0.0, 0.0
    count = 0.0
    for i, (truth, labels, ignored) in enumerate(objects):
        owner, quality = task_aligned(logits[i].detach(), boxes[i].detach(), truth, labels, network.places, network.columns)
        target = torch.zeros(len(owner), len(network.columns))
        mine = owner >= 0
        target[mine, labels[owner[mine]]] = quality[mine]
        ours = logits[i][:, network.columns]
        weight = torch.where(target > 0, target, 0.75 * ours.detach().sigmoid() ** 2)
        at = network.places[:, None]
        weight = weight * (mine | ~((at >= ignored[:, :2]) & (at <= ignored[:, 2:])).all(-1).any(1))[:, None]
        classes = classes + (F.binary_cross_entropy_with_logits(ours, target, reduction="none") * weight).sum()
        if mine.any():
            places = places + (giou_loss(boxes[i][mine], truth[owner[mine]]) * quality[mine]).sum()
        count += float(quality.sum())
    return (classes + 2 * places) / max(count, 1.0)
