/** The 80 classes of COCO detection in the order of its category ids, as YOLO, YOLOX, PicoDet and Detectron2 number them. */
// biome-ignore format: one name a line would be 80 lines
export const COCO_80: readonly string[] = [
  'person', 'bicycle', 'car', 'motorcycle', 'airplane', 'bus', 'train', 'truck', 'boat', 'traffic light',
  'fire hydrant', 'stop sign', 'parking meter', 'bench', 'bird', 'cat', 'dog', 'horse', 'sheep', 'cow',
  'elephant', 'bear', 'zebra', 'giraffe', 'backpack', 'umbrella', 'handbag', 'tie', 'suitcase', 'frisbee',
  'skis', 'snowboard', 'sports ball', 'kite', 'baseball bat', 'baseball glove', 'skateboard', 'surfboard',
  'tennis racket', 'bottle', 'wine glass', 'cup', 'fork', 'knife', 'spoon', 'bowl', 'banana', 'apple',
  'sandwich', 'orange', 'broccoli', 'carrot', 'hot dog', 'pizza', 'donut', 'cake', 'chair', 'couch',
  'potted plant', 'bed', 'dining table', 'toilet', 'tv', 'laptop', 'mouse', 'remote', 'keyboard', 'cell phone',
  'microwave', 'oven', 'toaster', 'sink', 'refrigerator', 'book', 'clock', 'vase', 'scissors', 'teddy bear',
  'hair drier', 'toothbrush',
];

/** COCO category ids (1…90) that no class has. */
const GAPS: ReadonlySet<number> = new Set([12, 26, 29, 30, 45, 66, 68, 69, 71, 83]);

/** COCO category id (1…90) of each of {@link COCO_80}. */
export const COCO_80_IDS: readonly number[] = Array.from({ length: 90 }, (_, i) => i + 1).filter((id) => !GAPS.has(id));

/** Labels by COCO category id: index 0 is the background, an id without a class is `''`. 91 entries. */
export const COCO_91: readonly string[] = Array.from({ length: 91 }, (_, id) => {
  const index = COCO_80_IDS.indexOf(id);
  return index < 0 ? '' : COCO_80[index]!;
});

/**
 * Names for a model's classes: what the user said, else what the file says, else COCO's when there are 80, else
 * `class0`, `class1`, …
 *
 * @returns the names, or a sentence that says what is wrong with them
 */
export function namesOf(
  classes: number,
  said: readonly string[] | undefined,
  inFile: readonly string[] | undefined,
): readonly string[] | string {
  if (said) {
    return said.length === classes
      ? said
      : `${said.length} class names were given, but the model has ${classes} classes`;
  }
  if (inFile?.length === classes) return inFile;
  if (classes === 80) return COCO_80;
  return Array.from({ length: classes }, (_, i) => `class${i}`);
}
