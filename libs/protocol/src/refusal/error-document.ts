import { ERROR_TABLE } from './error-table.js';
import type { ErrorRow } from './error-table.js';

const INTRODUCTION = `# Errors

Generated from \`libs/protocol/src/refusal/error-table.ts\`; a test compares the two.

Every refusal is written in the caller's own dialect, so that the official SDKs raise their own typed errors, and
carries \`x-request-id\`. The code stands in \`error.code\` (OpenAI) and in \`error.details[0].reason\` (Gemini); Anthropic's
shape has no place for it, so there the status and the message tell. "Retry" says whether the same request may succeed
later without a change; where a time is known, \`Retry-After\` names it.
`;

/** The table of errors as Markdown: the whole text of `docs/errors.md`, by rising status. */
export function documentErrors(): string {
  const rows = (Object.entries(ERROR_TABLE) as [string, ErrorRow][])
    .sort(([, one], [, other]) => one.status - other.status)
    .map(([code, { status, retryable, when, remedy }]) => `| ${status} | \`${code}\` | ${retryable ? 'yes' : 'no'} | ${cell(when)} | ${cell(remedy)} |`);
  return [INTRODUCTION, '| status | code | retry | when | what to do |', '|---|---|---|---|---|', ...rows, ''].join('\n');
}

function cell(text: string): string {
  return text.replaceAll('|', '\\|');
}
