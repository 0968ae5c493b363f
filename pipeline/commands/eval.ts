import { Command } from 'commander';
import { evalCocoCommand } from './eval-coco.js';
import { evalMotCommand } from './eval-mot.js';

/** `maskcast eval coco|mot`: the field's own figures. */
export function evalCommand(): Command {
  return new Command('eval')
    .description("the field's own figures: COCO for detections, MOTChallenge for tracks")
    .addCommand(evalCocoCommand())
    .addCommand(evalMotCommand());
}
