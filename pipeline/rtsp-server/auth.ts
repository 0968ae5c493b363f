import { createHash, timingSafeEqual } from 'node:crypto';

/** Who may come in, and how the password travels. */
export interface RtspAuth {
  readonly user: string;
  readonly password: string;
  readonly scheme: 'basic' | 'digest';
}

export const realm = 'maskcast';

/** Value of `WWW-Authenticate` (RFC 2617 §2, §3.2.1). Digest without `qop`, as most cameras do. */
export function challenge(scheme: RtspAuth['scheme'], nonce: string): string {
  return scheme === 'basic' ? `Basic realm="${realm}"` : `Digest realm="${realm}", nonce="${nonce}", algorithm=MD5`;
}

/** True when an `Authorization` header proves knowledge of the password for this request. */
export function isAuthorized(
  auth: RtspAuth,
  request: { readonly method: string; readonly uri: string; readonly header: string | undefined },
  nonce: string,
): boolean {
  const [, scheme = '', rest = ''] = /^(\w+)\s+(.*)$/s.exec(request.header ?? '') ?? [];
  if (scheme.toLowerCase() !== auth.scheme) return false;
  if (auth.scheme === 'basic') {
    return same(rest.trim(), Buffer.from(`${auth.user}:${auth.password}`).toString('base64'));
  }
  const given = parseParameters(rest);
  if (given.get('username') !== auth.user || given.get('nonce') !== nonce) return false;
  // Clients differ in the address they hash (aggregate or stream, with or without a slash): theirs counts, as long as
  // it lies at or below the one asked for or above it.
  const uri = given.get('uri') ?? '';
  if (!isSameResource(uri, request.uri)) return false;
  return same(given.get('response') ?? '', digestResponse(auth, { ...request, uri }, nonce, given));
}

/** The `response` of RFC 2617 §3.2.2.1, with `qop` when `extra` has one, else the older form of RFC 2069. */
export function digestResponse(
  { user, password }: Pick<RtspAuth, 'user' | 'password'>,
  { method, uri }: { readonly method: string; readonly uri: string },
  nonce: string,
  extra: ReadonlyMap<string, string> = new Map(),
  inRealm = realm,
): string {
  const secret = md5(`${user}:${inRealm}:${password}`);
  const action = md5(`${method}:${uri}`);
  const qop = extra.get('qop');
  const middle = qop ? `${nonce}:${extra.get('nc') ?? ''}:${extra.get('cnonce') ?? ''}:${qop}` : nonce;
  return md5(`${secret}:${middle}:${action}`);
}

/** `name="value", name=value` pairs; names in lower case. */
function parseParameters(text: string): Map<string, string> {
  const pairs = text.matchAll(/(\w+)\s*=\s*(?:"([^"]*)"|([^\s,]*))/g);
  return new Map([...pairs].map(([, name = '', quoted, bare]) => [name.toLowerCase(), quoted ?? bare ?? '']));
}

function isSameResource(a: string, b: string): boolean {
  const [shorter, longer] = [a, b].map((uri) => uri.replace(/\/$/, '')).toSorted((x, y) => x.length - y.length);
  return shorter !== '' && (longer === shorter || longer!.startsWith(`${shorter}/`));
}

function md5(text: string): string {
  return createHash('md5').update(text).digest('hex');
}

function same(a: string, b: string): boolean {
  const [left, right] = [Buffer.from(a), Buffer.from(b)];
  return left.length === right.length && timingSafeEqual(left, right);
}
