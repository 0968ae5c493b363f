import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createServer, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';

/** A camera of our own over HTTP: MPEG-TS or Motion JPEG of a moving test picture in real time. */
export interface LiveServer {
  readonly url: string;
  readonly port: number;
  /** Cuts every client. */
  drop(): void;
  /** Keeps the connections open and sends nothing more, until `false`. */
  stall(on: boolean): void;
  close(): Promise<void>;
}

/**
 * @param form  `ts`: H.264 in MPEG-TS; `mjpeg`: multipart JPEG, as simple cameras send it
 * @param fps   pictures a second
 * @param still  true: always the same picture
 */
export async function startLiveServer(form: 'ts' | 'mjpeg', fps = 10, still = false, port = 0): Promise<LiveServer> {
  const responses = new Set<ServerResponse>();
  /** Clients of Motion JPEG that wait for the beginning of a picture. */
  const joining = new Set<ServerResponse>();
  let stalled = false;
  const server: Server = createServer((request, response) => {
    if (request.url?.includes('secret-path')) {
      response.writeHead(401).end();
      return;
    }
    const type = form === 'ts' ? 'video/mp2t' : 'multipart/x-mixed-replace;boundary=ffmpeg';
    response.writeHead(200, { 'content-type': type });
    (form === 'ts' ? responses : joining).add(response);
    response.on('close', () => {
      responses.delete(response);
      joining.delete(response);
    });
  });
  server.listen(port, '127.0.0.1');
  await once(server, 'listening');
  const picture = still ? `color=c=teal:s=320x180:r=${fps}` : `testsrc=s=320x180:r=${fps}`;
  const output =
    form === 'ts'
      ? ['-c:v', 'libx264', '-preset', 'ultrafast', '-tune', 'zerolatency', '-g', String(fps), '-f', 'mpegts']
      : ['-f', 'mpjpeg'];
  const camera = spawn(
    'ffmpeg',
    ['-v', 'error', '-nostdin', '-re', '-f', 'lavfi', '-i', picture, ...output, 'pipe:1'],
    {
      stdio: ['ignore', 'pipe', 'ignore'],
    },
  );
  camera.stdout.on('data', (chunk: Buffer) => {
    if (stalled) return;
    for (const response of responses) response.write(chunk);
    const start = chunk.indexOf('--ffmpeg\r\n');
    if (start < 0) return;
    for (const response of joining) {
      response.write(chunk.subarray(start));
      responses.add(response);
      joining.delete(response);
    }
  });
  const drop = (): void => {
    for (const response of [...responses, ...joining]) response.destroy();
  };
  const address = server.address() as AddressInfo; // a TCP server has one
  return {
    url: `http://127.0.0.1:${address.port}/live.${form}`,
    port: address.port,
    drop,
    stall: (on) => {
      stalled = on;
    },
    async close() {
      drop();
      server.close();
      if (camera.exitCode === null) {
        camera.kill('SIGKILL');
        await once(camera, 'exit');
      }
    },
  };
}
