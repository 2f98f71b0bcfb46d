import type { BodyRecord } from './body-record.js';
import { ARRAY, BOOLEAN, NULL, NUMBER, OBJECT, STRING } from './json-kind.js';
import type { JsonScanner } from './json-scanner.js';
import { NameTable } from './name-table.js';

/**
 * A place in a request body that means something: a state of the path automaton. A table of places per dialect says
 * what may stand where; the walker follows it and hands what it meets to the recording functions. What no place
 * covers is checked as JSON and otherwise passed by.
 */
export interface Place {
  /** Set of the JSON kinds that may stand here. */
  readonly kinds: number;
  /** For the refusal: "must be …". */
  readonly expected: string;
  /** The members of an object that mean something. */
  fields: NameTable<Field> | undefined;
  /** Those of them that must be there. */
  required: readonly Field[];
  /** What the elements of an array are; undefined when they mean nothing. */
  elements: Place | undefined;
  /** Takes a string, number, boolean or null; answers `false` when its value is not allowed. */
  readonly takes: Taker | undefined;
  /** An object begins. */
  readonly opens: ((record: BodyRecord) => void) | undefined;
  /** An object has ended; `from`, `to` and `empty` of the scanner tell about it. */
  readonly closes: ((record: BodyRecord, value: JsonScanner) => void) | undefined;
  /** A member that `fields` does not name and whose value is not null. */
  readonly takesOther: ((record: BodyRecord, name: string) => void) | undefined;
  /** This place's whole member, with the comma that an edit must cut with it. */
  readonly takesMember: ((record: BodyRecord, from: number, to: number) => void) | undefined;
}

export type Taker = (record: BodyRecord, value: JsonScanner) => boolean;

/** A named member of a place. All spellings of a name share one field, so that two of them are a duplicate. */
export interface Field {
  readonly name: string;
  /** Its bit in the set of fields seen in one object. */
  readonly bit: number;
  readonly place: Place;
}

export type FieldTable = Readonly<Record<string, Place>>;

export interface PlaceOptions
  extends Partial<Pick<Place, 'takes' | 'opens' | 'closes' | 'takesOther' | 'takesMember' | 'expected'>> {
  /** Kinds that may stand here besides the natural one. */
  or?: number;
}

export interface FieldOptions {
  required?: readonly string[];
  /** Further spellings of a name. */
  spellings?: (name: string) => readonly string[];
}

/** Bits that a set of fields has without going negative. */
const MAX_FIELDS = 31;

/** A place that is only known, so that its name is not another's. */
export const ANYTHING: Place = place(OBJECT | ARRAY | STRING | NUMBER | BOOLEAN | NULL, {});

/** A place for a string, number, boolean or null. */
export function scalar(kinds: number, options: Omit<PlaceOptions, 'or'> = {}): Place {
  return place(kinds, options);
}

/** A place for an object. Its fields may be given later, when they lead back to it. */
export function object(fields: FieldTable | undefined, options: PlaceOptions & FieldOptions = {}): Place {
  const made = place(OBJECT | (options.or ?? 0), options);
  if (fields !== undefined) giveFields(made, fields, options);
  return made;
}

export function list(elements: Place | undefined, options: PlaceOptions = {}): Place {
  return { ...place(ARRAY | (options.or ?? 0), options), elements };
}

/** A repeated message as Google's JSON readers take it: an array of them, or one alone. */
export function oneOrMany(element: Place, options: PlaceOptions = {}): Place {
  const kinds = OBJECT | ARRAY | (options.or ?? 0);
  return { ...element, kinds, expected: options.expected ?? describeKinds(kinds), elements: element };
}

/** Gives an object place its members. */
export function giveFields(made: Place, fields: FieldTable, options: FieldOptions = {}): void {
  const entries: [string, Field][] = [];
  const required: Field[] = [];
  for (const [index, [name, target]] of Object.entries(fields).entries()) {
    const field: Field = { name, bit: 1 << index, place: target };
    for (const spelling of new Set([name, ...(options.spellings?.(name) ?? [])])) entries.push([spelling, field]);
    if (options.required?.includes(name)) required.push(field);
  }
  if (Object.keys(fields).length > MAX_FIELDS) throw new RangeError('A place has at most 31 fields.');
  made.fields = new NameTable(entries);
  made.required = required;
}

/** All places have the same members in the same order, which keeps the walker's reads of them fast. */
function place(kinds: number, options: PlaceOptions): Place {
  return {
    kinds,
    expected: options.expected ?? describeKinds(kinds),
    fields: undefined,
    required: [],
    elements: undefined,
    takes: options.takes,
    opens: options.opens,
    closes: options.closes,
    takesOther: options.takesOther,
    takesMember: options.takesMember,
  };
}

function describeKinds(kinds: number): string {
  const words: string[] = [];
  if (kinds & OBJECT) words.push('an object');
  if (kinds & ARRAY) words.push('an array');
  if (kinds & STRING) words.push('a string');
  if (kinds & NUMBER) words.push('a number');
  if (kinds & BOOLEAN) words.push('a boolean');
  if (kinds & NULL) words.push('null');
  const last = words.pop() as string;
  return words.length === 0 ? last : `${words.join(', ')} or ${last}`;
}
