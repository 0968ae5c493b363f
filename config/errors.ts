/**
 * The user's input is at fault: usage, configuration, file, model. Ends a command with exit code 2.
 * The message names the thing, the value, the rule and the remedy, and carries no secret.
 */
export class InputError extends Error {
  override readonly name = 'InputError';
}
