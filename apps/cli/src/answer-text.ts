/** Answers of the management API as text for people; `--json` has everything. */

/** Nested values as indented `name: value` lines. */
export function describeAnswer(value: unknown, indent = ''): string {
  if (Array.isArray(value)) return value.length === 0 ? `${indent}(none)` : value.map((item) => describeItem(item, indent)).join('\n');
  if (!isObject(value)) return `${indent}${String(value)}`;
  const shown = Object.entries(value).filter(([, inner]) => inner !== null);
  return shown.map(([name, inner]) => (isObject(inner) ? `${indent}${name}:\n${describeAnswer(inner, `${indent}  `)}` : `${indent}${name}: ${String(inner)}`)).join('\n');
}

function describeItem(item: unknown, indent: string): string {
  const lines = describeAnswer(item, `${indent}  `);
  return `${indent}- ${lines.slice(indent.length + 2)}`;
}

/** A page of a list, and how to get the next. */
export function describePage(answer: unknown): string {
  const { items = [], next = null } = isObject(answer) ? (answer as { items?: unknown; next?: unknown }) : {};
  const more = typeof next === 'string' ? `\nThere may be more: repeat this with --after ${next}` : '';
  return `${describeAnswer(items)}${more}`;
}

/** A charge as a bill: what was counted, at which price, times which multiplier, and what became of it. */
export function describeCharge(answer: unknown): string {
  const { id, usage, transfer } = answer as { id: string; usage: Fields | null; transfer: Fields | null };
  if (usage?.['state'] !== 'rated') return describeAnswer(answer);
  const lines = (usage['lines'] as Fields[]).map(({ item, quantity, price, per, amount }) => [String(item), String(quantity), `${String(price)} per ${String(per)}`, String(amount)]);
  const how = [usage['streamed'] === true ? 'stream' : 'one answer', usage['estimated'] === true ? 'usage estimated' : 'usage reported by the provider'];
  return [
    `request    ${id}`,
    `model      ${String(usage['model'])} (${String(usage['dialect'])}, ${how.join(', ')})`,
    `outcome    ${String(usage['outcome'])}, status ${String(usage['status'])}${typeof usage['errorCode'] === 'string' ? `, ${usage['errorCode']}` : ''}`,
    `account    ${String(usage['accountId'])}, key ${String(usage['keyId'])}`,
    `price      ${String(usage['priceId'] ?? 'none')}, tier ${String(usage['billedTier'])}, multiplier ${String(usage['multiplier'])}`,
    ...(lines.length > 0 ? ['', ...alignColumns([['item', 'count', 'USD', 'amount'], ...lines])] : []),
    '',
    ...describeWaiver(usage['waived']),
    `rated      ${String(usage['rated'])} USD`,
    `charge     ${String(usage['charge'])} USD (granted ${String(usage['granted'])}, written off ${String(usage['writeOff'])})`,
    transfer === null ? 'ledger     nothing posted' : `ledger     ${describeEntries(transfer)}`,
    `recomputed ${usage['recomputed'] === true ? 'yes: tokens and price give this amount' : 'NO: tokens and price give another amount'}`,
  ].join('\n');
}

function describeWaiver(waived: unknown): string[] {
  if (!isObject(waived)) return [];
  const { reason, detail, by, why, at } = waived as Fields;
  return [`waived     by ${String(by)} at ${String(at)}: ${String(why)} (was parked: ${String(reason)}, ${String(detail)})`];
}

function describeEntries(transfer: Fields): string {
  const entries = transfer['entries'] as Fields[];
  return entries.map(({ ledgerAccount, amount, balanceAfter }) => `${String(ledgerAccount)} ${String(amount)} (then ${String(balanceAfter)})`).join(', ');
}

function alignColumns(rows: readonly string[][]): string[] {
  const widths = (rows[0] ?? []).map((_title, column) => Math.max(...rows.map((row) => row[column]?.length ?? 0)));
  return rows.map((row) => `  ${row.map((cell, column) => (column === 0 ? cell.padEnd(widths[column] ?? 0) : cell.padStart(widths[column] ?? 0))).join('  ')}`);
}

type Fields = Readonly<Record<string, unknown>>;

function isObject(value: unknown): value is object {
  return typeof value === 'object' && value !== null;
}
