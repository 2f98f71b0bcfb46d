/**
 * What a prompt asks of the simulator: `[[sim: name=value name]]`, anywhere in the request body, several times if wanted
 * (the last value of a name wins). A name or value that is not in this table is refused, so that a misspelt
 * fault can never make a test pass by doing nothing. README.md explains each name; a test compares the two.
 */
const directiveTable = {
  'status': 'number',
  'retry-after': 'number',
  'first-event-error': 'flag',
  'error-after': 'number',
  'cut-after': 'number',
  'end-after': 'number',
  'stall': 'flag-or-word',
  'stall-after': 'number',
  'delay-ms': 'number',
  'chunk-delay-ms': 'number',
  'chunk-tokens': 'number',
  'no-usage': 'flag',
  'no-done': 'flag',
  'split-bytes': 'number',
  'crlf': 'flag',
  'comments': 'flag',
  'multibyte': 'flag',
  'input-tokens': 'number',
  'output-tokens': 'number',
  'cache-read': 'number',
  'cache-write': 'number',
  'cache-write-1h': 'number',
  'reasoning-tokens': 'number',
  'reported-output-tokens': 'number',
  'web-searches': 'number',
  'service-tier': 'word',
  'finish': 'word',
  'big': 'number',
  'endless': 'flag',
  'redirect': 'flag',
  'bad-json': 'flag',
  'gzip': 'flag',
  'tag': 'word',
  'times': 'number',
  'when-credential': 'word',
} as const;

type DirectiveKind = 'number' | 'flag' | 'word' | 'flag-or-word';
type DirectiveTable = typeof directiveTable;
export type DirectiveName = keyof DirectiveTable;
type NameOf<Kind extends DirectiveKind> = { [Name in DirectiveName]: DirectiveTable[Name] extends Kind ? Name : never }[DirectiveName];

export const directiveNames = Object.keys(directiveTable) as readonly DirectiveName[];

/** Conditions (`times`, `when-credential`) switch these off; what shapes the answer or the usage stays. */
const faultNames: readonly DirectiveName[] = [
  'status', 'first-event-error', 'error-after', 'cut-after', 'end-after', 'stall', 'stall-after', 'delay-ms',
  'no-usage', 'no-done', 'redirect', 'bad-json', 'gzip', 'endless', 'big',
];

const largestNumber = 100_000_000;
const directivePattern = /\[\[sim:([^\]]*)\]\]/g;

export class DirectiveError extends Error {}

export class Directives {
  private constructor(private readonly values: ReadonlyMap<DirectiveName, string>) {}

  /** `text` is the raw request body: a directive survives JSON because it needs no escapes. Throws a DirectiveError. */
  static read(text: string): Directives {
    if (!text.includes('[[sim:')) return none;
    const values = new Map<DirectiveName, string>();
    for (const match of text.matchAll(directivePattern)) {
      for (const word of (match[1] ?? '').split(/\s+/).filter(Boolean)) readWord(word, values);
    }
    return new Directives(values);
  }

  static empty(): Directives {
    return new Directives(new Map());
  }

  number(name: NameOf<'number'>): number | undefined {
    const value = this.values.get(name);
    return value === undefined ? undefined : Number(value);
  }

  flag(name: NameOf<'flag' | 'flag-or-word'>): boolean {
    return this.values.has(name);
  }

  word(name: NameOf<'word' | 'flag-or-word'>): string | undefined {
    return this.values.get(name) || undefined;
  }

  withoutFaults(): Directives {
    return new Directives(new Map([...this.values].filter(([name]) => !faultNames.includes(name))));
  }
}

const none = Directives.empty();

function readWord(word: string, values: Map<DirectiveName, string>): void {
  const equals = word.indexOf('=');
  const name = equals < 0 ? word : word.slice(0, equals);
  const value = equals < 0 ? '' : word.slice(equals + 1);
  if (!isDirectiveName(name)) throw new DirectiveError(`The simulator knows no directive "${name}".`);
  const kind: DirectiveKind = directiveTable[name];
  if (kind === 'number' && (!/^\d{1,9}$/.test(value) || Number(value) > largestNumber)) {
    throw new DirectiveError(`The directive "${name}" needs a whole number up to ${largestNumber}, not "${value}".`);
  }
  if (name === 'status' && (Number(value) < 400 || Number(value) > 599)) throw new DirectiveError(`The directive "status" takes 400 to 599, not ${value}.`);
  if (kind === 'flag' && value !== '') throw new DirectiveError(`The directive "${name}" takes no value.`);
  if (kind === 'word' && value === '') throw new DirectiveError(`The directive "${name}" needs a value.`);
  values.set(name, value);
}

function isDirectiveName(name: string): name is DirectiveName {
  return Object.hasOwn(directiveTable, name);
}
