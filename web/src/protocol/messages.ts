/** What travels between a page and its worker. */
import type {
  Command,
  Conversation,
  ConversationId,
  Device,
  ErrorBody,
  Json,
  OwnProfile,
  Seq,
  UserId,
  ViewChange,
  ViewPatch,
} from './types';

export type { ViewPatch } from './types';

/** Who is signed in on this browser. No token is in it: those stay in the worker. */
export interface SessionInfo {
  user: OwnProfile;
  device: Device;
}

/** How the socket stands. `since` is when it was lost, `retryAt` when it is tried again. */
export type LinkState =
  | { state: 'online' }
  | { state: 'connecting' }
  | { state: 'offline'; retryAt: number | null };

export interface Credentials {
  mode: 'login' | 'signup';
  login: string;
  password: string;
  displayName?: string;
}

export type HttpMethod = 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE';

export type Request =
  | { kind: 'hello' }
  | { kind: 'sign_in'; credentials: Credentials }
  | { kind: 'sign_out' }
  | { kind: 'rest'; method: HttpMethod; path: string; body?: Json; key?: string }
  | { kind: 'obey'; command: Command }
  | { kind: 'told'; conversation: Conversation }
  | { kind: 'reactors'; conversation: ConversationId; seq: Seq }
  | { kind: 'views' }
  | { kind: 'search'; text: string; conversation: ConversationId | null; limit: number }
  | { kind: 'profile_changed'; user: OwnProfile }
  | { kind: 'reconnect' };

export interface Hello {
  session: SessionInfo | null;
  link: LinkState;
}

/** A message that this device holds, found by its words. */
export interface Found {
  conversation: ConversationId;
  seq: Seq;
  ts: number;
  sender: UserId;
  text: string;
}

export type Reactors = [string, UserId[]][];

/** The answer to each kind of request. */
export type Answer<K extends Request['kind']> = K extends 'hello'
  ? Hello
  : K extends 'sign_in'
    ? SessionInfo
    : K extends 'reactors'
      ? Reactors
      : K extends 'search'
        ? Found[]
      : K extends 'rest'
        ? Json
        : null;

export type Push =
  | { kind: 'session'; session: SessionInfo | null }
  | { kind: 'link'; link: LinkState }
  | { kind: 'views'; patch: ViewPatch }
  | { kind: 'happened'; items: ViewChange[] }
  | { kind: 'leading' }
  | { kind: 'failed'; what: 'storage' | 'engine'; detail: string };

export type Result = { ok: Json } | { error: ErrorBody };

export interface ToWorker {
  id: number;
  request: Request;
}

export type FromWorker = { re: number; result: Result } | { push: Push };

/** What a call was refused with. */
export class Refused extends Error {
  constructor(readonly body: ErrorBody) {
    super(body.detail || body.code);
    this.name = 'Refused';
  }
}
