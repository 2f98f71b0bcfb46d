import type { BodyFacts, ByteSpan } from './body-facts.js';

/** What the gateway may have to change in a body of the upstream's own dialect. */
export interface BodyEdits {
  /** The model's name at the upstream. Without effect where the body names no model (Gemini). */
  model?: string;
  /** Sets OpenAI's `stream_options.include_usage` to true. */
  includeUsage?: true;
  /** Cuts the top-level member `stream`. */
  removeStream?: true;
  /** Sets an output limit; `maxOutputTokens` stands inside `generationConfig`. Other limits stay as they are. */
  outputLimit?: { name: OutputLimitName; tokens: number };
}

export type OutputLimitName = 'max_completion_tokens' | 'max_tokens' | 'maxOutputTokens';

/** Text that takes the place of a span of the body; an empty span is an insertion. */
interface Replacement extends ByteSpan {
  text: string;
}

const LIMIT_SPAN_OF_NAME = {
  max_tokens: 'maxTokensSpan',
  max_completion_tokens: 'maxCompletionTokensSpan',
  maxOutputTokens: 'maxOutputTokensSpan',
} as const satisfies Record<OutputLimitName, keyof BodyFacts>;

/**
 * The body with the edits made, as slices to be sent one after the other. What is not edited is not copied and keeps
 * its bytes. `facts` are those that the body pass has found in this very body.
 */
export function editBody(body: Buffer, facts: BodyFacts, edits: BodyEdits): Buffer[] {
  const replacements: Replacement[] = [];
  const newMembers: string[] = [];
  if (edits.model !== undefined && facts.modelSpan !== undefined) {
    replacements.push({ ...facts.modelSpan, text: JSON.stringify(edits.model) });
  }
  if (edits.includeUsage) setIncludeUsage(facts, body, { replacements, newMembers });
  if (edits.outputLimit !== undefined) setOutputLimit(facts, edits.outputLimit, { replacements, newMembers });
  if (edits.removeStream && facts.streamMemberSpan !== undefined) {
    replacements.push({ ...facts.streamMemberSpan, text: '' });
  }
  // Every dialect requires a member that no edit removes, so `empty` is still true of the edited object.
  if (newMembers.length > 0) replacements.push(insertion(facts.insertAt, newMembers.join(','), facts.empty));
  return slicesOf(body, replacements);
}

interface Plan {
  replacements: Replacement[];
  /** Members to be inserted at the top. */
  newMembers: string[];
}

function setIncludeUsage(facts: BodyFacts, body: Buffer, plan: Plan): void {
  if (facts.includeUsage === true) return;
  const options = facts.streamOptionsSpan;
  if (facts.includeUsageSpan !== undefined) {
    plan.replacements.push({ ...facts.includeUsageSpan, text: 'true' });
  } else if (options === undefined) {
    plan.newMembers.push('"stream_options":{"include_usage":true}');
  } else if (body[options.start] === 0x7b) {
    plan.replacements.push(insertion(options.start + 1, '"include_usage":true', isEmptyObject(body, options)));
  } else {
    plan.replacements.push({ ...options, text: '{"include_usage":true}' });
  }
}

function setOutputLimit(facts: BodyFacts, limit: { name: OutputLimitName; tokens: number }, plan: Plan): void {
  const tokens = String(limit.tokens);
  // OpenAI takes one of its two names at a time.
  const spans = limit.name === 'max_completion_tokens' ? [facts.maxCompletionTokensSpan, facts.maxTokensSpan] : [facts[LIMIT_SPAN_OF_NAME[limit.name]]];
  const present = spans.filter((span) => span !== undefined);
  const member = `"${limit.name}":${tokens}`;
  if (present.length > 0) {
    for (const span of present) plan.replacements.push({ ...span, text: tokens });
  } else if (limit.name !== 'maxOutputTokens') {
    plan.newMembers.push(member);
  } else if (facts.generationConfigInsertAt !== undefined) {
    plan.replacements.push(insertion(facts.generationConfigInsertAt, member, facts.generationConfigEmpty));
  } else if (facts.generationConfigSpan !== undefined) {
    plan.replacements.push({ ...facts.generationConfigSpan, text: `{${member}}` });
  } else {
    plan.newMembers.push(`"generationConfig":{${member}}`);
  }
}

/** Members right behind an opening brace; the object is `empty` but for them or goes on. */
function insertion(offset: number, members: string, empty: boolean): Replacement {
  return { start: offset, end: offset, text: empty ? members : `${members},` };
}

function isEmptyObject(body: Buffer, span: ByteSpan): boolean {
  for (let offset = span.start + 1; offset < span.end - 1; offset++) {
    if ((body[offset] as number) > 0x20) return false;
  }
  return true;
}

/** Spans never overlap; of two that begin at the same offset the insertion comes first. */
function slicesOf(body: Buffer, replacements: Replacement[]): Buffer[] {
  replacements.sort((left, right) => left.start - right.start || left.end - right.end);
  const slices: Buffer[] = [];
  let copiedTo = 0;
  for (const { start, end, text } of replacements) {
    if (start > copiedTo) slices.push(body.subarray(copiedTo, start));
    if (text !== '') slices.push(Buffer.from(text));
    copiedTo = end;
  }
  if (copiedTo < body.length) slices.push(body.subarray(copiedTo));
  return slices;
}
