/** Bytes of UTF-8 that the simulator calls one token. Real tokenizers differ; tests need a rule that they can count with. */
export const bytesPerToken = 4;

/** Text counted in tokens and cut at token boundaries, so that an endless answer needs no memory. */
export class AnswerText {
  private constructor(
    private readonly units: readonly string[],
    readonly tokenCount: number,
  ) {}

  /** The text as it stands; its last token may be shorter than four bytes. */
  static literal(text: string): AnswerText {
    const units = unitsOf(text);
    return new AnswerText(units, units.length);
  }

  /** Several sentences, the same for the same seed. With `tokenCount` (Infinity too) they go round and round. */
  static written(seed: number, tokenCount?: number): AnswerText {
    const sentences = shuffled(sentenceTable, seed);
    if (tokenCount === undefined) return AnswerText.literal(sentences.slice(0, 3 + (seed % 4)).join(' '));
    return new AnswerText(unitsOf(paddedToTokens(`${sentences.join(' ')} `)), tokenCount);
  }

  /** Emoji, CJK and accented letters; each token is exactly four bytes, mostly one to three characters. */
  static multibyte(seed: number, tokenCount = 64): AnswerText {
    return new AnswerText(shuffled(multibyteTable, seed), tokenCount);
  }

  limitedTo(tokenCount: number): AnswerText {
    return this.tokenCount <= tokenCount ? this : new AnswerText(this.units, Math.max(0, tokenCount));
  }

  /** The text of tokens `from` (inclusive) to `to` (exclusive). */
  slice(from: number, to: number): string {
    let text = '';
    for (let index = from; index < Math.min(to, this.tokenCount); index += 1) text += this.units[index % this.units.length];
    return text;
  }

  whole(): string {
    const rounds = Math.floor(this.tokenCount / Math.max(1, this.units.length));
    return this.units.join('').repeat(rounds) + this.slice(rounds * this.units.length, this.tokenCount);
  }
}

export function tokensOfBytes(bytes: number): number {
  return Math.ceil(bytes / bytesPerToken);
}

/** FNV-1a over the end of the prompt: cheap, and stable across runs. */
export function seedOf(prompt: string): number {
  let hash = 0x811c9dc5;
  for (let index = Math.max(0, prompt.length - 2048); index < prompt.length; index += 1) {
    hash = Math.imul(hash ^ prompt.charCodeAt(index), 0x01000193);
  }
  return hash >>> 0;
}

/** Packs whole characters into units of at most four bytes. */
function unitsOf(text: string): string[] {
  const units: string[] = [];
  let unit = '';
  let unitBytes = 0;
  for (const character of text) {
    const bytes = Buffer.byteLength(character);
    if (unitBytes + bytes > bytesPerToken) {
      units.push(unit);
      unit = '';
      unitBytes = 0;
    }
    unit += character;
    unitBytes += bytes;
  }
  if (unit) units.push(unit);
  return units;
}

function paddedToTokens(text: string): string {
  return text.padEnd(tokensOfBytes(text.length) * bytesPerToken, '\n');
}

function shuffled<Item>(items: readonly Item[], seed: number): Item[] {
  const result = [...items];
  let state = seed || 1;
  for (let last = result.length - 1; last > 0; last -= 1) {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    const other = state % (last + 1);
    const held = result[last] as Item;
    result[last] = result[other] as Item;
    result[other] = held;
  }
  return result;
}

const sentenceTable: readonly string[] = [
  'A router reads the address and picks the shortest way.',
  'Every packet carries its own small map of the world.',
  'When a link fails, its neighbours tell the others within seconds.',
  'The table is rebuilt, and traffic flows along another path.',
  'Nothing is lost that was acknowledged before the change.',
  'A queue that grows without a bound is only a slower way to fail.',
  'The sender slows down as soon as the reader falls behind.',
  'Measure first, then change one thing, then measure again.',
  'An old proverb says: "Count the coins before you close the purse."',
  'Two clocks never agree, so the order must come from somewhere else.',
  'Each record has a number, and each number is used once.',
  'If the lights go out, the journal still knows what had happened.',
  'Small steps are easy to check and easy to take back.',
  'The river bends around the hill and meets the sea at dawn.',
  'Write down the reason; the code already says the rest.',
  'In the end the sum on both sides of the page is the same.',
];

const multibyteTable: readonly string[] = [
  '😀', '🚀', '🌍', '🧭', '🎈', '🐍', '🍀', '📦', '語 ', '東,', '北.', '水 ', '火 ', '道 ', '路 ', '山 ', 'でa', 'éà', 'üö',
  'ñ a', 'Ωλ', 'дж', '한 ', '글.',
];
