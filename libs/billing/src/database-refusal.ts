/** SQLSTATE classes 22 (data exception) and 23 (integrity): all others say nothing about a single record. */
export function blamesRecord(error: unknown): error is Error {
  return error instanceof Error && 'code' in error && typeof error.code === 'string' && /^2[23]...$/.test(error.code);
}
