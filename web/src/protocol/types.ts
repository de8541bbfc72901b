// Generated from the Rust types by `cargo xtask types`. Do not edit.

export type Json = null | boolean | number | string | Json[] | { [key: string]: Json };
export type UserId = string;
export type DeviceId = string;
export type ConversationId = string;
export type MediaId = string;
export type Nonce = string;
export type Timestamp = number;
export type Seq = number;
/** Disjoint ranges, both ends included. */
export type Ranges = [number, number][];

/** Person or program. */
export type UserKind =
  | "person"
  | "bot";

/** A user as others see them. */
export type Profile = {
  /** Who. */
  id: UserId;
  /** The unique name: 3 to 32 of `a-z 0-9 _ .`; empty once deleted. */
  username: string;
  /** The name to show. */
  display_name: string;
  /** A few words about the user. */
  bio: string;
  /** The avatar, if there is one. */
  avatar: string | null;
  /** Person or program. */
  kind: UserKind;
  /** Whether the account was deleted; clients show "deleted account". */
  deleted: boolean;
};

/** Who may see that the user is, or was last, there. */
export type LastSeenAudience =
  | "everyone"
  | "contacts"
  | "nobody";

/** By what a user can be found in a search. */
export type FindBy =
  | "username"
  | "email"
  | "phone";

/** A user's privacy settings. */
export type Privacy = {
  /** Who sees presence and last seen. */
  last_seen: LastSeenAudience;
  /** Whether others see how far the user has read. */
  read_receipts: boolean;
  /** By what the user can be found. */
  find_by: FindBy[];
};

/** A change of privacy settings: absent fields stay as they are. */
export type PrivacyChange = {
  /** Who sees presence and last seen. */
  last_seen?: LastSeenAudience | null;
  /** Whether others see how far the user has read. */
  read_receipts?: boolean | null;
  /** By what the user can be found. */
  find_by?: FindBy[] | null;
};

/** A user as they see themselves. */
export type OwnProfile = {
  /** The e-mail address. */
  email: string | null;
  /** The phone number (E.164). */
  phone: string | null;
  /** Free JSON of the clients, an object up to 16 KiB. */
  settings: Json;
  /** Who sees what. */
  privacy: Privacy;
} & Profile;

/** A device: where the user is signed in. */
export type Device = {
  /** Which device. */
  id: DeviceId;
  /** What the user calls it. */
  name: string;
  /** What it runs on, in the client's words. */
  platform: string;
  /** Since when it is signed in. */
  created_at: Timestamp;
  /** When it was last connected. */
  last_seen: Timestamp | null;
  /** Whether it is the caller's own. */
  current: boolean;
};

/** How a client names the device that it signs in from. */
export type DeviceInfo = {
  /** What the user calls it, up to 64 characters. */
  name: string;
  /** What it runs on, up to 64 characters. */
  platform: string;
};

/** A password or token on its way in or out: never printed. */
export type Secret = string;

/** The answer to sign-up, log-in and refresh. */
export type Session = {
  /** The own profile. */
  user: OwnProfile;
  /** The device signed in. */
  device: Device;
  /** A JWT (EdDSA, RFC 8037) with `sub`, `did`, `iat`, `exp`, `iss`, `aud`. */
  access_token: Secret;
  /** Single use; absent where it was set as a cookie. */
  refresh_token?: Secret | null;
  /** Seconds until the access token expires. */
  expires_in: number;
};

/** Body of `POST /v1/auth/signup`. */
export type SignUp = {
  /** 3 to 32 of `a-z 0-9 _ .`, case-insensitive, unique. */
  username: string;
  /** 8 to 256 characters. */
  password: Secret;
  /** The name to show; the username if absent. */
  display_name?: string | null;
  /** An e-mail address to sign in with. */
  email?: string | null;
  /** A phone number (E.164) to sign in with. */
  phone?: string | null;
  /** The device that signs in. */
  device?: DeviceInfo | null;
  /** Whether the refresh token is set as a cookie. */
  cookie: boolean;
};

/** Body of `POST /v1/auth/login`. */
export type LogIn = {
  /** Username, e-mail address or phone number. */
  login: string;
  /** The password. */
  password: Secret;
  /** The device that signs in. */
  device?: DeviceInfo | null;
  /** Whether the refresh token is set as a cookie. */
  cookie: boolean;
};

/** Body of `POST /v1/auth/refresh`. */
export type Refresh = {
  /** The refresh token; absent where the cookie carries it. */
  refresh_token?: Secret | null;
};

/** Body of `POST /v1/auth/password`. */
export type ChangePassword = {
  /** The password of now. */
  current: Secret;
  /** The password from now on, 8 to 256 characters. */
  new: Secret;
};

/** Body of `DELETE /v1/me`. */
export type DeleteAccount = {
  /** The password, once more. */
  password: Secret;
};

/** Body of `PATCH /v1/me`: absent fields stay as they are. */
export type UpdateProfile = {
  /** The name to show, 1 to 64 characters. */
  display_name?: string | null;
  /** Up to 512 characters. */
  bio?: string | null;
  /** The avatar; `null` takes it away. */
  avatar?: string | null;
  /** Free JSON of the clients, an object up to 16 KiB. */
  settings?: Json | null;
  /** Who sees what. */
  privacy?: PrivacyChange | null;
};

/** Answer to `POST /v1/connect`. */
export type Connect = {
  /** Where to open the socket. */
  url: string;
  /** Good for one `hello`. */
  ticket: Secret;
  /** Seconds until the ticket expires. */
  expires_in: number;
  /** The node that serves it. */
  node: string;
};

/** A contact, in `GET /v1/contacts`. */
export type Contact = {
  /** Who. */
  user: UserId;
  /** The public profile. */
  profile: Profile;
  /** Since when. */
  created_at: Timestamp;
};

/** Who asked whom. */
export type Direction =
  | "in"
  | "out";

/** A request that waits for its answer, in `GET /v1/contacts/requests`. One that was declined waits on, as far as who asked can see. */
export type ContactRequest = {
  /** The other one. */
  user: UserId;
  /** The public profile. */
  profile: Profile;
  /** Who asked. */
  direction: Direction;
  /** When. */
  created_at: Timestamp;
};

/** Somebody blocked, in `GET /v1/blocks`. */
export type Block = {
  /** Who. */
  user: UserId;
  /** The public profile. */
  profile: Profile;
  /** Since when. */
  created_at: Timestamp;
};

/** Body of `POST /v1/contacts/requests`. */
export type RequestContact = {
  /** Who is asked. */
  user: UserId;
};

/** How two users stand after one asked or accepted. */
export type ContactStatus =
  | "pending"
  | "accepted";

/** Answer to `POST /v1/contacts/requests` and `POST /v1/contacts/requests/{user}/accept`. */
export type ContactAnswer = {
  /** The other one. */
  user: UserId;
  /** How the two stand. */
  status: ContactStatus;
  /** Since when they stand so. */
  created_at: Timestamp;
};

/** What sort of conversation. */
export type ConversationKind =
  | "direct"
  | "group"
  | "channel";

/** How much of the past a new member may read; fixed at creation. */
export type History =
  | "full"
  | "joined";

/** A member's role, least first: what a permission asks for is a least role. */
export type Role =
  | "guest"
  | "member"
  | "admin"
  | "owner";

/** How long bodies are kept. */
export type Retention =
  | {
  mode: "keep";
}
  | {
  mode: "ttl";
  /** Seconds, 1 to 315,360,000 (ten years). */
  seconds: number;
}
  | {
  mode: "until_delivered";
};

/** The least role that may do each thing. */
export type Permissions = {
  /** Write messages. */
  post: Role;
  /** Add members and make invitations. */
  invite: Role;
  /** Change title, description, avatar and retention. */
  edit_info: Role;
  /** Pin messages. */
  pin: Role;
};

/** A conversation as one of its members sees it. */
export type Conversation = {
  /** Which conversation. */
  id: ConversationId;
  /** What sort. */
  kind: ConversationKind;
  /** The title; empty for a direct conversation. */
  title: string;
  /** The description. */
  description: string;
  /** The avatar, if there is one. */
  avatar: string | null;
  /** The owner; nobody owns a direct conversation. */
  owner: UserId | null;
  /** How many members. */
  member_count: number;
  /** The newest event's `seq`; 0 while there is none. */
  head: Seq;
  /** The first `seq` that the caller may read. */
  visible_from: Seq;
  /** How much of the past new members may read. */
  history: History;
  /** When it was created. */
  created_at: Timestamp;
  /** When the newest event was appended, or it was created. */
  last_activity: Timestamp;
  /** The newest message that the caller may read. */
  last_message: Message | null;
  /** How long bodies are kept. */
  retention: Retention;
  /** Up to here retention has taken the bodies of all messages from the server; 0 while of none. */
  erased_to: Seq;
  /** Up to here messages have outlived their `ttl`: devices drop their own copies, too. Never above `erased_to`; between the two, the only copies are those that were delivered. */
  expired_to: Seq;
  /** The least role that may do each thing. */
  permissions: Permissions;
  /** Milliseconds between two messages of a member; 0 is off. */
  slow_mode_ms: number;
  /** The other one, in a direct conversation. */
  peer: Profile | null;
  /** The caller's own part. */
  me: OwnMembership;
  /** Everyone's cursors, up to 256 members. */
  cursors: Cursor[];
};

/** The caller's own part in a conversation. */
export type OwnMembership = {
  /** The caller's role. */
  role: Role;
  /** Everything up to here has reached one of the caller's devices. */
  delivered: Seq;
  /** Everything up to here has been read. */
  read: Seq;
  /** Messages of others after `read`. */
  unread: number;
  /** How many of the unread ones mention the caller. */
  mentions: number;
  /** No notifications until then. */
  muted_until: Timestamp | null;
  /** Kept on top of the caller's list. */
  pinned: boolean;
  /** Out of the caller's way. */
  archived: boolean;
  /** What the caller has begun to write. */
  draft: string | null;
};

/** One member's cursors. */
export type Cursor = {
  /** Whose. */
  user: UserId;
  /** The furthest `seq` that reached one of the member's devices. */
  delivered: Seq;
  /** The furthest `seq` that the member has read. */
  read: Seq;
};

/** A member, in `GET …/members`. */
export type Member = {
  /** Who. */
  user: UserId;
  /** The public profile. */
  profile: Profile;
  /** The role. */
  role: Role;
  /** Since when. */
  joined_at: Timestamp;
  /** The furthest `seq` that reached one of the member's devices. */
  delivered: Seq;
  /** The furthest `seq` that the member has read. */
  read: Seq;
};

/** Body of `POST /v1/conversations`. */
export type CreateConversation = {
  /** What sort. */
  kind: ConversationKind;
  /** The other members; the caller is one in any case. */
  members: UserId[];
  /** The title, of groups and channels. */
  title: string | null;
  /** The description, of groups and channels. */
  description: string | null;
  /** How much of the past new members may read; [`History::Full`] if absent. */
  history: History | null;
  /** How long bodies are kept; [`Retention::Keep`] if absent. */
  retention: Retention | null;
};

/** Body of `PATCH /v1/conversations/{id}`: absent fields stay as they are. */
export type UpdateConversation = {
  /** Names this change; a retry carries the same. */
  nonce?: Nonce | null;
} & SettingsBody;

/** Body of `POST …/members`. */
export type AddMembers = {
  /** Whom to add. */
  users: UserId[];
  /** Names this change; a retry carries the same. */
  nonce?: Nonce | null;
};

/** Body of `PATCH …/members/{user}`. */
export type ChangeRole = {
  /** The new role. */
  role: Role;
  /** Names this change; a retry carries the same. */
  nonce?: Nonce | null;
};

/** Body of `POST …/receipts`. */
export type Receipts = {
  /** Everything up to here has reached this device. */
  delivered?: Seq | null;
  /** Everything up to here has been read; implies `delivered`. */
  read?: Seq | null;
};

/** Body of `POST …/typing`. */
export type Typing = {
  /** Whether the caller is writing. */
  on: boolean;
};

/** Body of `PATCH …/preferences`: absent fields stay as they are, `null` clears. */
export type UpdatePreferences = {
  /** No notifications until then. */
  muted_until?: Timestamp | null;
  /** Kept on top of the list. */
  pinned?: boolean | null;
  /** Out of the way. */
  archived?: boolean | null;
  /** What the caller has begun to write. */
  draft?: string | null;
};

/** Stable codes, the same on REST and socket. What the caller may not see is [`ErrorCode::NotFound`]. */
export type ErrorCode =
  | "unauthorized"
  | "token_expired"
  | "forbidden"
  | "not_found"
  | "not_member"
  | "invalid"
  | "too_large"
  | "conflict"
  | "group_full"
  | "blocked"
  | "gone"
  | "rate_limited"
  | "unavailable"
  | "unknown";

/** The `error` of an answer frame. */
export type ErrorBody = {
  /** Which error. */
  code: ErrorCode;
  /** What happened, for a person. */
  detail: string;
  /** When a retry makes sense, in milliseconds from now. */
  retry_after_ms?: number | null;
};

/** A problem document (RFC 9457, `application/problem+json`). */
export type Problem = {
  /** A URI reference that names the problem type. */
  type: string;
  /** A short summary of the problem type. */
  title: string;
  /** The HTTP status. */
  status: number;
  /** What happened this time. */
  detail: string;
  /** The stable code. */
  code: ErrorCode;
  /** When a retry makes sense, in milliseconds from now. */
  retry_after_ms?: number | null;
  /** The request's id in the logs of the service. */
  request_id?: string | null;
};

/** What an event is about. */
export type EventKind =
  | "message"
  | "edit"
  | "delete"
  | "reaction"
  | "member"
  | "settings"
  | "pin"
  | "unknown";

/** One entry of a conversation's log. */
export type Event = {
  /** The conversation whose log this is. */
  conversation: ConversationId;
  /** Position in the log, contiguous from 1. */
  seq: Seq;
  /** When the service appended it. For people; order is by `seq` alone. */
  ts: Timestamp;
  /** Who caused it. */
  sender: UserId;
  /** From which device. */
  device: DeviceId | null;
  /** The sender's nonce; only the sender sees it. */
  nonce?: Nonce | null;
  /** What it is about. */
  kind: EventKind;
  /** The content, by kind; `None` once erased. */
  body: Json | null;
};

/** Body of an edit: the whole new text. */
export type EditBody = {
  /** The message that is edited. */
  target: Seq;
  /** The new text. */
  text: string;
  /** How the text is written. */
  format: Format;
  /** Whom the new text mentions. */
  mentions: UserId[];
};

/** Body of a deletion. */
export type DeleteBody = {
  /** The message that is erased. */
  target: Seq;
};

/** Body of a reaction. */
export type ReactionBody = {
  /** The message reacted to. */
  target: Seq;
  /** The emoji, 1 to 64 bytes. */
  emoji: string;
  /** Put on, or taken off. */
  on: boolean;
};

/** Body of a pin. */
export type PinBody = {
  /** The message pinned. */
  target: Seq;
  /** Pinned, or unpinned. */
  on: boolean;
};

/** How a membership changed. */
export type MemberChange =
  | "joined"
  | "left"
  | "removed"
  | "role";

/** Body of a membership change. */
export type MemberBody = {
  /** The member concerned. */
  user: UserId;
  /** What changed. */
  change: MemberChange;
  /** The role from now on (the last one, if the user left). */
  role: Role;
  /** Who did it. */
  by: UserId;
};

/** Body of a settings change: the changed fields only. */
export type SettingsBody = {
  /** The new title. */
  title?: string | null;
  /** The new description. */
  description?: string | null;
  /** The new avatar; `Some(None)` takes it away. */
  avatar?: string | null;
  /** The new retention. */
  retention?: Retention | null;
  /** The new permissions, whole. */
  permissions?: Permissions | null;
  /** The new slow mode, in milliseconds between two messages of a member; 0 is off. */
  slow_mode_ms?: number | null;
};

/** Body of `POST …/invites`. */
export type CreateInvite = {
  /** How many may join by it, at least 1; as many as want if absent. */
  max_uses?: number | null;
  /** Seconds until it works no more, at least 1; works until it is revoked if absent. */
  expires_in?: number | null;
  /** Names this invitation; a retry carries the same. */
  nonce?: Nonce | null;
};

/** An invitation, as those see it who may invite. */
export type Invite = {
  /** The code: who knows it may join. */
  code: string;
  /** Where people open it. */
  url: string;
  /** How many have joined by it. */
  uses: number;
  /** How many may; `None` for as many as want. */
  max_uses: number | null;
  /** From when on it works no more; `None` for never. */
  expires_at: Timestamp | null;
  /** Where it leads. */
  conversation: ConversationId;
  /** Who made it. */
  creator: UserId;
  /** When. */
  created_at: Timestamp;
};

/** Answer to `GET /v1/invites/{code}`: what one may know before joining. */
export type InvitePreview = {
  /** The title. */
  title: string;
  /** What sort. */
  kind: ConversationKind;
  /** How many members. */
  member_count: number;
  /** The conversation, if the caller is a member of it already. */
  conversation: ConversationId | null;
};

/** One page of a list. */
export type Page<T> = {
  /** The entries, in the order that the call documents. */
  items: T[];
  /** Opaque; passed as `?cursor=` for the next page. `None` on the last page. */
  next_cursor: string | null;
};

/** A list that is always answered whole. */
export type Items<T> = {
  /** The entries. */
  items: T[];
};

/** How a text is written. */
export type Format =
  | "plain"
  | "markdown";

/** The content of a message. */
export type MessageBody = {
  /** The text, UTF-8, up to `limits.text_bytes`. */
  text: string;
  /** How the text is written. */
  format: Format;
  /** The message that this one answers. */
  reply_to: Seq | null;
  /** Members who are mentioned. */
  mentions: UserId[];
  /** Files that belong to the message. */
  attachments: Attachment[];
};

/** A file that belongs to a message, kept as the client wrote it. */
export type Attachment = Json;

/** One emoji's reactions to a message. */
export type Reaction = {
  /** The emoji. */
  emoji: string;
  /** How many members reacted with it. */
  count: number;
  /** Whether the caller did. */
  me: boolean;
};

/** A message as it is shown: edits, deletion, reactions and pins of the log applied. */
export type Message = {
  /** The conversation that it stands in. */
  conversation: ConversationId;
  /** Its place in the log. */
  seq: Seq;
  /** When it was appended. */
  ts: Timestamp;
  /** Who wrote it. */
  sender: UserId;
  /** The newest text; `None` once erased. */
  text: string | null;
  /** How the text is written. */
  format: Format;
  /** The message that this one answers. */
  reply_to: Seq | null;
  /** Members who are mentioned. */
  mentions: UserId[];
  /** Files that belong to the message. */
  attachments: Attachment[];
  /** When it was last edited. */
  edited_at: Timestamp | null;
  /** Whether it was erased. */
  deleted: boolean;
  /** Whether it is pinned. */
  pinned: boolean;
  /** Reactions, in the order of their first use. */
  reactions: Reaction[];
};

/** Body of `POST …/messages`: a nonce and the content. */
export type SendMessage = {
  /** Names this send; a retry carries the same. */
  nonce: Nonce;
} & MessageBody;

/** Body of `PATCH …/messages/{seq}`. */
export type EditMessage = {
  /** Names this edit; a retry carries the same. */
  nonce: Nonce | null;
  /** The new text. */
  text: string;
  /** How the text is written. */
  format: Format;
  /** Whom the new text mentions. */
  mentions: UserId[];
};

/** The answer to everything that appends: where the event stands. */
export type Appended = {
  /** The conversation appended to. */
  conversation: ConversationId;
  /** The event's place in its log. */
  seq: Seq;
  /** When it was appended. */
  ts: Timestamp;
};

/** Answer to `GET …/messages`. */
export type MessagePage = {
  /** Ascending by `seq`. */
  items: Message[];
  /** The newest event's `seq`. */
  head: Seq;
  /** The first `seq` that the caller may read. */
  visible_from: Seq;
};

/** Answer to `GET …/events` and to `fetch`. */
export type EventPage = {
  /** Ascending by `seq`, contiguous. */
  items: Event[];
  /** The newest event's `seq`. */
  head: Seq;
  /** The first `seq` that the caller may read. */
  visible_from: Seq;
};

/** How present a user is, over all devices. */
export type PresenceState =
  | "offline"
  | "away"
  | "online";

/** One user's presence, as one watcher may see it. */
export type Presence = {
  /** Whose presence. */
  user: UserId;
  /** How present. */
  state: PresenceState;
  /** When the user was last connected; `None` where unknown or hidden. */
  last_seen: Timestamp | null;
};

/** Body of `POST /v1/presence/heartbeat` and of the `status` frame. */
export type Heartbeat = {
  /** The state to show until the heartbeat expires. */
  state: PresenceState;
};

/** Answer to a heartbeat. */
export type HeartbeatAnswer = {
  /** The state expires after this many milliseconds unless another heartbeat comes. */
  expires_in_ms: number;
};

/** The limits in force, the settings under `limits.`. For a rate (`…_per_…`), 0 switches it off. */
export type Limits = {
  /** Bytes of a message's text. */
  text_bytes: number;
  /** Bytes of one socket frame or JSON body. */
  frame_bytes: number;
  /** Characters of a title. */
  title_chars: number;
  /** Members of a group. */
  group_members: number;
  /** Members of a channel; 0 is no limit. */
  channel_members: number;
  /** Invitations of a conversation that work at a time. */
  invites: number;
  /** Sends a user may make each second, in the long run. */
  sends_per_second: number;
  /** Sends a user may make at once. */
  sends_burst: number;
  /** Requests a user (or an address, when not signed in) may make each second, in the long run. */
  requests_per_second: number;
  /** Requests a user (or an address) may make at once. */
  requests_burst: number;
  /** Sign-ups from one address in an hour. */
  signups_per_hour: number;
  /** Log-ins tried from one address in a minute. */
  logins_per_minute: number;
  /** Devices of a user. */
  devices_per_user: number;
  /** Sockets of a user at a time. */
  sockets_per_user: number;
  /** Users one socket may watch. */
  watched_users: number;
  /** Sockets of a node. */
  connections: number;
  /** Contacts of a user. */
  contacts: number;
  /** Requests for contact that a user may have asked and that wait for an answer. */
  contact_requests: number;
  /** Requests for contact that may wait for one user's answer. */
  contact_requests_received: number;
  /** Requests for contact that a user may make in an hour. */
  contact_requests_per_hour: number;
  /** Users whom a user may have blocked. */
  blocks: number;
};

/** Answer to `GET /v1/server`. */
export type ServerInfo = {
  /** What the operator calls it. */
  name: string;
  /** The version of the software. */
  version: string;
  /** The limits in force. Those that this version does not know are left out. */
  limits: Limits;
  /** What it can do beyond the base protocol. */
  features: string[];
};

/** What an account event is about. */
export type AccountEventKind =
  | "conversation_joined"
  | "conversation_left"
  | "contact_request"
  | "contact_added"
  | "contact_removed"
  | "blocked"
  | "unblocked"
  | "profile"
  | "settings"
  | "device_added"
  | "device_removed"
  | "preferences"
  | "read"
  | "unknown";

/** One entry of a user's account log: durable, contiguous by `pos` from 1. */
export type AccountEvent = {
  /** Position in the user's account log. */
  pos: number;
  /** When it was appended. */
  ts: Timestamp;
  /** What it is about. */
  kind: AccountEventKind;
  /** The content, by kind. */
  body: Json;
};

/** The answer to `hello`. */
export type Ready = {
  /** Who is signed in. */
  user: UserId;
  /** From which device. */
  device: DeviceId;
  /** This socket's name in the service's logs. */
  session: string;
  /** A client that wants to stay online sends something at least this often. */
  heartbeat_ms: number;
  /** The sync token of this answer. */
  since: string;
  /** Every conversation in which the log, a cursor or a preference moved since the client's token, as a superset. */
  changed: Conversation[];
  /** Whether there are more than these; the rest by `GET /v1/conversations`. */
  more: boolean;
  /** The account events since the client's token. */
  account: AccountEvent[];
  /** Whether the token could not be honoured: start from `changed`. */
  reset: boolean;
};

/** One conversation's receipts, as pushed. */
export type ReceiptUpdate = {
  /** In which conversation. */
  conversation: ConversationId;
  /** The cursors that moved. */
  items: Cursor[];
};

/** Answer to `GET /v1/sync`. */
export type SyncAnswer = {
  /** The sync token of this answer. */
  since: string;
  /** Every conversation that moved since the client's token, as a superset. */
  changed: Conversation[];
  /** The newest events of those conversations, ascending by `seq` in each; gaps are fetched. */
  events: Event[];
  /** The cursors of those conversations. */
  receipts: ReceiptUpdate[];
  /** The account events since the client's token. */
  account: AccountEvent[];
  /** Whether there is more; ask again with the new token, or by `GET /v1/conversations`. */
  more: boolean;
  /** Whether the token could not be honoured: start from `changed`. */
  reset: boolean;
};

/** A command of the user. None waits for the network. */
export type Command =
  | { kind: "open"; value: ConversationId }
  | { kind: "close"; value: ConversationId }
  | { kind: "load_older"; value: ConversationId }
  | { kind: "backfill"; value: ConversationId }
  | { kind: "change"; value: {
  /** Where. */
  conversation: ConversationId;
  /** Its name. */
  nonce: Nonce;
  /** What is to be done. */
  change: Change;
} }
  | { kind: "retry"; value: Nonce }
  | { kind: "discard"; value: Nonce }
  | { kind: "mark_read"; value: {
  /** Where. */
  conversation: ConversationId;
  /** The newest message shown. */
  seq: Seq;
} }
  | { kind: "set_typing"; value: {
  /** Where. */
  conversation: ConversationId;
  /** Writes, or stopped. */
  on: boolean;
} }
  | { kind: "set_draft"; value: {
  /** Where. */
  conversation: ConversationId;
  /** The text. */
  text: string | null;
} }
  | { kind: "watch"; value: UserId[] }
  | { kind: "set_status"; value: PresenceState }
  | { kind: "learn_profile"; value: UserId };

/** Why a command was not taken. */
export type CommandError =
  | "no_such_conversation"
  | "outbox_full"
  | "no_such_change";

/** Names a batch of the store, ascending. */
export type BatchId = number;

/** Names a load from the store, ascending. */
export type LoadId = number;

/** Names a REST call, ascending. */
export type RequestId = number;

/** The methods that the engine uses. */
export type Method =
  | "GET"
  | "PATCH";

/** A REST call, authenticated by the host. */
export type RestRequest = {
  /** The method. */
  method: Method;
  /** Path and query, from `/v1` on. */
  path: string;
  /** The JSON body. */
  body: string | null;
  /** For the header `Idempotency-Key`. */
  idempotency_key: Nonce | null;
};

/** One line of the conversation list. */
export type ConversationSummary = {
  /** Which conversation. */
  id: ConversationId;
  /** What sort. */
  kind: ConversationKind;
  /** The title; of a direct conversation the peer's display name. */
  title: string;
  /** The other one, in a direct conversation. */
  peer: UserId | null;
  /** The peer's presence, where it is watched and known. */
  presence: Presence | null;
  /** How many members. */
  member_count: number;
  /** The own role. */
  role: Role;
  /** The newest message, the own ones in the queue included. */
  last: LastMessage | null;
  /** When something happened last. */
  last_activity: Timestamp;
  /** Messages of others that are not read yet. */
  unread: number;
  /** How many of those mention the own user. */
  mentions: number;
  /** No notifications until then. */
  muted_until: Timestamp | null;
  /** Kept on top of the list. */
  pinned: boolean;
  /** Out of the way. */
  archived: boolean;
  /** What the user has begun to write. */
  draft: string | null;
  /** Who writes at this moment, without the own user. */
  typing: UserId[];
  /** Own changes that wait for the server. */
  queued: number;
  /** Own changes that the server refused for good. */
  failed: number;
};

/** The newest message of a conversation, for the list. */
export type LastMessage = {
  /** Where it stands; `None` while it is in the queue. */
  seq: Seq | null;
  /** When it was appended, or entered the queue. */
  ts: Timestamp;
  /** Who wrote it. */
  sender: UserId;
  /** The sender's display name, where known. */
  sender_name: string | null;
  /** The text; `None` once erased. */
  text: string | null;
  /** How far an own message has come; `None` for messages of others. */
  status: MessageStatus | null;
};

/** How far an own message has come, in the order in which it goes. */
export type MessageStatus =
  | { state: "queued" }
  | { state: "failed"; error: ErrorBody }
  | { state: "sent" }
  | { state: "delivered" }
  | { state: "read" };

/** The newest part of a conversation, as far down as it was loaded, ascending; own queued messages come last. */
export type Timeline = {
  /** Which conversation. */
  conversation: ConversationId;
  /** What is shown, ascending. */
  items: TimelineItem[];
  /** Whether there is more above: [`Command::LoadOlder`](crate::Command::LoadOlder) gets it. */
  has_older: boolean;
  /** Whether events are being fetched now, above or below. */
  loading: boolean;
  /** The newest event's `seq`. */
  head: Seq;
  /** The own read cursor: the divider of unread messages comes after it. */
  read: Seq;
  /** Everybody's cursors, for who has read what. */
  cursors: Cursor[];
};

/** One entry of a timeline. */
export type TimelineItem =
  | { kind: "message"; value: MessageView }
  | { kind: "notice"; value: Notice };

/** A message as it is shown, the own changes that are still in the queue applied. */
export type MessageView = {
  /** The message. `seq` is 0 while it is in the queue. */
  message: Message;
  /** The own name of a message in the queue, for retry and discard. */
  nonce: Nonce | null;
  /** How far an own message has come; `None` for messages of others. */
  status: MessageStatus | null;
  /** The sender's display name, where known. */
  sender_name: string | null;
  /** What it answers, where that is known on this device. */
  reply: ReplyPreview | null;
  /** Whether an own edit, deletion, reaction or pin of it is still in the queue. */
  change_queued: boolean;
};

/** The quoted message of a reply. */
export type ReplyPreview = {
  /** Where it stands. */
  seq: Seq;
  /** Who wrote it. */
  sender: UserId;
  /** The writer's display name, where known. */
  sender_name: string | null;
  /** The text of now; `None` once erased. */
  text: string | null;
};

/** An entry of the log that is shown as a line of its own and is no message. */
export type Notice = {
  /** Where it stands. */
  seq: Seq;
  /** When it was appended. */
  ts: Timestamp;
  /** Who caused it. */
  sender: UserId;
  /** The display name of who caused it, where known. */
  sender_name: string | null;
  /** What happened. */
  what: NoticeKind;
};

/** What a notice is about. */
export type NoticeKind =
  | { kind: "member"; body: [MemberBody, string | null] }
  | { kind: "settings"; body: SettingsBody };

/** A change to a conversation's log that the user makes. */
export type Change =
  | {
  kind: "send";
  /** The content. */
  body: MessageBody;
}
  | {
  kind: "edit";
  /** Which message. */
  target: Seq;
  /** The new text, format and mentions; the other fields are not sent. */
  body: MessageBody;
}
  | {
  kind: "delete";
  /** Which message. */
  target: Seq;
}
  | {
  kind: "react";
  /** Which message. */
  target: Seq;
  /** The emoji, 1 to 64 bytes. */
  emoji: string;
  /** Put on, or taken off. */
  on: boolean;
}
  | {
  kind: "pin";
  /** Which message. */
  target: Seq;
  /** Pin, or unpin. */
  on: boolean;
};

/** An own change that the server has not acknowledged. */
export type OutboxEntry = {
  /** Where. */
  conversation: ConversationId;
  /** Its name: every try carries the same. */
  nonce: Nonce;
  /** What is to be done. */
  change: Change;
  /** When the user did it. */
  created_at: Timestamp;
  /** How far it has come. */
  state: OutboxState;
};

/** How far a queued change has come. */
export type OutboxState =
  | { state: "waiting" }
  | { state: "in_flight" }
  | { state: "failed"; error: ErrorBody };

/** How the engine stands with its server. */
export type SyncState =
  | "disconnected"
  | "connecting"
  | "catching_up"
  | "live";

/** Which snapshot is out of date, or what just happened. */
export type ViewChange =
  | { kind: "sync"; value: SyncState }
  | { kind: "conversations" }
  | { kind: "timeline"; value: ConversationId }
  | { kind: "log_advanced"; value: {
  /** Which conversation. */
  conversation: ConversationId;
  /** The newest stored `seq` without a gap below it, down to where this device's log starts. */
  seq: Seq;
} }
  | { kind: "message_arrived"; value: Message }
  | { kind: "acknowledged"; value: {
  /** Where. */
  conversation: ConversationId;
  /** Its name. */
  nonce: Nonce;
  /** Where it stands in the log; where it changed nothing, up to where the log was looked at. */
  seq: Seq;
  /** When it was appended. */
  ts: Timestamp;
} }
  | { kind: "refused"; value: {
  /** Where. */
  conversation: ConversationId;
  /** Its name. */
  nonce: Nonce;
  /** Why. */
  error: ErrorBody;
} }
  | { kind: "outbox" }
  | { kind: "typing"; value: ConversationId }
  | { kind: "presence"; value: Presence }
  | { kind: "account"; value: AccountEvent }
  | { kind: "conversation_left"; value: ConversationId }
  | { kind: "profiles" }
  | { kind: "unauthorized" };

/** A call of the engine: when, and what. */
export type Call = {
  /** Wall time. */
  wall: Timestamp;
  /** Milliseconds on a clock that never goes back. */
  monotonic_ms: number;
  /** What happened. */
  input: Input;
};

/** What happened. Tagged from outside, because the raw bodies of events do not survive another way. */
export type Input =
  | { start: {
  /** Who. */
  user: UserId;
  /** From which device. */
  device: DeviceId;
  /** 256 random bits as 64 hexadecimal digits. */
  seed: string;
  /** What the store holds. */
  restored: Restored;
} }
  | "stop"
  | { connected: {
  /** What `hello` carries. */
  ticket: Secret;
} }
  | "disconnected"
  | { frame: {
  /** The frame. */
  text: string;
} }
  | { answered: {
  /** Which. */
  id: RequestId;
  /** The body of a good answer. */
  body: string | null;
  /** The problem, if the server told one. Without a body and a problem there was no answer. */
  problem: ErrorBody | null;
} }
  | { persisted: {
  /** Which. */
  batch: BatchId;
} }
  | { loaded: {
  /** Which load. */
  id: LoadId;
  /** In order. */
  events: Event[];
} }
  | "tick"
  | { told: {
  /** The conversation. */
  conversation: Conversation;
} }
  | { obey: {
  /** What. */
  command: Command;
} }
  | "new_nonce"
  | { reactors: {
  /** Where. */
  conversation: ConversationId;
  /** Which message. */
  seq: Seq;
} }
  | { views: {
  /** Whether everything is told anew. */
  whole: boolean;
} };

/** The engine's answer to a call. */
export type Output = {
  /** To be carried out in order. */
  effects: HostEffect[];
  /** What just happened, for the page. */
  happened: ViewChange[];
  /** Whether [`Input::Views`] would tell something. */
  stale: boolean;
  /** When to call again at the latest, on the monotonic clock. */
  wakeup: number | null;
  /** The answer, for inputs that ask. */
  answer: Reply | null;
  /** Why a command was not taken. */
  refused: CommandError | null;
  /** Why the input was not understood; nothing was done. */
  invalid: string | null;
};

/** The answer to an input that asks. */
export type Reply =
  | {
  kind: "nonce";
  /** The nonce. */
  nonce: Nonce;
}
  | {
  kind: "reactors";
  /** Each emoji with who reacted, in the order of first use. */
  reactions: [string, UserId[]][];
}
  | {
  kind: "views";
  /** What changed. */
  patch: ViewPatch;
};

/** Something for the worker to do; see [`loquat_engine::Effect`]. */
export type HostEffect =
  | {
  kind: "send";
  /** The frame. */
  text: string;
}
  | {
  kind: "close";
  /** Why. */
  reason: string;
  /** After that long, in milliseconds; the worker's own back-off where `None`. */
  retry_after_ms: number | null;
}
  | {
  kind: "request";
  /** To be given back. */
  id: RequestId;
  /** The call. */
  request: RestRequest;
}
  | {
  kind: "persist";
  /** To be given back. */
  batch: BatchId;
  /** In order. */
  operations: Operation[];
}
  | {
  kind: "load";
  /** To be given back. */
  id: LoadId;
  /** What to read. */
  query: Query;
};

/** What changed since the last [`Input::Views`]. An absent part did not change. */
export type ViewPatch = {
  /** Whether this replaces all that was told before. */
  whole: boolean;
  /** How the engine stands with its server. */
  sync: SyncState | null;
  /** The order of the conversation list, whole. */
  order: ConversationId[] | null;
  /** Lines of the list that changed (`ConversationSummary`). */
  conversations: ConversationSummary[];
  /** Timelines of open conversations that changed. */
  timelines: TimelinePatch[];
  /** Open conversations whose settings or cursors changed, whole (`Conversation`). */
  details: Conversation[];
  /** The queue, whole. */
  outbox: OutboxEntry[] | null;
  /** People who became known or changed. */
  profiles: Profile[];
};

/** How a timeline changed: `remove` items at `start` give way to `insert`. */
export type TimelinePatch = {
  /** Which conversation. */
  conversation: ConversationId;
  /** The version that this applies to; 0 replaces whatever was there. */
  base: number;
  /** The version that it leads to. */
  version: number;
  /** Where. */
  start: number;
  /** How many items leave. */
  remove: number;
  /** What comes in their place (`TimelineItem`). */
  insert: TimelineItem[];
  /** Whether there is more above. */
  has_older: boolean;
  /** Whether events are being fetched. */
  loading: boolean;
  /** The newest event's `seq`. */
  head: Seq;
  /** The own read cursor. */
  read: Seq;
  /** Everybody's cursors. */
  cursors: Cursor[];
};

/** One write. Each replaces what was there under the same name. */
export type Operation =
  | { op: "put_conversation"; value: Conversation }
  | { op: "put_progress"; value: [ConversationId, Progress] }
  | { op: "remove_conversation"; value: ConversationId }
  | { op: "forget_log"; value: ConversationId }
  | { op: "put_events"; value: Event[] }
  | { op: "erase"; value: {
  /** Where. */
  conversation: ConversationId;
  /** The message. */
  target: Seq;
} }
  | { op: "erase_up_to"; value: {
  /** Where. */
  conversation: ConversationId;
  /** The newest of the messages. */
  upto: Seq;
} }
  | { op: "put_change"; value: QueuedChange }
  | { op: "remove_change"; value: Nonce }
  | { op: "put_profile"; value: Profile }
  | { op: "put_sync"; value: SyncPoint };

/** How far the device has come with the account. */
export type SyncPoint = {
  /** The newest sync token of which everything is stored. */
  since: string | null;
  /** The newest position of the account log. */
  account_pos: number | null;
};

/** How far this device has come in a conversation. */
export type Progress = {
  /** The newest `seq` known to exist. */
  head: Seq;
  /** What is stored of the log. */
  ranges: Ranges;
  /** Acknowledged as delivered. */
  delivered: Seq;
  /** Read by the user. */
  read: Seq;
  /** Whether the cursors must be repeated to the server. */
  repeat_cursors: boolean;
  /** Whether the whole log is wanted. */
  whole: boolean;
  /** What the user has begun to write. */
  draft: string | null;
  /** Whether the server does not have the draft yet. */
  draft_unsent: boolean;
};

/** A change of the queue, as stored. */
export type QueuedChange = {
  /** Its place in the queue, ascending. */
  order: number;
  /** Where. */
  conversation: ConversationId;
  /** Its name. */
  nonce: Nonce;
  /** What is to be done. */
  change: Change;
  /** When the user did it. */
  created_at: Timestamp;
  /** Why the server refused it for good, if it did. */
  failed: ErrorBody | null;
};

/** Everything that an engine starts from, without the logs. */
export type Restored = {
  /** The sync point. */
  sync: SyncPoint;
  /** The conversations; a progress without a conversation is left out. */
  conversations: [Conversation, Progress][];
  /** The queue, ascending by `order`. */
  queue: QueuedChange[];
  /** The people known. */
  profiles: Profile[];
};

/** One read of a log. All answers are events of one conversation, ascending by `seq`. */
export type Query =
  | {
  query: "page";
  /** Where. */
  conversation: ConversationId;
  /** Below this. */
  before: Seq;
  /** Not below this. */
  floor: Seq;
  /** At most so many that are shown by themselves. */
  limit: number;
}
  | {
  query: "messages";
  /** Where. */
  conversation: ConversationId;
  /** Which. */
  seqs: Seq[];
}
  | {
  query: "events";
  /** Where. */
  conversation: ConversationId;
  /** Above this. */
  after: Seq;
  /** At most so many. */
  limit: number;
};
