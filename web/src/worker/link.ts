/** The socket: opened with a one-time ticket, opened again after a random time under a bound that doubles. */
import type { LinkState } from '../protocol/messages';
import { Refused } from '../protocol/messages';
import type { Connect } from '../protocol/types';
import { type Session, SessionEnded } from './session';

const SUBPROTOCOL = 'loquat.v1.json';
const FIRST_WAIT = 250;
const LONGEST_WAIT = 30_000;

export interface LinkEvents {
  opened(ticket: string): void;
  frame(text: string): void;
  closed(): void;
  ended(): void;
  state(state: LinkState): void;
}

export class Link {
  readonly #session: Session;
  readonly #events: LinkEvents;
  #socket: WebSocket | null = null;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #attempts = 0;
  #wanted = false;
  #opening = false;
  state: LinkState = { state: 'offline', retryAt: null };

  constructor(session: Session, events: LinkEvents) {
    this.#session = session;
    this.#events = events;
  }

  start(): void {
    this.#wanted = true;
    this.#attempts = 0;
    void this.#open();
  }

  stop(): void {
    this.#wanted = false;
    clearTimeout(this.#timer);
    this.#drop();
    this.#tell({ state: 'offline', retryAt: null });
  }

  send(text: string): void {
    if (this.#socket?.readyState === WebSocket.OPEN) this.#socket.send(text);
  }

  /** The server answered and the socket still stands: the next break starts with a short wait again. */
  settled(): void {
    if (!this.#socket || this.state.state === 'online') return;
    this.#attempts = 0;
    this.#tell({ state: 'online' });
  }

  /** Closes the socket and opens it again after that long, or after the own back-off. */
  reopen(after: number | null): void {
    this.#drop();
    this.#later(after);
  }

  /** There may be a network again, or the user looks: do not wait. */
  hurry(): void {
    if (!this.#wanted || this.#socket || this.#opening) return;
    clearTimeout(this.#timer);
    void this.#open();
  }

  async #open(): Promise<void> {
    if (this.#opening || this.#socket) return;
    this.#opening = true;
    this.#tell({ state: 'connecting' });
    try {
      const { url, ticket } = await this.#session.call<Connect>('POST', '/v1/connect');
      if (this.#wanted) this.#connect(url, ticket);
    } catch (error) {
      if (error instanceof SessionEnded) this.#events.ended();
      else this.#later(error instanceof Refused ? (error.body.retry_after_ms ?? null) : null);
    } finally {
      this.#opening = false;
    }
  }

  #connect(url: string, ticket: string): void {
    const socket = new WebSocket(url, SUBPROTOCOL);
    this.#socket = socket;
    socket.onopen = () => this.#events.opened(ticket);
    socket.onmessage = ({ data }) => {
      if (this.#socket === socket && typeof data === 'string') this.#events.frame(data);
    };
    socket.onclose = () => {
      if (this.#socket !== socket) return;
      this.#socket = null;
      this.#events.closed();
      this.#later(null);
    };
  }

  #later(after: number | null): void {
    if (!this.#wanted) return;
    this.#attempts += 1;
    const bound = Math.min(LONGEST_WAIT, FIRST_WAIT * 2 ** Math.min(this.#attempts, 10));
    const wait = after ?? Math.random() * bound;
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => void this.#open(), wait);
    this.#tell({ state: 'offline', retryAt: Date.now() + wait });
  }

  #drop(): void {
    const socket = this.#socket;
    this.#socket = null;
    if (!socket) return;
    socket.onclose = null;
    socket.close();
  }

  #tell(state: LinkState): void {
    this.state = state;
    this.#events.state(state);
  }
}
