import type { BodyFacts, ByteSpan } from './body-facts.js';
import type { JsonScanner } from './json-scanner.js';

/** How often a body may name a tool that is not a plain function of the client; more than any honest one does. */
const MAX_NAMED_TOOLS = 256;

/** What a piece of media or a block of content is known to be before its object has ended; members come in any order. */
export interface OpenBlock {
  /** An image, as opposed to audio, video or a document. */
  isImage: boolean;
  /** How the data is given; `stored` also when it is not known. */
  source: 'none' | 'inline' | 'text' | 'stored';
  /** Bytes of the body that the data takes. */
  dataBytes: number;
  /** The id of a stored file stands in the block. */
  hasFileId: boolean;
  /** A file that a hosted tool made, in an answer that is sent back: the model does not read it again. */
  isToolOutput: boolean;
}

/** Collects the facts of one body while it is walked. */
export class BodyRecord {
  readonly facts: BodyFacts = noFacts();
  private readonly openBlocks: OpenBlock[] = [];
  private namedTools = 0;

  /** The innermost block that has not ended. */
  get block(): OpenBlock {
    return this.openBlocks.at(-1) as OpenBlock;
  }

  openBlock(): void {
    this.openBlocks.push({ isImage: false, source: 'none', dataBytes: 0, hasFileId: false, isToolOutput: false });
  }

  closeBlock(): OpenBlock {
    return this.openBlocks.pop() as OpenBlock;
  }

  addInlineMedia(isImage: boolean, bytes: number): void {
    if (isImage) {
      this.facts.images += 1;
      this.facts.imageBytes += bytes;
    } else {
      this.facts.otherMediaBytes += bytes;
    }
  }

  addReference(): void {
    this.facts.references += 1;
  }

  /** Whether one more tool may be named: the names must be decoded and compared, so their number is bounded. */
  admitsNamedTool(): boolean {
    this.namedTools += 1;
    return this.namedTools <= MAX_NAMED_TOOLS;
  }

  addHostedTool(name: string): void {
    const { hostedTools } = this.facts;
    if (!hostedTools.includes(name)) hostedTools.push(name);
  }

  addOutputLimit(tokens: number): void {
    const { outputLimit } = this.facts;
    if (outputLimit === undefined || tokens > outputLimit) this.facts.outputLimit = tokens;
  }
}

/** The bytes of the value that the scanner has just read. */
export function spanOf(value: JsonScanner): ByteSpan {
  return { start: value.from, end: value.to };
}

function noFacts(): BodyFacts {
  return {
    model: undefined,
    modelSpan: undefined,
    stream: undefined,
    streamMemberSpan: undefined,
    includeUsage: undefined,
    streamOptionsSpan: undefined,
    includeUsageSpan: undefined,
    outputLimit: undefined,
    answers: 1,
    maxTokensSpan: undefined,
    maxCompletionTokensSpan: undefined,
    maxOutputTokensSpan: undefined,
    thinkingBudget: undefined,
    thinking: undefined,
    serviceTier: undefined,
    speed: undefined,
    inferenceGeo: undefined,
    hostedTools: [],
    asksOneHourCache: false,
    asksCacheWrite: false,
    references: 0,
    images: 0,
    imageBytes: 0,
    otherMediaBytes: 0,
    insertAt: 0,
    generationConfigSpan: undefined,
    generationConfigInsertAt: undefined,
    empty: true,
    generationConfigEmpty: true,
  };
}
