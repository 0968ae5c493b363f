import { once } from 'node:events';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';

/** Answers requests for one file as well or as badly as `answer` does. */
export interface ModelServer {
  readonly url: string;
  /** `range` headers of the requests so far; '' where there was none. */
  readonly ranges: readonly string[];
  stop(): Promise<void>;
}

export async function startModelServer(
  answer: (request: IncomingMessage, response: ServerResponse, number: number) => void,
): Promise<ModelServer> {
  const ranges: string[] = [];
  const server = createServer((request, response) => {
    ranges.push(request.headers.range ?? '');
    answer(request, response, ranges.length);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/square.onnx`,
    ranges,
    stop: async () => {
      server.closeAllConnections();
      server.close();
      await once(server, 'close');
    },
  };
}

/** Breaks a connection once `arrived` says that the client has put away what it got; what it has not read is lost with it. */
export function breakOnce(response: ServerResponse, arrived: () => boolean): void {
  const poll = setInterval(() => {
    if (!arrived() && !response.destroyed) return;
    clearInterval(poll);
    response.destroy();
  }, 5);
}

/**
 * Serves `bytes` with ranges, as good servers do.
 *
 * @param breaks  the connection breaks after so many bytes of a body, once the client has them
 */
export function serve(
  bytes: Buffer,
  request: IncomingMessage,
  response: ServerResponse,
  {
    version = '"1"',
    breaks,
  }: { version?: string; breaks?: { readonly after: number; readonly arrived: () => boolean } } = {},
): void {
  const from = Number(/^bytes=(\d+)-$/.exec(request.headers.range ?? '')?.[1] ?? 0);
  const partial = from > 0 && request.headers['if-range'] === version;
  const body = bytes.subarray(partial ? from : 0);
  response.writeHead(partial ? 206 : 200, {
    etag: version,
    'content-length': body.length,
    ...(partial && { 'content-range': `bytes ${from}-${bytes.length - 1}/${bytes.length}` }),
  });
  if (!breaks || breaks.after >= body.length) response.end(body);
  else {
    response.write(body.subarray(0, breaks.after));
    breakOnce(response, breaks.arrived);
  }
}
