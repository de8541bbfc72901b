/** What the page knows of conversations and people: patches of the engine, applied. */
import { SvelteMap } from 'svelte/reactivity';
import type {
  Conversation,
  ConversationId,
  ConversationSummary,
  Cursor,
  OutboxEntry,
  Profile,
  SyncState,
  TimelineItem,
  TimelinePatch,
  UserId,
  ViewPatch,
} from '../protocol/types';

/** A timeline as the engine told it. */
export class LiveTimeline {
  version = 0;
  items = $state.raw<TimelineItem[]>([]);
  hasOlder = $state(true);
  loading = $state(true);
  head = $state(0);
  read = $state(0);
  cursors = $state.raw<Cursor[]>([]);
  /** Whether the engine told of it at all. */
  told = $state(false);

  /** Applies a patch; `false` if it does not fit what is here. */
  apply(patch: TimelinePatch): boolean {
    if (patch.base === 0) this.items = patch.insert;
    else if (patch.base !== this.version) return false;
    else if (patch.remove > 0 || patch.insert.length > 0) {
      const items = this.items.slice();
      items.splice(patch.start, patch.remove, ...patch.insert);
      this.items = items;
    }
    this.version = patch.version;
    this.hasOlder = patch.has_older;
    this.loading = patch.loading;
    this.head = patch.head;
    this.read = patch.read;
    if (JSON.stringify(patch.cursors) !== JSON.stringify(this.cursors)) this.cursors = patch.cursors;
    this.told = true;
    return true;
  }
}

export class Model {
  order = $state.raw<ConversationId[]>([]);
  readonly conversations = new SvelteMap<ConversationId, ConversationSummary>();
  readonly details = new SvelteMap<ConversationId, Conversation>();
  /** Not reactive itself: a timeline is there as soon as it is asked for. */
  readonly timelines = new Map<ConversationId, LiveTimeline>();
  readonly profiles = new SvelteMap<UserId, Profile>();
  outbox = $state.raw<OutboxEntry[]>([]);
  sync = $state<SyncState>('disconnected');
  /** Whether the engine told of the conversations at all. */
  told = $state(false);

  /** Applies a patch; `false` if a whole one is needed. */
  apply(patch: ViewPatch): boolean {
    let fits = true;
    if (patch.sync !== null) this.sync = patch.sync;
    for (const profile of patch.profiles) this.profiles.set(profile.id, profile);
    for (const line of patch.conversations) this.conversations.set(line.id, line);
    if (patch.order !== null) {
      this.order = patch.order;
      const present = new Set(patch.order);
      for (const id of [...this.conversations.keys()]) if (!present.has(id)) this.conversations.delete(id);
      this.told = true;
    }
    for (const timeline of patch.timelines) fits = this.timeline(timeline.conversation).apply(timeline) && fits;
    for (const conversation of patch.details) this.details.set(conversation.id, conversation);
    if (patch.outbox !== null) this.outbox = patch.outbox;
    return fits;
  }

  timeline(conversation: ConversationId): LiveTimeline {
    let found = this.timelines.get(conversation);
    if (!found) {
      found = new LiveTimeline();
      this.timelines.set(conversation, found);
    }
    return found;
  }

  clear(): void {
    this.order = [];
    this.outbox = [];
    this.told = false;
    this.sync = 'disconnected';
    for (const map of [this.conversations, this.details, this.timelines, this.profiles]) map.clear();
  }

  /** Unread messages of what is neither muted nor archived. */
  get unread(): number {
    const now = Date.now();
    let sum = 0;
    for (const line of this.conversations.values()) {
      if (line.archived || (line.muted_until !== null && line.muted_until > now)) sum += line.mentions;
      else sum += line.unread;
    }
    return sum;
  }
}
