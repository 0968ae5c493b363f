import { readFileSync } from 'node:fs';
import { isMap, isScalar, LineCounter, type Node, type ParsedNode, parseDocument } from 'yaml';
import { z } from 'zod';
import { InputError } from './errors.js';
import { configSchema, type MaskcastConfig } from './schema.js';

/**
 * Reads and checks a configuration file.
 *
 * @param env  where `${NAME}` comes from
 * @throws InputError naming file, line, key, value, rule and the nearest known key
 */
export function loadConfig(file: string, env: Readonly<Record<string, string | undefined>>): MaskcastConfig {
  let text: string;
  try {
    text = readFileSync(file, 'utf8');
  } catch (cause) {
    throw new InputError(
      `${file}: cannot be read (${(cause as NodeJS.ErrnoException).code}); name a readable YAML file`,
      {
        cause,
      },
    );
  }
  return parseConfig(text, file, env);
}

/** As `loadConfig`, from text; `file` only names it in errors. */
export function parseConfig(
  text: string,
  file: string,
  env: Readonly<Record<string, string | undefined>>,
): MaskcastConfig {
  const lines = new LineCounter();
  const document = parseDocument(text, { lineCounter: lines, prettyErrors: false });
  const [broken] = document.errors;
  if (broken) {
    const { line } = lines.linePos(broken.pos[0]);
    throw new InputError(`${file}:${line}: ${yamlRule(broken.code, broken.message, text.slice(broken.pos[0]))}`);
  }
  const lineOf = (path: readonly PropertyKey[]): number => lineOfNode(document.contents, path, lines);
  const value = substitute(
    document.toJS() ?? {},
    [],
    (path, rule) => {
      throw new InputError(`${file}:${lineOf(path)}: ${keyPath(path)} ${rule}`);
    },
    env,
  );
  const result = configSchema.safeParse(value, { reportInput: true });
  if (result.success) return result.data;
  const messages = result.error.issues
    .flatMap((issue) => explain(issue))
    .map(({ path, text: what }) => `${file}:${lineOf(path)}: ${what}`);
  throw new InputError([...new Set(messages)].join('\n'));
}

/** Checks a configuration that a program made. @throws InputError */
export function checkConfig(value: unknown): MaskcastConfig {
  const result = configSchema.safeParse(value, { reportInput: true });
  if (result.success) return result.data;
  throw new InputError(
    result.error.issues
      .flatMap((issue) => explain(issue))
      .map((line) => line.text)
      .join('\n'),
  );
}

function yamlRule(code: string, message: string, excerpt: string): string {
  if (code === 'DUPLICATE_KEY') {
    const key = excerpt.split(':')[0]?.trim() ?? '';
    return `the key "${key}" stands twice in one block; every name may be used once: rename or remove one`;
  }
  return `not valid YAML: ${message.split('\n')[0]}`;
}

type Refuse = (path: readonly PropertyKey[], rule: string) => never;

/** Replaces `${NAME}` and `${file:/path}` inside strings, and whole values of password keys that read `file:/path`. */
function substitute(
  value: unknown,
  path: readonly PropertyKey[],
  refuse: Refuse,
  env: Readonly<Record<string, string | undefined>>,
): unknown {
  if (Array.isArray(value)) return value.map((item, index) => substitute(item, [...path, index], refuse, env));
  if (value !== null && typeof value === 'object') {
    return Object.fromEntries(
      Object.entries(value).map(([key, item]) => [key, substitute(item, [...path, key], refuse, env)]),
    );
  }
  if (typeof value !== 'string') return value;
  const secretFile = (name: string): string => {
    try {
      return readFileSync(name, 'utf8').trimEnd();
    } catch (cause) {
      return refuse(
        path,
        `names the secret file ${name}, which cannot be read (${(cause as NodeJS.ErrnoException).code})`,
      );
    }
  };
  if (/password$/i.test(String(path.at(-1))) && value.startsWith('file:'))
    return secretFile(value.slice('file:'.length));
  return value.replace(/\$\{([^}]*)\}/g, (_all, name: string) => {
    if (name.startsWith('file:')) return secretFile(name.slice('file:'.length));
    const found = env[name];
    if (found === undefined)
      return refuse(path, `uses \${${name}}, but the environment has no ${name}; set it before the start`);
    return found;
  });
}

interface Line {
  readonly path: readonly PropertyKey[];
  readonly text: string;
}

function explain(issue: z.core.$ZodIssue): Line[] {
  const { path } = issue;
  if (issue.code === 'unrecognized_keys') {
    const known = knownKeys(path);
    return issue.keys.map((key) => {
      const near = nearest(key, known);
      const remedy = near ? `did you mean "${near}"?` : `known here: ${known.join(', ')}`;
      return { path: [...path, key], text: `unknown key "${keyPath([...path, key])}"; ${remedy}` };
    });
  }
  if (issue.code === 'invalid_union') {
    const best = issue.errors.toSorted((a, b) => depth(b) - depth(a))[0];
    const custom = issue.errors.flat().find((inner) => inner.code === 'invalid_format' || inner.code === 'custom');
    const inner = custom ?? (best && depth(best) > 0 ? best[0] : undefined);
    if (inner)
      return explain({
        ...inner,
        path: [...path, ...inner.path],
        input: inner.input ?? issue.input,
      } as z.core.$ZodIssue);
    const wanted = issue.errors.flat().map((one) => rule(one));
    return [
      { path, text: `${keyPath(path)} is ${shown(path, issue.input)}; it ${[...new Set(wanted)].join(', or ')}` },
    ];
  }
  if (issue.code === 'invalid_key') {
    const why = issue.issues[0]?.message ?? 'is not a name';
    return [{ path, text: `${keyPath(path.slice(0, -1))} has the name ${JSON.stringify(path.at(-1))}; it ${why}` }];
  }
  if (issue.input === undefined) return [{ path, text: `${keyPath(path)} is missing; it ${rule(issue)}` }];
  return [{ path, text: `${keyPath(path)} is ${shown(path, issue.input)}; it ${rule(issue)}` }];
}

const depth = (issues: readonly z.core.$ZodIssue[]): number => Math.max(0, ...issues.map((issue) => issue.path.length));

function rule(issue: z.core.$ZodIssue): string {
  switch (issue.code) {
    case 'invalid_type':
      return `must be ${article(issue.expected)}`;
    case 'invalid_value':
      return `must be ${issue.values.map((value) => JSON.stringify(value)).join(' or ')}`;
    case 'too_small':
      return `must be ${issue.inclusive === false ? 'more than' : 'at least'} ${issue.minimum}${unit(issue.origin)}`;
    case 'too_big':
      return `must be ${issue.inclusive === false ? 'less than' : 'at most'} ${issue.maximum}${unit(issue.origin)}`;
    default:
      return issue.message;
  }
}

const unit = (origin: string): string =>
  origin === 'string' ? ' characters long' : origin === 'array' ? ' entries long' : '';
const article = (type: string): string =>
  ({ object: 'a block of keys', record: 'a block of names', array: 'a list', int: 'a whole number' })[type] ??
  `a ${type}`;

/** A secret or a URL with credentials is never printed. */
function shown(path: readonly PropertyKey[], value: unknown): string {
  if (/password|key$/i.test(String(path.at(-1)))) return '(hidden)';
  const text = JSON.stringify(value) ?? String(value);
  const safe = text.replace(/(\w+:\/\/)[^@/\s"]*@/g, '$1***@');
  return safe.length > 80 ? `${safe.slice(0, 77)}…` : safe;
}

const keyPath = (path: readonly PropertyKey[]): string =>
  path.reduce<string>(
    (text, key) => (typeof key === 'number' ? `${text}[${key}]` : text ? `${text}.${String(key)}` : String(key)),
    '',
  ) || 'the configuration';

function knownKeys(path: readonly PropertyKey[]): string[] {
  let schema: unknown = configSchema;
  for (const key of path) schema = child(unwrap(schema), key);
  const shape = (unwrap(schema) as { shape?: Record<string, unknown> } | undefined)?.shape;
  return Object.keys(shape ?? {});
}

/** Through defaults, optionals and unions to the object below. */
function unwrap(schema: unknown): unknown {
  let inner = schema;
  for (;;) {
    if (inner instanceof z.ZodUnion)
      inner = inner.options.find((option) => option instanceof z.ZodObject) ?? inner.options[0];
    else if (inner instanceof z.ZodDefault || inner instanceof z.ZodPrefault || inner instanceof z.ZodOptional)
      inner = inner.unwrap();
    else return inner;
  }
}

function child(schema: unknown, key: PropertyKey): unknown {
  if (schema instanceof z.ZodObject) return (schema.shape as Record<PropertyKey, unknown>)[key];
  if (schema instanceof z.ZodRecord) return schema.valueType;
  return undefined;
}

function nearest(word: string, known: readonly string[]): string | undefined {
  const ranked = known
    .map((key) => ({ key, far: editDistance(word.toLowerCase(), key.toLowerCase()) }))
    .sort((a, b) => a.far - b.far);
  const [best] = ranked;
  return best && best.far <= Math.max(2, Math.floor(word.length / 3)) ? best.key : undefined;
}

/** Levenshtein distance. */
function editDistance(a: string, b: string): number {
  let row = Array.from({ length: b.length + 1 }, (_, j) => j);
  for (let i = 1; i <= a.length; i++) {
    const next = [i];
    for (let j = 1; j <= b.length; j++) {
      next[j] = Math.min(row[j]! + 1, next[j - 1]! + 1, row[j - 1]! + (a[i - 1] === b[j - 1] ? 0 : 1));
    }
    row = next;
  }
  return row[b.length]!;
}

/** Line of the deepest node that exists on `path`; of a map's key where the path ends at one. */
function lineOfNode(root: ParsedNode | null, path: readonly PropertyKey[], lines: LineCounter): number {
  let node: Node | null = root;
  let offset = root?.range?.[0] ?? 0;
  for (const key of path) {
    if (isMap(node)) {
      const pair = node.items.find((item) => isScalar(item.key) && String(item.key.value) === String(key));
      if (!pair) break;
      offset = (pair.key as Node).range?.[0] ?? offset;
      node = pair.value as Node | null;
    } else if (node && 'get' in node) {
      node = (node as unknown as { get(key: unknown, keep: boolean): Node | null }).get(key, true);
      offset = node?.range?.[0] ?? offset;
    } else break;
  }
  return lines.linePos(offset).line;
}
