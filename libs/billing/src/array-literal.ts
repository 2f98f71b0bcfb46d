/**
 * PostgreSQL array literals (its manual, "Array Value Input"), made by hand because for columns of plain numbers and
 * ids it costs a fraction of what the driver's general conversion does.
 */
export function plainArray(values: readonly (string | number | bigint | boolean | null)[]): string {
  return `{${values.map((value) => (value === null ? 'NULL' : value)).join(',')}}`;
}

/** For text: quoted. PostgreSQL's text cannot hold NUL; it becomes U+FFFD, so that no name can keep a row out. */
export function textArray(values: readonly (string | null)[]): string {
  return `{${values.map((value) => (value === null ? 'NULL' : quote(value))).join(',')}}`;
}

function quote(value: string): string {
  const safe = SPECIAL.test(value) ? value.replace(/["\\]/g, '\\$&').replaceAll('\0', '\uFFFD') : value;
  return `"${safe}"`;
}

const SPECIAL = /["\\\0]/;
