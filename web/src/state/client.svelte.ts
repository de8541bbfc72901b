/** The page's end of the worker: requests with typed answers, and what the worker tells, handed to the stores. */
import type { Answer, FromWorker, HttpMethod, Push, Request, ToWorker } from '../protocol/messages';
import { Refused } from '../protocol/messages';
import type { Change, Command, Json, Nonce } from '../protocol/types';
import { uuidV7 } from '../text/uuid';

type Listener = (push: Push) => void;

export class Client {
  readonly #worker: Worker;
  readonly #waiting = new Map<number, { resolve(value: Json): void; reject(error: Refused): void }>();
  readonly #listeners: Listener[] = [];
  #last = 0;

  constructor(worker: Worker) {
    this.#worker = worker;
    worker.onmessage = ({ data }: MessageEvent<FromWorker>) => {
      if ('push' in data) {
        for (const listener of this.#listeners) listener(data.push);
        return;
      }
      const waiting = this.#waiting.get(data.re);
      this.#waiting.delete(data.re);
      if (!waiting) return;
      if ('error' in data.result) waiting.reject(new Refused(data.result.error));
      else waiting.resolve(data.result.ok);
    };
  }

  onPush(listener: Listener): void {
    this.#listeners.push(listener);
  }

  ask<R extends Request>(request: R): Promise<Answer<R['kind']>> {
    this.#last += 1;
    const id = this.#last;
    const message: ToWorker = { id, request };
    return new Promise((resolve, reject) => {
      this.#waiting.set(id, { resolve: resolve as (value: Json) => void, reject });
      this.#worker.postMessage(message);
    });
  }

  /** A REST call in the name of the user. Calls that change something get a key, so that a repetition does nothing. */
  async rest<T>(method: HttpMethod, path: string, body?: object): Promise<T> {
    const request: Request = { kind: 'rest', method, path };
    // Through JSON: proxies of component state do not cross to the worker, and absent fields stay absent.
    if (body !== undefined) request.body = JSON.parse(JSON.stringify(body)) as Json;
    if (method !== 'GET') request.key = uuidV7();
    return (await this.ask(request)) as T;
  }

  async obey(command: Command): Promise<void> {
    await this.ask({ kind: 'obey', command: JSON.parse(JSON.stringify(command)) as Command });
  }

  /** Queues a change; it is on this device when this resolves, whatever the network does. */
  async change(conversation: string, change: Change): Promise<Nonce> {
    const nonce = uuidV7();
    await this.obey({ kind: 'change', value: { conversation, nonce, change } });
    return nonce;
  }
}
