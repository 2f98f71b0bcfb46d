import type { AccountDirectory, KeyRecord } from '@tokone/account-client';

export interface KeyCacheOptions {
  directory: AccountDirectory;
  /** Milliseconds, monotonic. */
  now: () => number;
  /** Most keys kept, good ones and unknown ones each. */
  capacity?: number;
}

interface Entry {
  record: KeyRecord | undefined;
  checkedAtMs: number;
  /** Second chance: a hit only sets this, eviction clears it. */
  used: boolean;
  /** Something may have changed: not used without asking again, but for a directory that does not answer. */
  doubtful: boolean;
}

/** One question to the directory. Forgetting ends its part in the cache, not the wait of those who asked. */
interface Question {
  answer: Promise<KeyRecord | undefined>;
}

/** From here on a used key is checked again in the background, so that a busy key never waits. */
const REFRESH_AFTER_MS = 3_000;
/** Older answers are not used without asking again: a disabled key stops within this. */
const FRESH_MS = 5_000;
/** A directory that hangs is one that fails. */
const ASK_DEADLINE_MS = 2_000;
/** While the directory does not answer, a good key lives this long on its last answer. */
const DEAD_AFTER_MS = 60_000;

/** The directory could not be asked and nothing usable is cached. */
export class DirectoryUnavailableError extends Error {}

/** Keys as last seen in the account directory, by digest. Bounded; unknown keys are kept apart so that they cannot push good ones out. */
export class KeyCache {
  private readonly known = new Map<string, Entry>();
  private readonly unknown = new Map<string, Entry>();
  private readonly asking = new Map<string, Question>();
  private readonly capacity: number;

  constructor(private readonly options: KeyCacheOptions) {
    this.capacity = options.capacity ?? 65_536;
  }

  /** The record without waiting, when a fresh answer is at hand. `digest` is latin1. */
  peek(digest: string): KeyRecord | undefined {
    const entry = this.known.get(digest);
    if (entry === undefined) return undefined;
    const ageMs = this.options.now() - entry.checkedAtMs;
    if (ageMs >= FRESH_MS || entry.doubtful) return undefined;
    entry.used = true;
    if (ageMs >= REFRESH_AFTER_MS) this.ask(digest).catch(ignore);
    return entry.record;
  }

  /** Undefined: no such key. Throws `DirectoryUnavailableError`. */
  async find(digest: string): Promise<KeyRecord | undefined> {
    const negative = this.unknown.get(digest);
    if (negative && this.options.now() - negative.checkedAtMs < FRESH_MS) return undefined;
    try {
      return await this.ask(digest);
    } catch (cause) {
      const entry = this.known.get(digest);
      if (entry?.record && this.options.now() - entry.checkedAtMs < DEAD_AFTER_MS) return entry.record;
      throw new DirectoryUnavailableError('the account directory does not answer', { cause });
    }
  }

  /** This key has changed: what was known of it is not used again, not even while the directory does not answer. */
  forget(digest: string): void {
    this.known.delete(digest);
    this.unknown.delete(digest);
    this.asking.delete(digest);
  }

  /** The same of all keys with such a record. An answer that is on its way may be one of them, so none of those is kept. */
  forgetWhere(concerned: (record: KeyRecord) => boolean): void {
    this.asking.clear();
    for (const [digest, { record }] of this.known) if (record && concerned(record)) this.known.delete(digest);
  }

  /** Changes may have been missed: each key is asked for again before it is used, but lives on where nobody answers. */
  doubtAll(): void {
    this.asking.clear();
    this.unknown.clear();
    for (const entry of this.known.values()) entry.doubtful = true;
  }

  private ask(digest: string): Promise<KeyRecord | undefined> {
    const running = this.asking.get(digest);
    if (running) return running.answer;
    const question: Question = { answer: Promise.resolve(undefined) };
    this.asking.set(digest, question);
    question.answer = this.askDirectory(digest, question).finally(() => {
      if (this.asking.get(digest) === question) this.asking.delete(digest);
    });
    return question.answer;
  }

  private async askDirectory(digest: string, question: Question): Promise<KeyRecord | undefined> {
    const checkedAtMs = this.options.now();
    const record = await withinDeadline(this.options.directory.findKey(Buffer.from(digest, 'latin1')));
    // Asked before a change that has been told since: right for those who asked then, and for nobody after them.
    if (this.asking.get(digest) !== question) return record;
    const entry: Entry = { record, checkedAtMs, used: false, doubtful: false };
    if (record) {
      this.unknown.delete(digest);
      store(this.known, digest, { entry, capacity: this.capacity });
    } else {
      this.known.delete(digest);
      store(this.unknown, digest, { entry, capacity: this.capacity });
    }
    return record;
  }
}

async function withinDeadline<Answer>(asked: Promise<Answer>): Promise<Answer> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_resolve, reject) => {
    timer = setTimeout(() => reject(new DirectoryUnavailableError(`the account directory did not answer within ${ASK_DEADLINE_MS} ms`)), ASK_DEADLINE_MS);
  });
  try {
    return await Promise.race([asked, late]);
  } finally {
    clearTimeout(timer);
  }
}

function store(map: Map<string, Entry>, digest: string, { entry, capacity }: { entry: Entry; capacity: number }): void {
  if (!map.has(digest) && map.size >= capacity) evictOne(map);
  map.set(digest, entry);
}

function evictOne(map: Map<string, Entry>): void {
  for (const [digest, entry] of map) {
    map.delete(digest);
    if (!entry.used) return;
    entry.used = false;
    map.set(digest, entry);
  }
}

function ignore(): void {}
