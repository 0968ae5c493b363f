import { expect, it } from 'vitest';
import { digestResponse, isAuthorized } from '../../../pipeline/rtsp-server/auth.js';

const basic = { user: 'user', password: 'pass:word', scheme: 'basic' } as const;
const digest = { ...basic, scheme: 'digest' } as const;
const request = { method: 'DESCRIBE', uri: 'rtsp://h:554/cam' };

it('computes the example of RFC 2617 §3.5', () => {
  const qop = new Map([
    ['qop', 'auth'],
    ['nc', '00000001'],
    ['cnonce', '0a4f113b'],
  ]);
  const account = { user: 'Mufasa', password: 'Circle Of Life' };
  const target = { method: 'GET', uri: '/dir/index.html' };
  const nonce = 'dcd98b7102dd2f0e8b11d0f600bfb0c093';
  expect(digestResponse(account, target, nonce, qop, 'testrealm@host.com')).toBe('6629fae49393a05397450978507c4ef1');
});

it('lets in who knows the password, by the scheme that was asked for', () => {
  const plain = `Basic ${Buffer.from('user:pass:word').toString('base64')}`;
  expect(isAuthorized(basic, { ...request, header: plain }, 'n')).toBe(true);
  expect(isAuthorized(basic, { ...request, header: `${plain}x` }, 'n')).toBe(false);
  expect(isAuthorized(digest, { ...request, header: plain }, 'n')).toBe(false);
  expect(isAuthorized(basic, { ...request, header: undefined }, 'n')).toBe(false);
});

it('binds a digest to method, nonce, user and address', () => {
  const header = (over: { method?: string; nonce?: string; user?: string; uri?: string } = {}): string => {
    const uri = over.uri ?? request.uri;
    const nonce = over.nonce ?? 'n';
    const response = digestResponse(digest, { method: over.method ?? request.method, uri }, nonce);
    return `Digest username="${over.user ?? 'user'}", realm="maskcast", nonce="${nonce}", uri="${uri}", response="${response}"`;
  };
  const enter = (text: string): boolean => isAuthorized(digest, { ...request, header: text }, 'n');
  expect(enter(header())).toBe(true);
  expect(enter(header({ uri: `${request.uri}/` }))).toBe(true);
  expect(enter(header({ uri: `${request.uri}/trackID=0` }))).toBe(true);
  expect(enter(header({ method: 'PLAY' }))).toBe(false);
  expect(enter(header({ nonce: 'old' }))).toBe(false);
  expect(enter(header({ user: 'other' }))).toBe(false);
  expect(enter(header({ uri: 'rtsp://h:554/camera2' }))).toBe(false);
});
