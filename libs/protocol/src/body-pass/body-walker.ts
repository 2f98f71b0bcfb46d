import type { BodyFault } from './body-facts.js';
import type { Field, Place } from './body-place.js';
import type { BodyRecord } from './body-record.js';
import { ARRAY, KIND_OF_BYTE, NULL, NUMBER, OBJECT, STRING } from './json-kind.js';
import type { JsonScanner } from './json-scanner.js';
import { shortText } from './recorded-values.js';

/** Objects and arrays within each other, the body itself included. It also bounds the walker's recursion. */
const MAX_DEPTH = 64;
const MAX_OTHER_NAME_CHARACTERS = 256;

const QUOTE = 0x22;
const COMMA = 0x2c;
const COLON = 0x3a;
const CLOSING_BRACKET = 0x5d;
const CLOSING_BRACE = 0x7d;

/** What is wrong with a value that is good JSON. */
export interface Objection {
  code: Exclude<BodyFault['code'], 'invalid_json'>;
  /** Follows the name of the field: "must be …". */
  complaint: string;
  offset: number | undefined;
}

/** Walks one JSON text along the places of a dialect. Methods answer `false` once there is an objection or the scanner is in trouble. */
export class BodyWalker {
  objection: Objection | undefined = undefined;
  /** Where the objection lies, put together while the walk unwinds: `.messages[0].content`. */
  path = '';

  private depth = 0;

  constructor(
    private readonly scanner: JsonScanner,
    private readonly record: BodyRecord,
  ) {}

  /** Reads the value at hand, white space before it included. Without a place it is only checked. */
  value(place: Place | undefined): boolean {
    const { scanner } = this;
    const byte = scanner.next();
    const kind = byte < 0 ? 0 : (KIND_OF_BYTE[byte] as number);
    const from = scanner.at;
    if (place !== undefined && kind !== 0 && (place.kinds & kind) === 0) return this.wrongValue(place, from);
    if (kind === OBJECT) return this.object(place);
    if (kind === ARRAY) return this.array(place);
    if (!this.scalar(kind)) return false;
    if (place === undefined || place.takes === undefined) return true;
    scanner.kind = kind;
    scanner.from = from;
    scanner.to = scanner.at;
    return place.takes(this.record, scanner) || this.wrongValue(place, from);
  }

  private scalar(kind: number): boolean {
    const { scanner } = this;
    if (kind === STRING) return scanner.string();
    if (kind === NUMBER) return scanner.number();
    return kind === 0 ? scanner.unexpected('a value') : scanner.literal();
  }

  private array(place: Place | undefined): boolean {
    const { scanner } = this;
    if (++this.depth > MAX_DEPTH) return this.tooDeep();
    scanner.at++;
    const elements = place?.elements;
    if (scanner.next() !== CLOSING_BRACKET) {
      for (let index = 0; ; index++) {
        if (!this.value(elements)) return this.within(elements && `[${index}]`);
        const byte = scanner.next();
        if (byte === CLOSING_BRACKET) break;
        if (byte !== COMMA) return scanner.unexpected('a comma or ]');
        scanner.at++;
      }
    }
    scanner.at++;
    this.depth--;
    return true;
  }

  private object(place: Place | undefined): boolean {
    const { scanner } = this;
    if (++this.depth > MAX_DEPTH) return this.tooDeep();
    const from = scanner.at++;
    place?.opens?.(this.record);
    const empty = scanner.next() === CLOSING_BRACE;
    if (!(empty ? this.hasRequired(place, 0) : this.members(place))) return false;
    scanner.at++;
    this.depth--;
    if (place !== undefined) {
      scanner.kind = OBJECT;
      scanner.from = from;
      scanner.to = scanner.at;
      scanner.empty = empty;
      place.closes?.(this.record, scanner);
    }
    return true;
  }

  /** Reads one member and more, up to the closing brace. */
  private members(place: Place | undefined): boolean {
    const { scanner } = this;
    const fields = place?.fields;
    let seen = 0;
    let commaAt = -1;
    for (;;) {
      if (scanner.next() !== QUOTE) return scanner.unexpected('a name in quotes');
      const memberAt = scanner.at;
      if (!scanner.string()) return false;
      const field = fields?.find(scanner.body, scanner);
      if (field === undefined) {
        if (!(place?.takesOther === undefined ? this.unknownMember() : this.otherMember(place))) return false;
      } else {
        if ((seen & field.bit) !== 0) return this.duplicate(field, memberAt);
        seen |= field.bit;
        if (!this.colon()) return false;
        if (!this.value(field.place)) return this.within(`.${field.name}`);
      }
      const valueEnd = scanner.at;
      const byte = scanner.next();
      if (field?.place.takesMember !== undefined) {
        const from = byte === COMMA || commaAt < 0 ? memberAt : commaAt;
        field.place.takesMember(this.record, from, byte === COMMA ? scanner.at + 1 : valueEnd);
      }
      if (byte === CLOSING_BRACE) return this.hasRequired(place, seen);
      if (byte !== COMMA) return scanner.unexpected('a comma or }');
      commaAt = scanner.at++;
    }
  }

  private unknownMember(): boolean {
    return this.colon() && this.value(undefined);
  }

  /** A member of a place where any name means something. */
  private otherMember(place: Place): boolean {
    const { scanner, record } = this;
    const name = record.admitsNamedTool() ? shortText(scanner, MAX_OTHER_NAME_CHARACTERS) : undefined;
    if (name === undefined) {
      return this.refuse({ code: 'invalid_field', complaint: 'has too many or too long names', offset: scanner.start });
    }
    if (!this.colon()) return false;
    const isNull = KIND_OF_BYTE[scanner.next()] === NULL;
    if (!this.value(undefined)) return false;
    if (!isNull) place.takesOther?.(record, name);
    return true;
  }

  private colon(): boolean {
    if (this.scanner.next() !== COLON) return this.scanner.unexpected('a colon');
    this.scanner.at++;
    return true;
  }

  private hasRequired(place: Place | undefined, seen: number): boolean {
    if (place === undefined) return true;
    for (const field of place.required) {
      if ((seen & field.bit) === 0) {
        this.path = `.${field.name}`;
        return this.refuse({ code: 'invalid_field', complaint: 'is required', offset: undefined });
      }
    }
    return true;
  }

  private duplicate(field: Field, offset: number): false {
    this.path = `.${field.name}`;
    return this.refuse({ code: 'duplicate_field', complaint: 'is given twice', offset });
  }

  private wrongValue(place: Place, offset: number): false {
    return this.refuse({ code: 'invalid_field', complaint: `must be ${place.expected}`, offset });
  }

  private tooDeep(): false {
    return this.refuse({ code: 'too_deep', complaint: `is nested deeper than ${MAX_DEPTH} levels`, offset: this.scanner.at });
  }

  private refuse(objection: Objection): false {
    this.objection = objection;
    return false;
  }

  /** Notes where a refused value stands; undefined where no place does. */
  private within(step: string | undefined): false {
    if (this.objection !== undefined && step !== undefined) this.path = step + this.path;
    return false;
  }
}
