/** What the walker does with the value at a path. */
export type FieldRole = 'none' | 'text' | 'json-text' | 'present' | 'capture' | 'list' | 'candidate';

/** Flags that a walk sets: what an event or document contains. */
export const FOUND = {
  /** A candidate or choice says why it ended. */
  finish: 1,
  /** The provider's error object. */
  error: 2,
  /** Gemini refused the prompt. */
  block: 4,
  /** `choices` or `candidates` has an element. */
  answers: 8,
  /** `choices` or `candidates` is `[]`. */
  noAnswers: 16,
  /** `usage` is there and is `null`. */
  usageNull: 32,
} as const;

/** Places for captured values. */
export const CAPTURED = { usage: 0, startUsage: 1, id: 2, serviceTier: 3, type: 4, index: 5 } as const;
export const CAPTURE_SLOTS = 6;

/**
 * Places for counted text. Some upstreams send the same reasoning twice, as `reasoning_content` and as `reasoning`;
 * kept apart, only the larger one counts.
 */
export const TEXT = { answer: 0, reasoningContent: 1, reasoning: 2 } as const;
export const TEXT_SLOTS = 3;

/** One node of the table of paths that a dialect cares about. */
export interface Field {
  readonly role: FieldRole;
  /** Text place, capture place or `FOUND` flag, by role. */
  readonly slot: number;
  readonly items: Field | undefined;
  /** Members by the length of their name, so that most names are passed over without a comparison. */
  readonly members: readonly (readonly FieldMember[] | undefined)[];
}

export interface FieldMember {
  readonly name: string;
  readonly firstCode: number;
  readonly field: Field;
}

function leaf(role: FieldRole, slot: number): Field {
  return { role, slot, items: undefined, members: [] };
}

/** A string whose unescaped UTF-8 bytes count as output. */
export const textField = (slot: number = TEXT.answer): Field => leaf('text', slot);

/** A value whose JSON text counts as output, white space between its tokens left out. */
export const jsonTextField = (): Field => leaf('json-text', TEXT.answer);

/** A value that sets a flag unless it is null or an empty string. */
export const presentField = (flag: number): Field => leaf('present', flag);

/** A value whose JSON text is wanted. */
export const captureField = (slot: number): Field => leaf('capture', slot);

export function objectField(members: Readonly<Record<string, Field>>): Field {
  const byLength: FieldMember[][] = [];
  for (const [name, field] of Object.entries(members)) {
    (byLength[name.length] ??= []).push({ name, firstCode: name.charCodeAt(0), field });
  }
  return { role: 'none', slot: 0, items: undefined, members: byLength };
}

export const listField = (items: Field): Field => ({ role: 'none', slot: 0, items, members: [] });

/** The list of choices or candidates: sets `answers` or `noAnswers`. */
export const answersField = (items: Field): Field => ({ role: 'list', slot: 0, items, members: [] });

/** One of Gemini's candidates: its index and whether it has ended are noted when it is whole. */
export const candidateField = (members: Readonly<Record<string, Field>>): Field => ({ ...objectField(members), role: 'candidate' });

/** A value that is either a string or a structure, depending on the upstream. */
export const textOrField = (structure: Field, slot: number = TEXT.answer): Field => ({
  ...structure,
  role: 'text',
  slot,
});

/** The one of `members`, all of the right length, whose name stands in `text` at `start`. */
export function memberAt(
  members: readonly FieldMember[] | undefined,
  text: string,
  start: number,
): Field | undefined {
  if (members === undefined) {
    return undefined;
  }
  const firstCode = text.charCodeAt(start);
  for (const member of members) {
    if (member.firstCode === firstCode && text.startsWith(member.name, start)) {
      return member.field;
    }
  }
  return undefined;
}
