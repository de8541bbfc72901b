/**
 * The worker of one tab. One tab of the browser leads (a Web Lock says which); the workers of the others pass their
 * pages' requests on to it and its news to their pages. When the leader closes, the lock goes to another tab, which
 * starts from the store; requests that were not answered are made again. Changes carry their nonce, so that one which
 * was made twice is done once.
 */
import type { FromWorker, Push, Request, Result, ToWorker } from '../protocol/messages';
import { Refused } from '../protocol/messages';
import type { ErrorBody } from '../protocol/types';
import { EngineMissing, Leader } from './leader';

type Between =
  | { to: 'leader'; tab: string; id: number; request: Request }
  | { to: 'tab'; tab: string; id: number; result: Result }
  | { to: 'all'; push: Push };

const LOCK = 'loquat-leader';
const tab = crypto.randomUUID();
const channel = new BroadcastChannel('loquat');
const waiting = new Map<number, Request>();
/** The newest requests taken from each other tab. */
const taken = new Map<string, Set<number>>();
const REMEMBERED = 256;
let leader: Leader | null = null;

const toPage = (message: FromWorker) => self.postMessage(message);
const between = (message: Between) => channel.postMessage(message);

function tellAll(push: Push): void {
  toPage({ push });
  between({ to: 'all', push });
}

async function resultOf(leading: Leader, request: Request): Promise<Result> {
  try {
    return { ok: await leading.handle(request) };
  } catch (error) {
    const failure: ErrorBody =
      error instanceof Refused
        ? error.body
        : { code: 'unknown', detail: error instanceof Error ? error.message : String(error) };
    return { error: failure };
  }
}

function route(id: number, request: Request): void {
  if (!leader) {
    between({ to: 'leader', tab, id, request });
    return;
  }
  void resultOf(leader, request).then((result) => answered(id, result));
}

function answered(id: number, result: Result): void {
  if (waiting.delete(id)) toPage({ re: id, result });
}

/** A request that was made again around a change of leaders may come twice. */
function isNew(from: string, id: number): boolean {
  const last = taken.get(from) ?? new Set<number>();
  taken.set(from, last);
  if (last.has(id)) return false;
  last.add(id);
  for (const old of last) {
    if (last.size <= REMEMBERED) break;
    last.delete(old);
  }
  return true;
}

self.onmessage = ({ data }: MessageEvent<ToWorker>) => {
  waiting.set(data.id, data.request);
  route(data.id, data.request);
};

channel.onmessage = ({ data }: MessageEvent<Between>) => {
  switch (data.to) {
    case 'leader':
      if (!leader || !isNew(data.tab, data.id)) return;
      void resultOf(leader, data.request).then((result) =>
        between({ to: 'tab', tab: data.tab, id: data.id, result }),
      );
      return;
    case 'tab':
      if (data.tab === tab) answered(data.id, data.result);
      return;
    case 'all':
      toPage({ push: data.push });
      // A new leader does not know what the old one was asked.
      if (data.push.kind === 'leading') for (const [id, request] of waiting) route(id, request);
      return;
  }
};

void navigator.locks.request(LOCK, async () => {
  try {
    leader = await Leader.start(tellAll);
  } catch (error) {
    const detail = error instanceof Error ? error.message : String(error);
    toPage({ push: { kind: 'failed', what: error instanceof EngineMissing ? 'engine' : 'storage', detail } });
    return;
  }
  tellAll({ kind: 'leading' });
  for (const [id, request] of waiting) route(id, request);
  // Held until the tab closes.
  await new Promise<never>(() => undefined);
});
