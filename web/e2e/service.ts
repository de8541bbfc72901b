/** The real binary on loopback, and a wire to it that can be cut. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { type AddressInfo, createServer, connect, type Server, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { createInterface } from 'node:readline';

const BINARY = process.env.LOQUAT_BINARY ?? resolve('../target/release/loquat');

/** Rates are off: the tests are not about them. */
const SETTINGS = {
  LOQUAT_LIMITS__SIGNUPS_PER_HOUR: '0',
  LOQUAT_LIMITS__LOGINS_PER_MINUTE: '0',
  LOQUAT_LIMITS__REQUESTS_PER_SECOND: '0',
  LOQUAT_LIMITS__SENDS_PER_SECOND: '0',
  LOQUAT_METRICS__LISTEN: '',
};

/** What is set for the tests is no setting of the service, and a developer's settings are not the tests'. */
const ENVIRONMENT = Object.fromEntries(Object.entries(process.env).filter(([name]) => !name.startsWith('LOQUAT_')));

export class Service {
  readonly #data = mkdtempSync(join(tmpdir(), 'loquat-web-'));
  readonly #wire: Wire;
  #process: ChildProcess | null = null;
  #port = 0;

  private constructor(wire: Wire) {
    this.#wire = wire;
  }

  static async start(): Promise<Service> {
    const service = new Service(await Wire.open());
    await service.restart();
    return service;
  }

  /** Where browsers go: the wire. */
  get url(): string {
    return `http://127.0.0.1:${this.#wire.port}`;
  }

  get wire(): Wire {
    return this.#wire;
  }

  async kill(): Promise<void> {
    const running = this.#process;
    this.#process = null;
    if (!running || running.exitCode !== null) return;
    running.kill('SIGKILL');
    await once(running, 'exit');
  }

  async restart(): Promise<void> {
    await this.kill();
    const listen = `127.0.0.1:${this.#port}`;
    const child = spawn(BINARY, ['serve', '--listen', listen, '--data', this.#data], {
      env: { ...ENVIRONMENT, ...SETTINGS },
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    this.#process = child;
    const lines = createInterface({ input: child.stdout });
    for await (const line of lines) {
      const found = /http:\/\/127\.0\.0\.1:(\d+)/.exec(line);
      if (!found) continue;
      this.#port = Number(found[1]);
      this.#wire.leadsTo(this.#port);
      child.stdout.resume();
      return;
    }
    throw new Error('the service ended before it served');
  }

  async stop(): Promise<void> {
    await this.kill();
    await this.#wire.close();
    rmSync(this.#data, { recursive: true, force: true });
  }
}

/** Passes bytes on until it is cut. */
export class Wire {
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();
  #target = 0;
  #whole = true;
  #carried = 0;

  private constructor(server: Server) {
    this.#server = server;
    server.on('connection', (near) => this.#pass(near));
  }

  static async open(): Promise<Wire> {
    const server = createServer();
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    return new Wire(server);
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port;
  }

  /** Bytes that it has carried to browsers. */
  get carried(): number {
    return this.#carried;
  }

  leadsTo(port: number): void {
    this.#target = port;
  }

  cut(): void {
    this.#whole = false;
    for (const socket of this.#sockets) socket.destroy();
  }

  mend(): void {
    this.#whole = true;
  }

  async close(): Promise<void> {
    this.cut();
    this.#server.close();
    await once(this.#server, 'close');
  }

  #pass(near: Socket): void {
    if (!this.#whole) {
      near.destroy();
      return;
    }
    const far = connect(this.#target, '127.0.0.1');
    for (const [socket, other] of [[near, far], [far, near]] as const) {
      this.#sockets.add(socket);
      socket.on('error', () => undefined);
      socket.on('close', () => {
        this.#sockets.delete(socket);
        other.destroy();
      });
    }
    far.on('data', (bytes: Buffer) => {
      this.#carried += bytes.length;
    });
    near.pipe(far);
    far.pipe(near);
  }
}
